//! Exact numbers as text: decimal where that is short, and hexadecimal floating point.

/// `(-1)^negative * significand * 2^exponent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exact {
    /// The sign, of zero too.
    pub(crate) negative: bool,
    /// The magnitude without its power of two; 0 for zero.
    pub(crate) significand: u128,
    /// Exponent of the significand's last bit.
    pub(crate) exponent: i32,
}

/// Longest decimal number that is shown as such.
const SHORT: usize = 20;

impl Exact {
    /// All digits of the decimal number, when they are few.
    pub(crate) fn decimal(self) -> Option<String> {
        let Self {
            significand,
            exponent,
            ..
        } = self.odd();
        let (digits, point) = if exponent >= 0 {
            let shift = exponent.cast_unsigned();
            let fits = shift < significand.leading_zeros();
            (fits.then(|| significand << shift)?, 0)
        } else {
            // x * 2^-n = x * 5^n / 10^n.
            let point = exponent.unsigned_abs();
            let digits = 5_u128.checked_pow(point)?.checked_mul(significand)?;
            (digits, usize::try_from(point).ok()?)
        };
        let digits = format!("{digits:0width$}", width = point + 1);
        let (whole, fraction) = digits.split_at(digits.len() - point);
        let dot = if fraction.is_empty() { "" } else { "." };
        let text = format!("{}{whole}{dot}{fraction}", self.sign());
        (text.len() <= SHORT).then_some(text)
    }

    /// The decimal number, or else `significand*2^exponent`.
    pub(crate) fn text(self) -> String {
        self.decimal().unwrap_or_else(|| {
            let odd = self.odd();
            match odd.significand {
                1 => format!("{}2^{}", self.sign(), odd.exponent),
                significand => format!("{}{significand}*2^{}", self.sign(), odd.exponent),
            }
        })
    }

    /// As C's `%a` writes it: `0x1.cp+8`.
    pub(crate) fn hex_float(self) -> String {
        let Self {
            significand,
            exponent,
            ..
        } = self.odd();
        if significand == 0 {
            return format!("{}0x0p+0", self.sign());
        }
        let fraction_bits = significand.ilog2();
        let fraction = significand ^ (1 << fraction_bits);
        let nibbles = fraction_bits.div_ceil(4);
        let aligned = fraction << (4 * nibbles - fraction_bits);
        let dot = if nibbles == 0 { "" } else { "." };
        let digits = match nibbles {
            0 => String::new(),
            _ => format!("{aligned:0width$x}", width = nibbles as usize),
        };
        let exponent = exponent + fraction_bits.cast_signed();
        format!("{}0x1{dot}{digits}p{exponent:+}", self.sign())
    }

    /// The number as a double, which holds every number of every format exactly: at most 24 bits,
    /// exponents of -276 to 383.
    pub(crate) fn double(self) -> f64 {
        let magnitude = self.significand as f64 * 2_f64.powi(self.exponent);
        if self.negative { -magnitude } else { magnitude }
    }

    fn sign(self) -> &'static str {
        if self.negative { "-" } else { "" }
    }

    /// The same number without trailing zero bits.
    fn odd(self) -> Self {
        match self.significand {
            0 => Self {
                exponent: 0,
                ..self
            },
            significand => {
                let zeros = significand.trailing_zeros();
                Self {
                    significand: significand >> zeros,
                    exponent: self.exponent + zeros.cast_signed(),
                    ..self
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_vs_values() {
        let cases: &[(i64, i32, &str, &str)] = &[
            (0, 5, "0", "0x0p+0"),
            (7, 6, "448", "0x1.cp+8"),
            (-1, -9, "-0.001953125", "-0x1p-9"),
            (3, -1, "1.5", "0x1.8p+0"),
            (17, 0, "17", "0x1.1p+4"),
            (40, -3, "5", "0x1.4p+2"),
            (1, -24, "2^-24", "0x1p-24"),
            (-255, 120, "-255*2^120", "-0x1.fep+127"),
            (0xff_ffff, 104, "16777215*2^104", "0x1.fffffep+127"),
            (1, -276, "2^-276", "0x1p-276"),
        ];
        for &(significand, exponent, text, hex) in cases {
            let exact = Exact {
                negative: significand < 0,
                significand: significand.unsigned_abs().into(),
                exponent,
            };
            assert_eq!(
                (exact.text().as_str(), exact.hex_float().as_str()),
                (text, hex)
            );
            assert_eq!(exact.double(), significand as f64 * 2_f64.powi(exponent));
            if let Some(decimal) = exact.decimal() {
                assert_eq!(decimal.parse::<f64>().unwrap(), exact.double());
            }
        }
    }
}
