//! `NameFilter`: a binary fuse filter over the names of a segment's streams, so that a look for a stream that is not there mostly
//! ends here. The only file that names xorf.
//!
//! The block's bytes:
//!
//! ```text
//! offset size  field
//!      0    8  seed
//!      8    4  segment_length: a power of two, 262,144 at most
//!     12    4  segment_count_length: a multiple of segment_length
//!     16       fingerprints: segment_count_length + 2 × segment_length bytes
//! ```
//! The keys are the names' stable hashes. A key that is there is always found; of those that are not, one in 256 is.

use xorf::{BinaryFuse8, Descriptor, Filter};

use crate::disk::{Cursor, put_u32, put_u64};

use super::stable_hash::stable_hash;

const HEADER_BYTES: usize = 16;
const SEGMENT_LENGTH_MAX: u32 = 262_144;

/// The names that a segment may have.
#[derive(Debug)]
pub(super) struct NameFilter {
    filter: BinaryFuse8,
}

impl NameFilter {
    /// A filter of these names, given as their hashes; `None` if none comes about, which is all but impossible.
    pub(super) fn of(mut hashes: Vec<u64>) -> Option<Self> {
        hashes.sort_unstable();
        // Two names with one hash are one key.
        hashes.dedup();
        if hashes.is_empty() {
            return None;
        }
        let filter = BinaryFuse8::try_from(&hashes).ok()?;
        Some(Self { filter })
    }

    /// The block's bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        let Descriptor { seed, segment_length, segment_count_length, .. } = self.filter.descriptor;
        let mut bytes = Vec::with_capacity(HEADER_BYTES + self.filter.fingerprints.len());
        put_u64(&mut bytes, seed);
        put_u32(&mut bytes, segment_length);
        put_u32(&mut bytes, segment_count_length);
        bytes.extend_from_slice(&self.filter.fingerprints);
        bytes
    }

    /// Takes apart the block's bytes.
    pub(super) fn decode(raw: &[u8]) -> Result<Self, &'static str> {
        let (header, fingerprints) = raw.split_at_checked(HEADER_BYTES).ok_or("filter is cut")?;
        let mut cursor = Cursor::new(header);
        let (Some(seed), Some(segment_length), Some(segment_count_length)) =
            (cursor.u64(), cursor.u32(), cursor.u32())
        else {
            return Err("filter is cut");
        };
        // With these, every key's three fingerprints lie in the block: the first below segment_count_length, the others in the two
        // segments behind its own.
        let is_sound = segment_length.is_power_of_two()
            && segment_length <= SEGMENT_LENGTH_MAX
            && segment_count_length > 0
            && segment_count_length.is_multiple_of(segment_length)
            && u64::from(segment_count_length) + 2 * u64::from(segment_length) == fingerprints.len() as u64;
        if !is_sound {
            return Err("filter's lengths do not add up");
        }
        let descriptor = Descriptor {
            seed,
            segment_length,
            segment_length_mask: segment_length - 1,
            segment_count_length,
        };
        Ok(Self { filter: BinaryFuse8 { descriptor, fingerprints: fingerprints.into() } })
    }

    /// Whether a stream with this name may be there; `false` is certain.
    pub(super) fn may_hold(&self, name: &str) -> bool {
        self.filter.contains(&stable_hash(name.as_bytes()))
    }

    /// Bytes of memory that it takes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.filter.fingerprints.len() + size_of::<Self>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: u32) -> Vec<String> {
        (0..count).map(|at| format!("account-{at}")).collect()
    }

    fn filter_of(names: &[String]) -> NameFilter {
        NameFilter::of(names.iter().map(|name| stable_hash(name.as_bytes())).collect()).expect("a filter")
    }

    #[test]
    fn names_that_are_there_are_found_and_few_others() {
        for count in [1, 2, 3, 4, 5, 6, 7, 10, 100, 1_000, 20_000] {
            let names = names(count);
            let filter = NameFilter::decode(&filter_of(&names).encode()).expect("sound");
            assert!(names.iter().all(|name| filter.may_hold(name)), "{count}");
            let others = (0..20_000).filter(|at| filter.may_hold(&format!("other-{at}"))).count();
            assert!(others < 200, "{others} of 20,000 in a filter of {count}");
        }
        assert!(NameFilter::of(Vec::new()).is_none());
        let twice = NameFilter::of(vec![7, 7, 9, 7]).expect("a filter");
        assert!(twice.filter.contains(&7) && twice.filter.contains(&9));
    }

    /// The bytes of a filter that was written once mean the same for ever: if this fails, the crate has changed, and segments on
    /// disk would lose streams.
    #[test]
    fn a_filter_that_was_written_once_means_the_same_for_ever() {
        assert_eq!(filter_of(&names(12)).encode(), GOLDEN);
        let filter = NameFilter::decode(&GOLDEN).expect("sound");
        assert!(names(12).iter().all(|name| filter.may_hold(name)));
        let others: Vec<u32> = (12..2_000).filter(|at| filter.may_hold(&format!("account-{at}"))).collect();
        assert_eq!(others, GOLDEN_OTHERS);
    }

    const GOLDEN: [u8; 64] = [
        193, 92, 2, 137, 236, 45, 10, 145, 16, 0, 0, 0, 16, 0, 0, 0, 0, 0, 116, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 112, 0, 0, 71, 0, 0, 0, 0, 0, 239, 0, 106, 65, 0, 0, 180, 0, 62, 0, 0, 163,
        159, 0, 51, 0, 27, 0,
    ];
    const GOLDEN_OTHERS: [u32; 9] = [444, 624, 909, 1270, 1575, 1668, 1727, 1735, 1863];

    #[test]
    fn a_filter_whose_lengths_do_not_add_up_is_refused_and_others_never_panic() {
        let bytes = filter_of(&names(12)).encode();
        for cut in 0..bytes.len() {
            assert!(NameFilter::decode(&bytes[..cut]).is_err(), "cut at {cut}");
        }
        for at in 8..HEADER_BYTES {
            for byte in 0..=255 {
                let mut other = bytes.clone();
                other[at] = byte;
                if let Ok(filter) = NameFilter::decode(&other) {
                    let _ = names(100).iter().filter(|name| filter.may_hold(name)).count();
                }
            }
        }
        // All that is left to choose once the fingerprints are so many.
        for (segment_length, segment_count_length) in [(1, 3), (2, 4), (4, 8), (8, 16), (16, 16), (16, 32)] {
            for seed in 0..50_u64 {
                let mut other = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes().to_vec();
                put_u32(&mut other, segment_length);
                put_u32(&mut other, segment_count_length);
                other.resize(HEADER_BYTES + (2 * segment_length + segment_count_length) as usize, 0xff);
                let filter = NameFilter::decode(&other).expect("lengths add up");
                let _ = names(100).iter().filter(|name| filter.may_hold(name)).count();
            }
        }
    }
}
