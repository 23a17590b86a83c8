//! How far quantised numbers are from the original ones: PopRT's losses and the indicators of its
//! logs. Sums are binary64, in the order of the elements.

mod moments;

pub use moments::{Histogram, Moments};

use crate::scale::{Codec, ScaleError};

/// A loss by its name in PopRT; smaller is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Mean of (x - q)^2.
    Mse,
    /// Mean of |x - q|.
    Mae,
    /// Sum of (x - q)^2 over the sum of x^2: noise to signal, by PopRT's formula.
    Snr,
    /// Divergence of the shares of |q| from those of |x|: with e = 1e-7 * max |x|,
    /// p ~ |x| + e and r ~ |q| + e that each sum to 1, it is the sum of p ln(p / r).
    Kld,
    /// 1 - cosine of the angle between x and q.
    Cosine,
}

impl Loss {
    /// Every loss with its name.
    pub const ALL: &'static [(Self, &'static str)] = &[
        (Self::Mse, "mse"),
        (Self::Mae, "mae"),
        (Self::Snr, "snr"),
        (Self::Kld, "kld"),
        (Self::Cosine, "cosine"),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        let row = Self::ALL.iter().find(|row| row.0 == self);
        row.expect("every loss has a row").1
    }

    /// The loss of that name.
    ///
    /// # Errors
    /// [`ScaleError::Illegal`] with the known names.
    pub fn get(name: &str) -> Result<Self, ScaleError> {
        let row = Self::ALL.iter().find(|row| row.1 == name);
        row.map(|row| row.0)
            .ok_or_else(|| ScaleError::illegal("loss", name, "mse, mae, snr, kld, cosine"))
    }
}

/// The sums that the losses are made of.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sums {
    /// Number of elements.
    pub count: usize,
    /// Sum of (x - q)^2.
    pub squares: f64,
    /// Sum of |x - q|.
    pub magnitudes: f64,
    /// Sum of x * q.
    pub product: f64,
    /// Sum of x^2.
    pub original: f64,
    /// Sum of q^2.
    pub quantised: f64,
}

/// Partial sums, so that the additions are not one chain.
const LANES: usize = 8;

impl Sums {
    /// Of numbers and what became of them.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn of(x: &[f32], q: &[f32]) -> Self {
        let mut sums = Self::default();
        for (x, q) in x.chunks(1024).zip(q.chunks(1024)) {
            sums.add(x, q);
        }
        assert_eq!(x.len(), q.len(), "original and quantised numbers");
        sums
    }

    /// Adds a chunk.
    pub fn add(&mut self, x: &[f32], q: &[f32]) {
        let mut lanes = [[0.0f64; LANES]; 5];
        let mut one = |i: usize, x: f32, q: f32| {
            let (x, q) = (f64::from(x), f64::from(q));
            lanes[0][i] += (x - q) * (x - q);
            lanes[1][i] += (x - q).abs();
            lanes[2][i] += x * q;
            lanes[3][i] += x * x;
            lanes[4][i] += q * q;
        };
        let (x_lanes, x_rest) = x.as_chunks::<LANES>();
        let (q_lanes, q_rest) = q.as_chunks::<LANES>();
        for (x, q) in x_lanes.iter().zip(q_lanes) {
            for i in 0..LANES {
                one(i, x[i], q[i]);
            }
        }
        for (i, (&x, &q)) in x_rest.iter().zip(q_rest).enumerate() {
            one(i, x, q);
        }
        let [squares, magnitudes, product, original, quantised] =
            lanes.map(|lanes| lanes.iter().sum::<f64>());
        self.count += x.len();
        self.squares += squares;
        self.magnitudes += magnitudes;
        self.product += product;
        self.original += original;
        self.quantised += quantised;
    }

    /// Mean squared error; 0 of nothing.
    pub fn mse(&self) -> f64 {
        self.squares / self.count.max(1) as f64
    }

    /// Mean absolute error; 0 of nothing.
    pub fn mae(&self) -> f64 {
        self.magnitudes / self.count.max(1) as f64
    }

    /// Noise over signal; 0 for zeros without noise, infinite for zeros with noise.
    pub fn snr(&self) -> f64 {
        match self.original {
            0.0 if self.squares == 0.0 => 0.0,
            original => self.squares / original,
        }
    }

    /// Cosine of the angle; 1 of zeros that stay zeros, 0 when one side alone is zero.
    pub fn cosine(&self) -> f64 {
        if self.original == 0.0 && self.quantised == 0.0 {
            return 1.0;
        }
        if self.original == 0.0 || self.quantised == 0.0 {
            return 0.0;
        }
        self.product / (self.original.sqrt() * self.quantised.sqrt())
    }
}

