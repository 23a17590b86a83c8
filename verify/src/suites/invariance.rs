//! `invariance`: no bit depends on the array's dataflow, shape, latency or tiling, or on stalls
//! (numerics.md, 1.1).

use quaver_contract::CoreConfig;
use quaver_contract::config::Dataflow;

use crate::core::CoreBench;
use crate::stimulus::jobs::JobSource;
use crate::{SuiteContext, Tally, Tier, VerifyError};

/// Shapes, rows by columns.
pub(super) const SHAPES: &[(usize, usize)] = &[(1, 1), (2, 3), (4, 4), (8, 8), (16, 16)];
/// Latencies of a PE.
pub(super) const LATENCIES: std::ops::RangeInclusive<usize> = 1..=5;
/// Depths of a bank of partial sums.
pub(super) const TILE_ROWS: &[usize] = &[1, 5, 64];

/// Jobs in the quick tier.
const JOBS: u64 = 60;

/// The configurations that a tier compares. Quick and exhaustive have each dataflow with each shape
/// and each latency once, combined; extensive has the full cross product.
pub(super) fn variants(base: &CoreConfig, tier: Tier) -> Vec<CoreConfig> {
    let weights = |(rows, cols): (usize, usize), pe_latency: usize, tile_rows: usize| CoreConfig {
        name: format!("{}_{rows}x{cols}_l{pe_latency}_t{tile_rows}", base.name),
        rows,
        cols,
        pe_latency,
        tile_rows,
        dataflow: Dataflow::WeightStationary,
        ..base.clone()
    };
    // The next depth that gives each PE whole sums, and enough of them.
    let outputs = |(rows, cols): (usize, usize), pe_latency: usize, tile_rows: usize| {
        let mut variant = weights((rows, cols), pe_latency, tile_rows);
        variant.tile_rows = rows * tile_rows.div_ceil(rows).max(variant.least_slots());
        variant.name = format!(
            "{}_os_{rows}x{cols}_l{pe_latency}_t{}",
            base.name, variant.tile_rows
        );
        variant.dataflow = Dataflow::OutputStationary;
        variant
    };
    let both = |shape, latency, tile_rows| {
        [
            weights(shape, latency, tile_rows),
            outputs(shape, latency, tile_rows),
        ]
    };
    let diagonal = || {
        let shapes = SHAPES.iter().zip(LATENCIES).zip(TILE_ROWS.iter().cycle());
        shapes.flat_map(|((&shape, latency), &tile_rows)| both(shape, latency, tile_rows))
    };
    // Blocks end where k tiles do, and their sums are scaled below a weight-stationary array.
    let is_legal = |config: &CoreConfig| {
        config.block_scales.is_none_or(|blocks| {
            config.dataflow == Dataflow::WeightStationary
                && blocks.length.is_multiple_of(config.tile_k())
        })
    };
    match tier {
        Tier::Smoke => diagonal().filter(is_legal).take(4).collect(),
        Tier::Quick | Tier::Exhaustive => diagonal().filter(is_legal).collect(),
        Tier::Extensive => {
            let mut variants: Vec<CoreConfig> = SHAPES
                .iter()
                .flat_map(|&shape| LATENCIES.map(move |latency| (shape, latency)))
                .flat_map(|(shape, latency)| TILE_ROWS.iter().map(move |&t| (shape, latency, t)))
                .flat_map(|(shape, latency, tile_rows)| both(shape, latency, tile_rows))
                .filter(is_legal)
                .collect();
            // Small depths of output-stationary ones become the same.
            variants.sort_by(|a, b| a.name.cmp(&b.name));
            variants.dedup_by(|a, b| a.name == b.name);
            variants
        }
    }
}

/// Runs the same jobs on every variant; the golden model, which knows none of these, decides.
/// Every variant equal to it makes them equal to each other.
pub(super) fn run(context: &SuiteContext<'_>, tally: &mut Tally) -> Result<(), VerifyError> {
    let variants = variants(context.config, context.tier);
    // Jobs of several tiles of the largest variant have them on every other.
    let largest = variants.iter().max_by_key(|v| v.tile_k() * v.cols);
    let source = JobSource::new(largest.unwrap_or(context.config));
    let classes = source.declare(&mut tally.coverage);
    let stall_classes = CoreBench::declare_stalls(&mut tally.coverage);
    let mut random = context.random("invariance");
    let jobs = context.jobs(JOBS);
    let jobs: Vec<_> = (0..jobs)
        .map(|index| source.job(index as usize, &mut random, &classes, &mut tally.coverage))
        .collect();
    let expected = jobs
        .iter()
        .map(CoreBench::reference)
        .collect::<Result<Vec<_>, _>>()?;
    for variant in &variants {
        let class = tally.coverage.declare(format!(
            "{}, {} x {}, latency {}, tile rows {}",
            variant.dataflow.name(),
            variant.rows,
            variant.cols,
            variant.pe_latency,
            variant.tile_rows
        ));
        let mut core = CoreBench::open(context, variant)?;
        for (job, expected) in jobs.iter().zip(&expected) {
            core.stall_randomly(&mut random, &stall_classes, &mut tally.coverage)?;
            let cases = core.check_against(job, expected, tally)?;
            tally.coverage.add(class, cases);
        }
    }
    Ok(())
}
