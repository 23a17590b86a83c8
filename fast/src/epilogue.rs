//! What happens to a row of sums after the last term (numerics.md, sections 3 and 5).

use quaver_contract::{Job, Scale};

use crate::Isa;
use crate::encode::Encoder;
use crate::isa::for_each_isa;

/// The epilogue of one job, made ready.
pub(crate) struct Epilogue {
    isa: Isa,
    scale: Factor,
    /// A number a column.
    bias: Option<Vec<f32>>,
    relu: bool,
    encoder: Encoder,
    /// The output is binary32 and its policies change nothing.
    identity: bool,
    /// The output is binary32.
    binary32: bool,
    /// The NaN of a result in binary32 (numerics.md 6.2).
    nan: u32,
}

/// What sums are multiplied by.
enum Factor {
    One,
    Tensor(f32),
    Columns(Vec<f32>),
}

fn numbers(bits: ndarray::ArrayView1<'_, u32>) -> Vec<f32> {
    bits.iter().copied().map(f32::from_bits).collect()
}

impl Epilogue {
    pub(crate) fn new(isa: Isa, job: &Job<'_>) -> Result<Self, quaver_contract::ContractError> {
        Ok(Self {
            isa,
            nan: job.accumulator.nan(),
            scale: match job.scale {
                Scale::None => Factor::One,
                Scale::Tensor(scale) => Factor::Tensor(f32::from_bits(scale)),
                Scale::PerColumn(scales) => Factor::Columns(numbers(scales)),
            },
            bias: job.bias.map(numbers),
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
        let columns = first_col..first_col + values.len();
        match &self.scale {
            Factor::One => {}
            &Factor::Tensor(scale) => multiplied(self.isa, values, scale),
            Factor::Columns(scales) => {
                multiplied_each(self.isa, values, &scales[columns.clone()]);
            }
        }
        if let Some(bias) = &self.bias {
            added_each(self.isa, values, &bias[columns]);
        }
        canonical(self.isa, values, self.nan, self.relu);
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

#[inline(always)]
fn multiply(values: &mut [u32], scale: f32) {
    for value in values {
        *value = (f32::from_bits(*value) * scale).to_bits();
    }
}

#[inline(always)]
fn multiply_each(values: &mut [u32], scales: &[f32]) {
    for (value, scale) in values.iter_mut().zip(scales) {
        *value = (f32::from_bits(*value) * scale).to_bits();
    }
}

#[inline(always)]
fn add_each(values: &mut [u32], bias: &[f32]) {
    for (value, bias) in values.iter_mut().zip(bias) {
        *value = (f32::from_bits(*value) + bias).to_bits();
    }
}

#[inline(always)]
fn canonicalise(values: &mut [u32], nan: u32, relu: bool) {
    let cut = if relu { 0 } else { i32::MIN };
    for value in values {
        let is_nan = *value & 0x7fff_ffff > 0x7f80_0000;
        // Negative numbers have the sign bit of negative integers.
        let kept = if value.cast_signed() < cut { 0 } else { *value };
        *value = if is_nan { nan } else { kept };
    }
}

for_each_isa! {
    fn multiplied(values: &mut [u32], scale: f32) = multiply
}
for_each_isa! {
    fn multiplied_each(values: &mut [u32], scales: &[f32]) = multiply_each
}
for_each_isa! {
    fn added_each(values: &mut [u32], bias: &[f32]) = add_each
}
for_each_isa! {
    fn canonical(values: &mut [u32], nan: u32, relu: bool) = canonicalise
}
