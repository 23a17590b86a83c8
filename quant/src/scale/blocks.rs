//! Scales of blocks along K, chosen from the numbers themselves (numerics.md, section 7): OCP MX,
//! NVFP4, binary32, and bfloat16 as adaptive block floating point has it.

use ndarray::{Array2, ArrayView2};
use quaver_contract::formats::{E4M3FN, FP32};
use quaver_contract::{BlockScale, Conversion, Format, Overflow};
use quaver_fast::Isa;
use quaver_fast::decode::decode;
use quaver_fast::encode::Encoder;
use rayon::prelude::*;

use super::{ScaleError, amax, max_value};

/// What a block's scale is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BlockKind {
    /// A power of two, by OCP MX's rule of the shared exponent.
    Mx,
    /// An E4M3 number, and a binary32 number for the matrix.
    Nvfp4,
    /// `RNE32(amax / X)`.
    Fp32,
    /// `RNE32(amax / X)` rounded to bfloat16 (to nearest, ties to even), 2^-133 to its largest
    /// number; 1 for a block of zeros. Such a scale is a binary32 number too, and jobs have it so.
    Bf16,
}

/// Blocks of a matrix's lines along K.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Blocks {
    /// The scales.
    pub kind: BlockKind,
    /// Numbers in a block; the last block of a line may be short.
    pub length: usize,
}

impl BlockKind {
    /// Every kind, with its name and the length of its blocks where none is said.
    pub const ALL: &'static [(Self, &'static str, usize)] = &[
        (Self::Mx, "mx", 32),
        (Self::Nvfp4, "nvfp4", 16),
        (Self::Fp32, "fp32", 128),
        (Self::Bf16, "bf16", 64),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        let row = Self::ALL.iter().find(|row| row.0 == self);
        row.expect("every kind has a row").1
    }

    /// The format of the scales' codes in a job.
    pub const fn format(self) -> &'static Format {
        match self {
            Self::Mx => BlockScale::SharedExponent.format(),
            Self::Nvfp4 => BlockScale::Fp8AndTensor.format(),
            Self::Fp32 | Self::Bf16 => BlockScale::Fp32.format(),
        }
    }

    /// The code of 1 in that format.
    pub fn one(self) -> u32 {
        match self {
            Self::Mx => self.format().bias.cast_unsigned(),
            Self::Nvfp4 => self.format().bias.cast_unsigned() << self.format().fraction_bits,
            Self::Fp32 | Self::Bf16 => 1f32.to_bits(),
        }
    }
}

impl Blocks {
    /// Reads `mx`, `nvfp4`, `fp32` or `bf16`, with another length as in `bf16:128`.
    ///
    /// # Errors
    /// [`ScaleError::Illegal`] with what is allowed.
    pub fn get(text: &str) -> Result<Self, ScaleError> {
        let (name, length) = match text.split_once(':') {
            Some((name, length)) => (name, Some(length)),
            None => (text, None),
        };
        let row = BlockKind::ALL.iter().find(|row| row.1 == name);
        let read = row.and_then(|&(kind, _, default)| {
            let length = length.map_or(Some(default), |length| length.parse().ok())?;
            (length > 0).then_some(Self { kind, length })
        });
        read.ok_or_else(|| {
            let names: Vec<&str> = BlockKind::ALL.iter().map(|row| row.1).collect();
            let allowed = format!("{}, each with :<LENGTH> or without", names.join(", "));
            ScaleError::illegal("blocks", text, allowed)
        })
    }
}

/// A matrix in blocks along its rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Blocked {
    /// Codes of the numbers.
    pub codes: Array2<u8>,
    /// Codes of the scales, a column a block, in [`BlockKind::format`].
    pub scales: Array2<u32>,
    /// The scale of the matrix; 1 but for [`BlockKind::Nvfp4`].
    pub tensor: f32,
}

