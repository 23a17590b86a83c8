//! What other systems do when they convert, by name: rows of policies a format (numerics.md, 5.9).

use crate::conversion::{Infinity, Nan, Overflow, Powers, Rounding};
use crate::{ContractError, Conversion, Format};

/// A system's conversions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// The name used on the command line and in files.
    pub name: &'static str,
    /// What it stands for, in a sentence.
    pub meaning: &'static str,
    /// Where its rules are from.
    pub source: &'static str,
    /// Whether a number that is divided by a scale is rounded to the scale's format first
    /// (numerics.md, 7.7).
    pub divides_twice: bool,
    rows: &'static [Row],
}

/// The policies of some formats.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    formats: &'static [&'static str],
    rounding: Rounding,
    /// `None` for what [`Conversion::native`] has.
    overflow: Option<Overflow>,
    infinity: Option<Infinity>,
    nan: Nan,
    powers: Powers,
}

/// `[formats] overflow, infinity, NaN` with `native` for the format's own; then where they differ
/// from `rne` and `Value`, rounding and the rule of powers of two. `divides_twice` before the rows.
macro_rules! bundles {
    ($($name:literal $meaning:literal $source:literal $($twice:ident)? {
        $([$($format:literal),+] $overflow:ident, $infinity:ident, $nan:ident $(, $rounding:ident, $powers:ident)?;)*
    })*) => {
        &[$(Bundle { name: $name, meaning: $meaning, source: $source, divides_twice: bundles!(@twice $($twice)?), rows: &[$(
            bundles!(@row [$($format),+] $overflow, $infinity, $nan $(, $rounding, $powers)?)
        ),*] }),*]
    };
    (@row [$($format:literal),+] $overflow:ident, $infinity:ident, $nan:ident) => {
        bundles!(@row [$($format),+] $overflow, $infinity, $nan, NearestEven, Value)
    };
    (@row [$($format:literal),+] $overflow:ident, $infinity:ident, $nan:ident, $rounding:ident, $powers:ident) => {
        Row {
            formats: &[$($format),+],
            rounding: Rounding::$rounding,
            overflow: bundles!(@policy Overflow $overflow),
            infinity: bundles!(@policy Infinity $infinity),
            nan: Nan::$nan,
            powers: Powers::$powers,
        }
    };
    (@twice) => { false };
    (@twice divides_twice) => { true };
    (@policy $type:ident native) => { None };
    (@policy $type:ident $variant:ident) => { Some($type::$variant) };
}

