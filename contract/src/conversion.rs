//! How a value becomes a code of a narrower format: rounding and the policies around it
//! (numerics.md, section 5).

use crate::{ContractError, Encoding, Format, Specials};

/// Declares an enum whose rows have a name, a CSR number and a meaning, with lookup by name.
macro_rules! named_enum {
    ($(#[$meta:meta])* $type:ident $kind:literal { $($(#[$row:meta])* $variant:ident = $number:literal $name:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $type { $($(#[$row])* $variant,)* }

        impl $type {
            /// Every choice, in CSR order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name used on the command line and in files.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// The number used in a core's CSRs.
            pub const fn number(self) -> u32 {
                match self { $(Self::$variant => $number),* }
            }

            /// The choice of that name.
            ///
            /// # Errors
            /// [`ContractError::Unknown`] with the known names.
            pub fn get(name: &str) -> Result<Self, ContractError> {
                Self::ALL.iter().copied().find(|x| x.name() == name).ok_or_else(|| {
                    ContractError::unknown($kind, name, Self::ALL.iter().map(|x| x.name()))
                })
            }
        }
    };
}

named_enum! {
    /// Rounding direction (IEEE 754-2019, 4.3, and stochastic rounding).
    Rounding "rounding" {
        /// To nearest, ties to even (`roundTiesToEven`).
        NearestEven = 0 "rne",
        /// Toward zero (`roundTowardZero`).
        TowardZero = 1 "rz",
        /// Toward +infinity (`roundTowardPositive`).
        TowardPositive = 2 "ru",
        /// Toward -infinity (`roundTowardNegative`).
        TowardNegative = 3 "rd",
        /// To nearest, ties away from zero (`roundTiesToAway`).
        NearestAway = 4 "rna",
        /// Up in magnitude when the discarded fraction plus a random fraction carries; how the two
        /// meet is [`Stochastic`].
        Stochastic = 5 "sr",
    }
}

named_enum! {
    /// What replaces a rounded result beyond the largest finite number.
    Overflow "overflow" {
        /// The largest finite number of that sign.
        Saturate = 0 "saturate",
        /// Infinity of that sign.
        Infinity = 1 "inf",
        /// The canonical NaN.
        Nan = 2 "nan",
    }
}

named_enum! {
    /// What an infinite input becomes.
    Infinity "infinity policy" {
        /// The largest finite number of that sign.
        Saturate = 0 "saturate",
        /// Infinity of that sign.
        Infinity = 1 "inf",
        /// The canonical NaN.
        Nan = 2 "nan",
    }
}

named_enum! {
    /// What a NaN becomes, and which NaN others become (numerics.md, 5.1).
    Nan "NaN policy" {
        /// The canonical NaN of the format, positive; the largest finite number of a float without
        /// NaN, 0 of an integer.
        Canonical = 0 "canonical",
        /// The same with the sign of the input, where the format's NaN has one.
        Sign = 1 "sign",
        /// The NaN whose bits below the sign are ones, with the sign of the input.
        Ones = 2 "ones",
        /// Zero of the opposite sign, in a float without NaN.
        OppositeZero = 3 "opposite-zero",
    }
}

named_enum! {
    /// How numbers become codes of a format of powers of two (numerics.md, 5.7).
    Powers "powers-of-two rule" {
        /// By value: ties to the even code; zero and negative numbers are NaN.
        Value = 0 "value",
        /// By the exponent field that the number would have with subnormals, as in binary32; zero
        /// and negative numbers are NaN.
        Field = 1 "field",
        /// The same of the magnitude; zero has code 0.
        FieldMagnitude = 2 "field-magnitude",
    }
}

named_enum! {
    /// How stochastic rounding compares the discarded fraction f with the random bits u of `n`
    /// (numerics.md, 5.4).
    Dither "dither" {
        /// Up when `floor(f * 2^n) + u >= 2^n`.
        Floor = 0 "floor",
        /// Up when `f * 2^n + u + 1/2 >= 2^n`.
        Half = 1 "half",
        /// Up when `f * 2^n`, rounded to nearest, ties to even, plus u is at least `2^n`.
        NearestEven = 2 "nearest-even",
        /// The same with ties to odd.
        NearestOdd = 3 "nearest-odd",
    }
}

/// How stochastic rounding uses its random bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stochastic {
    /// How the fraction meets them.
    pub dither: Dither,
    /// How many there are: the low 1 to 32 bits of each random word.
    pub bits: u32,
}

impl Stochastic {
    /// 32 bits, compared with the fraction's first 32.
    pub const DEFAULT: Self = Self {
        dither: Dither::Floor,
        bits: 32,
    };
}

/// A fully resolved conversion to one format: legal for it, nothing left to decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Conversion {
    /// The target.
    pub format: &'static Format,
    /// Rounding direction.
    pub rounding: Rounding,
    /// Overflow policy.
    pub overflow: Overflow,
    /// Policy for infinite inputs.
    pub infinity: Infinity,
    /// Policy for NaN inputs.
    pub nan: Nan,
    /// Rule for formats of powers of two; the others have no use for it.
    pub powers: Powers,
    /// Rule of [`Rounding::Stochastic`]; the other roundings have no use for it.
    pub stochastic: Stochastic,
}

impl Conversion {
    /// Round to nearest even and each format's own overflow: to infinity where there is one, else
    /// to NaN where there is one, else saturating. Infinity likewise. NaN becomes canonical.
    pub const fn native(format: &'static Format) -> Self {
        let (overflow, infinity) = if format.infinity_code().is_some() {
            (Overflow::Infinity, Infinity::Infinity)
        } else if format.nan_code().is_some() {
            (Overflow::Nan, Infinity::Nan)
        } else {
            (Overflow::Saturate, Infinity::Saturate)
        };
        Self {
            format,
            rounding: Rounding::NearestEven,
            overflow,
            infinity,
            nan: Nan::Canonical,
            powers: Powers::Value,
            stochastic: Stochastic::DEFAULT,
        }
    }

