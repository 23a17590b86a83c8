//! The whole job, element by element (numerics.md, rule 1).

use ndarray::Array2;
use quaver_contract::formats::FP32;
use quaver_contract::{Engine, EngineError, Format, Job, JobResult, Scale};

use crate::chain::{sum, sum_blocks};
use crate::convert::convert;
use crate::dot::{Operand, operand};
use crate::scale::Epilogue;
use crate::{Number, decode};

/// The golden engine. It has no state: same job, same bits.
#[derive(Clone, Copy, Debug, Default)]
pub struct Golden;

impl Engine for Golden {
    fn name(&self) -> &'static str {
        "golden"
    }

    fn run(&mut self, job: &Job<'_>) -> Result<JobResult, EngineError> {
        job.validate()?;
        for format in [job.format_a, job.format_b, job.output.format] {
            format.validate()?;
        }

        // Rule 2: every code has one number, so the numbers are looked up instead of made anew.
        let operands_a = all_operands(job.format_a);
        let operands_b = all_operands(job.format_b);

        let mut values = Array2::zeros((job.m(), job.n()));
        let mut terms = Vec::with_capacity(job.k());
        for n in 0..job.n() {
            let epilogue = Epilogue {
                scale: match job.scale {
                    Scale::None => None,
                    Scale::Tensor(scale) => Some(scale),
                    Scale::PerColumn(scales) => Some(scales[n]),
                },
                bias: job.bias.map(|bias| bias[n]),
                relu: job.relu,
            };
            for m in 0..job.m() {
                terms.clear();
                terms.extend(
                    job.a
                        .row(m)
                        .iter()
                        .zip(job.b.column(n))
                        .map(|(&a, &b)| (operands_a[usize::from(a)], operands_b[usize::from(b)])),
                );
                // Rule 1.2. The bits of +0 are 0.
                let init = job.init.map_or(0, |init| init[(m, n)]);
                let sum = match &job.blocks {
                    None => sum(&job.accumulator, init, &terms),
                    Some(blocks) => sum_blocks(
                        &job.accumulator,
                        init,
                        &terms,
                        (blocks.length, blocks.format),
                        (0..).map(|block| blocks.of((m, n), block)),
                    ),
                };
                let result = epilogue.apply(sum);
                values[(m, n)] = if job.output.format == FP32 && decode(result, FP32) == Number::Nan
                {
                    // Rule 6.2.
                    job.accumulator.nan()
                } else {
                    convert(result, FP32, &job.output, 0)
                };
            }
        }
        Ok(JobResult {
            values,
            counters: None,
        })
    }
}

/// Every code of an operand format, decoded.
fn all_operands(format: &Format) -> Vec<Operand> {
    (0..=format.code_mask())
        .map(|code| operand(code, format))
        .collect()
}
