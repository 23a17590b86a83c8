//! The arithmetic of the datapath as whole operations: the model computes a result where its
//! operands enter a pipeline and only delays it from there.
//!
//! Decoding and conversion are the fast engine's. Binary32 addition and multiplication are the
//! host's, which round to nearest, ties to even, and keep subnormals (IEEE 754-2019, 4.3.1); only
//! NaN has to be made canonical (numerics.md 3.5).

use quaver_contract::accumulator::NAN;
use quaver_contract::{Conversion, Format, Infinity, Overflow, Rounding};
use quaver_fast::encode::Encoder;

/// The weight of a lane that is not valid: it adds nothing. No decoded value has these bits.
pub(crate) const ABSENT: u32 = u32::MAX;

/// The binary32 values of a format's codes; bits above the code's width are ignored.
pub(crate) fn decode_table(format: &Format) -> [u32; 256] {
    quaver_fast::decode::table(format)
}

#[inline(always)]
fn canonical(value: f32) -> u32 {
    if value.is_nan() { NAN } else { value.to_bits() }
}

/// `RNE32(a * b)`.
#[inline(always)]
pub(crate) fn multiply(a: u32, b: u32) -> u32 {
    canonical(f32::from_bits(a) * f32::from_bits(b))
}

/// `RNE32(a + b)`.
#[inline(always)]
pub(crate) fn add(a: u32, b: u32) -> u32 {
    canonical(f32::from_bits(a) + f32::from_bits(b))
}

/// `RNE32(a * 2^exponent)`, and NaN where the power is none. Binary64 holds the product.
pub(crate) fn scale_by_power(a: u32, exponent: i32, nan: bool) -> u32 {
    match nan {
        true => NAN,
        false => canonical((f64::from(f32::from_bits(a)) * 2f64.powi(exponent)) as f32),
    }
}

/// A row of PEs: `RNE32(psum + operand * weight)`, and the psum itself where the weight is absent.
/// The product is exact in binary32 (`Format::products_fit_fp32`), so there is one rounding.
#[inline(always)]
pub(crate) fn accumulate(psums: &[u32], operands: &[u32], weights: &[u32], sums: &mut [u32]) {
    let columns = sums.iter_mut().zip(psums).zip(operands).zip(weights);
    for (((sum, &psum), &operand), &weight) in columns {
        let product = f32::from_bits(operand) * f32::from_bits(weight);
        let total = canonical(product + f32::from_bits(psum));
        *sum = if weight == ABSENT { psum } else { total };
    }
}

/// Rule 3.4: negative numbers, -Inf and -0 become +0; NaN stays.
#[inline(always)]
pub(crate) fn relu(value: u32) -> u32 {
    let nan = value & 0x7fff_ffff > 0x7f80_0000;
    if value >> 31 == 1 && !nan { 0 } else { value }
}

/// The encoder for settings as they stand in the CSRs, legal or not: what is not valid is
/// converted too, with whatever the registers hold. A policy that names a code which the format
/// does not have, or no policy at all, saturates; a rounding without a meaning truncates.
pub(crate) fn encoder(
    format: &'static Format,
    rounding: u32,
    overflow: u32,
    infinity: u32,
) -> Encoder {
    // Stochastic rounding with random bits of 0 truncates, and overflows as the policy says.
    let rounding = Rounding::ALL
        .iter()
        .copied()
        .find(|r| r.number() == rounding)
        .unwrap_or(Rounding::Stochastic);
    let (has_infinity, has_nan) = (
        format.infinity_code().is_some(),
        format.nan_code().is_some(),
    );
    let overflow = match overflow {
        1 if has_infinity => Overflow::Infinity,
        2 if has_nan => Overflow::Nan,
        _ => Overflow::Saturate,
    };
    let infinity = match infinity {
        1 if has_infinity => Infinity::Infinity,
        2 if has_nan => Infinity::Nan,
        _ => Infinity::Saturate,
    };
    let conversion = Conversion {
        format,
        rounding,
        overflow,
        infinity,
        ..Conversion::native(format)
    };
    Encoder::new(&conversion).expect("the policies were checked against the format")
}

#[cfg(test)]
mod tests {
    use super::*;
    use quaver_contract::Formats;
    use quaver_golden::scale::relu as golden_relu;
    use quaver_golden::{add_fp32, decode, multiply_add_fp32, multiply_fp32};

    /// Every sign and exponent field with fractions at the ends and some between.
    fn edges() -> Vec<u32> {
        let mut values = Vec::new();
        for head in 0..512u32 {
            for fraction in [0, 1, 0x3f_ffff, 0x40_0000, 0x40_0001, 0x7f_fffe, 0x7f_ffff] {
                values.push(head << 23 | fraction);
            }
        }
        values
    }

    #[test]
    fn binary32_edges_vs_golden() {
        let values = edges();
        assert!(values.len() > 3000);
        for (i, &a) in values.iter().enumerate() {
            assert_eq!(relu(add(a, 0x8000_0000)), golden_relu(a), "{a:08x}");
            for &b in values.iter().skip(i % 37).step_by(37) {
                assert_eq!(multiply(a, b), multiply_fp32(a, b), "{a:08x} * {b:08x}");
                assert_eq!(add(a, b), add_fp32(a, b), "{a:08x} + {b:08x}");
            }
        }
    }

    #[test]
    fn accumulate_all_products_vs_golden() {
        let formats = Formats::default();
        let psums = [
            0,
            0x8000_0000,
            0x3f80_0001,
            0xb580_0000,
            0x7f7f_ffff,
            1,
            0xff80_0000,
        ];
        let mut cases = 0;
        for (name_a, name_b) in [("e4m3fn", "e5m2"), ("e5m2", "e5m2"), ("e4m3fnuz", "e4m3")] {
            let (format_a, format_b) = (formats.get(name_a).unwrap(), formats.get(name_b).unwrap());
            let (table_a, table_b) = (decode_table(format_a), decode_table(format_b));
            for a in 0..256u32 {
                for b in 0..256u32 {
                    let psum = psums[((a * 3 + b) % 7) as usize];
                    let mut sum = [0];
                    let (operand, weight) = ([table_a[a as usize]], [table_b[b as usize]]);
                    accumulate(&[psum], &operand, &weight, &mut sum);
                    let expected =
                        multiply_add_fp32(psum, decode(a, format_a), decode(b, format_b));
                    assert_eq!(sum[0], expected, "{psum:08x} + {a:02x} * {b:02x}");
                    cases += 1;
                }
            }
        }
        assert_eq!(cases, 3 * 65_536);
        let mut sum = [0];
        accumulate(&[0xffc0_1234], &[0x3f80_0000], &[ABSENT], &mut sum);
        assert_eq!(sum, [0xffc0_1234]);
    }
}
