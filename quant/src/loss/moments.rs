//! Mean, spread and shape of a tensor's numbers.

use serde::Serialize;

/// The first moments; of no numbers, all are 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Moments {
    /// Mean.
    pub mean: f64,
    /// Variance: mean of the squared distance from the mean.
    pub variance: f64,
    /// Its root.
    pub std: f64,
    /// Smallest number.
    pub min: f64,
    /// Largest number.
    pub max: f64,
    /// Mean of the cubed distance over std^3; 0 for equal numbers.
    pub skewness: f64,
    /// Mean of the fourth power of the distance over variance^2, less 3 (a normal
    /// distribution's); 0 for equal numbers.
    pub kurtosis: f64,
}

impl Moments {
    /// Of numbers.
    pub fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        let (mut count, mut sum) = (0.0, 0.0);
        let (mut min, mut max) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.clone() {
            count += 1.0;
            sum += value;
            min = min.min(value);
            max = max.max(value);
        }
        if count == 0.0 {
            (count, min, max) = (1.0, 0.0, 0.0);
        }
        let mean = sum / count;
        let mut powers = [0.0; 3];
        for value in values {
            let distance = value - mean;
            let square = distance * distance;
            powers[0] += square;
            powers[1] += square * distance;
            powers[2] += square * square;
        }
        let [variance, third, fourth] = powers.map(|power| power / count);
        let flat = min == max || variance == 0.0;
        let shape = |moment: f64, unit: f64, normal: f64| match flat {
            true => 0.0,
            false => moment / unit - normal,
        };
        Self {
            mean,
            variance,
            std: variance.sqrt(),
            min,
            max,
            skewness: shape(third, variance * variance.sqrt(), 0.0),
            kurtosis: shape(fourth, variance * variance, 3.0),
        }
    }
}

/// Counts in bins of equal width from `min` to `max`, both included in the end bins.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Histogram {
    /// Lower edge of the first bin.
    pub min: f64,
    /// Upper edge of the last bin.
    pub max: f64,
    /// Numbers in each bin.
    pub counts: Vec<u64>,
}

impl Histogram {
    /// Of finite numbers between `min` and `max`, in `bins` bins; others are not counted. Equal
    /// ends put all in the first bin.
    ///
    /// # Panics
    /// When there are no bins.
    pub fn of(values: impl Iterator<Item = f64>, min: f64, max: f64, bins: usize) -> Self {
        assert!(bins > 0, "bins");
        let mut counts = vec![0; bins];
        let width = (max - min) / bins as f64;
        for value in values.filter(|value| (min..=max).contains(value)) {
            let bin = if width > 0.0 {
                (value - min) / width
            } else {
                0.0
            };
            counts[(bin as usize).min(bins - 1)] += 1;
        }
        Self { min, max, counts }
    }
}
