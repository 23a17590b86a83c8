//! How a value becomes a code of a narrower format: rounding and the policies around it
//! (numerics.md, section 5).

use crate::{ContractError, Format};

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
        /// Up in magnitude when the discarded fraction plus a random fraction of 32 bits carries.
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
}

impl Conversion {
    /// Round to nearest even and each format's own overflow: to infinity where there is one, else
    /// to NaN where there is one, else saturating. Infinity likewise. What `ml_dtypes` does.
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
        }
    }

    /// This conversion with another rounding direction.
    #[must_use]
    pub const fn with_rounding(mut self, rounding: Rounding) -> Self {
        self.rounding = rounding;
        self
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
        Ok(())
    }
}
