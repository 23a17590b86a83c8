//! The rows of `quantize.log` and `precision_compare.log`, each a JSON object on a line.

use serde::Serialize;

use super::{Found, Scored};
use crate::loss::{Histogram, Loss, Moments, Sums};

/// Bins of the histograms of `precision_compare.log`.
const BINS: usize = 32;

/// What the search saw of one weight or input.
#[derive(Clone, Debug, Serialize)]
pub struct QuantizeRow {
    /// Layer and operand.
    pub name: String,
    /// The loss.
    pub loss: &'static str,
    /// The winner.
    pub winner: Scored,
    /// Every candidate.
    pub candidates: Vec<Scored>,
    /// Moments of the numbers; not for `kld`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Moments>,
    /// Moments of what the winner adds to them; not for `kld`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noise: Option<Moments>,
}

impl QuantizeRow {
    /// Of a search; `quantised` is what the winner makes of `values`.
    pub fn new(name: &str, loss: Loss, found: &Found, values: &[f32], quantised: &[f32]) -> Self {
        let moments = loss != Loss::Kld;
        Self {
            name: name.to_owned(),
            loss: loss.name(),
            winner: found.best,
            candidates: found.all.clone(),
            data: moments.then(|| Moments::of(wide(values))),
            noise: moments.then(|| Moments::of(noise(values, quantised))),
        }
    }
}

/// What quantisation did to one layer's output.
#[derive(Clone, Debug, Serialize)]
pub struct PrecisionRow {
    /// The layer.
    pub name: String,
    /// Mean squared error.
    pub mse: f64,
    /// Mean absolute error.
    pub mae: f64,
    /// Noise over signal; null when the signal is zero.
    pub snr: f64,
    /// Cosine of the angle.
    pub cosine: f64,
    /// Of the original numbers.
    pub original: Shape,
    /// Of the quantised numbers.
    pub quantised: Shape,
    /// Of quantised less original.
    pub noise: Shape,
}

/// Moments and histogram of one tensor.
#[derive(Clone, Debug, Serialize)]
pub struct Shape {
    /// Moments.
    #[serde(flatten)]
    pub moments: Moments,
    /// Histogram of 32 bins from the smallest number to the largest.
    pub histogram: Histogram,
}

impl Shape {
    /// Of numbers.
    pub fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        let moments = Moments::of(values.clone());
        let histogram = Histogram::of(values, moments.min, moments.max, BINS);
        Self { moments, histogram }
    }
}

impl PrecisionRow {
    /// Of one layer's output without and with quantisation.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn new(name: &str, original: &[f32], quantised: &[f32]) -> Self {
        let sums = Sums::of(original, quantised);
        Self {
            name: name.to_owned(),
            mse: sums.mse(),
            mae: sums.mae(),
            snr: sums.snr(),
            cosine: sums.cosine(),
            original: Shape::of(wide(original)),
            quantised: Shape::of(wide(quantised)),
            noise: Shape::of(noise(original, quantised)),
        }
    }
}

fn wide(values: &[f32]) -> impl Iterator<Item = f64> + Clone {
    values.iter().map(|&value| f64::from(value))
}

fn noise(x: &[f32], q: &[f32]) -> impl Iterator<Item = f64> + Clone {
    x.iter().zip(q).map(|(&x, &q)| f64::from(q) - f64::from(x))
}
