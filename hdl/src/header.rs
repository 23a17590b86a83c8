//! Reads the header of one of our own modules: its parameters, and its ports with their widths.
//!
//! The shape that is accepted is the house style's: one module a file, named like it, with an
//! ANSI header (IEEE 1364-2005, 12.1) in which every parameter and port is declared in full.

use std::collections::BTreeMap;

use crate::HdlError;
use crate::design::{Direction, Port};
use crate::expression;
use crate::lex::{Kind, Token, tokens};

/// A parameter of a module and the tokens of its default.
struct Parameter<'a> {
    name: &'a str,
    default: Vec<Token<'a>>,
}

/// A port of a module; `range` is empty for a single bit.
struct Declaration<'a> {
    name: &'a str,
    direction: Direction,
    range: Vec<Token<'a>>,
}

/// A module's header.
pub(crate) struct Header<'a> {
    unit: &'a str,
    parameters: Vec<Parameter<'a>>,
    ports: Vec<Declaration<'a>>,
}

impl<'a> Header<'a> {
    /// Reads the header of the module named `unit` at the start of its file.
    pub(crate) fn read(unit: &'a str, source: &'a str) -> Result<Self, HdlError> {
        let tokens = tokens(source);
        let start = tokens.iter().position(|t| t.text == "module");
        let mut reader = Reader {
            unit,
            last_line: source.lines().count(),
            tokens: &tokens[start.map_or(tokens.len(), |at| at)..],
        };
        reader.expect("module")?;
        reader.expect(unit)?;
        let mut header = Self {
            unit,
            parameters: Vec::new(),
            ports: Vec::new(),
        };
        if reader.take("#") {
            reader.expect("(")?;
            loop {
                header.parameters.push(reader.parameter()?);
                if !reader.take(",") {
                    break;
                }
            }
            reader.expect(")")?;
        }
        reader.expect("(")?;
        loop {
            header.ports.push(reader.port()?);
            if !reader.take(",") {
                break;
            }
        }
        reader.expect(")")?;
        reader.expect(";")?;
        Ok(header)
    }

    /// Names of the parameters, and whether each one's default follows from other parameters.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = (&'a str, bool)> + '_ {
        self.parameters.iter().map(|p| {
            let derived = |t: &Token<'_>| self.parameters.iter().any(|q| q.name == t.text);
            (p.name, p.default.iter().any(derived))
        })
    }

    /// The ports with their widths, when these parameters are overridden.
    pub(crate) fn ports(&self, values: &[(&str, String)]) -> Result<Vec<Port>, HdlError> {
        let mut overrides = BTreeMap::new();
        for (name, value) in values {
            let refuse = |allowed: String| HdlError::Parameter {
                unit: self.unit.to_owned(),
                name: (*name).to_owned(),
                value: value.clone(),
                allowed,
            };
            if !self.parameters.iter().any(|p| p.name == *name) {
                let known: Vec<_> = self.parameters.iter().map(|p| p.name).collect();
                return Err(refuse(format!("the unit has {}", known.join(", "))));
            }
            if overrides.insert(*name, value.as_str()).is_some() {
                return Err(refuse("each parameter once".to_owned()));
            }
        }
        self.ports
            .iter()
            .map(|p| self.port(p, &overrides))
            .collect()
    }

    fn port(
        &self,
        port: &Declaration<'_>,
        overrides: &BTreeMap<&str, &str>,
    ) -> Result<Port, HdlError> {
        let width = if port.range.is_empty() {
            1
        } else {
            let text: Vec<_> = port.range.iter().map(|t| t.text).collect();
            let refuse = |allowed: String| HdlError::Width {
                unit: self.unit.to_owned(),
                port: port.name.to_owned(),
                range: text.join(" "),
                allowed,
            };
            let high = port.range.len().checked_sub(2);
            let high = high.filter(|at| text[*at..] == [":", "0"]);
            let high = high.ok_or_else(|| refuse("the shape [EXPRESSION:0]".to_owned()))?;
            let high = expression::evaluate(&port.range[..high], &|name| {
                self.value(name, overrides, self.parameters.len())
            })
            .map_err(&refuse)?;
            let width = u32::try_from(high + 1).ok().filter(|w| *w > 0);
            width.ok_or_else(|| refuse(format!("its high bit is {high}, 0 or more is needed")))?
        };
        Ok(Port {
            name: port.name.to_owned(),
            width,
            direction: port.direction,
        })
    }

    /// The value of a parameter. `depth` bounds how many defaults may lead to one another.
    fn value(
        &self,
        name: &str,
        overrides: &BTreeMap<&str, &str>,
        depth: usize,
    ) -> Result<i128, String> {
        if let Some(value) = overrides.get(name) {
            return expression::evaluate(&tokens(value), &|other| {
                Err(format!("{name} = {value} names {other}"))
            });
        }
        let parameter = self.parameters.iter().find(|p| p.name == name);
        let parameter = parameter.ok_or_else(|| format!("{name} is no parameter"))?;
        let depth = depth
            .checked_sub(1)
            .ok_or_else(|| format!("{name} depends on itself"))?;
        expression::evaluate(&parameter.default, &|other| {
            self.value(other, overrides, depth)
        })
    }
}

struct Reader<'a, 'b> {
    unit: &'a str,
    last_line: usize,
    tokens: &'b [Token<'a>],
}

