//! What happens to a row of sums after the last term (numerics.md, sections 3 and 5).

use quaver_contract::{Job, Scale};

use crate::encode::Encoder;

/// The epilogue of one job, made ready.
pub(crate) struct Epilogue<'a> {
    scale: Scale<'a>,
    bias: Option<ndarray::ArrayView1<'a, u32>>,
    relu: bool,
    encoder: Encoder,
    /// The output is binary32 and its policies change nothing.
    identity: bool,
    /// The output is binary32.
    binary32: bool,
    /// The NaN of a result in binary32 (numerics.md 6.2).
    nan: u32,
}

impl<'a> Epilogue<'a> {
    pub(crate) fn new(job: &Job<'a>) -> Result<Self, quaver_contract::ContractError> {
        Ok(Self {
            nan: job.accumulator.nan(),
            scale: job.scale,
            bias: job.bias,
            relu: job.relu,
            encoder: Encoder::new(&job.output)?,
            binary32: job.output.format == quaver_contract::formats::FP32,
            identity: job.output
                == quaver_contract::Conversion::native(quaver_contract::formats::FP32),
        })
    }

    /// Turns binary32 sums of the columns from `first_col` on into output codes, in place.
    /// Runs under [`crate::float_environment::FloatEnvironment`].
    pub(crate) fn apply(&self, first_col: usize, values: &mut [u32]) {
        match self.scale {
            Scale::None => {}
            Scale::Tensor(scale) => {
                let scale = f32::from_bits(scale);
                for value in values.iter_mut() {
                    *value = (f32::from_bits(*value) * scale).to_bits();
                }
            }
            Scale::PerColumn(scales) => {
                for (value, &scale) in values.iter_mut().zip(scales.iter().skip(first_col)) {
                    *value = (f32::from_bits(*value) * f32::from_bits(scale)).to_bits();
                }
            }
        }
        if let Some(bias) = self.bias {
            for (value, &bias) in values.iter_mut().zip(bias.iter().skip(first_col)) {
                *value = (f32::from_bits(*value) + f32::from_bits(bias)).to_bits();
            }
        }
        for value in values.iter_mut() {
            let nan = *value & 0x7fff_ffff > 0x7f80_0000;
            *value = if nan {
                self.nan
            } else if self.relu && *value >> 31 == 1 {
                0
            } else {
                *value
            };
        }
        if self.identity {
            return;
        }
        for value in values {
            let nan = self.binary32 && *value == self.nan;
            *value = if nan {
                self.nan
            } else {
                self.encoder.one(*value, 0)
            };
        }
    }
}
