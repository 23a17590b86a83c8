//! `encode` and `convert`: the output conversion, with each format's own rounding and policies on
//! many inputs, and with every other legal combination.

use quaver_contract::formats::FP32;
use quaver_contract::{Conversion, Encoding, Format, Formats, Rounding};
use quaver_golden::{add_fp32, convert, multiply_fp32, to_fp32};

use crate::bench::{Bench, Unit};
use crate::coverage::Coverage;
use crate::random::Random;
use crate::stimulus::fp32::{Fp32Class, edge_fractions};
use crate::stimulus::jobs::legal_conversions;
use crate::{SuiteContext, Tally, Tier, VerifyError, describe};

/// Random inputs of the native conversion, and of every other one, to a format in the quick tier.
const NATIVE_CASES: u64 = 10_000_000;
const OTHER_CASES: u64 = 50_000;
/// Codes whose neighbourhoods are inputs of every conversion; formats with more are thinned.
const MAX_CODES: u32 = 1 << 16;

const SIGN: u32 = 1 << 31;
const ONE_HALF: u32 = 0x3f00_0000;
const INFINITY: u32 = 0x7f80_0000;

/// Every binary32 sign and exponent with every edge fraction.
fn edges() -> Vec<u32> {
    let fractions = edge_fractions();
    let fields = (0..512u32).map(|field| field << 23);
    fields
        .flat_map(|field| fractions.iter().map(move |fraction| field | fraction))
        .collect()
}

/// The values of a format's codes, the halfway points between neighbours, that beyond the largest
/// number, and the binary32 numbers on both sides of each; all of either sign.
fn neighbourhoods(format: &Format, thin: u32) -> Vec<u32> {
    if format.name == FP32.name {
        return Vec::new();
    }
    let value = |code| to_fp32(code, format);
    let half = |x| multiply_fp32(x, ONE_HALF);
    let largest = format.max_code();
    let mut points = vec![INFINITY];
    for code in (0..largest).step_by(thin as usize) {
        points.push(value(code));
        // Halved first: the sum of two large numbers is none.
        points.push(add_fp32(half(value(code)), half(value(code + 1))));
    }
    let top_gap = add_fp32(value(largest), value(largest - 1) ^ SIGN);
    points.push(value(largest));
    points.push(add_fp32(value(largest), half(top_gap)));
    if format.encoding == Encoding::TwosComplement {
        // One more integer on the negative side.
        points.push(add_fp32(value(largest), top_gap));
        points.push(add_fp32(value(largest), add_fp32(top_gap, half(top_gap))));
    }
    let around = |x: u32| [x.saturating_sub(1), x, x + 1];
    let both_signs = |x: u32| [x, x | SIGN];
    points
        .into_iter()
        .flat_map(around)
        .flat_map(both_signs)
        .collect()
}

/// Random bits for stochastic rounding: any, the ends, and those at which the magnitude of a
/// number that is normal in the format just does or does not move.
fn random_bits(value: u32, format: &Format, random: &mut Random) -> u32 {
    let discarded = value << (9 + format.fraction_bits.min(22));
    match random.below(6) {
        0 => discarded.wrapping_neg(),
        1 => discarded.wrapping_neg().wrapping_sub(1),
        2 => random.pick(&[0, 1, u32::MAX, SIGN, SIGN - 1]),
        _ => random.bits32(),
    }
}

/// Every FP16 and every BF16 number, as binary32.
fn half_precision() -> Result<Vec<u32>, VerifyError> {
    let formats = Formats::default();
    let mut numbers = Vec::new();
    for name in ["fp16", "bf16"] {
        let format = formats.get(name)?;
        numbers.extend((0..=format.code_mask()).map(|code| to_fp32(code, format)));
    }
    Ok(numbers)
}

/// Runs the native conversions: in the exhaustive tier of every binary32 code to formats of up to
/// 8 bits.
pub(super) fn run_encode(context: &SuiteContext<'_>, tally: &mut Tally) -> Result<(), VerifyError> {
    run(context, tally, true)
}

