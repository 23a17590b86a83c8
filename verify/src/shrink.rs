//! Makes a failing job smaller while it still fails.

use quaver_contract::Conversion;
use quaver_contract::formats::FP32;

use crate::stimulus::owned::{Dimension, OwnedBlocks, OwnedJob, OwnedScale};

/// Attempts after which the smallest failing job so far is taken.
const MAX_ATTEMPTS: usize = 200;

/// The smallest job that `fails` and that halving M, N and K and dropping parts of the epilogue
/// leads to. `job` itself fails; `fp32_output` tells whether the core can return binary32.
///
/// # Errors
/// The first error of `fails`.
pub(crate) fn shrink<E>(
    job: &OwnedJob,
    fp32_output: bool,
    mut fails: impl FnMut(&OwnedJob) -> Result<bool, E>,
) -> Result<OwnedJob, E> {
    let mut smallest = job.clone();
    let mut attempts = 0;
    loop {
        let mut shrunk = false;
        for candidate in candidates(&smallest, fp32_output) {
            attempts += 1;
            if attempts > MAX_ATTEMPTS {
                return Ok(smallest);
            }
            if fails(&candidate)? {
                smallest = candidate;
                shrunk = true;
                break;
            }
        }
        if !shrunk {
            return Ok(smallest);
        }
    }
}

/// Smaller jobs, those that take most away first.
fn candidates(job: &OwnedJob, fp32_output: bool) -> Vec<OwnedJob> {
    let mut candidates = Vec::new();
    for dimension in [Dimension::M, Dimension::N, Dimension::K] {
        let length = job.length(dimension);
        let half = length / 2;
        if length > 1 {
            candidates.push(job.cut(dimension, 0, half));
            candidates.push(job.cut(dimension, half, length));
        }
    }
    for dimension in [Dimension::M, Dimension::N, Dimension::K] {
        let length = job.length(dimension);
        // Lengths of two and three are halved above.
        if length > 3 {
            candidates.push(job.cut(dimension, 0, length - 1));
            candidates.push(job.cut(dimension, 1, length));
        }
    }
    let mut edit = |applies: bool, change: fn(&mut OwnedJob)| {
        if applies {
            let mut edited = job.clone();
            change(&mut edited);
            candidates.push(edited);
        }
    };
    let plain = Conversion::native(FP32);
    edit(job.init.is_some(), |job| job.init = None);
    edit(job.scale != OwnedScale::None, |job| {
        job.scale = OwnedScale::None
    });
    edit(job.bias.is_some(), |job| job.bias = None);
    let scaled = |job: &OwnedJob| {
        job.blocks
            .as_ref()
            .is_some_and(|blocks| *blocks != blocks.ones())
    };
    edit(scaled(job), |job| {
        job.blocks = job.blocks.as_ref().map(OwnedBlocks::ones);
    });
    edit(job.relu, |job| job.relu = false);
    edit(fp32_output && job.output != plain, |job| {
        job.output = Conversion::native(FP32);
    });
    candidates
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use ndarray::{Array1, Array2};
    use quaver_contract::{Accumulator, Formats};

    use super::*;

    #[test]
    fn one_bad_term_is_left_alone() {
        let format = Formats::default().get("e4m3fn").unwrap();
        let mut a = Array2::zeros((13, 29));
        a[(7, 22)] = 0x7e;
        let job = OwnedJob {
            init: Some(Array2::zeros((13, 5))),
            bias: Some(Array1::zeros(5)),
            relu: true,
            ..OwnedJob::plain(
                (format, a),
                (format, Array2::zeros((29, 5))),
                Accumulator::Fp32,
                Conversion::native(format),
            )
        };
        // Fails whenever the bad code is there and there is a bias.
        let fails = |job: &OwnedJob| {
            Ok::<_, Infallible>(job.a.iter().any(|&code| code == 0x7e) && job.bias.is_some())
        };
        let Ok(smallest) = shrink(&job, true, fails);
        assert_eq!((smallest.a.dim(), smallest.b.dim()), ((1, 1), (1, 1)));
        assert_eq!(smallest.a[(0, 0)], 0x7e);
        assert!(smallest.bias.is_some() && smallest.init.is_none() && !smallest.relu);
        assert_eq!(smallest.output.format.name, "fp32");
    }
}
