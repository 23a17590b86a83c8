//! Codes and jobs in the words of a failure report: bits and values.

use std::fmt::Write as _;

use quaver_contract::Format;
use quaver_contract::formats::FP32;
use quaver_golden::{Number, decode};

use crate::stimulus::owned::{Dimension, OwnedJob, OwnedScale};

/// Terms of a sum that are written out.
const MAX_TERMS: usize = 64;

/// A code and its value: `38 (1)`. Every number of every format is an f64.
pub(crate) fn code(code: u32, format: &Format) -> String {
    let digits = format.bits().div_ceil(4) as usize;
    let value = match decode(code, format) {
        Number::Nan => "nan".to_owned(),
        Number::Infinity { negative: false } => "inf".to_owned(),
        Number::Infinity { negative: true } => "-inf".to_owned(),
        Number::Finite {
            negative,
            significand,
            exponent,
        } => {
            let magnitude = significand as f64 * 2f64.powi(exponent);
            let value = if negative { -magnitude } else { magnitude };
            if value != 0.0 && !(1e-4..1e7).contains(&magnitude) {
                format!("{value:e}")
            } else {
                format!("{value}")
            }
        }
    };
    format!("{code:0digits$x} ({value})")
}

/// Everything that decides one element of a job's result.
pub(crate) fn element(job: &OwnedJob, row: usize, col: usize) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        writeln!(text, "    {name:<7} {value}").expect("a string takes any text");
    };
    if let Some(init) = &job.init {
        line("init", code(init[(row, col)], FP32));
    }
    let terms = job.length(Dimension::K);
    for k in 0..terms.min(MAX_TERMS) {
        if let Some(b) = job.blocks.as_ref().filter(|b| k % b.length == 0) {
            let scales = (
                b.a[(row / b.rows, k / b.length)],
                b.b[(k / b.length, col / b.cols)],
            );
            let (of_a, of_b) = (code(scales.0, b.format), code(scales.1, b.format));
            line("block", format!("scales {of_a} * {of_b}"));
        }
        let a = code(job.a[(row, k)].into(), job.format_a);
        let b = code(job.b[(k, col)].into(), job.format_b);
        line(&format!("k={k}"), format!("{a} * {b}"));
    }
    if terms > MAX_TERMS {
        line("...", format!("{} more terms", terms - MAX_TERMS));
    }
    match &job.scale {
        OwnedScale::None => {}
        OwnedScale::Tensor(scale) => line("scale", code(*scale, FP32)),
        OwnedScale::PerColumn(scales) => line("scale", code(scales[col], FP32)),
    }
    if let Some(bias) = &job.bias {
        line("bias", code(bias[col], FP32));
    }
    if job.relu {
        line("relu", "yes".to_owned());
    }
    text
}

#[cfg(test)]
mod tests {
    use quaver_contract::Formats;

    use super::*;

    #[test]
    fn codes_are_written_as_bits_and_values() {
        let formats = Formats::default();
        for (format, bits, expected) in [
            ("e4m3fn", 0x38, "38 (1)"),
            ("e4m3fn", 0x80, "80 (-0)"),
            ("e4m3fn", 0xff, "ff (nan)"),
            ("e5m2", 0xfc, "fc (-inf)"),
            ("e2m1fn", 0xf, "f (-6)"),
            ("fp32", 1, "00000001 (1.401298464324817e-45)"),
            ("int8", 0x80, "80 (-128)"),
        ] {
            assert_eq!(code(bits, formats.get(format).unwrap()), expected);
        }
    }
}
