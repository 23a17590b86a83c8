//! What a number format is: a handful of documented fields, and what follows from them.

use crate::ContractError;

/// How the bits of a code are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Sign, exponent field, fraction. Exponent field 0 is zero or subnormal.
    /// Value: `(-1)^sign * (hidden + fraction * 2^-F) * 2^(max(field, 1) - bias)`.
    Float,
    /// Two's complement of `1 + fraction_bits` bits; value `integer * 2^-bias`. No exponent field.
    TwosComplement,
    /// Unsigned exponent field alone: value `2^(field - bias)`; no sign, no zero.
    PowerOfTwo,
}

/// Which codes are not ordinary numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Specials {
    /// Every code is a finite number.
    None,
    /// The top exponent field holds infinity (fraction 0) and NaN (IEEE 754-2019, 3.4).
    Ieee,
    /// NaN is the code whose bits below the sign (or all bits, without a sign) are ones; no
    /// infinity. The `fn` formats of OCP OFP8, and OCP MX's E8M0.
    AllOnesNan,
    /// NaN is the code that would be -0; neither infinity nor -0. The `fnuz` formats.
    NegativeZeroNan,
    /// As [`Specials::NegativeZeroNan`], and the all-ones magnitudes are infinities (IEEE P3109,
    /// extended domain).
    NegativeZeroNanAllOnesInfinity,
}

/// One row of the format table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Format {
    /// The ecosystem's dtype name, unique in the table.
    pub name: &'static str,
    /// Other names that mean exactly this encoding.
    pub aliases: &'static [&'static str],
    /// Number by which a core's CSRs select the format; 0 for formats that are not in the table.
    pub id: u8,
    /// Layout of the code.
    pub encoding: Encoding,
    /// Width of the exponent field.
    pub exponent_bits: u32,
    /// Width of the fraction; of the magnitude for two's complement.
    pub fraction_bits: u32,
    /// Exponent bias, as [`Encoding`] uses it.
    pub bias: i32,
    /// Codes that are not ordinary numbers.
    pub specials: Specials,
    /// Standard and section, or vendor document, that defines the encoding.
    pub source: &'static str,
}