    /// This conversion with another rounding direction.
    #[must_use]
    pub const fn with_rounding(mut self, rounding: Rounding) -> Self {
        self.rounding = rounding;
        self
    }

    /// This conversion with another policy for NaN.
    #[must_use]
    pub const fn with_nan(mut self, nan: Nan) -> Self {
        self.nan = nan;
        self
    }

    /// This conversion with stochastic rounding.
    ///
    /// # Errors
    /// [`ContractError::Illegal`] for a number of random bits beyond 1 to 32.
    pub fn with_stochastic(mut self, stochastic: Stochastic) -> Result<Self, ContractError> {
        self.rounding = Rounding::Stochastic;
        self.stochastic = stochastic;
        self.validate()?;
        Ok(self)
    }

    /// This conversion with an overflow policy, which infinite inputs follow too.
    ///
    /// # Errors
    /// [`ContractError::Illegal`] when the format has no such code.
    pub fn with_overflow(mut self, overflow: Overflow) -> Result<Self, ContractError> {
        self.overflow = overflow;
        self.infinity = match overflow {
            Overflow::Saturate => Infinity::Saturate,
            Overflow::Infinity => Infinity::Infinity,
            Overflow::Nan => Infinity::Nan,
        };
        self.validate()?;
        Ok(self)
    }

    /// Every legal combination of policies for a format with each of the roundings; stochastic
    /// rounding has its default rule.
    pub fn all<'a>(
        format: &'static Format,
        roundings: &'a [Rounding],
    ) -> impl Iterator<Item = Self> + 'a {
        let policies = Overflow::ALL
            .iter()
            .flat_map(|&overflow| Infinity::ALL.iter().map(move |&x| (overflow, x)))
            .flat_map(|(overflow, x)| Nan::ALL.iter().map(move |&nan| (overflow, x, nan)))
            .flat_map(|row| Powers::ALL.iter().map(move |&powers| (row, powers)));
        policies
            .flat_map(move |((overflow, infinity, nan), powers)| {
                roundings.iter().map(move |&rounding| Self {
                    rounding,
                    overflow,
                    infinity,
                    nan,
                    powers,
                    ..Self::native(format)
                })
            })
            .filter(|conversion| conversion.validate().is_ok())
    }

    /// Checks that every policy has a code in the format.
    ///
    /// # Errors
    /// [`ContractError::Illegal`] naming the policy.
    pub fn validate(&self) -> Result<(), ContractError> {
        let wants_infinity =
            self.overflow == Overflow::Infinity || self.infinity == Infinity::Infinity;
        let wants_nan = self.overflow == Overflow::Nan || self.infinity == Infinity::Nan;
        let allowed = |has_infinity: bool, has_nan: bool| {
            let mut words = vec!["saturate"];
            words.extend(has_infinity.then_some("inf"));
            words.extend(has_nan.then_some("nan"));
            format!("{} allows {}", self.format.name, words.join(", "))
        };
        let (has_infinity, has_nan) = (
            self.format.infinity_code().is_some(),
            self.format.nan_code().is_some(),
        );
        if (wants_infinity && !has_infinity) || (wants_nan && !has_nan) {
            return Err(ContractError::illegal(
                "overflow",
                if wants_infinity && !has_infinity {
                    "inf"
                } else {
                    "nan"
                },
                allowed(has_infinity, has_nan),
            ));
        }
        let (float, powers) = (
            self.format.encoding == Encoding::Float,
            self.format.encoding == Encoding::PowerOfTwo,
        );
        let signed_nan =
            float && matches!(self.format.specials, Specials::Ieee | Specials::AllOnesNan);
        let nan_fits = match self.nan {
            Nan::Canonical => true,
            Nan::Sign | Nan::Ones => signed_nan,
            Nan::OppositeZero => float && !has_nan,
        };
        if !nan_fits {
            return Err(ContractError::illegal(
                "nan",
                self.nan.name(),
                format!(
                    "{} allows canonical{}",
                    self.format.name,
                    match (signed_nan, float && !has_nan) {
                        (true, _) => ", sign, ones",
                        (_, true) => ", opposite-zero",
                        _ => "",
                    }
                ),
            ));
        }
        if self.powers != Powers::Value && !powers {
            return Err(ContractError::illegal(
                "powers",
                self.powers.name(),
                "value, but in formats of powers of two",
            ));
        }
        if !(1..=32).contains(&self.stochastic.bits) {
            return Err(ContractError::illegal(
                "stochastic.bits",
                self.stochastic.bits,
                "1 to 32",
            ));
        }
        Ok(())
    }

    /// Checks that a job may have this as its output: jobs carry no random bits, and cores have
    /// the canonical NaN and the value rule alone (numerics.md, 5.11).
    ///
    /// # Errors
    /// [`ContractError::Illegal`] naming the field.
    pub fn validate_for_job(&self) -> Result<(), ContractError> {
        self.validate()?;
        if self.rounding == Rounding::Stochastic {
            return Err(ContractError::illegal(
                "output rounding",
                self.rounding.name(),
                "a job carries no random bits: rne, rz, ru, rd, rna",
            ));
        }
        if self.nan != Nan::Canonical {
            return Err(ContractError::illegal(
                "output nan",
                self.nan.name(),
                "canonical",
            ));
        }
        if self.powers != Powers::Value {
            return Err(ContractError::illegal(
                "output powers",
                self.powers.name(),
                "value",
            ));
        }
        Ok(())
    }
}
