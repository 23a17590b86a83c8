//! What happens to a row of sums after the last term (numerics.md, sections 3 and 5).

use quaver_contract::{Job, Scale};

use crate::Isa;
use crate::encode::Encoder;
use crate::isa::for_each_isa;

/// The epilogue of one job, made ready.
pub(crate) struct Epilogue {
    isa: Isa,
    scale: Factor,
    bias: Factor,
    relu: bool,
    encoder: Encoder,
    /// The output is binary32 and its policies change nothing.
    identity: bool,
    /// The output is binary32.
    binary32: bool,
    /// The NaN of a result in binary32 (numerics.md 6.2).
    nan: u32,
}

/// What sums are multiplied by, or is added to them.
enum Factor {
    None,
    One(f32),
    Rows(Vec<f32>),
    Columns(Vec<f32>),
}

impl Factor {
    /// A number for each column of D, or of each row of D^T.
    fn each(bits: ndarray::ArrayView1<'_, u32>, turned: bool) -> Self {
        let numbers = bits.iter().copied().map(f32::from_bits).collect();
        match turned {
            true => Self::Rows(numbers),
            false => Self::Columns(numbers),
        }
    }

    /// Applies it to values from a row and a column on.
    fn apply(
        &self,
        (row, col): (usize, usize),
        values: &mut [u32],
        one: impl Fn(&mut [u32], f32),
        each: impl Fn(&mut [u32], &[f32]),
    ) {
        match self {
            Self::None => {}
            &Self::One(number) => one(values, number),
            Self::Rows(numbers) => one(values, numbers[row]),
            Self::Columns(numbers) => {
                let numbers = &numbers[col..][..values.len()];
                each(values, numbers);
            }
        }
    }
}

impl Epilogue {
    /// Of a job's result, or of its transpose.
    pub(crate) fn new(
        isa: Isa,
        job: &Job<'_>,
        turned: bool,
    ) -> Result<Self, quaver_contract::ContractError> {
        Ok(Self {
            isa,
            nan: job.accumulator.nan(),
            scale: match job.scale {
                Scale::None => Factor::None,
                Scale::Tensor(scale) => Factor::One(f32::from_bits(scale)),
                Scale::PerColumn(scales) => Factor::each(scales, turned),
            },
            bias: match job.bias {
                None => Factor::None,
                Some(bias) => Factor::each(bias, turned),
            },
            relu: job.relu,
            encoder: Encoder::new(&job.output)?,
            binary32: job.output.format == quaver_contract::formats::FP32,
            identity: job.output
                == quaver_contract::Conversion::native(quaver_contract::formats::FP32),
        })
    }

    /// Turns binary32 sums of a row into output codes, in place; `place` is the first one's row and
    /// column. Runs under [`crate::float_environment::FloatEnvironment`].
    pub(crate) fn apply(&self, place: (usize, usize), values: &mut [u32]) {
        let isa = self.isa;
        self.scale.apply(
            place,
            values,
            |values, scale| multiplied(isa, values, scale),
            |values, scales| multiplied_each(isa, values, scales),
        );
        self.bias.apply(
            place,
            values,
            |values, bias| added(isa, values, bias),
            |values, bias| added_each(isa, values, bias),
        );
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
fn add(values: &mut [u32], bias: f32) {
    for value in values {
        *value = (f32::from_bits(*value) + bias).to_bits();
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
    fn added(values: &mut [u32], bias: f32) = add
}
for_each_isa! {
    fn added_each(values: &mut [u32], bias: &[f32]) = add_each
}
for_each_isa! {
    fn canonical(values: &mut [u32], nan: u32, relu: bool) = canonicalise
}
