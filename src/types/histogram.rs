//! `Histogram`: how often values were how large, by powers of two.

use std::fmt;
use std::ops::RangeInclusive;

const BUCKETS: usize = 65;

/// How often values were how large. Values of one power of two are counted together: 0, 1, 2 to 3, 4 to 7 and so on.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let store = annals::Store::open(dir.path().join("bank"))?;
/// # let account = store.stream("account-1")?;
/// # account.append_raw(annals::ExpectedVersion::NoStream, [annals::NewEvent::new("Opened", *b"Ada")?])?;
/// let groups = store.stats()?.group_sizes;
/// assert_eq!(groups.count(), 1);
/// assert_eq!(groups.quantile(0.5), Some(1..=1)); // one append a group
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Histogram {
    /// By how many bits a value needs.
    counts: [u64; BUCKETS],
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: [0; BUCKETS] }
    }
}

impl Histogram {
    pub(crate) fn add(&mut self, value: u64) {
        if let Some(count) = self.counts.get_mut((u64::BITS - value.leading_zeros()) as usize) {
            *count += 1;
        }
    }

    /// How many values there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The values that are counted together and how many there were, ascending, without those of which there were none.
    pub fn buckets(&self) -> impl Iterator<Item = (RangeInclusive<u64>, u64)> + '_ {
        (0..)
            .zip(&self.counts)
            .filter(|(_, count)| **count > 0)
            .map(|(bits, count)| (values_of(bits), *count))
    }

    /// What the value lay among that this part of all values, from 0 to 1, did not exceed; `None` when there were none.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "which of very many values it is need not be exact"
    )]
    pub fn quantile(&self, part: f64) -> Option<RangeInclusive<u64>> {
        let wanted = (part.clamp(0.0, 1.0) * self.count() as f64).ceil() as u64;
        let mut seen = 0;
        self.buckets().find_map(|(values, count)| {
            seen += count;
            (seen >= wanted.max(1)).then_some(values)
        })
    }
}

/// The values that need so many bits.
fn values_of(bits: u32) -> RangeInclusive<u64> {
    match bits.checked_sub(1) {
        None => 0..=0,
        Some(lower) => 1 << lower..=u64::MAX >> (u64::BITS - bits),
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.buckets()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_counted_where_it_belongs() {
        for value in [0, 1, 2, 3, 4, 7, 8, 1 << 63, u64::MAX] {
            let mut histogram = Histogram::default();
            histogram.add(value);
            let (values, count) = histogram.buckets().next().expect("one");
            assert!(values.contains(&value) && count == 1, "{value}: {histogram:?}");
        }
    }

    #[test]
    fn quantiles_are_those_of_the_values() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.5), None);
        (1..=100).for_each(|value| histogram.add(value));
        assert_eq!(histogram.count(), 100);
        let quantiles =
            [(0.0, 1), (0.01, 1), (0.5, 50), (0.63, 63), (0.64, 64), (0.99, 99), (1.0, 100), (7.0, 100)];
        for (part, value) in quantiles {
            assert!(histogram.quantile(part).expect("values").contains(&value), "{part}");
        }
    }
}
