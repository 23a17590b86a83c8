//! Codes and scales of OCP as those of FNUZ, and the comparison of their numbers.

use std::collections::BTreeSet;

use quaver_fast::decode::decode;
use serde::Serialize;

use crate::onnx::Initializer;
use crate::{ElementType, Error, Tensor};

pub(super) const OCP: ElementType = ElementType::Float8E4m3fn;
pub(super) const FNUZ: ElementType = ElementType::Float8E4m3fnuz;

/// A constant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConstantRow {
    /// Its name.
    pub name: String,
    /// How many codes it has.
    pub codes: usize,
    /// Of them -0, which became +0.
    pub negative_zeros: usize,
    /// Of them NaN.
    pub nans: usize,
    /// Pairs of a code that it has and a scale that were compared before and after: all are equal.
    pub compared: usize,
}

/// The FNUZ code of half an OCP code's number.
pub const fn fnuz_code(code: u8) -> u8 {
    match code {
        0x80 => 0x00,
        0x7f | 0xff => 0x80,
        code => code,
    }
}

/// The numbers of a constant of FLOAT.
pub(super) fn floats(constant: &Initializer) -> Result<Vec<f32>, Error> {
    match constant.tensor()? {
        Tensor::Float(values) => Ok(values.iter().copied().collect()),
        other => {
            let found = other.element_type().name();
            Err(Error::illegal(&constant.name, found, "FLOAT"))
        }
    }
}

/// Doubled scales.
pub(super) fn doubled(scale: &Initializer) -> Result<Tensor, Error> {
    let Tensor::Float(values) = scale.tensor()? else {
        return Err(Error::illegal(&scale.name, scale.element.name(), "FLOAT"));
    };
    let beyond = |value: &&f32| value.is_finite() && !(**value * 2.0).is_finite();
    match values.iter().find(beyond) {
        None => Ok(Tensor::Float(values.mapv(|value| value * 2.0))),
        Some(value) => {
            let key = format!("scale {}", scale.name);
            let allowed = "numbers whose double is finite; use --compensate result";
            Err(Error::illegal(key, format!("{value:e}"), allowed))
        }
    }
}

/// Compares the numbers of a constant before and after, for every code that it has and every scale.
/// Both products have at most 29 bits: binary64 holds them, and nothing is rounded.
pub(super) fn check(constant: &Initializer, scales: &[f32]) -> Result<ConstantRow, Error> {
    let (Some(ocp), Some(fnuz)) = (OCP.format(), FNUZ.format()) else {
        return Err(Error::illegal("format", "missing", "e4m3fn and e4m3fnuz"));
    };
    let number = |format, code: u8| f64::from(f32::from_bits(decode(format, code.into())));
    let codes: BTreeSet<u8> = constant.bytes.iter().copied().collect();
    let scales: BTreeSet<u32> = scales.iter().map(|scale| scale.to_bits()).collect();
    let mut compared = 0;
    for &code in &codes {
        let (before, after) = (number(ocp, code), number(fnuz, fnuz_code(code)));
        for &bits in &scales {
            let scale = f64::from(f32::from_bits(bits));
            let (old, new) = (before * scale, after * (2.0 * scale));
            compared += 1;
            if old != new && !(old.is_nan() && new.is_nan()) {
                let key = format!("code {code:#04x} of {}", constant.name);
                return Err(Error::illegal(key, new, format!("{old} as before")));
            }
        }
    }
    let count = |wanted: &[u8]| {
        let found = constant.bytes.iter().filter(|code| wanted.contains(code));
        found.count()
    };
    Ok(ConstantRow {
        name: constant.name.clone(),
        codes: constant.bytes.len(),
        negative_zeros: count(&[0x80]),
        nans: count(&[0x7f, 0xff]),
        compared,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn constant(codes: Vec<u16>) -> Initializer {
        let codes = ndarray::Array1::from_vec(codes).into_dyn();
        Initializer::new("w", &Tensor::Codes(OCP, codes)).unwrap()
    }

    #[test]
    fn all_codes_stand_for_half_their_number() {
        let (ocp, fnuz) = (OCP.format().unwrap(), FNUZ.format().unwrap());
        for code in 0..=255u8 {
            let number = |format, code: u8| f32::from_bits(decode(format, code.into()));
            let (before, after) = (number(ocp, code), number(fnuz, fnuz_code(code)));
            assert_eq!(before.is_nan(), after.is_nan(), "{code:#04x}");
            if !before.is_nan() {
                assert_eq!(before, 2.0 * after, "{code:#04x}");
            }
        }
        let row = check(&constant((0..256).collect()), &[0.1, 3e38, 1e-40]).unwrap();
        assert_eq!((row.codes, row.compared), (256, 768));
        assert_eq!((row.negative_zeros, row.nans), (1, 2));
    }

    /// MIGraphX looks for 0x80 by comparing NaN with itself, and leaves it to be NaN.
    #[test]
    fn negative_zero_becomes_zero_not_nan() {
        assert_eq!(fnuz_code(0x80), 0x00);
        assert_eq!([fnuz_code(0x7f), fnuz_code(0xff)], [0x80, 0x80]);
    }

    /// MIGraphX doubles this scale to infinity.
    #[test]
    fn scales_whose_double_is_infinite_are_refused_by_name() {
        let scale = |value: f32| {
            let values = ndarray::arr0(value).into_dyn();
            Initializer::new("s", &Tensor::Float(values)).unwrap()
        };
        assert!(doubled(&scale(1.7e38)).is_ok());
        let error = doubled(&scale(1.8e38)).unwrap_err().to_string();
        assert!(error.contains("scale s 1.8e38"), "{error}");
    }
}
