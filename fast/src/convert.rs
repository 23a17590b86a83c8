//! Codes of one format to codes of another (numerics.md, section 5): one rounding, because binary32,
//! which lies between, holds every number of every format.

use quaver_contract::{ContractError, Conversion, Encoding, Format, Rounding, Specials};

use crate::Isa;
use crate::decode::{self, Layout, NAN};
use crate::encode::{Code, Encoder};
use crate::isa::for_each_isa;

/// Values between decoding and encoding; they stay in the first-level cache.
const CHUNK: usize = 1024;

/// How a source's codes become binary32, NaN with the sign bit of its code.
#[derive(Clone, Copy)]
enum Source {
    /// binary32, or its upper bits.
    Truncated { shift: u32, mask: u32 },
    /// Selects, as they vectorise.
    Layout(Layout, u32),
    /// The rest, one by one.
    Other(Format),
}

/// A conversion between two formats made ready.
pub struct Converter {
    source: Source,
    encoder: Encoder,
    stochastic: bool,
    /// The results of all codes, for sources of at most 8 bits that need no random bits.
    table: Option<Box<[u32; 256]>>,
}

impl Converter {
    /// Prepares a conversion.
    ///
    /// # Errors
    /// Those of [`Format::validate`] and [`Conversion::validate`].
    pub fn new(source: &Format, conversion: &Conversion) -> Result<Self, ContractError> {
        source.validate()?;
        let encoder = Encoder::new(conversion)?;
        let truncated = source.encoding == Encoding::Float
            && (source.exponent_bits, source.bias) == (8, 127)
            && source.specials == Specials::Ieee;
        let small = source.bits() <= 8;
        let mask = source.code_mask();
        let source = match Layout::of(source) {
            _ if truncated => Source::Truncated {
                shift: 32 - source.bits(),
                mask,
            },
            Some(layout) => Source::Layout(layout, mask),
            None => Source::Other(*source),
        };
        let stochastic = conversion.rounding == Rounding::Stochastic;
        let table = (small && !stochastic).then(|| {
            let one = |code| encoder.one(source.decode(code as u32), 0);
            Box::new(std::array::from_fn(one))
        });
        Ok(Self {
            source,
            encoder,
            stochastic,
            table,
        })
    }

    /// Converts `codes` into `results`; bits beyond the source's width are ignored. `random` holds a
    /// word per code for stochastic rounding, and is empty otherwise.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn slice<S: Code, T: Code>(
        &self,
        isa: Isa,
        codes: &[S],
        random: &[u32],
        results: &mut [T],
    ) {
        assert_eq!(codes.len(), results.len(), "codes and results");
        if let Some(table) = &self.table {
            for (result, code) in results.iter_mut().zip(codes) {
                *result = T::new(table[(code.get() & 0xff) as usize]);
            }
            return;
        }
        if self.stochastic {
            assert_eq!(codes.len(), random.len(), "codes and random words");
        }
        let mut values = [0.0; CHUNK];
        for (i, (codes, results)) in codes
            .chunks(CHUNK)
            .zip(results.chunks_mut(CHUNK))
            .enumerate()
        {
            let values = &mut values[..codes.len()];
            to_binary32(isa, &self.source, codes, values);
            let random = if self.stochastic {
                &random[i * CHUNK..][..codes.len()]
            } else {
                &[]
            };
            self.encoder.slice(isa, values, random, results);
        }
    }
}

impl Source {
    #[inline(always)]
    fn decode(&self, code: u32) -> u32 {
        match self {
            Self::Truncated { shift, mask } => quiet((code & mask) << shift),
            Self::Layout(layout, mask) => layout.decode_signed(code & mask),
            Self::Other(format) => {
                let code = code & format.code_mask();
                let value = decode::decode(format, code);
                let negative = value == NAN && code & format.sign_mask() != 0;
                value | u32::from(negative) << 31
            }
        }
    }
}

/// The NaN of that sign, for any NaN.
#[inline(always)]
fn quiet(value: u32) -> u32 {
    if value & 0x7fff_ffff > 0x7f80_0000 {
        NAN | (value & 0x8000_0000)
    } else {
        value
    }
}

#[inline(always)]
fn decode_loop<S: Code>(source: &Source, codes: &[S], values: &mut [f32]) {
    // One loop a kind, so that each vectorises.
    match *source {
        Source::Truncated { shift, mask } => {
            for (value, code) in values.iter_mut().zip(codes) {
                *value = f32::from_bits(quiet((code.get() & mask) << shift));
            }
        }
        Source::Layout(layout, mask) => {
            for (value, code) in values.iter_mut().zip(codes) {
                *value = f32::from_bits(layout.decode_signed(code.get() & mask));
            }
        }
        Source::Other(_) => {
            for (value, code) in values.iter_mut().zip(codes) {
                *value = f32::from_bits(source.decode(code.get()));
            }
        }
    }
}

for_each_isa! {
    fn to_binary32<[] S: Code>(source: &Source, codes: &[S], values: &mut [f32]) = decode_loop::<S>
}
