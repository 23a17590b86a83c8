//! The format table: one row a format; everything else is derived from the row.
//!
//! To add a format: its row here with its source, its published values under `tests/vectors/`,
//! `scripts/bless`, `scripts/check`. Nothing else lists formats.

use std::path::Path;

use serde::Deserialize;

use crate::ContractError;
use crate::format::{
    Encoding::{self, Float, PowerOfTwo, TwosComplement},
    Format,
    Specials::{
        self, AllOnesNan, Ieee, NegativeZeroNan, NegativeZeroNanAllOnesInfinity, None as NoSpecials,
    },
};

/// A table row: `name [aliases] id layout(exponent bits, fraction bits, bias) specials, source`.
macro_rules! rows {
    ($($name:literal [$($alias:literal),*] $id:literal $encoding:ident($e:literal, $f:literal, $bias:literal) $specials:ident $source:literal;)*) => {
        &[$(Format {
            name: $name, aliases: &[$($alias),*], id: $id, encoding: $encoding,
            exponent_bits: $e, fraction_bits: $f, bias: $bias, specials: $specials, source: $source,
        }),*]
    };
}

/// Every format that Quaver knows by name.
pub const TABLE: &[Format] = rows! {
    "e4m3fn"      ["float8_e4m3fn"]               1 Float(4, 3, 7) AllOnesNan "OCP OFP8 1.0, section 5 (E4M3)";
    "e5m2"        ["float8_e5m2"]                 2 Float(5, 2, 15) Ieee "OCP OFP8 1.0, section 5 (E5M2)";
    "e4m3"        ["float8_e4m3"]                 3 Float(4, 3, 7) Ieee "IEEE 754-2019 3.4 with w=4, t=3; Gaudi2 E4M3, Gaudi3 InfNanMode 0";
    "e4m3fnuz"    ["float8_e4m3fnuz", "f143", "binary8p4sf"] 4 Float(4, 3, 8) NegativeZeroNan "AMD CDNA3 ISA, FP8; Graphcore IPU F143; arXiv 2206.02915";
    "e5m2fnuz"    ["float8_e5m2fnuz", "f152", "binary8p3sf"] 5 Float(5, 2, 16) NegativeZeroNan "AMD CDNA3 ISA, BF8; Graphcore IPU F152; arXiv 2206.02915";
    "e4m3b11fnuz" ["float8_e4m3b11fnuz"]          6 Float(4, 3, 11) NegativeZeroNan "ml_dtypes float8_e4m3b11fnuz";
    "e3m4"        ["float8_e3m4"]                 7 Float(3, 4, 3) Ieee "IEEE 754-2019 3.4 with w=3, t=4; ml_dtypes float8_e3m4";
    "e2m1fn"      ["float4_e2m1fn", "fp4"]        8 Float(2, 1, 1) NoSpecials "OCP MX 1.0, section 5.3.3 (FP4 E2M1)";
    "e2m3fn"      ["float6_e2m3fn"]               9 Float(2, 3, 1) NoSpecials "OCP MX 1.0, section 5.3.2 (FP6 E2M3)";
    "e3m2fn"      ["float6_e3m2fn"]              10 Float(3, 2, 3) NoSpecials "OCP MX 1.0, section 5.3.2 (FP6 E3M2)";
    "e8m0fnu"     ["float8_e8m0fnu"]             11 PowerOfTwo(8, 0, 127) AllOnesNan "OCP MX 1.0, section 5.4.1 (E8M0)";
    "binary8p1sf" []                             12 Float(7, 0, 64) NegativeZeroNan "IEEE P3109 interim report, Binary8p1 signed finite";
    "binary8p2sf" []                             13 Float(6, 1, 32) NegativeZeroNan "IEEE P3109 interim report, Binary8p2 signed finite";
    "binary8p5sf" []                             14 Float(3, 4, 4) NegativeZeroNan "IEEE P3109 interim report, Binary8p5 signed finite";
    "binary8p6sf" []                             15 Float(2, 5, 2) NegativeZeroNan "IEEE P3109 interim report, Binary8p6 signed finite";
    "binary8p7sf" []                             16 Float(1, 6, 1) NegativeZeroNan "IEEE P3109 interim report, Binary8p7 signed finite";
    "binary8p1se" []                             17 Float(7, 0, 64) NegativeZeroNanAllOnesInfinity "IEEE P3109 interim report, Binary8p1 signed extended";
    "binary8p2se" []                             18 Float(6, 1, 32) NegativeZeroNanAllOnesInfinity "IEEE P3109 interim report, Binary8p2 signed extended";
    "binary8p3se" []                             19 Float(5, 2, 16) NegativeZeroNanAllOnesInfinity "IEEE P3109 interim report, Binary8p3 signed extended";
    "binary8p4se" []                             20 Float(4, 3, 8) NegativeZeroNanAllOnesInfinity "IEEE P3109 interim report, Binary8p4 signed extended";
    "binary8p5se" []                             21 Float(3, 4, 4) NegativeZeroNanAllOnesInfinity "IEEE P3109 interim report, Binary8p5 signed extended";
    "binary8p6se" []                             22 Float(2, 5, 2) NegativeZeroNanAllOnesInfinity "IEEE P3109 interim report, Binary8p6 signed extended";
    "binary8p7se" []                             23 Float(1, 6, 1) NegativeZeroNanAllOnesInfinity "IEEE P3109 interim report, Binary8p7 signed extended";
    "int8"        []                             24 TwosComplement(0, 7, 0) NoSpecials "Two's complement";
    "int4"        []                             25 TwosComplement(0, 3, 0) NoSpecials "Two's complement";
    "mxint8"      []                             26 TwosComplement(0, 7, 6) NoSpecials "OCP MX 1.0, section 5.3.4 (INT8, implied scale 2^-6)";
    "fp16"        ["f16", "float16", "half"]     32 Float(5, 10, 15) Ieee "IEEE 754-2019 3.6, binary16";
    "bf16"        ["bfloat16"]                   33 Float(8, 7, 127) Ieee "The upper half of binary32";
    "tf32"        []                             34 Float(8, 10, 127) Ieee "NVIDIA A100 whitepaper; 19 bits, right-aligned";
    "fp32"        ["f32", "float32"]             35 Float(8, 23, 127) Ieee "IEEE 754-2019 3.6, binary32";
};

