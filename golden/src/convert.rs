//! Codes of one format to codes of another (numerics.md, rule 5): one rounding, no detour.

use ndarray::{Array, ArrayView, Dimension, Zip};
use quaver_contract::{ContractError, Conversion, Format, Rounding};

use crate::decode::decode;
use crate::encode::{encode, encode_fp32, encode_nan};
use crate::{GoldenError, Number};

/// Converts one code of `source` to a code of `conversion.format`.
///
/// `random` holds the random bits for stochastic rounding (rule 5.4); the other roundings ignore it.
/// Bits above the source's width are ignored. The conversion must be valid
/// (`Conversion::validate`); a policy that the format has no code for panics.
pub fn convert(code: u32, source: &Format, conversion: &Conversion, random: u32) -> u32 {
    match decode(code, source) {
        Number::Nan => encode_nan(code & source.sign_mask() != 0, conversion),
        number => encode(number, conversion, random),
    }
}

/// Converts an array of codes of `source`, of any shape, element by element.
///
/// `random` has the shape of `codes` and is needed by stochastic rounding alone.
///
/// # Errors
/// [`GoldenError::Contract`] for an illegal format or policy, a code that is wider than its format,
/// or random bits of another shape; [`GoldenError::NoRandomBits`] for `sr` without them.
pub fn convert_array<D: Dimension>(
    codes: ArrayView<'_, u32, D>,
    source: &Format,
    conversion: &Conversion,
    random: Option<ArrayView<'_, u32, D>>,
) -> Result<Array<u32, D>, GoldenError> {
    source.validate()?;
    conversion.format.validate()?;
    conversion.validate()?;
    let mask = source.code_mask();
    if let Some(code) = codes.iter().find(|&&code| code > mask) {
        return Err(ContractError::illegal(
            format!("code of {}", source.name),
            code,
            format!("0 to {mask}"),
        )
        .into());
    }
    match random {
        Some(random) if random.dim() != codes.dim() => Err(ContractError::illegal(
            "random shape",
            format!("{:?}", random.shape()),
            format!("the shape of the codes: {:?}", codes.shape()),
        )
        .into()),
        Some(random) => Ok(Zip::from(&codes)
            .and(&random)
            .map_collect(|&code, &random| convert(code, source, conversion, random))),
        None if conversion.rounding == Rounding::Stochastic => Err(GoldenError::NoRandomBits),
        None => Ok(codes.map(|&code| convert(code, source, conversion, 0))),
    }
}

/// The binary32 code of the number that a code stands for: exact, because every format's numbers
/// are binary32 numbers (`Format::validate`).
pub fn to_fp32(code: u32, format: &Format) -> u32 {
    encode_fp32(decode(code, format))
}
