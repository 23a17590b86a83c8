//! What the Verilog does with a block's sum: its scales' product, and the sum of the blocks
//! (numerics.md, rule 7.8).

use std::time::Instant;

use quaver_contract::block::BlockScale;
use quaver_contract::formats::FP32;
use quaver_golden::encode::encode_fp32;
use quaver_golden::{add_fp32, decode, multiply};
use quaver_hdl::block_scale_number;
use quaver_tests::{cache, require};
use quaver_verify::Random;
use quaver_verify::stimulus::fp32::Fp32Class;

use crate::pe::Clocked;
use crate::{SEED, blocks};

/// Cases of every format of scales, at every latency.
const CASES: usize = 250_000;

/// A block's scales in A and in B, its sum, and the sum of the blocks before it.
struct Block {
    scales: [u32; 2],
    inner: u32,
    outer: u32,
    promote: bool,
}

#[test]
fn scaled_blocks_of_every_format_vs_golden() {
    require(&["verilator"]);
    for scale in BlockScale::ALL {
        for latency in 1..=3 {
            check(scale, latency);
        }
    }
}

fn check(scale: BlockScale, latency: usize) {
    let started = Instant::now();
    let format = scale.format();
    let number = ("FORMAT", block_scale_number(format).to_string());
    let mut factor = Clocked::open(
        &cache(),
        "quaver_block_factor",
        &[number.clone(), ("LATENCY", latency.to_string())],
        &["scale_a_i", "scale_b_i"],
        "factor_o",
        latency,
    );
    let parameters = [
        number,
        ("SCALE_LATENCY", latency.to_string()),
        ("ADD_LATENCY", latency.to_string()),
    ];
    let mut promote = Clocked::open(
        &cache(),
        "quaver_block_promote",
        &parameters,
        &["psum_i", "promote_i", "factor_i"],
        "psum_o",
        2 * latency,
    );
    let mut random = Random::new(SEED, format.name);
    let mut code = || match format.name {
        name if name == FP32.name => Fp32Class::any(&mut random),
        _ => random.bits32() & format.code_mask(),
    };
    let scales: Vec<[u32; 2]> = (0..blocks(CASES)).map(|_| [code(), code()]).collect();
    let mut block = |scales: [u32; 2]| Block {
        scales,
        inner: Fp32Class::any(&mut random),
        outer: Fp32Class::any(&mut random),
        promote: !random.one_in(8),
    };
    let cases: Vec<Block> = scales.into_iter().map(&mut block).collect();

    let rows: Vec<_> = cases.iter().map(|case| case.scales.to_vec()).collect();
    let factors = factor.run(&rows);
    let row = |(case, factor): (&Block, Vec<u32>)| {
        vec![case.inner, case.outer, u32::from(case.promote), factor[0]]
    };
    let rows: Vec<_> = cases.iter().zip(factors).map(row).collect();
    let results = promote.run(&rows);
    for (case, result) in cases.iter().zip(&results) {
        let [a, b] = case.scales.map(|code| decode(code, format));
        let mut factor = multiply(a, b);
        if scale == BlockScale::Fp32 {
            factor = decode(encode_fp32(factor), FP32);
        }
        let scaled = encode_fp32(multiply(factor, decode(case.inner, FP32)));
        let expected = match case.promote {
            true => add_fp32(case.outer, scaled),
            false => case.outer,
        };
        let context = || {
            format!(
                "{} latency {latency} seed {SEED:#x}: scales {:x?}, {:08x} to {:08x}",
                format.name, case.scales, case.inner, case.outer
            )
        };
        assert_eq!(result[1], expected, "outer, {}", context());
        // The inner sum of a complete block is not used again.
        if !case.promote {
            assert_eq!(result[0], case.inner, "inner, {}", context());
        }
    }
    println!(
        "scales in {}, latency {latency}: {} blocks, seed {SEED:#x}, {:.1} s",
        format.name,
        cases.len(),
        started.elapsed().as_secs_f64()
    );
}