const fn row(name: &str) -> &'static Format {
    let mut i = 0;
    while i < TABLE.len() {
        if same(TABLE[i].name, name) {
            return &TABLE[i];
        }
        i += 1;
    }
    panic!("no such row in the format table")
}

pub(crate) const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

/// IEEE binary32: the accumulator's, the scale's and the bias's format.
pub const FP32: &Format = row("fp32");

/// OCP E4M3, the format of NVFP4's block scales.
pub const E4M3FN: &Format = row("e4m3fn");

/// OCP MX's scales.
pub const E8M0FNU: &Format = row("e8m0fnu");

/// One `[[format]]` of a format file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileRow {
    name: String,
    encoding: FileEncoding,
    exponent_bits: u32,
    fraction_bits: u32,
    bias: i32,
    specials: FileSpecials,
    source: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum FileEncoding {
    Float,
    TwosComplement,
    PowerOfTwo,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum FileSpecials {
    None,
    Ieee,
    AllOnesNan,
    NegativeZeroNan,
    NegativeZeroNanAllOnesInfinity,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FormatFile {
    format: Vec<FileRow>,
}

/// The formats known to one run: the table, plus what the user's files add.
#[derive(Clone, Debug)]
pub struct Formats {
    rows: Vec<&'static Format>,
}

impl Default for Formats {
    fn default() -> Self {
        Self {
            rows: TABLE.iter().collect(),
        }
    }
}

impl Formats {
    /// All rows, the table's first.
    pub fn iter(&self) -> impl Iterator<Item = &'static Format> + '_ {
        self.rows.iter().copied()
    }

    /// The format of that name or alias (any case), or one named systematically:
    /// `e<E>m<F>[b<bias>][fn|fnuz|finite]` with `fn` for [`Specials::AllOnesNan`], `fnuz` for
    /// [`Specials::NegativeZeroNan`], `finite` for none, and IEEE specials without a suffix. The
    /// bias defaults to `2^(E-1) - 1`, for `fnuz` to `2^(E-1)`. Table names come first. Any name may
    /// end in `*2^<n>`: the same codes for numbers times `2^n`, as with the Graphcore IPU's scale.
    ///
    /// # Errors
    /// [`ContractError::Unknown`] with the known names; [`ContractError::Illegal`] for a
    /// systematic name that makes no format.
    pub fn get(&self, name: &str) -> Result<&'static Format, ContractError> {
        let wanted = name.to_ascii_lowercase();
        if let Some((unscaled, exponent)) = wanted.split_once("*2^") {
            let exponent = exponent.parse().map_err(|_| {
                ContractError::illegal("scale of a format", exponent, "an integer, -32 to 31")
            })?;
            let scaled = self.get(unscaled)?.scaled(exponent)?;
            return Ok(Box::leak(Box::new(scaled)));
        }
        let hit =
            self.rows.iter().copied().find(|f| {
                f.name.eq_ignore_ascii_case(&wanted) || f.aliases.contains(&wanted.as_str())
            });
        if let Some(format) = hit {
            return Ok(format);
        }
        match systematic(&wanted) {
            Some(format) => {
                format.validate()?;
                Ok(Box::leak(Box::new(format)))
            }
            None => Err(ContractError::unknown(
                "format",
                name,
                self.rows
                    .iter()
                    .map(|f| f.name)
                    .chain(["e<E>m<F>[b<bias>][fn|fnuz|finite]", "<any>*2^<n>"]),
            )),
        }
    }

    /// Adds the `[[format]]` rows of a TOML file. Every key is mandatory, unknown keys are
    /// refused, and names must be new. Rows live as long as the process.
    ///
    /// # Errors
    /// Any [`ContractError`], naming the file or the row's key.
    pub fn add_file(&mut self, path: &Path) -> Result<(), ContractError> {
        let text = std::fs::read_to_string(path).map_err(|source| ContractError::Read {
            path: path.to_owned(),
            source,
        })?;
        self.add(&text, &path.to_string_lossy())
    }

    /// Adds the rows of the text of such a file; `path` is its name in errors.
    ///
    /// # Errors
    /// As [`Formats::add_file`]; rows before the illegal one are added.
    pub fn add(&mut self, text: &str, path: &str) -> Result<(), ContractError> {
        let file: FormatFile = toml::from_str(text).map_err(|e| crate::config::syntax(path, &e))?;
        for row in file.format {
            let format = Format {
                name: String::leak(row.name.to_ascii_lowercase()),
                aliases: &[],
                id: 0,
                encoding: match row.encoding {
                    FileEncoding::Float => Float,
                    FileEncoding::TwosComplement => TwosComplement,
                    FileEncoding::PowerOfTwo => PowerOfTwo,
                },
                exponent_bits: row.exponent_bits,
                fraction_bits: row.fraction_bits,
                bias: row.bias,
                specials: match row.specials {
                    FileSpecials::None => NoSpecials,
                    FileSpecials::Ieee => Ieee,
                    FileSpecials::AllOnesNan => AllOnesNan,
                    FileSpecials::NegativeZeroNan => NegativeZeroNan,
                    FileSpecials::NegativeZeroNanAllOnesInfinity => NegativeZeroNanAllOnesInfinity,
                },
                source: String::leak(row.source),
            };
            format.validate()?;
            if self.rows.iter().any(|f| f.name == format.name) {
                return Err(ContractError::illegal(
                    "format.name",
                    format.name,
                    "a name that is not in the table yet",
                ));
            }
            self.rows.push(Box::leak(Box::new(format)));
        }
        Ok(())
    }
}

/// Reads a systematic name; `None` when it does not have that shape.
fn systematic(name: &str) -> Option<Format> {
    let rest = name.strip_prefix('e')?;
    let (exponent_bits, rest) = number(rest)?;
    let (fraction_bits, mut rest) = number(rest.strip_prefix('m')?)?;
    let mut bias = None;
    if let Some(after) = rest.strip_prefix('b') {
        let (value, after) = number(after)?;
        bias = Some(value);
        rest = after;
    }
    let specials = match rest {
        "" => Ieee,
        "fn" => AllOnesNan,
        "fnuz" => NegativeZeroNan,
        "finite" => NoSpecials,
        _ => return None,
    };
    let half_range = 1i32.checked_shl(exponent_bits.checked_sub(1)?)?;
    let default_bias = half_range - i32::from(specials != NegativeZeroNan);
    Some(Format {
        name: String::leak(name.to_owned()),
        aliases: &[],
        id: 0,
        encoding: Encoding::Float,
        exponent_bits,
        fraction_bits,
        bias: bias.map_or(Some(default_bias), |b: u32| i32::try_from(b).ok())?,
        specials,
        source: "named systematically",
    })
}

fn number(text: &str) -> Option<(u32, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let value = text[..digits].parse().ok()?;
    Some((value, &text[digits..]))
}

// Illegal rows must not compile: names and ids collide, or a field is out of range.
const _: () = {
    let mut i = 0;
    while i < TABLE.len() {
        let row = &TABLE[i];
        assert!(row.id != 0 && row.bits() <= 32 && row.fraction_bits <= 23);
        assert!(row.bias >= -127 && row.bias <= 127);
        assert!(!matches!(row.specials, Specials::Ieee) || row.fraction_bits >= 1);
        let mut j = 0;
        while j < i {
            assert!(row.id != TABLE[j].id && !same(row.name, TABLE[j].name));
            j += 1;
        }
        i += 1;
    }
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_rows_are_legal_and_found_by_every_name() {
        let formats = Formats::default();
        assert!(formats.iter().count() > 0);
        for format in formats.iter() {
            format.validate().unwrap();
            for name in std::iter::once(&format.name).chain(format.aliases) {
                assert_eq!(formats.get(name).unwrap(), format);
            }
        }
    }

    #[test]
    fn systematic_names_make_formats() {
        let formats = Formats::default();
        let gaudi = formats.get("e4m3b3").unwrap();
        assert_eq!((gaudi.bias, gaudi.specials), (3, Ieee));
        assert_eq!(formats.get("e4m3finite").unwrap().bias, 7);
        assert_eq!(formats.get("e3m4fnuz").unwrap().bias, 4);
        for bad in ["e0m3", "e9m3", "e4m3b900", "e1m3", "e4m99"] {
            assert!(matches!(
                formats.get(bad),
                Err(ContractError::Illegal { .. } | ContractError::Unknown { .. })
            ));
        }
        for bad in ["", "e", "e4", "e4m", "e4m3x", "fp7"] {
            assert!(matches!(
                formats.get(bad),
                Err(ContractError::Unknown { .. })
            ));
        }
    }
}
