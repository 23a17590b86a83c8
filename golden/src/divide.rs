//! Quotients, to be rounded once.

use crate::Number;

/// `x / y`: exact, or so close that every rounding of rules 5.3 and 5.4 to 24 bits or fewer is that
/// of the exact quotient. Zero by zero and infinity by infinity
/// are NaN, other numbers by zero infinity (IEEE 754-2019, 7.2 and 7.3). Significands have at most
/// 40 bits.
pub fn divide(x: Number, y: Number) -> Number {
    let (negative_x, negative_y) = match (sign(x), sign(y)) {
        (Some(x), Some(y)) => (x, y),
        _ => return Number::Nan,
    };
    let negative = negative_x != negative_y;
    match (x, y) {
        (Number::Infinity { .. }, Number::Infinity { .. }) => Number::Nan,
        (Number::Infinity { .. }, _) => Number::Infinity { negative },
        (_, Number::Infinity { .. }) => Number::zero(negative),
        _ if x.is_zero() && y.is_zero() => Number::Nan,
        _ if y.is_zero() => Number::Infinity { negative },
        (
            Number::Finite {
                significand: x,
                exponent: exponent_x,
                ..
            },
            Number::Finite {
                significand: y,
                exponent: exponent_y,
                ..
            },
        ) => {
            // With every bit that there is room for, save one.
            let up = x.leading_zeros() - 1;
            let wide = x << up;
            // One bit below the quotient's says whether anything lies there.
            let rest = u128::from(!wide.is_multiple_of(y));
            Number::Finite {
                negative,
                significand: ((wide / y) << 1) | rest,
                exponent: exponent_x - exponent_y - up.cast_signed() - 1,
            }
        }
        (Number::Nan, _) | (_, Number::Nan) => Number::Nan,
    }
}

fn sign(x: Number) -> Option<bool> {
    match x {
        Number::Nan => None,
        Number::Infinity { negative } | Number::Finite { negative, .. } => Some(negative),
    }
}
