//! Codes to binary32 (numerics.md, section 2): exact, because binary32 holds every value of every
//! format of the contract.

use quaver_contract::{Encoding, Format, Specials};

use crate::Isa;
use crate::float_environment::FloatEnvironment;
use crate::isa::for_each_isa;
#[cfg(target_arch = "x86_64")]
use crate::{decode_avx512, decode_vbmi};

/// The binary32 NaN that this project produces (numerics.md 2.5).
pub(crate) const NAN: u32 = 0x7fc0_0000;
const INFINITY: u32 = 0x7f80_0000;

/// Values from which on a slice is written past the caches: more than they hold.
#[cfg(target_arch = "x86_64")]
const STREAMED: usize = 1 << 22;

/// What a decoding loop needs of a format, as plain numbers.
#[derive(Clone, Copy)]
pub(crate) struct Layout {
    sign_mask: u32,
    sign_shift: u32,
    magnitude_mask: u32,
    fraction_bits: u32,
    /// Added to a normal code's magnitude once that is shifted to binary32's fields.
    rebias: u32,
    /// Bits of the value of one unit of the smallest magnitude; a normal binary32 number.
    unit: f32,
    /// First magnitude that is not subnormal.
    normal_from: u32,
    /// First magnitude that is infinite (or a value no magnitude takes).
    infinity_from: u32,
    /// First magnitude that is NaN (or a value no magnitude takes).
    nan_from: u32,
    /// The code that is NaN in place of -0 (or a value no code takes).
    nan_code: u32,
}

impl Layout {
    /// `None` for the layouts that are not sign, exponent field and fraction, and for those whose
    /// smallest unit is no normal binary32 number; they go through the table of all codes.
    pub(crate) fn of(format: &Format) -> Option<Self> {
        const NEVER: u32 = u32::MAX;
        let lowest = format.lowest_exponent();
        if format.encoding != Encoding::Float || lowest < -126 {
            return None;
        }
        let top = format.magnitude_mask() >> format.fraction_bits << format.fraction_bits;
        let all_ones = format.magnitude_mask();
        let (infinity_from, nan_from, nan_code) = match format.specials {
            Specials::None => (NEVER, NEVER, NEVER),
            Specials::Ieee => (top, top + 1, NEVER),
            Specials::AllOnesNan => (NEVER, all_ones, NEVER),
            Specials::NegativeZeroNan => (NEVER, NEVER, format.sign_mask()),
            Specials::NegativeZeroNanAllOnesInfinity => (all_ones, NEVER, format.sign_mask()),
        };
        Some(Self {
            sign_mask: format.sign_mask(),
            sign_shift: 32 - format.bits(),
            magnitude_mask: format.magnitude_mask(),
            fraction_bits: format.fraction_bits,
            rebias: ((127 - format.bias) << 23).cast_unsigned(),
            unit: f32::from_bits(((lowest + 127) << 23).cast_unsigned()),
            normal_from: 1 << format.fraction_bits,
            infinity_from,
            nan_from,
            nan_code,
        })
    }

    /// One code; a chain of selects, so that a loop of it vectorises.
    #[inline(always)]
    pub(crate) fn decode(&self, code: u32) -> u32 {
        let sign = (code & self.sign_mask) << self.sign_shift;
        let magnitude = code & self.magnitude_mask;
        let normal = (magnitude << (23 - self.fraction_bits)).wrapping_add(self.rebias);
        // Fewer than 2^24 units: conversion and product are exact.
        let subnormal = (magnitude.cast_signed() as f32 * self.unit).to_bits();
        let mut bits = if magnitude < self.normal_from {
            subnormal
        } else {
            normal
        };
        bits = if magnitude >= self.infinity_from {
            INFINITY
        } else {
            bits
        };
        bits |= sign;
        if self.is_nan(code) { NAN } else { bits }
    }

    /// As [`Self::decode`]; a NaN has the sign bit of its code.
    #[inline(always)]
    pub(crate) fn decode_signed(&self, code: u32) -> u32 {
        let sign = (code & self.sign_mask) << self.sign_shift;
        let nan = if self.is_nan(code) { sign } else { 0 };
        self.decode(code) | nan
    }

    #[inline(always)]
    fn is_nan(&self, code: u32) -> bool {
        code & self.magnitude_mask >= self.nan_from || code == self.nan_code
    }
}

