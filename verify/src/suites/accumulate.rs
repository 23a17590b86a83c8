//! `accumulate`: the array's accumulator and the drain's adder against exact sums rounded once.

use quaver_contract::formats::FP32;
use quaver_contract::{Accumulator, CoreConfig};
use quaver_golden::accumulate::add_rounded;
use quaver_golden::{Number, decode};
use quaver_hdl::OperandWidths;

use super::sums::{Addends, SumClasses};
use super::values::{all_numbers, pack_product, top_exponent};
use crate::bench::{Bench, Unit};
use crate::coverage::Coverage;
use crate::describe;
use crate::random::Random;
use crate::stimulus::fp32::Fp32Class;
use crate::{SuiteContext, Tally, VerifyError};

/// Cases of the accumulator and of the adder in the quick tier.
const ACCUMULATE_CASES: u64 = 10_000_000;
const ADD_CASES: u64 = 6_000_000;

/// An addend on the accumulator's wires.
#[derive(Clone, Copy, Debug)]
pub struct Product {
    /// Its exact value.
    pub number: Number,
    /// As `product_i` carries it.
    pub wires: u64,
}

/// Every different product of the configuration's operands, once.
pub fn products(config: &CoreConfig) -> Vec<Product> {
    let widths = OperandWidths::of(&config.operand_formats);
    let formats = || config.operand_formats.iter();
    let mut products: Vec<Product> = formats()
        .flat_map(|a| formats().map(move |b| (*a, *b)))
        .flat_map(|(a, b)| {
            all_numbers(a).flat_map(move |(_, a)| {
                all_numbers(b).map(move |(_, b)| Product {
                    number: quaver_golden::multiply(a, b),
                    wires: pack_product(a, b, widths),
                })
            })
        })
        .collect();
    products.sort_unstable_by_key(|product| product.wires);
    products.dedup_by_key(|product| product.wires);
    products
}

/// What the addends of `products` can lead to.
pub(super) fn product_addends(products: &[Product]) -> Addends {
    // RNE overflows from half a unit in the last place above the largest number: 2^103.
    let highest = products
        .iter()
        .filter_map(|p| top_exponent(&p.number))
        .max();
    Addends {
        overflow: highest >= Some(103),
        subnormal: false,
        infinite: products
            .iter()
            .any(|p| matches!(p.number, Number::Infinity { .. })),
    }
}

/// A binary32 base for an addend, by turns of a kind that stresses another path of the adder.
pub fn base_for(addend: Number, random: &mut Random) -> u32 {
    let bits = random.bits32();
    let Some(top) = top_exponent(&addend) else {
        return Fp32Class::any(random);
    };
    let with_exponent = |exponent: i32| {
        // The normal range and a little beyond: field 0 makes subnormals.
        let field = (exponent + 127).clamp(0, 254) as u32;
        (bits & 0x807f_ffff) | field << 23
    };
    match random.below(8) {
        0 => Fp32Class::any(random),
        1..=3 => with_exponent(top + random.between(-50, 50)),
        // Nearly cancelling: the negated addend, moved by a few units in its last place.
        4 | 5 => {
            let rounded = add_rounded(addend, Number::zero(false)) ^ 1 << 31;
            let distance = (bits >> random.below(32)) as i32;
            let distance = if random.one_in(2) {
                -distance
            } else {
                distance
            };
            if random.one_in(16) {
                rounded
            } else {
                rounded.wrapping_add_signed(distance >> random.below(32))
            }
        }
        // The addend's lowest bit is half a unit in the base's last place.
        6 => match addend {
            Number::Finite {
                significand,
                exponent,
                ..
            } => with_exponent(exponent + significand.trailing_zeros().cast_signed() + 24),
            _ => bits,
        },
        // The addend's highest bit is in or just below the last place of a significand of ones:
        // rounding carries into the next binade.
        _ => with_exponent(top + 22 + random.between(0, 2)) | 0x7f_fff8,
    }
}

