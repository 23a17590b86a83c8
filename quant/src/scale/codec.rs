//! Numbers to codes and back with a scale.

use quaver_contract::formats::FP32;
use quaver_contract::{ContractError, Conversion, Format, Overflow};
use quaver_fast::convert::Converter;
use quaver_fast::decode::{Decoder, decode};
use quaver_fast::encode::{Code, Encoder};
use quaver_fast::{Isa, Loop};

/// Numbers in one step; they stay in the first-level cache.
const CHUNK: usize = 1024;

/// The largest finite number of a format.
pub fn max_value(format: &Format) -> f32 {
    f32::from_bits(decode(format, format.max_code()))
}

/// How codes become numbers.
enum Back {
    /// Codes of at most 8 bits.
    Narrow(Box<Decoder>),
    /// Wider codes.
    Wide(Box<Converter>),
}

/// A conversion to a format and back, made ready; the bits are the fast engine's.
pub struct Codec {
    format: &'static Format,
    encoder: Encoder,
    back: Back,
    isa: Isa,
}

impl Codec {
    /// To nearest, ties to even, saturating.
    ///
    /// # Errors
    /// Those of [`Codec::with`].
    pub fn new(format: &'static Format) -> Result<Self, ContractError> {
        Self::with(&Conversion::native(format).with_overflow(Overflow::Saturate)?)
    }

    /// By a conversion, which must not be stochastic.
    ///
    /// # Errors
    /// Those of [`Conversion::validate_for_job`] and [`Format::validate`].
    pub fn with(conversion: &Conversion) -> Result<Self, ContractError> {
        conversion.validate_for_job()?;
        let format = conversion.format;
        format.validate()?;
        let back = if format.bits() <= 8 {
            Back::Narrow(Box::new(Decoder::new(format)))
        } else {
            let exact = Conversion::native(FP32);
            Back::Wide(Box::new(Converter::new(format, &exact)?))
        };
        Ok(Self {
            format,
            encoder: Encoder::new(conversion)?,
            back,
            isa: Isa::best(),
        })
    }

    /// The format.
    pub const fn format(&self) -> &'static Format {
        self.format
    }

    /// Codes of `RNE32(value / scale)`. For a scale that is a power of two, the quotient is exact
    /// unless it is subnormal in binary32.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn encode<T: Code>(&self, values: &[f32], scale: f32, codes: &mut [T]) {
        assert_eq!(values.len(), codes.len(), "values and codes");
        let mut scaled = [0.0; CHUNK];
        for (values, codes) in values.chunks(CHUNK).zip(codes.chunks_mut(CHUNK)) {
            let scaled = divide(self.isa, values, scale, &mut scaled);
            self.encoder.slice(self.isa, scaled, &[], codes);
        }
    }

    /// Codes of `RNE32(value / scale)` with a scale for each value.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn encode_each<T: Code>(&self, values: &[f32], scales: &[f32], codes: &mut [T]) {
        assert_eq!(values.len(), codes.len(), "values and codes");
        assert_eq!(values.len(), scales.len(), "values and scales");
        let mut scaled = [0.0; CHUNK];
        let values = values.chunks(CHUNK).zip(scales.chunks(CHUNK));
        for ((values, scales), codes) in values.zip(codes.chunks_mut(CHUNK)) {
            let scaled = &mut scaled[..values.len()];
            for ((scaled, value), scale) in scaled.iter_mut().zip(values).zip(scales) {
                *scaled = value / scale;
            }
            self.encoder.slice(self.isa, scaled, &[], codes);
        }
    }

    /// The numbers `RNE32(scale * code)`.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn decode(&self, codes: &[u32], scale: f32, values: &mut [f32]) {
        assert_eq!(codes.len(), values.len(), "codes and values");
        for (value, &code) in values.iter_mut().zip(codes) {
            *value = f32::from_bits(decode(self.format, code)) * scale;
        }
    }

    /// The numbers that the codes of `values` stand for; `seen` gets the results of each chunk
    /// beside its place and the numbers they came from.
    pub(crate) fn for_each_chunk(
        &self,
        values: &[f32],
        scale: f32,
        mut seen: impl FnMut(&[f32], &[f32]),
    ) {
        let mut results = [0.0; CHUNK];
        for values in values.chunks(CHUNK) {
            let results = &mut results[..values.len()];
            self.chunk(values, scale, results);
            seen(values, results);
        }
    }

    /// What quantising and dequantising makes of `values`: `RNE32(scale * code(RNE32(value / scale)))`.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn round_trip(&self, values: &[f32], scale: f32, results: &mut [f32]) {
        assert_eq!(values.len(), results.len(), "values and results");
        for (values, results) in values.chunks(CHUNK).zip(results.chunks_mut(CHUNK)) {
            self.chunk(values, scale, results);
        }
    }

    fn chunk(&self, values: &[f32], scale: f32, results: &mut [f32]) {
        let mut scaled = [0.0; CHUNK];
        let scaled = divide(self.isa, values, scale, &mut scaled);
        match &self.back {
            Back::Narrow(decoder) => {
                let mut codes = [0u8; CHUNK];
                let codes = &mut codes[..values.len()];
                self.encoder.slice(self.isa, scaled, &[], codes);
                decoder.slice(self.isa, codes, results);
            }
            Back::Wide(converter) => {
                let (mut codes, mut bits) = ([0u32; CHUNK], [0u32; CHUNK]);
                let (codes, bits) = (&mut codes[..values.len()], &mut bits[..values.len()]);
                self.encoder.slice(self.isa, scaled, &[], codes);
                converter.slice(self.isa, codes, &[], bits);
                for (result, &bits) in results.iter_mut().zip(&*bits) {
                    *result = f32::from_bits(bits);
                }
            }
        }
        for result in results {
            *result *= scale;
        }
    }
}

/// The quotients, in the first places of `scaled`.
fn divide<'a>(isa: Isa, values: &[f32], scale: f32, scaled: &'a mut [f32; CHUNK]) -> &'a [f32] {
    let scaled = &mut scaled[..values.len()];
    isa.vectorise(Divide {
        values,
        scale,
        scaled,
    });
    scaled
}

/// The loop of [`divide`].
struct Divide<'s> {
    values: &'s [f32],
    scale: f32,
    scaled: &'s mut [f32],
}

impl Loop for Divide<'_> {
    #[inline(always)]
    fn run(self) {
        for (scaled, value) in self.scaled.iter_mut().zip(self.values) {
            *scaled = value / self.scale;
        }
    }
}
