//! Random numbers from a seed (SplitMix64), and choices of streams by them.

/// A generator whose whole state is its seed: event number n has its own, so any event can be made on its own.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is not 0.
    pub(crate) const fn below(&mut self, end: u64) -> u64 {
        ((self.next() as u128 * end as u128) >> 64) as u64
    }

    /// A number from 0 up to, not including, 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Which streams are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Pick {
    /// Each stream as often as any other.
    Uniform,
    /// The stream of rank r in proportion to 1/r: some streams are hot.
    Zipf,
}

/// `count` numbers of streams below `streams`.
pub(crate) fn picks(pick: Pick, streams: u64, count: usize, seed: u64) -> Vec<u64> {
    let mut random = Random::new(seed);
    match pick {
        Pick::Uniform => (0..count).map(|_| random.below(streams)).collect(),
        Pick::Zipf => {
            let harmonics: Vec<f64> = (1..=streams)
                .scan(0.0, |sum, rank| {
                    *sum += 1.0 / rank as f64;
                    Some(*sum)
                })
                .collect();
            let total = harmonics.last().copied().unwrap_or(1.0);
            (0..count)
                .map(|_| {
                    let at = random.unit() * total;
                    let rank = harmonics.partition_point(|sum| *sum <= at) as u64;
                    // Hot streams are not neighbours: ranks are spread over the numbers by a step coprime to any
                    // number of streams used here, none of which it divides.
                    rank.wrapping_mul(7919) % streams
                })
                .collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Pick, picks};

    #[test]
    fn hot_streams_are_picked_more_often_than_others() {
        let picked = picks(Pick::Zipf, 1000, 10_000, 1);
        assert!(picked.iter().all(|stream| *stream < 1000));
        let hottest = picked.iter().filter(|stream| **stream == 0).count();
        assert!((1000..1800).contains(&hottest), "{hottest}");
    }
}
