//! The seeded generator of all stimulus: one seed and a suite's name decide every case.

/// xoshiro256++ (Blackman and Vigna), seeded through splitmix64. Written here so that a seed
/// names the same cases whatever version of whatever crate is installed.
#[derive(Clone, Debug)]
pub struct Random {
    state: [u64; 4],
}

impl Random {
    /// The generator of `seed`, apart from the generators of other `purpose`s.
    pub fn new(seed: u64, purpose: &str) -> Self {
        // FNV-1a of the purpose, so that suites draw independent streams from one seed.
        let hash = purpose
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        let mut mixed = seed ^ hash;
        let state = std::array::from_fn(|_| {
            mixed = mixed.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        });
        Self { state }
    }

    /// 64 random bits.
    #[inline]
    pub fn bits64(&mut self) -> u64 {
        let [s0, s1, s2, s3] = &mut self.state;
        let result = s0.wrapping_add(*s3).rotate_left(23).wrapping_add(*s0);
        let t = *s1 << 17;
        *s2 ^= *s0;
        *s3 ^= *s1;
        *s1 ^= *s2;
        *s0 ^= *s3;
        *s2 ^= t;
        *s3 = s3.rotate_left(45);
        result
    }

    /// 32 random bits.
    #[inline]
    pub fn bits32(&mut self) -> u32 {
        (self.bits64() >> 32) as u32
    }

    /// A number below `bound`, which must not be 0. The bias, below 2^-32 for the bounds of
    /// stimulus, does not matter here.
    #[inline]
    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.bits64()) * bound as u128) >> 64) as usize
    }

    /// A number from `low` to `high`, both included.
    #[inline]
    pub fn between(&mut self, low: i32, high: i32) -> i32 {
        let span = i64::from(high) - i64::from(low) + 1;
        (i64::from(low) + self.below(span as usize) as i64) as i32
    }

    /// True once in `times`.
    #[inline]
    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// An element of a slice that is not empty.
    #[inline]
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn same_seed_and_purpose_give_the_same_bits_and_others_do_not() {
        let first = |seed, purpose| Random::new(seed, purpose).bits64();
        assert_eq!(first(1, "gemm"), first(1, "gemm"));
        assert_ne!(first(1, "gemm"), first(2, "gemm"));
        assert_ne!(first(1, "gemm"), first(1, "decode"));
    }

    #[test]
    fn ranges_are_kept_and_filled() {
        let mut random = Random::new(7, "ranges");
        let mut seen = [0; 5];
        for _ in 0..1000 {
            let value = random.between(-2, 2);
            seen[usize::try_from(value + 2).unwrap()] += 1;
        }
        assert!(seen.iter().all(|&count| count > 100), "{seen:?}");
    }
}