impl<'a> Reader<'a, '_> {
    fn fail<T>(&self, expected: &str) -> Result<T, HdlError> {
        let token = self.tokens.first();
        Err(HdlError::Header {
            unit: self.unit.to_owned(),
            line: token.map_or(self.last_line, |t| t.line),
            found: token.map_or("the end of the file".to_owned(), |t| {
                format!("'{}'", t.text)
            }),
            expected: expected.to_owned(),
        })
    }

    fn take(&mut self, text: &str) -> bool {
        let hit = self.tokens.first().is_some_and(|t| t.text == text);
        if hit {
            self.tokens = &self.tokens[1..];
        }
        hit
    }

    fn expect(&mut self, text: &str) -> Result<(), HdlError> {
        if self.take(text) {
            Ok(())
        } else {
            self.fail(&format!("'{text}'"))
        }
    }

    fn name(&mut self) -> Result<&'a str, HdlError> {
        match self.tokens.first() {
            Some(token) if token.kind == Kind::Word => {
                self.tokens = &self.tokens[1..];
                Ok(token.text)
            }
            _ => self.fail("a name"),
        }
    }

    /// Tokens up to one of `ends` outside all brackets.
    fn until(&mut self, ends: &[&str]) -> Result<Vec<Token<'a>>, HdlError> {
        let mut depth = 0_usize;
        for (i, token) in self.tokens.iter().enumerate() {
            if depth == 0 && ends.contains(&token.text) {
                let taken = self.tokens[..i].to_vec();
                self.tokens = &self.tokens[i..];
                return Ok(taken);
            }
            match token.text {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        self.tokens = &[];
        self.fail(&ends.join(" or "))
    }

    fn range(&mut self) -> Result<Vec<Token<'a>>, HdlError> {
        if !self.take("[") {
            return Ok(Vec::new());
        }
        let range = self.until(&["]"])?;
        self.expect("]")?;
        Ok(range)
    }

    fn parameter(&mut self) -> Result<Parameter<'a>, HdlError> {
        self.expect("parameter")?;
        if !self.take("integer") {
            self.take("signed");
            self.range()?;
        }
        let name = self.name()?;
        self.expect("=")?;
        let default = self.until(&[",", ")"])?;
        Ok(Parameter { name, default })
    }

    fn port(&mut self) -> Result<Declaration<'a>, HdlError> {
        let direction = if self.take("input") {
            Direction::Input
        } else if self.take("output") {
            Direction::Output
        } else {
            return self.fail("'input' or 'output'");
        };
        if !self.take("wire") && !self.take("reg") {
            return self.fail("'wire' or 'reg'");
        }
        self.take("signed");
        let range = self.range()?;
        let name = self.name()?;
        Ok(Declaration {
            name,
            direction,
            range,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "// module not_this\nmodule u #(\n\
        parameter integer W = 4, parameter [8*W-1:0] T = {W{8'd1}},\n\
        parameter integer I = (W > 1) ? $clog2(W) : 1\n) (\n\
        input wire clk_i, input wire signed [I-1:0] x_i, output reg [2+W:0] y_o\n); endmodule";

    fn widths(values: &[(&str, String)]) -> Result<Vec<u32>, HdlError> {
        let ports = Header::read("u", SOURCE)?.ports(values)?;
        Ok(ports.iter().map(|p| p.width).collect())
    }

    #[test]
    fn widths_follow_overrides_and_derived_defaults() {
        assert_eq!(widths(&[]).unwrap(), [1, 2, 7]);
        assert_eq!(widths(&[("W", "9".into())]).unwrap(), [1, 4, 12]);
        let both = [("W", "9".into()), ("I", "8 - 1".into())];
        assert_eq!(widths(&both).unwrap(), [1, 7, 12]);
        let header = Header::read("u", SOURCE).unwrap();
        let expected = [("W", false), ("T", true), ("I", true)];
        assert_eq!(header.parameters().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn errors_name_the_parameter_the_port_or_the_line() {
        let cases: &[(&[(&str, String)], &str)] = &[
            (
                &[("V", "1".into())],
                "parameter V = 1 is not allowed (the unit has W, T, I)",
            ),
            (
                &[("W", "1".into()), ("W", "1".into())],
                "each parameter once",
            ),
            (
                &[("W", "-3".into()), ("I", "1".into())],
                "port y_o has range [2 + W : 0]",
            ),
            (&[("W", "X".into())], "W = X names X"),
        ];
        for (values, expected) in cases {
            let error = widths(values).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        let broken = [
            ("module v ();", "line 1: found 'v', expected 'u'"),
            ("", "the end of the file"),
            (
                "module u (\nwire x_i);",
                "line 2: found 'wire', expected 'input' or 'output'",
            ),
            ("module u (input x_i);", "expected 'wire' or 'reg'"),
            (
                "module u #(integer W = 1) (input wire x_i);",
                "expected 'parameter'",
            ),
        ];
        for (source, expected) in broken {
            let Err(error) = Header::read("u", source) else {
                panic!("{source} was accepted");
            };
            assert!(error.to_string().contains(expected), "{error}");
        }
        let cyclic =
            "module u #(parameter integer A = B, parameter integer B = A) (input wire [A:0] x_i);";
        let error = Header::read("u", cyclic).unwrap().ports(&[]).unwrap_err();
        assert!(error.to_string().contains("depends on itself"), "{error}");
    }
}
