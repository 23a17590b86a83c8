//! `products`: every product of two codes, through the whole core.

use ndarray::Array2;
use quaver_contract::{Conversion, Format};

use crate::core::CoreBench;
use crate::stimulus::owned::OwnedJob;
use crate::{SuiteContext, Tally, Tier, VerifyError};

/// All codes of A down, all codes of B across, one term each: D is the table of products. In the
/// smoke tier every 16th code, starting anywhere.
pub(super) fn run(context: &SuiteContext<'_>, tally: &mut Tally) -> Result<(), VerifyError> {
    let config = context.config;
    let mut core = CoreBench::open(context, config)?;
    let mut random = context.random("products");
    let step = if context.tier == Tier::Smoke { 16 } else { 1 };
    // The widest output shows most of a product.
    let widest = config.output_formats.iter().max_by_key(|f| f.fraction_bits);
    let output = Conversion::native(widest.expect("a configuration has an output format"));
    for &format_a in &config.operand_formats {
        for &format_b in &config.operand_formats {
            let mut codes = |format: &Format| -> Vec<u8> {
                let start = random.below(step) as u32;
                let codes = (start..=format.code_mask()).step_by(step);
                codes.map(|code| code as u8).collect()
            };
            let (a, b) = (codes(format_a), codes(format_b));
            let job = OwnedJob::plain(
                (format_a, Array2::from_shape_fn((a.len(), 1), |(m, _)| a[m])),
                (format_b, Array2::from_shape_fn((1, b.len()), |(_, n)| b[n])),
                config.accumulator,
                output,
            )
            .on(context.config);
            let class = tally
                .coverage
                .declare(format!("{} * {}", format_a.name, format_b.name));
            let cases = core.check(&job, tally)?;
            tally.coverage.add(class, cases);
        }
    }
    Ok(())
}
