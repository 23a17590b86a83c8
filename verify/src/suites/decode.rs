//! `decode`: every code of every operand format of the configuration.

use quaver_golden::{Number, decode};
use quaver_hdl::OperandShape;

use super::values::pack_operand;
use crate::bench::{Bench, Unit};
use crate::coverage::Coverage;
use crate::{SuiteContext, Tally, VerifyError, describe};

/// Runs `quaver_decode_select` with the configuration's table of formats. All bits of a code
/// vary, those above a narrow format's width too: the unit ignores them.
pub(super) fn run(context: &SuiteContext<'_>, tally: &mut Tally) -> Result<(), VerifyError> {
    let formats = &context.config.operand_formats;
    let shape = OperandShape::of(context.config);
    let unit = Unit {
        name: "quaver_decode_select",
        parameters: context.parameters(&[
            "FORMAT_COUNT",
            "FORMAT_TABLE",
            "EXP_W",
            "SIG_W",
            "NORMALISE",
            "EXP_FLOOR",
            "EXP_BASE",
        ])?,
        inputs: &["format_i", "code_i"],
        output: "operand_o",
        latency: 0,
    };
    let classes: Vec<_> = formats
        .iter()
        .map(|format| tally.coverage.declare(format.name))
        .collect();
    let has_special = formats.iter().any(|f| f.nan_code().is_some());
    let special = has_special.then(|| tally.coverage.declare("nan or infinity"));
    let zero = tally.coverage.declare("zero");
    let mut cases = (0..formats.len() as u64).flat_map(|f| (0..=255).map(move |code| [f, code]));
    let next = || cases.next().expect("as many cases as formats times codes");
    let expected = |&[format, code]: &[u64; 2], coverage: &mut Coverage| {
        let number = decode(code as u32, formats[format as usize]);
        coverage.count(classes[format as usize]);
        match number {
            Number::Nan | Number::Infinity { .. } => {
                special
                    .into_iter()
                    .for_each(|special| coverage.count(special));
            }
            number if number.is_zero() => coverage.count(zero),
            _ => {}
        }
        pack_operand(number, formats[format as usize], shape)
    };
    let describe = |&[format, code]: &[u64; 2]| {
        let format = formats[format as usize];
        format!("{} {}", format.name, describe::code(code as u32, format))
    };
    let count = 256 * formats.len() as u64;
    Bench::open(context, unit)?.check(count, tally, next, expected, describe)
}
