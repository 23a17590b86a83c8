//! The golden additions against the machine's own binary32 adder.

use quaver_contract::formats::FP32;
use quaver_golden::accumulate::add_rounded;
use quaver_golden::decode;
use quaver_golden::encode::encode_fp32;
use quaver_tests::config;
use quaver_verify::Random;
use quaver_verify::suites::{base_for, pick_pair, products};

const SEED: u64 = 1;
const CASES: u32 = 10_000_000;
const NAN: u32 = 0x7fc0_0000;

/// `a + b` by the machine: nearest, ties to even; NaN made canonical, which is all that
/// numerics.md 3.5 adds to it.
fn host_add(a: u32, b: u32) -> u32 {
    let sum = f32::from_bits(a) + f32::from_bits(b);
    if sum.is_nan() { NAN } else { sum.to_bits() }
}

#[test]
fn sum_random_pairs_vs_host() {
    println!("{CASES} pairs, seed {SEED}");
    let mut random = Random::new(SEED, "host pairs");
    for _ in 0..CASES {
        let (a, b) = pick_pair(&mut random);
        let golden = add_rounded(decode(a, FP32), decode(b, FP32));
        assert_eq!(golden, host_add(a, b), "{a:08x} + {b:08x}");
    }
}

/// Every product is a binary32 number (`Format::validate`), so adding it is one rounding on the
/// host too: a fused multiply-add without the instruction.
#[test]
fn accumulation_random_products_vs_host() {
    println!("{CASES} products of each configuration, seed {SEED}");
    let mut configurations = 0;
    for name in ["default", "fnuz"] {
        let config = config(name);
        let products = products(&config);
        let mut random = Random::new(SEED, name);
        for _ in 0..CASES {
            let product = random.pick(&products).number;
            let base = base_for(product, &mut random);
            let addend = encode_fp32(product);
            let golden = add_rounded(decode(base, FP32), product);
            assert_eq!(golden, host_add(base, addend), "{base:08x} + {product:?}");
        }
        configurations += 1;
    }
    assert!(configurations > 0);
}