impl Bundle {
    /// Every bundle.
    pub const ALL: &'static [Self] = bundles! {
        "ocp" "OCP formats, saturating mode" "OCP OFP8 1.0, section 6; OCP MX 1.0, section 6" {
            ["e4m3fn", "e5m2", "e2m1fn", "e2m3fn", "e3m2fn", "mxint8"] Saturate, Saturate, Canonical;
            ["e8m0fnu"] Saturate, Nan, Canonical;
        }
        "ocp-nonsat" "OCP formats, non-saturating mode" "OCP OFP8 1.0, section 6" {
            ["e4m3fn", "e5m2"] native, native, Canonical;
        }
        "onnx-saturate" "ONNX Cast and QuantizeLinear with saturate = 1, their default" "ONNX 1.22 operators and backend node tests" divides_twice {
            ["e4m3fn", "e5m2"] Saturate, Saturate, Sign;
            ["e4m3fnuz", "e5m2fnuz"] Saturate, Saturate, Canonical;
            ["e2m1fn"] Saturate, Saturate, OppositeZero;
            ["e8m0fnu"] Saturate, Nan, Canonical, TowardPositive, FieldMagnitude;
            ["fp32", "fp16", "bf16"] native, native, Sign;
        }
        "onnx" "ONNX Cast and QuantizeLinear with saturate = 0" "ONNX 1.22 operators and backend node tests" divides_twice {
            ["e4m3fn", "e5m2"] native, native, Sign;
            ["e4m3fnuz", "e5m2fnuz"] native, native, Canonical;
            ["e2m1fn"] native, native, OppositeZero;
            ["e8m0fnu"] native, native, Canonical, TowardPositive, FieldMagnitude;
            ["fp32", "fp16", "bf16"] native, native, Sign;
        }
        "ml_dtypes" "the casts of the Python package ml_dtypes" "ml_dtypes 0.6, by every code" {
            ["e4m3fn", "e5m2", "e4m3", "e3m4", "bf16", "fp16", "fp32"] native, native, Sign;
            ["e4m3fnuz", "e5m2fnuz", "e4m3b11fnuz"] native, native, Canonical;
            ["e2m1fn", "e2m3fn", "e3m2fn"] native, native, OppositeZero;
            ["e8m0fnu"] native, native, Canonical, NearestEven, Field;
        }
        "torch" "PyTorch 2.15 on a CPU" "PyTorch, torch/headeronly/util/Float8_*.h" {
            ["e4m3fn"] Saturate, Saturate, Sign;
            ["e5m2"] native, native, Ones;
            ["e4m3fnuz", "e5m2fnuz", "bf16"] native, native, Canonical;
            ["fp16", "fp32"] native, native, Sign;
            ["e8m0fnu"] native, native, Canonical, NearestEven, FieldMagnitude;
        }
        "gaudi2" "Intel Gaudi2 without clipping, at each of its exponent biases" "Intel Neural Compressor; Gaudi2 E4M3" {
            ["e4m3b3", "e4m3", "e4m3b7", "e4m3b11", "e4m3b15", "e5m2"] native, native, Canonical;
        }
        "gaudi3" "Intel Gaudi3 without clipping: e4m3 for InfNanMode 0, e4m3finite for 1, e4m3fn for 2" "Intel coral-sim" {
            ["e4m3", "e4m3finite", "e4m3fn", "e5m2"] native, native, Canonical;
        }
        "ipu" "Graphcore IPU with nan_on_overflow off" "Graphcore popxl; arXiv 2206.02915" {
            ["e4m3fnuz", "e5m2fnuz"] Saturate, Nan, Canonical;
        }
        "ipu-nan" "Graphcore IPU with nan_on_overflow on" "Graphcore popxl; arXiv 2206.02915" {
            ["e4m3fnuz", "e5m2fnuz"] Nan, Nan, Canonical;
        }
    };

    /// The bundle of that name.
    ///
    /// # Errors
    /// [`ContractError::Unknown`] with the known names.
    pub fn get(name: &str) -> Result<&'static Self, ContractError> {
        Self::ALL
            .iter()
            .find(|x| x.name == name)
            .ok_or_else(|| ContractError::unknown("policy", name, Self::ALL.iter().map(|x| x.name)))
    }

    /// Names of the formats that the system converts to.
    pub fn formats(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.rows.iter().flat_map(|row| row.formats).copied()
    }

    /// The system's conversion to a format, or to one that scales it (`Formats::get`).
    ///
    /// # Errors
    /// [`ContractError::Illegal`] for a format that the system does not have.
    pub fn conversion(&self, format: &'static Format) -> Result<Conversion, ContractError> {
        let row = self
            .rows
            .iter()
            .find(|row| row.formats.contains(&format.unscaled_name()))
            .ok_or_else(|| {
                ContractError::illegal(
                    format!("format of policy {}", self.name),
                    format.name,
                    self.formats().collect::<Vec<_>>().join(", "),
                )
            })?;
        let native = Conversion::native(format);
        let conversion = Conversion {
            format,
            rounding: row.rounding,
            overflow: row.overflow.unwrap_or(native.overflow),
            infinity: row.infinity.unwrap_or(native.infinity),
            nan: row.nan,
            powers: row.powers,
            stochastic: native.stochastic,
        };
        conversion.validate()?;
        Ok(conversion)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Formats;

    #[test]
    fn rows_are_legal_and_of_known_formats() {
        let formats = Formats::default();
        assert!(!Bundle::ALL.is_empty());
        for bundle in Bundle::ALL {
            assert_eq!(Bundle::get(bundle.name).unwrap(), bundle);
            assert!(bundle.formats().count() > 0);
            for (i, name) in bundle.formats().enumerate() {
                let format = formats.get(name).unwrap();
                bundle.conversion(format).unwrap();
                assert!(!bundle.formats().take(i).any(|earlier| earlier == name));
            }
        }
        assert!(Bundle::get("nobody").is_err());
        let error = Bundle::get("ipu")
            .unwrap()
            .conversion(formats.get("e4m3fn").unwrap());
        assert!(
            error
                .unwrap_err()
                .to_string()
                .contains("e4m3fnuz, e5m2fnuz")
        );
    }

    #[test]
    fn scaled_formats_have_the_policies_of_the_unscaled() {
        let formats = Formats::default();
        let ipu = Bundle::get("ipu").unwrap();
        for scale in [-32, -1, 0, 31] {
            let scaled = formats.get(&format!("f143*2^{scale}")).unwrap();
            assert_eq!(scaled.bias, 8 - scale);
            assert_eq!(ipu.conversion(scaled).unwrap().overflow, Overflow::Saturate);
        }
        for bad in [
            "f143*2^32",
            "f143*2^-33",
            "f143*2^",
            "f143*2^x",
            "nobody*2^1",
        ] {
            assert!(formats.get(bad).is_err(), "{bad}");
        }
    }
}
