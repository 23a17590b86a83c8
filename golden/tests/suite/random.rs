//! A seeded generator: SplitMix64 (Steele, Lea, Flood 2014).

pub(crate) struct Random(u64);

impl Random {
    /// Prints the seed, so that a failure can be repeated.
    pub(crate) fn new(seed: u64) -> Self {
        println!("seed {seed:#x}");
        Self(seed)
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ (x >> 31)
    }

    pub(crate) fn word(&mut self) -> u32 {
        (self.bits() >> 32) as u32
    }

    pub(crate) fn below(&mut self, limit: u32) -> u32 {
        self.word() % limit
    }

    /// A binary32 fraction: random, or with the long runs of equal bits that carries need.
    pub(crate) fn fraction(&mut self) -> u32 {
        let word = self.word();
        let run = !0u32 << (word % 24);
        let pattern = match word >> 29 {
            0 => run,
            1 => !run,
            2 => 1 << (word % 23),
            3 => run ^ 1,
            _ => word,
        };
        pattern & 0x007F_FFFF
    }
}
