//! Tokens of our own Verilog: enough to read module headers and to see who instantiates whom.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A keyword, a name, or a system function with its `$`.
    Word,
    /// A literal, with its size and base where it has them.
    Number,
    /// An operator or punctuation.
    Symbol,
}

/// A token and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    pub(crate) text: &'a str,
    /// Line in the file, from 1.
    pub(crate) line: usize,
}

/// Operators of more than one character, longest first (IEEE 1364-2005, 5.1).
const OPERATORS: &[&str] = &[
    "<<<", ">>>", "===", "!==", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "**", "+:", "-:",
    "~&", "~|", "~^",
];

/// Splits text into tokens. Comments, strings and compiler directives are left out.
pub(crate) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let (mut rest, mut line) = (text, 1);
    while let Some(first) = rest.chars().next() {
        let (length, kind) = match first {
            '"' => (1 + span(&rest[1..], |c| c != '"') + 1, None),
            '`' => (1 + span(&rest[1..], is_name), None),
            _ if rest.starts_with("//") => (span(rest, |c| c != '\n'), None),
            _ if rest.starts_with("/*") => (rest.find("*/").map_or(rest.len(), |i| i + 2), None),
            c if c.is_whitespace() => (span(rest, char::is_whitespace), None),
            c if c.is_ascii_digit() || c == '\'' => (number(rest), Some(Kind::Number)),
            c if is_name(c) => (span(rest, is_name), Some(Kind::Word)),
            c => {
                let operator = OPERATORS.iter().find(|o| rest.starts_with(**o));
                let length = operator.map_or(c.len_utf8(), |o| o.len());
                (length, Some(Kind::Symbol))
            }
        };
        let (text, after) = rest.split_at(length.min(rest.len()));
        if let Some(kind) = kind {
            tokens.push(Token { kind, text, line });
        }
        line += text.matches('\n').count();
        rest = after;
    }
    tokens
}

/// Bytes at the start of the text whose characters all satisfy the condition.
fn span(text: &str, condition: impl Fn(char) -> bool) -> usize {
    text.find(|c| !condition(c)).unwrap_or(text.len())
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$'
}

/// Length of a literal: digits, and after a tick the base and its digits.
fn number(text: &str) -> usize {
    let digits = span(text, |c| c.is_ascii_digit() || c == '_');
    match text[digits..].strip_prefix('\'') {
        Some(after) => digits + 1 + span(after, is_name),
        None => digits,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_carry_their_line_and_skip_comments_strings_and_directives() {
        let text =
            "`default_nettype none_\n// a module b\n/* c\n*/ x <= 8'h_Ff + $clog2(N); \"s;\"";
        let read: Vec<_> = tokens(text).iter().map(|t| (t.text, t.line)).collect();
        let last = |word| (word, 4);
        let mut expected = vec![("none_", 1)];
        expected.extend(["x", "<=", "8'h_Ff", "+", "$clog2", "(", "N", ")", ";"].map(last));
        assert_eq!(read, expected);
    }
}