/// The value of one code as binary32 bits; NaN is 7FC00000.
pub fn decode(format: &Format, code: u32) -> u32 {
    if let Some(layout) = Layout::of(format) {
        return layout.decode(code & format.code_mask());
    }
    let code = code & format.code_mask();
    match format.encoding {
        Encoding::TwosComplement => {
            let unused = 32 - format.bits();
            let integer = (code << unused).cast_signed() >> unused;
            let unit = f32::from_bits(((127 - format.bias) << 23).cast_unsigned());
            (integer as f32 * unit).to_bits()
        }
        Encoding::PowerOfTwo if Some(code) == format.nan_code() => NAN,
        Encoding::PowerOfTwo => power_of_two(code.cast_signed() - format.bias),
        // Subnormals of the format reach below binary32's normal range: scale in two exact steps.
        Encoding::Float => {
            let sign = (code & format.sign_mask()) << (32 - format.bits());
            let magnitude = code & format.magnitude_mask();
            if format.bits() == 32 {
                return if magnitude > INFINITY { NAN } else { code };
            }
            let field = magnitude >> format.fraction_bits;
            let fraction = magnitude & ((1 << format.fraction_bits) - 1);
            let top = field == (1 << format.exponent_bits) - 1;
            match (Some(magnitude) == format.infinity_code(), format.specials) {
                (true, _) => return sign | INFINITY,
                (_, Specials::Ieee) if top => return NAN,
                (_, Specials::AllOnesNan) if magnitude == format.magnitude_mask() => return NAN,
                (_, Specials::NegativeZeroNan | Specials::NegativeZeroNanAllOnesInfinity)
                    if code == format.sign_mask() =>
                {
                    return NAN;
                }
                _ => {}
            }
            let hidden = u32::from(field != 0) << format.fraction_bits;
            let exponent =
                field.max(1).cast_signed() - format.bias - format.fraction_bits.cast_signed();
            let significand = (hidden | fraction).cast_signed() as f32;
            let _environment = FloatEnvironment::enter();
            sign | (significand
                * f32::from_bits(power_of_two(exponent + 64))
                * f32::from_bits(power_of_two(-64)))
            .to_bits()
        }
    }
}

/// `2^exponent` as binary32 bits, subnormal below 2^-126.
fn power_of_two(exponent: i32) -> u32 {
    if exponent >= -126 {
        ((exponent + 127) << 23).cast_unsigned()
    } else {
        1 << (exponent + 149)
    }
}

/// The binary32 bits of all 256 bytes, read as codes of a format of at most 8 bits (unused high
/// bits of a byte are ignored).
pub fn table(format: &Format) -> [u32; 256] {
    match Layout::of(format) {
        Some(layout) => std::array::from_fn(|code| layout.decode(code as u32 & format.code_mask())),
        None => std::array::from_fn(|code| decode(format, code as u32)),
    }
}

/// A byte for each code of some chunks, by table.
///
/// # Panics
/// When there are fewer chunks of bytes than of codes.
#[cfg(target_arch = "x86_64")]
pub(crate) fn bytes(table: &[u8; 256], codes: &[[u8; 32]], bytes: &mut [[u8; 32]]) {
    let bytes = &mut bytes[..codes.len()];
    if decode_vbmi::is_available() {
        // SAFETY: the machine has the instructions.
        return unsafe { decode_vbmi::bytes(table, codes, bytes) };
    }
    for (bytes, codes) in bytes.iter_mut().zip(codes) {
        *bytes = codes.map(|code| table[usize::from(code)]);
    }
}

/// A decoder of 8-bit codes made ready for one format.
#[derive(Clone)]
pub struct Decoder {
    layout: Option<Layout>,
    table: [u32; 256],
    /// The upper halves of the table; the lower ones are zero.
    #[cfg(target_arch = "x86_64")]
    halves: decode_avx512::Halves,
    /// The same for instructions that not every machine with AVX-512 has.
    #[cfg(target_arch = "x86_64")]
    tables: Option<decode_vbmi::Tables>,
}

impl Decoder {
    /// Prepares a format of at most 8 bits.
    pub fn new(format: &Format) -> Self {
        let layout = Layout::of(format).filter(|_| format.bits() == 8);
        Self::from_table(layout, table(format))
    }

    /// A decoder of the values that `keep` keeps; the others become +0.
    pub(crate) fn filtered(format: &Format, keep: impl Fn(f32) -> bool) -> Self {
        Self::from_values(table(format).map(|bits| {
            let value = f32::from_bits(bits);
            if keep(value) { value } else { 0.0 }
        }))
    }

    /// A decoder of given values, each the upper half of a binary32 number.
    pub(crate) fn from_values(values: [f32; 256]) -> Self {
        Self::from_table(None, values.map(f32::to_bits))
    }

    fn from_table(layout: Option<Layout>, table: [u32; 256]) -> Self {
        Self {
            layout,
            table,
            #[cfg(target_arch = "x86_64")]
            halves: table.map(|value| (value >> 16) as u16),
            #[cfg(target_arch = "x86_64")]
            tables: decode_vbmi::Tables::new(&table),
        }
    }