/// Quantises blocks of each row: the exact quotient of number and scale is rounded once (rule 7.2).
/// A block that holds NaN or infinity has a NaN scale and codes of 0. Threads take rows; they change
/// no bit.
///
/// # Errors
/// [`ScaleError`] for a block without elements, or a format that is no operand's.
pub fn quantise(
    values: ArrayView2<'_, f32>,
    blocks: Blocks,
    conversion: &Conversion,
) -> Result<Blocked, ScaleError> {
    let Blocks { kind, length } = blocks;
    if length == 0 {
        return Err(ScaleError::illegal("block", length, "1 or more elements"));
    }
    conversion.validate_for_job()?;
    if !conversion.format.is_operand() {
        let allowed = "signed formats of at most 8 bits";
        let found = conversion.format.name;
        return Err(ScaleError::illegal("format of a block", found, allowed));
    }
    let (rows, width) = values.dim();
    let largest = max_value(conversion.format);
    let chooser = Chooser::new(kind, largest, values)?;
    let encoder = Encoder::new(conversion)?;
    let isa = Isa::best();
    let count = width.div_ceil(length);
    let mut codes = Array2::zeros((rows, width));
    let mut scales = Array2::zeros((rows, count));
    let values = values.as_standard_layout();
    let slices = (codes.as_slice_mut(), scales.as_slice_mut());
    let (code_slice, scale_slice) = slices.0.zip(slices.1).expect("C order");
    let places = code_slice.par_chunks_exact_mut(width.max(1));
    let places = places.zip(scale_slice.par_chunks_exact_mut(count.max(1)));
    places.enumerate().for_each(|(row, (codes, scales))| {
        let line = values.row(row);
        let line = line.as_slice().expect("C order");
        let mut quotients = vec![0.0; length.min(width)];
        let parts = line.chunks(length).zip(codes.chunks_mut(length));
        for ((line, codes), scale) in parts.zip(scales) {
            let (code, factor) = chooser.scale(line);
            *scale = code;
            // Rule 7.3: such a block has no numbers, and its codes stay 0.
            if factor.is_nan() {
                continue;
            }
            let quotients = &mut quotients[..line.len()];
            for (quotient, &value) in quotients.iter_mut().zip(line) {
                *quotient = to_odd(f64::from(value) / factor);
            }
            encoder.slice(isa, quotients, &[], codes);
        }
    });
    Ok(Blocked {
        codes,
        scales,
        tensor: chooser.tensor,
    })
}

/// The numbers of a matrix in blocks, each product rounded once to binary32 (rule 7.1).
pub fn dequantise(blocked: &Blocked, blocks: Blocks, format: &Format) -> Array2<f32> {
    Array2::from_shape_fn(blocked.codes.dim(), |(row, col)| {
        let number = decode(format, blocked.codes[(row, col)].into());
        let scale = blocked.scales[(row, col / blocks.length)];
        let scale = value(scale, blocks.kind) * f64::from(blocked.tensor);
        (f64::from(f32::from_bits(number)) * scale) as f32
    })
}

/// What the numbers of each block were divided by, a column a block.
pub(crate) fn factors(blocked: &Blocked, blocks: Blocks) -> Array2<f64> {
    let tensor = f64::from(blocked.tensor);
    (blocked.scales).mapv(|code| value(code, blocks.kind) * tensor)
}

/// Quantises and dequantises blocks of each row.
///
/// # Errors
/// Those of [`quantise`].
pub fn round_trip(
    values: ArrayView2<'_, f32>,
    blocks: Blocks,
    conversion: &Conversion,
) -> Result<Array2<f32>, ScaleError> {
    let blocked = quantise(values, blocks, conversion)?;
    Ok(dequantise(&blocked, blocks, conversion.format))
}

/// The number of a scale's code; binary64 holds every one, and its product with a binary32 number.
fn value(code: u32, kind: BlockKind) -> f64 {
    f64::from(f32::from_bits(match kind.format() == FP32 {
        true => code,
        false => decode(kind.format(), code),
    }))
}

/// A binary64 number in binary32, its last bit set where that is not exact: rounding the result to
/// 22 bits or fewer is then rounding the number itself.
///
/// A quotient of a binary32 number and a scale of at most 28 bits that is no tie of an operand's format
/// differs from every tie by more than 2^-40 of itself, so its rounding to binary64 makes none.
fn to_odd(number: f64) -> f32 {
    let near = number as f32;
    if f64::from(near) == number || number.is_nan() {
        return near;
    }
    let beyond = f64::from(near.abs()) > number.abs();
    f32::from_bits((near.to_bits() - u32::from(beyond)) | 1)
}

/// Chooses scales.
struct Chooser {
    kind: BlockKind,
    /// Of the format's numbers.
    largest: f32,
    /// The matrix's scale.
    tensor: f32,
    /// To E4M3, saturating.
    encoder: Encoder,
}

impl Chooser {
    fn new(kind: BlockKind, largest: f32, values: ArrayView2<'_, f32>) -> Result<Self, ScaleError> {
        let tensor = match kind {
            BlockKind::Nvfp4 => {
                // Blocks with NaN or infinity have a NaN of their own, and no say in this.
                let finite = values.iter().filter(|value| value.is_finite());
                let amax = finite.fold(0.0f32, |amax, value| amax.max(value.abs()));
                let both = f64::from(largest) * f64::from(max_value(E4M3FN));
                at_least((f64::from(amax) / both) as f32, amax, 1)
            }
            _ => 1.0,
        };
        let conversion = Conversion::native(E4M3FN).with_overflow(Overflow::Saturate)?;
        Ok(Self {
            kind,
            largest,
            tensor,
            encoder: Encoder::new(&conversion)?,
        })
    }

