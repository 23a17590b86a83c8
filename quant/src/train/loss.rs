//! Softmax cross-entropy: its value, its gradient, and how many classes are right.

use ndarray::{Array2, ArrayView2};

use crate::Error;

/// What a batch's logits give.
#[derive(Debug)]
pub(super) struct Loss {
    /// The sum over examples of `log(sum(exp(x))) - x[label]`, binary64.
    pub(super) sum: f64,
    /// Examples whose largest logit, of equals the first, is at the label.
    pub(super) right: usize,
    /// The gradient of the mean: `(softmax(x) - [class = label]) / examples`, each rounded to FP32.
    pub(super) gradient: Array2<f32>,
}

/// Of logits, a row an example, and labels.
///
/// # Errors
/// [`Error::Illegal`] for a label that is no class, or as [`check`] has them.
pub(super) fn cross_entropy(logits: ArrayView2<'_, f32>, labels: &[usize]) -> Result<Loss, Error> {
    check(logits, labels)?;
    let mut loss = Loss {
        sum: 0.0,
        right: 0,
        gradient: Array2::zeros(logits.dim()),
    };
    let count = labels.len() as f64;
    let rows = logits.rows().into_iter().zip(loss.gradient.rows_mut());
    for ((row, mut gradient), &label) in rows.zip(labels) {
        let top = row.iter().fold(f32::NEG_INFINITY, |top, &x| top.max(x));
        // The C library's functions differ between hosts in their last bits; libm's do not.
        let power = |x: f32| libm::exp(f64::from(x) - f64::from(top));
        let whole: f64 = row.iter().map(|&x| power(x)).sum();
        loss.sum += libm::log(whole) - (f64::from(row[label]) - f64::from(top));
        loss.right += usize::from(largest(row.iter()) == label);
        for (class, (to, &x)) in gradient.iter_mut().zip(row).enumerate() {
            let hit = if class == label { 1.0 } else { 0.0 };
            *to = ((power(x) / whole - hit) / count) as f32;
        }
    }
    Ok(loss)
}

/// How many examples have their largest logit, of equals the first, at the label.
///
/// # Errors
/// Those of [`cross_entropy`].
pub(super) fn right(logits: ArrayView2<'_, f32>, labels: &[usize]) -> Result<usize, Error> {
    check(logits, labels)?;
    let rows = logits.rows().into_iter().zip(labels);
    Ok(rows
        .filter(|(row, label)| largest(row.iter()) == **label)
        .count())
}

fn largest<'a>(row: impl Iterator<Item = &'a f32>) -> usize {
    let best = row.enumerate().reduce(|a, b| if b.1 > a.1 { b } else { a });
    best.map_or(0, |(class, _)| class)
}

fn check(logits: ArrayView2<'_, f32>, labels: &[usize]) -> Result<(), Error> {
    let (rows, classes) = logits.dim();
    if rows != labels.len() {
        let allowed = format!("{}, one for each label", labels.len());
        return Err(Error::illegal("rows of the model's output", rows, allowed));
    }
    if classes == 0 {
        let allowed = "1 or more";
        return Err(Error::illegal("classes of the model's output", 0, allowed));
    }
    match labels.iter().enumerate().find(|row| *row.1 >= classes) {
        None => Ok(()),
        Some((_, label)) => {
            let allowed = format!("0 to {}, the model's classes", classes - 1);
            Err(Error::illegal("label", label, allowed))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;

    #[test]
    fn loss_and_gradient_vs_known_values() {
        let logits = arr2(&[[0.0, 0.0], [1.0, 1.0]]);
        let loss = cross_entropy(logits.view(), &[0, 1]).unwrap();
        assert_eq!(loss.sum, 2.0 * std::f64::consts::LN_2);
        assert_eq!(loss.right, 1);
        assert_eq!(loss.gradient, arr2(&[[-0.25, 0.25], [0.25, -0.25]]));
        assert_eq!(right(logits.view(), &[0, 0]).unwrap(), 2);
        // Far apart: no overflow, and nothing left to learn.
        let far = arr2(&[[3.0e38, -3.0e38]]);
        let loss = cross_entropy(far.view(), &[0]).unwrap();
        assert_eq!((loss.sum, loss.gradient), (0.0, arr2(&[[0.0, 0.0]])));
    }

    #[test]
    fn labels_have_to_be_classes() {
        let logits = arr2(&[[0.0, 0.0]]);
        let error = cross_entropy(logits.view(), &[2]).unwrap_err().to_string();
        assert_eq!(
            error,
            "label 2 is not allowed (0 to 1, the model's classes)"
        );
        let error = right(logits.view(), &[0, 0]).unwrap_err().to_string();
        assert!(error.contains("2, one for each label"), "{error}");
        assert!(right(Array2::zeros((1, 0)).view(), &[0]).is_err());
    }
}
