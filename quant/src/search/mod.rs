//! The search for the format and power-of-two scale of least loss, as PopRT does for each weight and
//! input.

mod log;

pub use log::{PrecisionRow, QuantizeRow};

use quaver_contract::Format;
use rayon::prelude::*;
use serde::Serialize;

use crate::loss::{Loss, Shares, Sums, kld_of_codes};
use crate::scale::{Codec, ScaleError, check_finite, gaudi::power_of_two};

/// What is searched.
#[derive(Clone, Debug)]
pub struct Space {
    /// Formats of at most 8 bits.
    pub formats: Vec<&'static Format>,
    /// Smallest exponent of the scale.
    pub low: i32,
    /// Largest exponent of the scale.
    pub high: i32,
}

/// Exponents that the IPU's signed 6-bit scale holds.
pub const EXPONENTS: std::ops::RangeInclusive<i32> = -32..=31;

impl Space {
    /// Checks formats and exponents.
    ///
    /// # Errors
    /// [`ScaleError::Illegal`] naming what is wrong.
    pub fn check(&self) -> Result<(), ScaleError> {
        if let Some(format) = self.formats.iter().find(|format| !format.is_operand()) {
            let allowed = "formats of at most 8 bits with a sign and a zero";
            return Err(ScaleError::illegal("format", format.name, allowed));
        }
        if self.formats.is_empty() {
            return Err(ScaleError::illegal("formats", "none", "one or more"));
        }
        let range = EXPONENTS.contains(&self.low) && EXPONENTS.contains(&self.high);
        if !range || self.low > self.high {
            let value = format!("{}..{}", self.low, self.high);
            return Err(ScaleError::illegal(
                "scale range",
                value,
                "LOW..HIGH, ascending, within -32..31",
            ));
        }
        Ok(())
    }

    fn candidates(&self) -> Vec<(&'static Format, i32)> {
        let exponents = self.low..=self.high;
        let pairs = self.formats.iter();
        pairs
            .flat_map(|&format| exponents.clone().map(move |exponent| (format, exponent)))
            .collect()
    }
}

/// A candidate and its loss.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Scored {
    /// Name of the format.
    pub format: &'static str,
    /// The number of a code is its number in the format times 2^scale.
    pub scale: i32,
    /// The loss.
    pub loss: f64,
}

/// All candidates, in the order of formats, then scales, and the best.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// All.
    pub all: Vec<Scored>,
    /// The one of least loss; of several, the middle one.
    pub best: Scored,
}

/// Searches for the numbers of one tensor. Threads take candidates; they change no bit.
///
/// # Errors
/// [`ScaleError::NotFinite`], and those of [`Space::check`].
pub fn search(name: &str, values: &[f32], space: &Space, loss: Loss) -> Result<Found, ScaleError> {
    space.check()?;
    check_finite(name, values)?;
    let shares = (loss == Loss::Kld).then(|| Shares::of(values));
    let codecs: Vec<Codec> = (space.formats.iter())
        .map(|format| Codec::new(format))
        .collect::<Result<_, _>>()?;
    let one = |&(format, exponent): &(&'static Format, i32)| {
        let codec = codecs.iter().find(|codec| codec.format() == format);
        let codec = codec.expect("every format has a codec");
        Scored {
            format: format.name,
            scale: exponent,
            loss: score(codec, values, power_of_two(exponent), loss, shares.as_ref()),
        }
    };
    let all: Vec<Scored> = space.candidates().par_iter().map(one).collect();
    let least = all
        .iter()
        .fold(f64::INFINITY, |least, scored| least.min(scored.loss));
    let ties: Vec<&Scored> = all.iter().filter(|scored| scored.loss <= least).collect();
    let best = **ties.get(ties.len() / 2).unwrap_or(&&all[0]);
    Ok(Found { all, best })
}

fn score(codec: &Codec, values: &[f32], scale: f32, loss: Loss, shares: Option<&Shares>) -> f64 {
    if let Some(shares) = shares {
        return kld_of_codes(codec, values, scale, shares);
    }
    let mut sums = Sums::default();
    codec.for_each_chunk(values, scale, |x, q| sums.add(x, q));
    match loss {
        Loss::Mse => sums.mse(),
        Loss::Mae => sums.mae(),
        Loss::Snr => sums.snr(),
        Loss::Cosine | Loss::Kld => 1.0 - sums.cosine(),
    }
}
