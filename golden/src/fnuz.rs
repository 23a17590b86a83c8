//! OCP codes as FNUZ codes and back: the same bits stand for half the number, so that the scale
//! doubles and no element is rounded (numerics.md, section 8).

use ndarray::{Array, ArrayView, Dimension};
use quaver_contract::formats::FP32;
use quaver_contract::{ContractError, Encoding, Format, Specials};

use crate::encode::encode_fp32;
use crate::{GoldenError, Number, decode};

/// Codes, and their scales as binary32 codes.
pub type CodesAndScales<D, S> = (Array<u32, D>, Array<u32, S>);

/// The codes and scales of the FNUZ format `to` for those of the OCP format `from`. Scales are
/// binary32 codes.
///
/// # Errors
/// [`GoldenError::Contract`] for formats that are no such pair, a code that is wider than its format,
/// or a finite scale whose double is beyond binary32.
pub fn ocp_to_fnuz<D: Dimension, S: Dimension>(
    codes: ArrayView<'_, u32, D>,
    scales: ArrayView<'_, u32, S>,
    from: &Format,
    to: &Format,
) -> Result<CodesAndScales<D, S>, GoldenError> {
    check(from, to)?;
    check_codes(codes.view(), from)?;
    let nan = to.nan_code().unwrap_or(to.sign_mask());
    let codes = codes.map(|&code| match decode(code, from) {
        // The codes of OCP's infinities are numbers there; FNUZ has none.
        Number::Nan | Number::Infinity { .. } => nan,
        number if number.is_zero() => 0,
        Number::Finite { .. } => code,
    });
    Ok((codes, scaled(scales, 1)?))
}

/// The codes and scales of the OCP format `to` for those of the FNUZ format `from`.
///
/// # Errors
/// As [`ocp_to_fnuz`]; and for a code whose number is beyond the OCP format's largest, and a scale
/// whose half is no binary32 number.
pub fn fnuz_to_ocp<D: Dimension, S: Dimension>(
    codes: ArrayView<'_, u32, D>,
    scales: ArrayView<'_, u32, S>,
    from: &Format,
    to: &Format,
) -> Result<CodesAndScales<D, S>, GoldenError> {
    check(to, from)?;
    check_codes(codes.view(), from)?;
    let nan = to.nan_code().unwrap_or(to.magnitude_mask());
    let beyond = |&&code: &&u32| {
        decode(code, from) != Number::Nan && code & to.magnitude_mask() > to.max_code()
    };
    if let Some(code) = codes.iter().find(beyond) {
        return Err(ContractError::illegal(
            format!("code of {}", from.name),
            format!("{code:#04x}"),
            format!(
                "magnitudes up to {:#04x}, the largest of {}",
                to.max_code(),
                to.name
            ),
        )
        .into());
    }
    let codes = codes.map(|&code| match decode(code, from) {
        Number::Nan => nan,
        _ => code,
    });
    Ok((codes, scaled(scales, -1)?))
}

fn check(ocp: &Format, fnuz: &Format) -> Result<(), GoldenError> {
    let layout = |format: &Format| (format.encoding, format.exponent_bits, format.fraction_bits);
    let fits = layout(ocp) == layout(fnuz)
        && ocp.encoding == Encoding::Float
        && fnuz.bias == ocp.bias + 1
        && fnuz.specials == Specials::NegativeZeroNan
        && matches!(ocp.specials, Specials::AllOnesNan | Specials::Ieee);
    if fits {
        return Ok(());
    }
    Err(ContractError::illegal(
        "OCP and FNUZ formats",
        format!("{} and {}", ocp.name, fnuz.name),
        "two of one layout whose biases differ by 1, such as e4m3fn and e4m3fnuz",
    )
    .into())
}

fn check_codes<D: Dimension>(
    codes: ArrayView<'_, u32, D>,
    format: &Format,
) -> Result<(), GoldenError> {
    let mask = format.code_mask();
    match codes.iter().find(|&&code| code > mask) {
        None => Ok(()),
        Some(code) => Err(ContractError::illegal(
            format!("code of {}", format.name),
            code,
            format!("0 to {mask}"),
        )
        .into()),
    }
}

/// The scales times 2^exponent, exactly.
fn scaled<S: Dimension>(
    scales: ArrayView<'_, u32, S>,
    exponent: i32,
) -> Result<Array<u32, S>, GoldenError> {
    let times = |scale: u32, by: i32| match decode(scale, FP32) {
        Number::Finite {
            negative,
            significand,
            exponent,
        } => encode_fp32(Number::Finite {
            negative,
            significand,
            exponent: exponent + by,
        }),
        // NaN and infinity stay what they are.
        _ => scale,
    };
    let exact = |&&scale: &&u32| times(times(scale, exponent), -exponent) == scale;
    if let Some(scale) = scales.iter().find(|scale| !exact(scale)) {
        return Err(ContractError::illegal(
            "scale",
            format!("{:e} ({scale:08x})", f32::from_bits(*scale)),
            format!("numbers that times 2^{exponent} are binary32 numbers"),
        )
        .into());
    }
    Ok(scales.map(|&scale| times(scale, exponent)))
}
