//! Which vector instructions the machine has, and how a loop is compiled for each.

/// A set of vector instructions that kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isa {
    /// Plain Rust; the compiler's baseline for the target (NEON on AArch64).
    Portable,
    /// AVX2 and FMA.
    Avx2,
    /// AVX-512 F, BW, DQ and VL.
    Avx512,
}

impl Isa {
    /// Every set, the simplest first.
    pub const ALL: &'static [Self] = &[Self::Portable, Self::Avx2, Self::Avx512];

    /// The best set that this machine has.
    pub fn best() -> Self {
        Self::ALL
            .iter()
            .copied()
            .rfind(|isa| isa.is_available())
            .unwrap_or(Self::Portable)
    }

    /// Whether this machine has the set.
    pub fn is_available(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        match self {
            Self::Portable => true,
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            Self::Avx512 => {
                Self::Avx2.is_available()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            self == Self::Portable
        }
    }
}

/// Defines `fn name(isa, args)`: the body compiled once for each instruction set, chosen at run
/// time. The body must be an `#[inline(always)]` function, so that its loops are vectorised for
/// the instructions of the caller. Generics are `<[A const usize] A type: its bound>`.
macro_rules! for_each_isa {
    ($(#[$meta:meta])* $vis:vis fn $name:ident $(<[$($size:ident)?] $($generic:ident: $bound:path)?>)? ($($arg:ident: $type:ty),* $(,)?) = $body:path) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments, reason = "a dispatcher takes what its body takes")]
        $vis fn $name $(<$(const $size: usize)? $($generic: $bound)?>)? (isa: $crate::Isa, $($arg: $type),*) {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                fn avx2 $(<$(const $size: usize)? $($generic: $bound)?>)? ($($arg: $type),*) { $body($($arg),*) }
                #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
                fn avx512 $(<$(const $size: usize)? $($generic: $bound)?>)? ($($arg: $type),*) { $body($($arg),*) }
                assert!(isa.is_available(), "{isa:?} is not on this machine");
                match isa {
                    $crate::Isa::Portable => $body($($arg),*),
                    // SAFETY: the assertion above saw the instructions.
                    $crate::Isa::Avx2 => unsafe { avx2($($arg),*) },
                    // SAFETY: likewise.
                    $crate::Isa::Avx512 => unsafe { avx512($($arg),*) },
                }
            }
            #[cfg(not(target_arch = "x86_64"))]
            {
                assert!(isa.is_available(), "{isa:?} is not on this machine");
                $body($($arg),*)
            }
        }
    };
}
pub(crate) use for_each_isa;

/// A loop that can be compiled for any set of instructions.
pub trait Loop {
    /// Runs it; `#[inline(always)]`, or it is compiled for the baseline alone.
    fn run(self);
}

impl Isa {
    /// Runs a loop that is compiled for this set.
    ///
    /// # Panics
    /// When the machine does not have it.
    pub fn vectorise(self, work: impl Loop) {
        vectorised(self, work);
    }
}

#[inline(always)]
fn run<L: Loop>(work: L) {
    work.run();
}

for_each_isa! {
    fn vectorised<[] L: Loop>(work: L) = run
}
