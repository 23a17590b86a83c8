//! Adaptive block floating point: blocks along the last axis, each with a scale of its own, chosen
//! from the numbers at run time.

use super::{Codec, ScaleError, amax, max_value};

/// Quantises and dequantises blocks of `block` numbers of each row. A block's scale is
/// `RNE32(amax / X)`, X the format's largest number, rounded to bfloat16; 1 for a block of zeros.
/// A block that holds NaN or infinity becomes NaN.
///
/// Rows are `width` numbers long; the last block of a row may be short.
///
/// # Errors
/// [`ScaleError::Illegal`] for a block or row without elements.
///
/// # Panics
/// When the lengths differ.
pub fn adaptive(
    codec: &Codec,
    values: &[f32],
    width: usize,
    block: usize,
    results: &mut [f32],
) -> Result<(), ScaleError> {
    if block == 0 || width == 0 {
        return Err(ScaleError::illegal("block", block, "1 or more elements"));
    }
    assert_eq!(values.len(), results.len(), "values and results");
    let largest = max_value(codec.format());
    for (row, result) in values.chunks(width).zip(results.chunks_mut(width)) {
        for (values, results) in row.chunks(block).zip(result.chunks_mut(block)) {
            if values.iter().any(|value| !value.is_finite()) {
                results.fill(f32::NAN);
                continue;
            }
            codec.round_trip(values, adaptive_scale(amax(values), largest), results);
        }
    }
    Ok(())
}

/// The scale of a block whose largest magnitude is `amax`, a bfloat16 number.
fn adaptive_scale(amax: f32, largest: f32) -> f32 {
    let scale = amax / largest;
    // To nearest, ties to even, in the upper 16 bits; a scale is positive and far from overflow.
    let bits = scale.to_bits();
    let rounded = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff_0000;
    match f32::from_bits(rounded) {
        0.0 if amax > 0.0 => f32::from_bits(1 << 16),
        0.0 => 1.0,
        scale => scale,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quaver_contract::Formats;

    #[test]
    fn blocks_have_their_own_scales() {
        let format = Formats::default().get("int8").unwrap();
        let codec = Codec::new(format).unwrap();
        let values = [127.0, -1.0, 1.27, 0.5, 0.0, 0.0, f32::NAN, 1.0];
        let mut results = [9.0; 8];
        adaptive(&codec, &values, 8, 2, &mut results).unwrap();
        assert_eq!(results[..2], [127.0, -1.0]);
        assert!((results[2] - 1.27).abs() < 0.01 && (results[3] - 0.5).abs() < 0.01);
        assert_eq!(results[4..6], [0.0, 0.0]);
        assert!(results[6].is_nan() && results[7].is_nan());
        assert!(adaptive(&codec, &values, 8, 0, &mut results).is_err());
    }
}