    /// The tables of [`decode_vbmi`], if the machine can use them.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn tables(&self) -> Option<&decode_vbmi::Tables> {
        self.tables.as_ref()
    }

    /// One code.
    #[inline]
    pub fn one(&self, code: u8) -> f32 {
        f32::from_bits(self.table[usize::from(code)])
    }

    /// Decodes `codes` into `values`.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn slice(&self, isa: Isa, codes: &[u8], values: &mut [f32]) {
        assert_eq!(codes.len(), values.len(), "codes and values");
        #[cfg(target_arch = "x86_64")]
        if isa == Isa::Avx512 && values.len() >= STREAMED {
            return self.stream(codes, values);
        }
        let (whole, rest) = codes.as_chunks::<32>();
        let split = codes.len() - rest.len();
        self.chunks(isa, whole, values, 32);
        for (value, &code) in values[split..].iter_mut().zip(rest) {
            *value = self.one(code);
        }
    }

    /// Decodes past the caches: whole cache lines in one go, what is before and after one by one.
    #[cfg(target_arch = "x86_64")]
    fn stream(&self, codes: &[u8], values: &mut [f32]) {
        assert!(Isa::Avx512.is_available(), "AVX-512 is not on this machine");
        let before = values.as_ptr().align_offset(64).min(values.len());
        let whole = (values.len() - before) / 32 * 32;
        let (first, values) = values.split_at_mut(before);
        let (values, last) = values.split_at_mut(whole);
        let (codes_first, codes) = codes.split_at(before);
        let (codes, codes_last) = codes.split_at(whole);
        for (value, &code) in first.iter_mut().zip(codes_first) {
            *value = self.one(code);
        }
        // SAFETY: the assertion above saw the instructions.
        unsafe { decode_avx512::stream(&self.halves, codes.as_chunks().0, values) };
        for (value, &code) in last.iter_mut().zip(codes_last) {
            *value = self.one(code);
        }
    }

    /// Decodes chunks of codes into places that are `stride` values apart.
    pub(crate) fn chunks<const N: usize>(
        &self,
        isa: Isa,
        codes: &[[u8; N]],
        values: &mut [f32],
        stride: usize,
    ) {
        #[cfg(target_arch = "x86_64")]
        if isa == Isa::Avx512 && N.is_multiple_of(16) {
            assert!(isa.is_available(), "{isa:?} is not on this machine");
            if let Some(tables) = &self.tables {
                // SAFETY: who made the tables saw the instructions.
                return unsafe { decode_vbmi::chunks(tables, codes, values, stride) };
            }
            if N == 32 {
                let (codes, _) = codes.as_flattened().as_chunks::<32>();
                // SAFETY: the assertion above saw the instructions.
                return unsafe { decode_avx512::chunks(&self.halves, codes, values, stride) };
            }
        }
        match &self.layout {
            Some(layout) => by_layout::<N>(isa, layout, codes, values, stride),
            None => {
                for (i, codes) in codes.iter().enumerate() {
                    let values = &mut values[i * stride..][..N];
                    for (value, &code) in values.iter_mut().zip(codes) {
                        *value = self.one(code);
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn layout_loop<const N: usize>(
    layout: &Layout,
    codes: &[[u8; N]],
    values: &mut [f32],
    stride: usize,
) {
    let layout = *layout;
    for (i, codes) in codes.iter().enumerate() {
        let values = &mut values[i * stride..][..N];
        for (value, &code) in values.iter_mut().zip(codes) {
            *value = f32::from_bits(layout.decode(u32::from(code)));
        }
    }
}

for_each_isa! {
    fn by_layout<[N]>(layout: &Layout, codes: &[[u8; N]], values: &mut [f32], stride: usize) = layout_loop::<N>
}

#[cfg(test)]
mod tests {
    use quaver_contract::Formats;

    use super::*;

    /// Machines differ in what they have; each way has to be right on those that choose another.
    #[test]
    fn chunks_without_tables_in_registers_vs_one_by_one() {
        let codes: [u8; 256] = std::array::from_fn(|i| (i * 37 + 11) as u8);
        let mut formats = 0;
        for format in Formats::default()
            .iter()
            .filter(|format| format.bits() <= 8)
        {
            formats += 1;
            let mut decoder = Decoder::new(format);
            #[cfg(target_arch = "x86_64")]
            {
                decoder.tables = None;
            }
            for with_layout in [true, false] {
                decoder.layout = decoder.layout.filter(|_| with_layout);
                for &isa in Isa::ALL.iter().filter(|isa| isa.is_available()) {
                    let mut values = [0.0; 8 * 35];
                    decoder.chunks::<32>(isa, codes.as_chunks().0, &mut values, 35);
                    for (i, &code) in codes.iter().enumerate() {
                        let value = values[i / 32 * 35 + i % 32].to_bits();
                        assert_eq!(
                            value,
                            decoder.one(code).to_bits(),
                            "{} {isa:?} {code}",
                            format.name
                        );
                    }
                }
            }
        }
        assert!(formats > 0);
    }
}
