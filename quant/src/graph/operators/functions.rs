//! Functions of one FP32 number by additions and multiplications alone, so that loops over them are
//! vectorised and every machine returns the same bits.

use quaver_fast::Loop;

use super::super::spread;

/// `e^x`, to 1 ulp: `2^n * e^r` with `|r| <= ln(2) / 2`, `e^r` by a polynomial of degree 7 (Cephes,
/// expf). NaN stays NaN.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    // Added to a small number, it leaves the nearest integer in the low bits.
    const ROUND: f32 = 12_582_912.0;
    // ln(2) in two parts, the first of few bits: its multiples are exact.
    const LN2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    const P: [f32; 6] = [
        1.987_569_1e-4,
        1.398_199_9e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        1.666_666_6e-1,
        5e-1,
    ];
    // Beyond these, the result is 0 or infinite.
    let x = x.clamp(-104.0, 89.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * LN2[0]) - n * LN2[1];
    let p = P.iter().skip(1).fold(P[0], |sum, factor| sum * r + factor);
    let value = p * (r * r) + r + 1.0;
    // 2^n in two factors, as it may be below the smallest normal number.
    let n = shifted
        .to_bits()
        .wrapping_sub(ROUND.to_bits())
        .cast_signed();
    let half = n >> 1;
    let power = |n: i32| f32::from_bits((n.wrapping_add(127) << 23).cast_unsigned());
    value * power(half) * power(n.wrapping_sub(half))
}

/// The error function, to 3 ulp: up to 1 `x * P(x^2)`, up to 4 `1 - e^Q(|x|)`, and 1 from there on. The
/// polynomials are least-squares fits, weighted until the largest error was least. NaN stays NaN.
#[inline(always)]
pub(super) fn erf(x: f32) -> f32 {
    const P: [f32; 8] = [
        -9.680_137e-6,
        1.127_054_5e-4,
        -8.484_711e-4,
        5.221_075e-3,
        -2.686_544_5e-2,
        1.128_378_3e-1,
        -3.761_263_8e-1,
        std::f32::consts::FRAC_2_SQRT_PI,
    ];
    const Q: [f32; 10] = [
        7.850_252_4e-7,
        -1.246_091_7e-5,
        6.439_866_4e-5,
        1.015_297_24e-4,
        -3.359_683_6e-3,
        2.383_553e-2,
        -1.069_604_3e-1,
        -6.341_969e-1,
        -1.129_203_6,
        1.252_425_3e-4,
    ];
    let magnitude = x.abs();
    let square = magnitude * magnitude;
    let small = magnitude
        * P.iter()
            .skip(1)
            .fold(P[0], |sum, factor| sum * square + factor);
    let exponent = Q
        .iter()
        .skip(1)
        .fold(Q[0], |sum, factor| sum * magnitude + factor);
    let large = if magnitude < 4.0 {
        1.0 - exp(exponent)
    } else {
        1.0
    };
    let value = if magnitude < 1.0 { small } else { large };
    let value = if x.is_nan() { x } else { value };
    value.copysign(x)
}

/// Loops over a function, compiled for the machine's instructions.
macro_rules! loops {
    ($($(#[$doc:meta])* $name:ident = |$x:ident| $result:expr;)*) => {
        $($(#[$doc])*
        pub(super) fn $name(from: &[f32], to: &mut [f32]) {
            struct Numbers<'s>(&'s [f32], &'s mut [f32]);
            impl Loop for Numbers<'_> {
                #[inline(always)]
                fn run(self) {
                    for (to, &$x) in self.1.iter_mut().zip(self.0) {
                        *to = $result;
                    }
                }
            }
            spread::vectorised(Numbers(from, to));
        })*
    };
}

loops! {
    /// The exponential function.
    exponentials = |x| exp(x);
    /// The error function.
    errors = |x| erf(x);
    /// `1 / (1 + e^-x)`.
    sigmoids = |x| 1.0 / (1.0 + exp(-x));
    /// GELU, by the error function.
    gelus = |x| 0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of every 97th binary32 number, the largest error in ulp of the result.
    fn worst(function: fn(f32) -> f32, exact: fn(f64) -> f64) -> f64 {
        let mut worst = 0.0f64;
        for bits in (0..=u32::MAX).step_by(97) {
            let x = f32::from_bits(bits);
            let (found, expected) = (function(x), exact(x.into()));
            if x.is_nan() || expected.abs() > f32::MAX.into() {
                assert_eq!(found.is_nan(), x.is_nan(), "{x}");
                assert!(
                    x.is_nan() || found.is_infinite() || found > 3.4e38,
                    "{x}: {found}"
                );
                continue;
            }
            let near = (expected as f32).abs();
            let ulp = f64::from(f32::from_bits(near.to_bits() + 1)) - f64::from(near);
            worst = worst.max((f64::from(found) - expected).abs() / ulp);
        }
        worst
    }

    #[test]
    fn exp_of_all_magnitudes_vs_binary64() {
        let worst = worst(exp, f64::exp);
        assert!(worst < 1.5, "{worst} ulp");
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp(f32::INFINITY), f32::INFINITY);
    }

    #[test]
    fn erf_of_all_magnitudes_vs_binary64() {
        let worst = worst(erf, libm::erf);
        assert!(worst < 4.0, "{worst} ulp");
        assert_eq!([erf(f32::INFINITY), erf(-9.0)], [1.0, -1.0]);
        assert_eq!(erf(-0.0).to_bits(), (-0.0f32).to_bits());
    }
}