impl Format {
    /// The name without the power of two that `Formats::get` lets a name end in.
    pub fn unscaled_name(&self) -> &'static str {
        self.name.split("*2^").next().unwrap_or(self.name)
    }

    /// The format whose codes stand for the numbers of this one times `2^exponent`.
    ///
    /// # Errors
    /// [`ContractError::Illegal`] beyond -32 to 31, the range of the Graphcore IPU's scale, and
    /// when binary32 does not hold the numbers.
    pub fn scaled(&self, exponent: i32) -> Result<Self, ContractError> {
        if !(-32..32).contains(&exponent) {
            return Err(ContractError::illegal(
                format!("scale of {}", self.name),
                format!("2^{exponent}"),
                "2^-32 to 2^31",
            ));
        }
        let scaled = Self {
            name: String::leak(format!("{}*2^{exponent}", self.name)),
            aliases: &[],
            id: 0,
            bias: self.bias - exponent,
            ..*self
        };
        scaled.validate()?;
        Ok(scaled)
    }

    /// Width of a code in bits.
    pub const fn bits(&self) -> u32 {
        match self.encoding {
            Encoding::Float => 1 + self.exponent_bits + self.fraction_bits,
            Encoding::TwosComplement => 1 + self.fraction_bits,
            Encoding::PowerOfTwo => self.exponent_bits,
        }
    }

    /// Bytes that a code takes in memory and in files: 1, 2 or 4.
    pub const fn storage_bytes(&self) -> usize {
        match self.bits() {
            0..=8 => 1,
            9..=16 => 2,
            _ => 4,
        }
    }

    /// All ones in the code's width.
    pub const fn code_mask(&self) -> u32 {
        u32::MAX >> (32 - self.bits())
    }

    /// The sign bit alone; 0 without one.
    pub const fn sign_mask(&self) -> u32 {
        match self.encoding {
            Encoding::PowerOfTwo => 0,
            _ => 1 << (self.bits() - 1),
        }
    }

    /// The bits below the sign.
    pub const fn magnitude_mask(&self) -> u32 {
        self.code_mask() & !self.sign_mask()
    }

    /// Number of codes.
    pub const fn code_count(&self) -> u64 {
        1 << self.bits()
    }

    /// Smallest unbiased exponent of a normal number (and the exponent of subnormals).
    pub const fn min_exponent(&self) -> i32 {
        match self.encoding {
            Encoding::Float => 1 - self.bias,
            Encoding::TwosComplement | Encoding::PowerOfTwo => -self.bias,
        }
    }

    /// Exponent of the smallest non-zero magnitude.
    pub const fn lowest_exponent(&self) -> i32 {
        match self.encoding {
            Encoding::Float => self.min_exponent() - self.fraction_bits.cast_signed(),
            Encoding::TwosComplement | Encoding::PowerOfTwo => self.min_exponent(),
        }
    }

    /// Smallest exponent whose power of two no magnitude reaches.
    pub const fn exponent_limit(&self) -> i32 {
        match self.encoding {
            Encoding::Float => {
                (self.max_code() >> self.fraction_bits).cast_signed() - self.bias + 1
            }
            Encoding::PowerOfTwo => self.max_code().cast_signed() - self.bias + 1,
            Encoding::TwosComplement => self.fraction_bits.cast_signed() - self.bias + 1,
        }
    }

    /// What [`Format::products_fit_fp32`] asks, in words.
    pub const PRODUCT_RANGE: &'static str =
        "pairs whose products are zero or normal binary32 numbers, 2^-126 to below 2^128";

    /// Whether every product of the two formats is zero or a normal binary32 number, which the
    /// array's adders rely on.
    pub const fn products_fit_fp32(&self, other: &Self) -> bool {
        self.lowest_exponent() + other.lowest_exponent() >= -126
            && self.exponent_limit() + other.exponent_limit() <= 128
    }

    /// The code of the largest finite number.
    pub const fn max_code(&self) -> u32 {
        match self.specials {
            Specials::None | Specials::NegativeZeroNan => self.magnitude_mask(),
            Specials::AllOnesNan | Specials::NegativeZeroNanAllOnesInfinity => {
                self.magnitude_mask() - 1
            }
            Specials::Ieee => (((1 << self.exponent_bits) - 1) << self.fraction_bits) - 1,
        }
    }

    /// The code of +Inf, where there is one. -Inf is this with the sign bit.
    pub const fn infinity_code(&self) -> Option<u32> {
        match self.specials {
            Specials::Ieee => Some(((1 << self.exponent_bits) - 1) << self.fraction_bits),
            Specials::NegativeZeroNanAllOnesInfinity => Some(self.magnitude_mask()),
            _ => None,
        }
    }

    /// The canonical NaN code, where there is one: positive, and quiet in IEEE-like formats
    /// (IEEE 754-2019, 6.2.1).
    pub const fn nan_code(&self) -> Option<u32> {
        match self.specials {
            Specials::None => None,
            Specials::Ieee => Some(
                (((1 << self.exponent_bits) - 1) << self.fraction_bits)
                    | (1 << (self.fraction_bits - 1)),
            ),
            Specials::AllOnesNan => Some(self.magnitude_mask()),
            Specials::NegativeZeroNan | Specials::NegativeZeroNanAllOnesInfinity => {
                Some(self.sign_mask())
            }
        }
    }

    /// Whether -0 has a code of its own.
    pub const fn has_negative_zero(&self) -> bool {
        matches!(self.encoding, Encoding::Float)
            && !matches!(
                self.specials,
                Specials::NegativeZeroNan | Specials::NegativeZeroNanAllOnesInfinity
            )
    }

    /// Whether the format can be an operand of the array: at most 8 bits, with a sign and a zero.
    pub const fn is_operand(&self) -> bool {
        self.bits() <= 8 && !matches!(self.encoding, Encoding::PowerOfTwo)
    }

    /// Checks that the fields make a format.
    ///
    /// # Errors
    /// [`ContractError::Illegal`] naming the field.
    pub fn validate(&self) -> Result<(), ContractError> {
        let key = |field: &str| format!("{}.{field}", self.name);
        let (e, f) = match self.encoding {
            Encoding::Float => (1..=8, 0..=23),
            Encoding::TwosComplement => (0..=0, 1..=7),
            Encoding::PowerOfTwo => (2..=8, 0..=0),
        };
        if !e.contains(&self.exponent_bits) {
            return Err(ContractError::illegal(
                key("exponent_bits"),
                self.exponent_bits,
                format!("{} to {}", e.start(), e.end()),
            ));
        }
        if !f.contains(&self.fraction_bits) {
            return Err(ContractError::illegal(
                key("fraction_bits"),
                self.fraction_bits,
                format!("{} to {}", f.start(), f.end()),
            ));
        }
        if !(-127..=127).contains(&self.bias) {
            return Err(ContractError::illegal(
                key("bias"),
                self.bias,
                "-127 to 127",
            ));
        }
        let specials_fit = match self.encoding {
            Encoding::Float => match self.specials {
                Specials::Ieee => self.exponent_bits >= 2 && self.fraction_bits >= 1,
                // At least zero, one finite number and the special must have codes.
                _ => self.exponent_bits + self.fraction_bits >= 2,
            },
            Encoding::TwosComplement => self.specials == Specials::None,
            Encoding::PowerOfTwo => {
                matches!(self.specials, Specials::None | Specials::AllOnesNan)
            }
        };
        if !specials_fit {
            return Err(ContractError::illegal(
                key("specials"),
                format!("{:?}", self.specials),
                "ieee needs 2 exponent bits and 1 fraction bit; integers have none; powers of two none or all_ones_nan",
            ));
        }
        if self.lowest_exponent() < -149 || self.exponent_limit() > 128 {
            return Err(ContractError::illegal(
                key("bias"),
                self.bias,
                "values that binary32 holds exactly, 2^-149 to below 2^128",
            ));
        }
        Ok(())
    }
}
