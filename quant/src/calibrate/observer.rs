//! One tensor's observer over calibration data, and the same from the tensor itself at run time.

use ndarray::{ArrayD, ArrayViewD};

use super::{Granularity, MagnitudeHistogram};
use crate::scale::{Codec, ScaleError, amax, check_finite};

/// What an observer takes for the largest magnitude.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ObserverKind {
    /// The largest magnitude.
    Max,
    /// The magnitude that this many of 100 numbers do not exceed.
    Percentile(f64),
    /// The threshold of least squared error in the format.
    Mse,
    /// The threshold of least divergence in the format.
    Entropy,
    /// The largest magnitude; every tensor is kept.
    Save,
}

impl ObserverKind {
    /// The kind of that name: `max` or `maxabs`, `percentile` (99.99) or `percentile:P`, `mse`,
    /// `entropy`, `save`.
    ///
    /// # Errors
    /// [`ScaleError::Illegal`] with the known names, or the range of P.
    pub fn get(name: &str) -> Result<Self, ScaleError> {
        match name {
            "max" | "maxabs" => Ok(Self::Max),
            "percentile" => Ok(Self::Percentile(99.99)),
            "mse" => Ok(Self::Mse),
            "entropy" => Ok(Self::Entropy),
            "save" => Ok(Self::Save),
            _ => match name.strip_prefix("percentile:") {
                Some(percent) => percent
                    .parse()
                    .ok()
                    .filter(|percent| (0.0..=100.0).contains(percent))
                    .map(Self::Percentile)
                    .ok_or_else(|| ScaleError::illegal("percentile", percent, "0 to 100")),
                None => Err(ScaleError::illegal(
                    "observer",
                    name,
                    "max, maxabs, percentile, percentile:<P>, mse, entropy, save",
                )),
            },
        }
    }
}

/// What one tensor takes over calibration data.
#[derive(Clone, Debug)]
pub struct Observer {
    name: String,
    kind: ObserverKind,
    granularity: Granularity,
    /// One a group, when the kind needs counts.
    histograms: Vec<MagnitudeHistogram>,
    /// One a group, when it does not.
    largest: Vec<f32>,
    saved: Vec<ArrayD<f32>>,
}

impl Observer {
    /// Of a tensor of that name. Groups of a token would differ between batches: they are for
    /// [`dynamic`].
    ///
    /// # Errors
    /// [`ScaleError::Illegal`] for [`Granularity::Token`].
    pub fn new(
        name: &str,
        kind: ObserverKind,
        granularity: Granularity,
    ) -> Result<Self, ScaleError> {
        if granularity == Granularity::Token {
            let allowed = "tensor or channel, or a dynamic quantiser";
            return Err(ScaleError::illegal("granularity", "token", allowed));
        }
        Ok(Self {
            name: name.to_owned(),
            kind,
            granularity,
            histograms: Vec::new(),
            largest: Vec::new(),
            saved: Vec::new(),
        })
    }

    /// Sees one batch.
    ///
    /// # Errors
    /// [`ScaleError`] for NaN and infinity, an axis that the tensor does not have, and a number of
    /// channels that differs from the first batch's.
    pub fn observe(&mut self, values: ArrayViewD<'_, f32>) -> Result<(), ScaleError> {
        let groups = self.granularity.groups(&values)?;
        for group in &groups {
            check_finite(&self.name, group)?;
        }
        if self.largest.is_empty() {
            self.largest = vec![0.0; groups.len()];
            let counts = matches!(
                self.kind,
                ObserverKind::Percentile(_) | ObserverKind::Mse | ObserverKind::Entropy
            );
            let histograms = if counts { groups.len() } else { 0 };
            self.histograms = vec![MagnitudeHistogram::default(); histograms];
        }
        if groups.len() != self.largest.len() {
            let key = format!("channels of {}", self.name);
            let allowed = format!("{}, as in the first batch", self.largest.len());
            return Err(ScaleError::illegal(key, groups.len(), allowed));
        }
        for (largest, group) in self.largest.iter_mut().zip(&groups) {
            *largest = largest.max(amax(group));
        }
        for (histogram, group) in self.histograms.iter_mut().zip(&groups) {
            histogram.add(group);
        }
        if self.kind == ObserverKind::Save {
            self.saved.push(values.to_owned());
        }
        Ok(())
    }

    /// The largest magnitude of each group for a format; empty before the first batch.
    pub fn amax(&self, codec: &Codec) -> Vec<f32> {
        let histograms = self.histograms.iter();
        match self.kind {
            ObserverKind::Max | ObserverKind::Save => self.largest.clone(),
            ObserverKind::Percentile(percent) => histograms
                .map(|histogram| histogram.percentile(percent))
                .collect(),
            ObserverKind::Mse => histograms.map(|h| h.least_squares(codec)).collect(),
            ObserverKind::Entropy => histograms.map(|h| h.least_divergence(codec)).collect(),
        }
    }

    /// The tensors that [`ObserverKind::Save`] kept, one a batch.
    pub fn saved(&self) -> &[ArrayD<f32>] {
        &self.saved
    }
}

/// The largest magnitude of each group of a tensor at run time, by [`ObserverKind::Max`] or
/// [`ObserverKind::Percentile`]: the smallest magnitude of the tensor that P of 100 numbers of the
/// group do not exceed. NaN in a group gives NaN.
///
/// # Errors
/// [`ScaleError::Illegal`] for another kind, or an axis that the tensor does not have.
pub fn dynamic(
    values: ArrayViewD<'_, f32>,
    kind: ObserverKind,
    granularity: Granularity,
) -> Result<Vec<f32>, ScaleError> {
    let percent = match kind {
        ObserverKind::Max => 100.0,
        ObserverKind::Percentile(percent) => percent,
        _ => {
            let value = format!("{kind:?}").to_lowercase();
            return Err(ScaleError::illegal(
                "dynamic observer",
                value,
                "max, percentile",
            ));
        }
    };
    let groups = granularity.groups(&values)?;
    Ok(groups
        .into_iter()
        .map(|group| rank(group, percent))
        .collect())
}

/// The smallest magnitude that `percent` of 100 numbers do not exceed; NaN where there is one.
pub(crate) fn rank(mut group: Vec<f32>, percent: f64) -> f32 {
    for value in &mut group {
        *value = value.abs();
    }
    if group.iter().any(|value| value.is_nan()) {
        return f32::NAN;
    }
    let Some(last) = group.len().checked_sub(1) else {
        return 0.0;
    };
    let place = (percent / 100.0 * group.len() as f64).ceil() as usize;
    let place = place.saturating_sub(1).min(last);
    *group.select_nth_unstable_by(place, f32::total_cmp).1
}
