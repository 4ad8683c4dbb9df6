//! `Random`: xorshift64* (Vigna 2016, "An experimental exploration of Marsaglia's xorshift generators, scrambled"). Good
//! enough to choose accounts by; the same seed gives the same choices.

/// A sequence of numbers that its seed determines.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// The `number`-th sequence of a seed.
    pub(crate) fn new(seed: u64, number: u64) -> Self {
        // splitmix64's finaliser: near seeds give far states. Zero would stay zero.
        let mut state = seed.wrapping_add(number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self((state ^ (state >> 31)).max(1))
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % bound.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_and_its_sequences_differ() {
        let numbers = |seed, number| {
            let mut random = Random::new(seed, number);
            (0..8).map(|_| random.below(1_000)).collect::<Vec<_>>()
        };
        assert_eq!(numbers(7, 0), numbers(7, 0));
        assert_ne!(numbers(7, 0), numbers(7, 1));
        assert_ne!(numbers(7, 0), numbers(8, 0));
        assert!(numbers(0, u64::MAX).iter().all(|&number| number < 1_000));
    }
}
