//! What-if studies: how far each accumulator is from the exact sum of the same job, what a job costs in
//! energy, and designs side by side.

#![forbid(unsafe_code)]

mod area;
mod designs;
mod distribution;
mod energy;
mod error;
mod plot;

use ndarray::Array2;
use quaver_contract::accumulator::TABLE;
use quaver_contract::formats::FP32;
use quaver_contract::{Accumulator, Conversion, Engine, Format, Job, Scale};
use quaver_fast::Fast;
use serde::Serialize;

pub use area::{Area, areas};
pub use designs::{Panel, designs_svg};
pub use distribution::Distribution;
pub use energy::{Activity, Energy, EnergyTable};
pub use error::StudyError;
pub use plot::svg;

/// One random job: `A[M,K] * B[K,N]`.
#[derive(Clone, Copy, Debug)]
pub struct Study {
    /// Rows of A.
    pub m: usize,
    /// Columns of B.
    pub n: usize,
    /// Terms of each sum.
    pub k: usize,
    /// Format of both operands.
    pub format: &'static Format,
    /// What the operands look like before they are rounded to the format.
    pub distribution: Distribution,
    /// Seed of the operands.
    pub seed: u64,
    /// Threads; 0 for one a core.
    pub threads: usize,
}

/// One accumulator's distance from the exact sums. Distances are in units in the last place of the
/// exact sum, rounded to binary32.
#[derive(Clone, Debug, Serialize)]
pub struct Distance {
    /// The accumulator's name.
    pub accumulator: &'static str,
    /// Largest distance, in ulp.
    pub max_ulp: f64,
    /// Mean distance, in ulp.
    pub mean_ulp: f64,
    /// Largest distance relative to the exact sum, over sums that are not zero.
    pub max_relative: f64,
    /// Root of the squared distances' sum relative to that of the exact sums.
    pub relative_l2: f64,
    /// Results that differ in any bit from the exact sum rounded once.
    pub differing: usize,
    /// Results.
    pub results: usize,
}

/// Runs the job under every accumulator of the table.
///
/// # Errors
/// [`StudyError`] for a format that is no operand, or an engine's failure.
pub fn accumulators(study: &Study) -> Result<Vec<Distance>, StudyError> {
    let (a, b) = study.distribution.operands(study)?;
    let mut engine = Fast::new(study.threads).map_err(|e| StudyError::Threads(e.to_string()))?;
    let mut run = |accumulator| {
        let job = Job {
            a: a.view(),
            b: b.view(),
            format_a: study.format,
            format_b: study.format,
            accumulator,
            init: None,
            blocks: None,
            scale: Scale::None,
            bias: None,
            relu: false,
            output: Conversion::native(FP32),
        };
        engine.run(&job).map(|result| result.values)
    };
    let exact = run(Accumulator::Exact)?;
    TABLE
        .iter()
        .map(|row| Ok(distance(row.name, &run(row.accumulator)?, &exact)))
        .collect()
}

fn distance(accumulator: &'static str, results: &Array2<u32>, exact: &Array2<u32>) -> Distance {
    let mut distance = Distance {
        accumulator,
        max_ulp: 0.0,
        mean_ulp: 0.0,
        max_relative: 0.0,
        relative_l2: 0.0,
        differing: 0,
        results: exact.len(),
    };
    let (mut ulps, mut squares, mut exact_squares) = (0.0, 0.0, 0.0);
    for (&result, &exact) in results.iter().zip(exact) {
        distance.differing += usize::from(result != exact);
        let (result, exact) = (
            f64::from(f32::from_bits(result)),
            f64::from(f32::from_bits(exact)),
        );
        let difference = (result - exact).abs();
        let ulp = difference / ulp(exact as f32);
        ulps += ulp;
        squares += difference * difference;
        exact_squares += exact * exact;
        distance.max_ulp = distance.max_ulp.max(ulp);
        if exact != 0.0 {
            distance.max_relative = distance.max_relative.max(difference / exact.abs());
        }
    }
    if distance.results > 0 {
        distance.mean_ulp = ulps / distance.results as f64;
    }
    if exact_squares > 0.0 {
        distance.relative_l2 = (squares / exact_squares).sqrt();
    }
    distance
}

/// Unit in the last place of a finite binary32 number (that of the smallest normal for subnormals
/// and zero).
fn ulp(value: f32) -> f64 {
    let exponent = (value.to_bits() >> 23 & 0xff).max(1).cast_signed() - 127;
    2f64.powi(exponent - 23)
}

#[cfg(test)]
mod tests {
    use quaver_contract::Formats;

    use super::*;

    #[test]
    fn study_random_job_vs_definition() {
        let study = Study {
            m: 9,
            n: 7,
            k: 200,
            format: Formats::default().get("e4m3fn").unwrap(),
            distribution: Distribution::Normal,
            seed: 1,
            threads: 1,
        };
        let rows = accumulators(&study).unwrap();
        assert_eq!(rows.len(), TABLE.len());
        let find = |name| rows.iter().find(|row| row.accumulator == name).unwrap();
        assert_eq!(find("exact").differing, 0);
        // 13 fraction bits lose more than 24 in every sum of this kind.
        assert!(find("dot_hopper").mean_ulp > 100.0 * find("fp32").mean_ulp);
        assert!(
            rows.iter()
                .all(|row| row.results == 63 && row.max_ulp >= row.mean_ulp)
        );
    }

    #[test]
    fn ulp_directed_vs_neighbours() {
        for value in [1.0f32, 1.5, 448.0, -3.0e30, f32::MIN_POSITIVE] {
            let next = f32::from_bits(value.to_bits() + 1);
            assert_eq!(ulp(value), f64::from(next - value).abs());
        }
        assert_eq!(ulp(0.0), f64::from(f32::from_bits(1)));
    }
}