/// A random pair of binary32 codes for the adder.
pub fn pick_pair(random: &mut Random) -> (u32, u32) {
    let b = Fp32Class::any(random);
    (base_for(decode(b, FP32), random), b)
}

/// Runs the adder, and the accumulator where the array has it, at the configuration's latency; in
/// the extensive tier at every other.
pub(super) fn run(context: &SuiteContext<'_>, tally: &mut Tally) -> Result<(), VerifyError> {
    if context.config.accumulator == Accumulator::Fp32 {
        accumulate(context, tally)?;
    }
    add(context, tally)
}

fn accumulate(context: &SuiteContext<'_>, tally: &mut Tally) -> Result<(), VerifyError> {
    let config = context.config;
    let products = products(config);
    let latencies = context.latencies(config.pe_latency, 1..=5);
    let widths = OperandWidths::of(&config.operand_formats);
    let cases = context.cases(ACCUMULATE_CASES) / latencies.len() as u64;
    let classes = SumClasses::declare(
        "accumulate",
        product_addends(&products),
        &mut tally.coverage,
    );
    let skipped = tally.coverage.declare("accumulate: absent term");
    for &latency in &latencies {
        let unit = Unit {
            name: "quaver_fp32_accumulate",
            parameters: vec![
                ("PRODUCT_W", (2 * widths.significand).to_string()),
                ("EXP_W", (widths.exponent + 1).to_string()),
                ("LATENCY", latency.to_string()),
            ],
            inputs: &["skip_i", "product_i", "psum_i"],
            output: "psum_o",
            latency,
        };
        let mut random = context.random(&format!("accumulate {latency}"));
        // The number of a product is kept beside its wires.
        let lookup = |wires: u64| {
            let index = products.binary_search_by_key(&wires, |p| p.wires);
            products[index.expect("the case was made of a product")].number
        };
        let next = || {
            let product = random.pick(&products);
            let base = base_for(product.number, &mut random);
            [u64::from(random.one_in(32)), product.wires, base.into()]
        };
        let expected = |&[skip, product, base]: &[u64; 3], coverage: &mut Coverage| {
            if skip == 1 {
                coverage.count(skipped);
                return base;
            }
            let (base, addend) = (decode(base as u32, FP32), lookup(product));
            classes.count(base, addend, coverage);
            add_rounded(base, addend).into()
        };
        let describe = |&[skip, product, base]: &[u64; 3]| {
            let base = describe::code(base as u32, FP32);
            format!(
                "psum {base} + product {:?} ({product:x}), skip {skip}",
                lookup(product)
            )
        };
        Bench::open(context, unit)?.check(cases, tally, next, expected, describe)?;
    }
    Ok(())
}

fn add(context: &SuiteContext<'_>, tally: &mut Tally) -> Result<(), VerifyError> {
    let addends = Addends {
        overflow: true,
        subnormal: true,
        infinite: true,
    };
    let classes = SumClasses::declare("add", addends, &mut tally.coverage);
    let latencies = context.latencies(1, 1..=5);
    let cases = context.cases(ADD_CASES) / latencies.len() as u64;
    for &latency in &latencies {
        let unit = Unit {
            name: "quaver_fp32_add",
            parameters: vec![("LATENCY", latency.to_string())],
            inputs: &["a_i", "b_i"],
            output: "sum_o",
            latency,
        };
        let mut random = context.random(&format!("add {latency}"));
        let next = || {
            let (a, b) = pick_pair(&mut random);
            [a.into(), b.into()]
        };
        let expected = |&[a, b]: &[u64; 2], coverage: &mut Coverage| {
            let (a, b) = (decode(a as u32, FP32), decode(b as u32, FP32));
            classes.count(a, b, coverage);
            add_rounded(a, b).into()
        };
        let describe = |&[a, b]: &[u64; 2]| {
            let (a, b) = (a as u32, b as u32);
            format!("{} + {}", describe::code(a, FP32), describe::code(b, FP32))
        };
        Bench::open(context, unit)?.check(cases, tally, next, expected, describe)?;
    }
    Ok(())
}
