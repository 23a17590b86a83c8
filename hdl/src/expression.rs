//! Constant expressions of parameters, as port ranges and derived parameters use them.
//!
//! The operators of IEEE 1364-2005, 5.1, on integers, without the width rules: headers that
//! depend on wrapping are refused by the range check of whoever asked.

use crate::lex::{Kind, Token};

/// Precedence of the binary operators, loosest first (IEEE 1364-2005, table 5-4).
const LEVELS: &[&[&str]] = &[
    &["||"],
    &["&&"],
    &["|"],
    &["^"],
    &["&"],
    &["==", "!="],
    &["<", "<=", ">", ">="],
    &["<<", ">>"],
    &["+", "-"],
    &["*", "/", "%"],
];

/// The value of a constant expression; names are asked of `lookup`. `Err` says what is wrong.
pub(crate) fn evaluate(
    tokens: &[Token<'_>],
    lookup: &dyn Fn(&str) -> Result<i128, String>,
) -> Result<i128, String> {
    let mut reader = Reader { tokens, lookup };
    let value = reader.choice()?;
    match reader.tokens.first() {
        None => Ok(value),
        Some(token) => Err(format!("unexpected '{}'", token.text)),
    }
}

struct Reader<'a, 'b> {
    tokens: &'b [Token<'a>],
    lookup: &'b dyn Fn(&str) -> Result<i128, String>,
}

impl<'a> Reader<'a, '_> {
    fn next(&mut self) -> Result<Token<'a>, String> {
        let (first, rest) = self.tokens.split_first().ok_or("it ends too early")?;
        self.tokens = rest;
        Ok(*first)
    }

    fn take(&mut self, text: &str) -> bool {
        let hit = self.tokens.first().is_some_and(|t| t.text == text);
        if hit {
            self.tokens = &self.tokens[1..];
        }
        hit
    }

    fn expect(&mut self, text: &str) -> Result<(), String> {
        if self.take(text) {
            Ok(())
        } else {
            Err(format!("'{text}' is missing"))
        }
    }

    fn choice(&mut self) -> Result<i128, String> {
        let condition = self.binary(0)?;
        if !self.take("?") {
            return Ok(condition);
        }
        let yes = self.choice()?;
        self.expect(":")?;
        let no = self.choice()?;
        Ok(if condition != 0 { yes } else { no })
    }

    fn binary(&mut self, level: usize) -> Result<i128, String> {
        let Some(operators) = LEVELS.get(level) else {
            return self.unary();
        };
        let mut left = self.binary(level + 1)?;
        while let Some(operator) = self.tokens.first().map(|t| t.text)
            && operators.contains(&operator)
        {
            self.tokens = &self.tokens[1..];
            let right = self.binary(level + 1)?;
            left = apply(operator, left, right)
                .ok_or_else(|| format!("{left} {operator} {right} has no value"))?;
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<i128, String> {
        if self.take("-") {
            return Ok(-self.unary()?);
        }
        if self.take("+") {
            return self.unary();
        }
        if self.take("!") {
            return Ok(i128::from(self.unary()? == 0));
        }
        if self.take("(") {
            let value = self.choice()?;
            self.expect(")")?;
            return Ok(value);
        }
        let token = self.next()?;
        match token.kind {
            Kind::Number => literal(token.text),
            Kind::Word if token.text == "$clog2" => {
                self.expect("(")?;
                let value = self.choice()?;
                self.expect(")")?;
                clog2(value).ok_or_else(|| format!("$clog2({value}) has no value"))
            }
            Kind::Word => (self.lookup)(token.text),
            Kind::Symbol => Err(format!("unexpected '{}'", token.text)),
        }
    }
}

fn apply(operator: &str, left: i128, right: i128) -> Option<i128> {
    let shift = || u32::try_from(right).ok().filter(|s| *s < 64);
    Some(match operator {
        "||" => i128::from(left != 0 || right != 0),
        "&&" => i128::from(left != 0 && right != 0),
        "|" => left | right,
        "^" => left ^ right,
        "&" => left & right,
        "==" => i128::from(left == right),
        "!=" => i128::from(left != right),
        "<" => i128::from(left < right),
        "<=" => i128::from(left <= right),
        ">" => i128::from(left > right),
        ">=" => i128::from(left >= right),
        "<<" => left.checked_mul(1 << shift()?)?,
        ">>" => left >> shift()?,
        "+" => left.checked_add(right)?,
        "-" => left.checked_sub(right)?,
        "*" => left.checked_mul(right)?,
        "/" => left.checked_div(right)?,
        "%" => left.checked_rem(right)?,
        _ => return None,
    })
}

/// Bits that count up to `value` states (IEEE 1364-2005, 17.11.1).
fn clog2(value: i128) -> Option<i128> {
    match u128::try_from(value).ok()? {
        0 => Some(0),
        value => Some(i128::from(128 - (value - 1).leading_zeros())),
    }
}

/// An integer, or a sized literal of binary, octal, decimal or hexadecimal digits.
fn literal(text: &str) -> Result<i128, String> {
    let clean = text.replace('_', "").to_ascii_lowercase();
    let (digits, radix) = match clean.split_once('\'') {
        None => (clean.as_str(), 10),
        Some((_, based)) => {
            let based = based.strip_prefix('s').unwrap_or(based);
            let radix = match based.chars().next() {
                Some('b') => 2,
                Some('o') => 8,
                Some('d') => 10,
                Some('h') => 16,
                _ => return Err(format!("'{text}' has no base")),
            };
            (&based[1..], radix)
        }
    };
    i128::from_str_radix(digits, radix).map_err(|_| format!("'{text}' is not a number"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lex::tokens;

    fn value(text: &str) -> Result<i128, String> {
        evaluate(&tokens(text), &|name| match name {
            "N" => Ok(5),
            _ => Err(format!("no {name}")),
        })
    }

    #[test]
    fn expressions_table_vs_values() {
        let cases = [
            ("2+3*4-1", 13),
            ("(2+3)*4", 20),
            ("N > 1 ? $clog2(N) : 1", 3),
            ("N == 5 && !(N < 5) || 0", 1),
            ("1 << N - 1", 16),
            ("-N % 3 + 7 / 2", 1),
            ("40'h00_100E_3400 >> 8", 0x10_0e34),
            ("8'b101 | 3'o2 ^ 2'd1 & 1", 7),
            ("0 ? 1 : 0 ? 2 : 3", 3),
        ];
        for (text, expected) in cases {
            assert_eq!(value(text), Ok(expected), "{text}");
        }
        for (states, bits) in [(0, 0), (1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (256, 8)] {
            assert_eq!(value(&format!("$clog2({states})")), Ok(bits), "{states}");
        }
    }

    #[test]
    fn what_has_no_value_is_refused() {
        for text in [
            "",
            "1 +",
            "(1",
            "M",
            "1 / 0",
            "1 2",
            "{1}",
            "'z",
            "$clog2(-1)",
        ] {
            assert!(value(text).is_err(), "{text}: {:?}", value(text));
        }
    }
}
