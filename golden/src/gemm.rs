//! The whole job, element by element (numerics.md, rule 1).

use ndarray::Array2;
use quaver_contract::formats::FP32;
use quaver_contract::{Accumulator, Engine, EngineError, Format, Job, JobResult, Rounding, Scale};

use crate::accumulate::multiply_add_fp32;
use crate::convert::convert;
use crate::scale::Epilogue;
use crate::{GoldenError, Number, decode};

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
        if job.output.rounding == Rounding::Stochastic {
            let error = GoldenError::NoRandomBits { subject: "a job" };
            return Err(EngineError::Engine(Box::new(error)));
        }

        // Rule 2: every code has one number, so the numbers are looked up instead of made anew.
        let numbers_a = all_numbers(job.format_a);
        let numbers_b = all_numbers(job.format_b);

        let mut values = Array2::zeros((job.m(), job.n()));
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
            let column: Vec<Number> = job
                .b
                .column(n)
                .iter()
                .map(|&code| numbers_b[usize::from(code)])
                .collect();
            for m in 0..job.m() {
                // Rule 1.2. The bits of +0 are 0.
                let mut sum = job.init.map_or(0, |init| init[(m, n)]);
                match job.accumulator {
                    // Rule 4.1: ascending k, one rounding per term.
                    Accumulator::Fp32 => {
                        for (&code, &b) in job.a.row(m).iter().zip(&column) {
                            sum = multiply_add_fp32(sum, numbers_a[usize::from(code)], b);
                        }
                    }
                }
                values[(m, n)] = convert(epilogue.apply(sum), FP32, &job.output, 0);
            }
        }
        Ok(JobResult {
            values,
            counters: None,
        })
    }
}

/// The number of every code of an operand format.
fn all_numbers(format: &Format) -> Vec<Number> {
    (0..=format.code_mask())
        .map(|code| decode(code, format))
        .collect()
}