/// Runs the other conversions.
pub(super) fn run_convert(
    context: &SuiteContext<'_>,
    tally: &mut Tally,
) -> Result<(), VerifyError> {
    run(context, tally, false)
}

/// Runs `quaver_convert` with the configuration's table of formats.
fn run(context: &SuiteContext<'_>, tally: &mut Tally, native: bool) -> Result<(), VerifyError> {
    let formats = &context.config.output_formats;
    let mut edges = edges();
    if native {
        edges.extend(half_precision()?);
    }
    for latency in context.latencies(1, 1..=3) {
        let mut parameters = context.parameters(&["OUTPUT_COUNT", "OUTPUT_TABLE"])?;
        parameters.push(("LATENCY", latency.to_string()));
        let unit = Unit {
            name: "quaver_convert",
            parameters,
            inputs: &[
                "format_i",
                "value_i",
                "rounding_i",
                "overflow_i",
                "infinity_i",
                "random_i",
            ],
            output: "code_o",
            latency,
        };
        let mut bench = Bench::open(context, unit)?;
        for (row, &format) in formats.iter().enumerate() {
            let suite = if native { "encode" } else { "convert" };
            let purpose = format!("{suite} {} {latency}", format.name);
            let mut random = context.random(&purpose);
            let codes = format.max_code();
            let near = neighbourhoods(format, codes.div_ceil(MAX_CODES));
            let mut conversions = legal_conversions(format, Rounding::ALL);
            conversions.retain(|&c| (c == Conversion::native(format)) == native);
            for conversion in conversions {
                let directed = if native {
                    [edges.as_slice(), near.as_slice()].concat()
                } else {
                    // The neighbourhoods of 16-bit formats are many; conversions take turns.
                    let step = near.len().div_ceil(40_000).max(1);
                    let near = near.iter().skip(random.below(step)).step_by(step);
                    edges.iter().chain(near).copied().collect()
                };
                let amount = if native { NATIVE_CASES } else { OTHER_CASES };
                let inputs = Inputs {
                    row: row as u64,
                    conversion,
                    directed: context.thin(directed, &mut random),
                    random_cases: context.cases(amount),
                    all: context.tier == Tier::Exhaustive && native && format.bits() <= 8,
                };
                inputs.check(&mut bench, &mut random, tally)?;
            }
        }
    }
    Ok(())
}

/// The inputs of one conversion.
struct Inputs {
    row: u64,
    conversion: Conversion,
    directed: Vec<u32>,
    random_cases: u64,
    /// All 2^32 codes instead.
    all: bool,
}

impl Inputs {
    fn check(
        &self,
        bench: &mut Bench<'_>,
        random: &mut Random,
        tally: &mut Tally,
    ) -> Result<(), VerifyError> {
        let conversion = self.conversion;
        let format = conversion.format;
        let name = format!(
            "{} {} {} {}",
            format.name,
            conversion.rounding.name(),
            conversion.overflow.name(),
            conversion.infinity.name()
        );
        let class = tally.coverage.class(&name);
        let cases = if self.all {
            1 << 32
        } else {
            self.directed.len() as u64 + self.random_cases
        };
        let mut index = 0u64;
        let next = || {
            let value = if self.all {
                index as u32
            } else if let Some(&value) = self.directed.get(index as usize) {
                value
            } else {
                Fp32Class::any(random)
            };
            index += 1;
            let bits = random_bits(value, format, random);
            let [rounding, overflow, infinity] = [
                conversion.rounding.number(),
                conversion.overflow.number(),
                conversion.infinity.number(),
            ];
            [
                self.row,
                value.into(),
                rounding.into(),
                overflow.into(),
                infinity.into(),
                bits.into(),
            ]
        };
        let expected = |case: &[u64; 6], coverage: &mut Coverage| {
            coverage.count(class);
            convert(case[1] as u32, FP32, &conversion, case[5] as u32).into()
        };
        let describe = |case: &[u64; 6]| {
            let value = describe::code(case[1] as u32, FP32);
            format!("{value} to {name}, random bits {:08x}", case[5])
        };
        bench.check(cases, tally, next, expected, describe)
    }
}
