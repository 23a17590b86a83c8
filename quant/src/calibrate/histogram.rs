//! Counts of magnitudes, and the thresholds that percentile, squared error and entropy choose.

use crate::scale::{Codec, amax, max_value};

/// Bins of a histogram of magnitudes.
pub const BINS: usize = 2048;

/// The first threshold that squared error and entropy try, in bins.
const FIRST: usize = 128;

/// Magnitudes in bins of equal width from 0. The first batch with a number other than zero sets the
/// range; a larger number later doubles it until it fits, two bins becoming one. Memory is the
/// same whatever comes.
#[derive(Clone, Debug, PartialEq)]
pub struct MagnitudeHistogram {
    top: f32,
    largest: f32,
    counts: Vec<u64>,
}

impl Default for MagnitudeHistogram {
    fn default() -> Self {
        Self {
            top: 0.0,
            largest: 0.0,
            counts: vec![0; BINS],
        }
    }
}

impl MagnitudeHistogram {
    /// Adds finite numbers.
    pub fn add(&mut self, values: &[f32]) {
        let largest = amax(values);
        self.largest = self.largest.max(largest);
        if self.top == 0.0 && largest > 0.0 {
            // Zeros so far are in bin 0, whatever its width.
            self.top = largest;
        }
        while largest > self.top {
            let half: Vec<u64> = self
                .counts
                .chunks(2)
                .map(|pair| pair.iter().sum())
                .collect();
            self.counts.fill(0);
            self.counts[..BINS / 2].copy_from_slice(&half);
            // The largest binary32 number is a top that every number fits.
            self.top = (self.top * 2.0).min(f32::MAX);
        }
        for value in values {
            let share = f64::from(value.abs()) / f64::from(self.top) * BINS as f64;
            // 0 / 0 is bin 0.
            self.counts[(share as usize).min(BINS - 1)] += 1;
        }
    }

    /// Largest magnitude seen.
    pub const fn largest(&self) -> f32 {
        self.largest
    }

    /// Numbers seen in each bin.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Lower edge of a bin; the upper edge of the last for `BINS`.
    pub fn edge(&self, bin: usize) -> f64 {
        f64::from(self.top) / BINS as f64 * bin as f64
    }

    fn centre(&self, bin: usize) -> f64 {
        f64::from(self.top) / BINS as f64 * (bin as f64 + 0.5)
    }

    /// Bins up to the largest number's.
    fn used(&self) -> usize {
        self.counts
            .iter()
            .rposition(|&count| count > 0)
            .map_or(0, |bin| bin + 1)
    }

    /// The upper edge of the first bin up to which at least `percent` of 100 of the numbers lie; at
    /// most the largest number.
    pub fn percentile(&self, percent: f64) -> f32 {
        let total: u64 = self.counts.iter().sum();
        let wanted = percent / 100.0 * total as f64;
        let mut below = 0;
        for (bin, count) in self.counts.iter().enumerate() {
            below += count;
            if below as f64 >= wanted {
                return (self.edge(bin + 1) as f32).min(self.largest);
            }
        }
        self.largest
    }

    /// The threshold, the upper edge of a bin, with the least squared error when each bin's centre
    /// is quantised with saturation at it; of several, the smallest.
    pub fn least_squares(&self, codec: &Codec) -> f32 {
        self.best(|bins| {
            let (centres, results) = self.quantised(codec, self.used(), bins);
            let errors = centres.iter().zip(&results).zip(&self.counts);
            errors
                .map(|((c, q), &count)| (f64::from(*c) - f64::from(*q)).powi(2) * count as f64)
                .sum()
        })
    }

    /// The threshold, the upper edge of a bin, with the least divergence of the quantised from the
    /// clipped distribution; of several, the smallest.
    ///
    /// The reference P has the counts below the threshold, and all beyond in its last bin. In Q the
    /// counts below of bins whose centres have the same code are spread evenly over those of them
    /// that are not empty. The divergence is the sum of P ln(P / Q), each summing to 1, over bins
    /// with both.
    pub fn least_divergence(&self, codec: &Codec) -> f32 {
        let used = self.used();
        self.best(|bins| {
            let (_, results) = self.quantised(codec, bins, bins);
            let counts = &self.counts[..bins];
            let beyond: u64 = self.counts[bins..used.max(bins)].iter().sum();
            let mut spread = vec![0.0; bins];
            let mut start = 0;
            while start < bins {
                let same = results[start..]
                    .iter()
                    .take_while(|&&q| q == results[start]);
                let end = start + same.count().max(1);
                let group = &counts[start..end];
                let filled = group.iter().filter(|&&count| count > 0).count();
                let share = group.iter().sum::<u64>() as f64 / filled.max(1) as f64;
                for (spread, &count) in spread[start..end].iter_mut().zip(group) {
                    *spread = if count > 0 { share } else { 0.0 };
                }
                start = end;
            }
            let total = (counts.iter().sum::<u64>() + beyond) as f64;
            let inside: f64 = spread.iter().sum();
            let reference = |bin: usize| {
                let more = if bin + 1 == bins { beyond } else { 0 };
                (counts[bin] + more) as f64 / total
            };
            if inside == 0.0 {
                return f64::INFINITY;
            }
            (0..bins)
                .map(|bin| (reference(bin), spread[bin] / inside))
                .filter(|&(p, q)| p > 0.0 && q > 0.0)
                .map(|(p, q)| p * (p / q).ln())
                .sum()
        })
    }

    /// The threshold of least error among the upper edges from the 128th bin's to the largest
    /// number's.
    fn best(&self, error: impl Fn(usize) -> f64) -> f32 {
        let used = self.used();
        if self.top == 0.0 || used <= FIRST {
            return self.largest;
        }
        let tried = (FIRST..=used).map(|bins| (error(bins), bins));
        let best = tried.reduce(|best, next| if next.0 < best.0 { next } else { best });
        best.map_or(self.largest, |(_, bins)| {
            (self.edge(bins) as f32).min(self.largest)
        })
    }

    /// Centres of the first `count` bins, and what they become with saturation at the edge above
    /// `bins` bins.
    fn quantised(&self, codec: &Codec, count: usize, bins: usize) -> (Vec<f32>, Vec<f32>) {
        let centres: Vec<f32> = (0..count).map(|bin| self.centre(bin) as f32).collect();
        let mut results = vec![0.0; count];
        let scale = self.edge(bins) as f32 / max_value(codec.format());
        codec.round_trip(&centres, scale, &mut results);
        (centres, results)
    }
}