/// What the divergence adds to every magnitude, as a share of the largest.
const FLOOR: f64 = 1e-7;

/// What the divergence needs of the original numbers, computed once for all candidates.
#[derive(Clone, Copy, Debug)]
pub struct Shares {
    floor: f64,
    /// Sum of |x| + e.
    total: f64,
    /// Sum of (|x| + e) ln(|x| + e).
    entropy: f64,
}

impl Shares {
    /// Of the original numbers.
    pub fn of(x: &[f32]) -> Self {
        let floor = f64::from(crate::scale::amax(x)) * FLOOR;
        let (mut total, mut entropy) = (0.0, 0.0);
        for &x in x {
            let share = f64::from(x.abs()) + floor;
            total += share;
            if share > 0.0 {
                entropy += share * share.ln();
            }
        }
        Self {
            floor,
            total,
            entropy,
        }
    }

    /// The divergence: `cross` is the sum of (|x| + e) ln(|q| + e), `quantised` that of |q| + e.
    fn divergence(&self, cross: f64, quantised: f64) -> f64 {
        if self.total == 0.0 {
            return 0.0;
        }
        (self.entropy - cross) / self.total - self.total.ln() + quantised.ln()
    }
}

/// The divergence of q from x.
///
/// # Panics
/// When the lengths differ.
pub fn kld(x: &[f32], q: &[f32]) -> f64 {
    assert_eq!(x.len(), q.len(), "original and quantised numbers");
    let shares = Shares::of(x);
    let (mut cross, mut quantised) = (0.0, 0.0);
    for (&x, &q) in x.iter().zip(q) {
        let (x, q) = (
            f64::from(x.abs()) + shares.floor,
            f64::from(q.abs()) + shares.floor,
        );
        quantised += q;
        cross += x * q.ln();
    }
    shares.divergence(cross, quantised)
}

/// The divergence of what a codec makes of x; the logarithm is taken once a code.
pub(crate) fn kld_of_codes(codec: &Codec, x: &[f32], scale: f32, shares: &Shares) -> f64 {
    let mut codes = [0u32; 1024];
    // Four tables, so that equal codes in a row do not wait for each other.
    let mut weight = vec![[0.0f64; 256]; 4];
    let mut count = vec![[0u32; 256]; 4];
    for x in x.chunks(codes.len()) {
        let codes = &mut codes[..x.len()];
        codec.encode(x, scale, codes);
        for (i, (&x, &code)) in x.iter().zip(&*codes).enumerate() {
            let code = (code & 0xff) as usize;
            weight[i % 4][code] += f64::from(x.abs()) + shares.floor;
            count[i % 4][code] += 1;
        }
    }
    let (mut cross, mut quantised) = (0.0, 0.0);
    for code in 0..256 {
        let count: u64 = count.iter().map(|table| u64::from(table[code])).sum();
        if count == 0 {
            continue;
        }
        let mut q = [0.0];
        codec.decode(&[code as u32], scale, &mut q);
        let q = f64::from(q[0].abs()) + shares.floor;
        quantised += q * count as f64;
        cross += q.ln() * weight.iter().map(|table| table[code]).sum::<f64>();
    }
    shares.divergence(cross, quantised)
}

/// Sum of (x - q)^2 over what a codec makes of x.
pub(crate) fn squared_error(codec: &Codec, x: &[f32], scale: f32) -> f64 {
    let mut sums = Sums::default();
    codec.for_each_chunk(x, scale, |x, q| sums.add(x, q));
    sums.squares
}
