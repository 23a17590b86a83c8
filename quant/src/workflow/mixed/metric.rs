//! How accurate a model's outputs are.

use crate::{Error, Tensor};

/// A metric by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Distance from FP32's outputs, relative to them (L2); a limit is from above.
    RelativeError,
    /// Cosine of the angle to FP32's outputs.
    Cosine,
    /// Share of rows whose largest number is where FP32's is.
    Top1Agreement,
    /// Share of rows whose largest number is at the label.
    Top1Accuracy,
}

impl Kind {
    /// Every kind with its name.
    pub const ALL: &'static [(Self, &'static str)] = &[
        (Self::RelativeError, "relative-error"),
        (Self::Cosine, "cosine"),
        (Self::Top1Agreement, "top1-agreement"),
        (Self::Top1Accuracy, "top1-accuracy"),
    ];

    /// Whether `value` is as good as `limit` asks; NaN never is.
    pub fn meets(self, value: f64, limit: f64) -> bool {
        match self {
            Self::RelativeError => value <= limit,
            _ => value >= limit,
        }
    }

    /// How bad a value is: larger is worse, NaN worst.
    pub fn badness(self, value: f64) -> f64 {
        match self {
            _ if value.is_nan() => f64::INFINITY,
            Self::RelativeError => value,
            _ => -value,
        }
    }
}

/// The class of each row.
pub type Labels = Vec<usize>;

/// A metric with what outputs are compared with.
#[derive(Clone, Debug)]
pub struct Metric {
    kind: Kind,
    reference: Vec<(String, Tensor)>,
    labels: Option<Labels>,
}

impl Metric {
    /// Of FP32's outputs, and labels where the kind has them.
    ///
    /// # Errors
    /// [`Error::Illegal`] for labels that are missing, or not one for each row of the first output.
    pub fn new(
        kind: Kind,
        reference: Vec<(String, Tensor)>,
        labels: Option<Labels>,
    ) -> Result<Self, Error> {
        let rows = top1(&reference)?.len();
        match (kind, &labels) {
            (Kind::Top1Accuracy, None) => {
                return Err(Error::illegal("labels", "missing", "one for each row"));
            }
            (Kind::Top1Accuracy, Some(labels)) if labels.len() != rows => {
                let allowed = format!("{rows}, one for each row of the first output");
                return Err(Error::illegal("labels", labels.len(), allowed));
            }
            _ => {}
        }
        Ok(Self {
            kind,
            reference,
            labels,
        })
    }

    /// The kind.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Of the outputs of a run. Errors and cosines are over the numbers of all outputs, sums in
    /// binary64; the first output has the classes, along its last axis, of equals the first.
    ///
    /// # Errors
    /// [`Error::Illegal`] for a first output without numbers.
    pub fn of(&self, outputs: &[(String, Tensor)]) -> Result<f64, Error> {
        let (mut squares, mut product, mut whole, mut own) = (0.0, 0.0, 0.0, 0.0);
        for ((_, found), (_, expected)) in outputs.iter().zip(&self.reference) {
            if let (Tensor::Float(found), Tensor::Float(expected)) = (found, expected) {
                for (&q, &x) in found.iter().zip(expected) {
                    let (q, x) = (f64::from(q), f64::from(x));
                    squares += (q - x) * (q - x);
                    product += q * x;
                    whole += x * x;
                    own += q * q;
                }
            }
        }
        let agree = |classes: &[usize]| -> Result<f64, Error> {
            let found = top1(outputs)?;
            let same = found.iter().zip(classes).filter(|(a, b)| a == b).count();
            Ok(same as f64 / classes.len() as f64)
        };
        Ok(match (self.kind, &self.labels) {
            (Kind::RelativeError, _) if squares == 0.0 => 0.0,
            (Kind::RelativeError, _) => (squares / whole).sqrt(),
            (Kind::Cosine, _) if squares == 0.0 => 1.0,
            (Kind::Cosine, _) => product / (whole.sqrt() * own.sqrt()),
            (Kind::Top1Accuracy, Some(labels)) => agree(labels)?,
            (Kind::Top1Agreement | Kind::Top1Accuracy, _) => agree(&top1(&self.reference)?)?,
        })
    }
}

/// Where the largest number of each row of the first output is.
fn top1(outputs: &[(String, Tensor)]) -> Result<Vec<usize>, Error> {
    let Some((_, Tensor::Float(values))) = outputs.first() else {
        return Err(Error::illegal("first output", "no FP32", "FP32 numbers"));
    };
    if values.is_empty() || values.ndim() == 0 {
        return Err(Error::illegal("first output", "empty", "rows of numbers"));
    }
    let largest = |row: ndarray::ArrayView1<'_, f32>| {
        let places = row.iter().enumerate();
        let best = places.reduce(|best, next| if next.1 > best.1 { next } else { best });
        best.map_or(0, |(place, _)| place)
    };
    Ok(values.rows().into_iter().map(largest).collect())
}