    /// The scale's code, and what the block's numbers are divided by.
    fn scale(&self, block: &[f32]) -> (u32, f64) {
        let format = self.kind.format();
        if block.iter().any(|value| !value.is_finite()) {
            return (format.nan_code().unwrap_or(0), f64::NAN);
        }
        let amax = amax(block);
        let code = match self.kind {
            BlockKind::Mx if amax == 0.0 => 0,
            BlockKind::Mx => {
                let exponent = floor_log2(amax) - floor_log2(self.largest) + format.bias;
                let exponent = exponent.clamp(0, format.max_code().cast_signed());
                exponent.cast_unsigned()
            }
            BlockKind::Nvfp4 => {
                let unit = f64::from(self.largest) * f64::from(self.tensor);
                let quotient = to_odd(f64::from(amax) / unit);
                self.encoder.one(quotient.to_bits(), 0).max(1)
            }
            BlockKind::Fp32 => at_least(amax / self.largest, amax, 1).to_bits(),
            BlockKind::Bf16 => bf16_scale(amax, self.largest).to_bits(),
        };
        (code, value(code, self.kind) * f64::from(self.tensor))
    }
}

/// Floor of the logarithm of a positive number; subnormal ones are normal in binary64.
fn floor_log2(number: f32) -> i32 {
    (f64::from(number).to_bits() >> 52) as i32 - 1023
}

/// A scale, at least the number of those bits; 1 for zeros.
fn at_least(scale: f32, amax: f32, bits: u32) -> f32 {
    match amax {
        0.0 => 1.0,
        _ => scale.max(f32::from_bits(bits)),
    }
}

/// The scale of a block whose largest magnitude is `amax`, a bfloat16 number.
fn bf16_scale(amax: f32, largest: f32) -> f32 {
    let bits = (amax / largest).to_bits();
    // To nearest, ties to even, in the upper 16 bits; at most the largest finite number.
    let rounded = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff_0000;
    at_least(f32::from_bits(rounded.min(0x7f7f_0000)), amax, 1 << 16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use quaver_contract::Formats;

    #[test]
    fn names_are_read() {
        for &(kind, name, length) in BlockKind::ALL {
            assert_eq!(Blocks::get(name).unwrap(), Blocks { kind, length });
            let longer = Blocks::get(&format!("{name}:7")).unwrap();
            assert_eq!(longer, Blocks { kind, length: 7 });
            assert_eq!(value(kind.one(), kind), 1.0, "{name}");
            assert_eq!(kind.name(), name);
        }
        for bad in ["", "mx:", "mx:0", "mx:-1", "abfp", ":32", "bf16:1x2"] {
            let error = Blocks::get(bad).unwrap_err().to_string();
            assert!(error.contains("blocks"), "{bad}: {error}");
        }
    }

    #[test]
    fn blocks_have_their_own_scales() {
        let format = Formats::default().get("int8").unwrap();
        let conversion = Conversion::native(format);
        let values = [127.0, -1.0, 1.27, 0.5, 0.0, 0.0, f32::NAN, 1.0];
        let values = ArrayView2::from_shape((1, 8), &values).unwrap();
        let blocks = Blocks::get("bf16:2").unwrap();
        let results = round_trip(values, blocks, &conversion).unwrap();
        let results = results.as_slice().unwrap();
        assert_eq!(results[..2], [127.0, -1.0]);
        assert!((results[2] - 1.27).abs() < 0.01 && (results[3] - 0.5).abs() < 0.01);
        assert_eq!(results[4..6], [0.0, 0.0]);
        assert!(results[6].is_nan() && results[7].is_nan());
        let none = Blocks {
            length: 0,
            ..blocks
        };
        assert!(quantise(values, none, &conversion).is_err());
        let fp16 = Conversion::native(Formats::default().get("fp16").unwrap());
        assert!(quantise(values, blocks, &fp16).is_err());
    }

    #[test]
    fn scales_in_bfloat16_stay_finite_and_positive() {
        assert_eq!(bf16_scale(f32::MAX, 1.0).to_bits(), 0x7f7f_0000);
        assert_eq!(bf16_scale(f32::from_bits(1), 448.0).to_bits(), 1 << 16);
        assert_eq!(bf16_scale(0.0, 448.0), 1.0);
        // 1 + 2^-8 is a tie, and goes to the even 1.
        assert_eq!(bf16_scale(1.0 + 2f32.powi(-8), 1.0), 1.0);
    }
}
