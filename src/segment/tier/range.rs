//! `TierRange`: the numbers of the segments that a tier covers, and the tier's name.
//!
//! A tier of level `l` covers 8 to the power of `l` numbers, and begins behind a multiple of as many: 1 to 8, 9 to 16 and so on,
//! then 1 to 64. So two tiers either have no segment in common, or one lies within the other.

use crate::disk::{file_name, number_of};

/// How many tiers of one level, or segments, are merged into one.
const FANOUT: u64 = 8;
/// Tiers of the last level cover 4,096 segments. Higher ones would say more runs of a stream than a block can hold.
pub(crate) const LEVEL_MAX: u32 = 4;
pub(super) const WIDTH_MAX: u64 = FANOUT.pow(LEVEL_MAX);
/// A tier of more streams is not made: its filter, which takes a byte and an eighth of each, is to fit a part of the block cache.
pub(crate) const STREAMS_MAX: u64 = 4 << 20;
const SUFFIX: &str = ".streams";

/// Which segments a tier covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TierRange {
    pub(super) first: u64,
    pub(super) last: u64,
}

impl TierRange {
    /// Of the tier of a level, from 1 to `LEVEL_MAX`, that covers segment `number`; `None` where numbers end.
    pub(crate) fn holding(level: u32, number: u64) -> Option<Self> {
        let width = FANOUT.pow(level.min(LEVEL_MAX));
        let before = number.checked_sub(1)? / width * width;
        Some(Self { first: before.checked_add(1)?, last: before.checked_add(width)? })
    }

    /// Of the tier with this name.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        let (first, last) = name.strip_suffix(SUFFIX)?.split_once('-')?;
        let (first, last) = (number_of(first)?, number_of(last)?);
        (1..=LEVEL_MAX)
            .filter_map(|level| Self::holding(level, first))
            .find(|range| *range == Self { first, last })
    }

    /// The name of the tier's file.
    pub(crate) fn file_name(self) -> String {
        format!("{}-{}{SUFFIX}", file_name(self.first), file_name(self.last))
    }

    pub(crate) fn first(self) -> u64 {
        self.first
    }

    pub(crate) fn last(self) -> u64 {
        self.last
    }

    /// How many numbers it has.
    pub(crate) fn width(self) -> u64 {
        self.last - self.first + 1
    }

    /// Whether all of another are among its own.
    pub(crate) fn contains(self, other: Self) -> bool {
        self.first <= other.first && other.last <= self.last
    }

    /// Those of the tiers that it is merged from; none when it is merged from segments.
    pub(crate) fn parts(self) -> impl Iterator<Item = Self> {
        let width = self.width() / FANOUT;
        let count = if width == 1 { 0 } else { FANOUT };
        (0..count).map(move |part| {
            let first = self.first + part * width;
            Self { first, last: first + (width - 1) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_ranges_go_together() {
        for (level, number, name) in [
            (1, 1, "00000001-00000008.streams"),
            (1, 8, "00000001-00000008.streams"),
            (1, 9, "00000009-00000016.streams"),
            (2, 64, "00000001-00000064.streams"),
            (3, 513, "00000513-00001024.streams"),
            (4, 1, "00000001-00004096.streams"),
        ] {
            let range = TierRange::holding(level, number).expect("a range");
            assert_eq!(range.file_name(), name);
            assert_eq!(TierRange::of_name(name), Some(range));
        }
        for name in [
            "00000001-00000007.streams",
            "00000002-00000009.streams",
            "00000001-00032768.streams",
            "00000001-00000008",
            "1-8.streams",
            "00000000-00000007.streams",
            "00000001-00000008.streams.tmp",
        ] {
            assert_eq!(TierRange::of_name(name), None, "{name}");
        }
        assert_eq!(TierRange::holding(1, 0), None);
        assert_eq!(TierRange::holding(4, u64::MAX), None);
    }

    #[test]
    fn a_range_is_made_of_eight_of_the_level_below() {
        let range = TierRange::holding(2, 70).expect("a range");
        let parts: Vec<_> = range.parts().collect();
        assert_eq!(parts.len(), 8);
        assert!(parts.iter().all(|part| range.contains(*part) && !part.contains(range)));
        assert_eq!((parts[0].first(), parts[7].last()), (range.first(), range.last()));
        assert_eq!(parts[3].parts().count(), 0);
    }
}
