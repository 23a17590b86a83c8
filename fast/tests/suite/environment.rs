//! The caller's floating-point environment changes no bit, and is the same afterwards.

#![cfg(target_arch = "x86_64")]

use std::arch::asm;

use quaver_contract::accumulator::TABLE as ACCUMULATORS;
use quaver_contract::formats::FP32;
use quaver_contract::{BlockScale, Conversion, Engine, Formats};
use quaver_fast::{Fast, Isa};

use crate::stimulus::{Blocking, Case, Random, VALUES};

/// Denormals are zero, flush to zero, and the three directed roundings (Intel SDM 1, 10.2.3).
const MODES: &[u32] = &[0x8040, 0x2000, 0x4000, 0x6000, 0xe040];
const DEFAULT: u32 = 0x1f80;
const FLAGS: u32 = 0x3f;

fn with_mode<T>(mode: u32, run: impl FnOnce() -> T) -> T {
    let write = |value: u32| {
        // SAFETY: a value without reserved bits.
        unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const value, options(nostack)) };
    };
    write(DEFAULT | mode);
    let result = run();
    let mut after = 0u32;
    // SAFETY: stores MXCSR to the given word.
    unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut after, options(nostack)) };
    write(DEFAULT);
    assert_eq!(after & !FLAGS, DEFAULT | mode, "the caller's MXCSR");
    result
}

#[test]
fn gemm_every_environment_of_the_caller_vs_default() {
    let seed = 1;
    println!("seed {seed}");
    let mut random = Random(seed);
    let formats = Formats::default();
    let pairs = [("e4m3fn", "e4m3fn"), ("e5m2", "e5m2")];
    let pairs = pairs.map(|(a, b)| (formats.get(a).unwrap(), formats.get(b).unwrap()));
    let mut compared = 0;
    for isa in Isa::ALL.iter().copied().filter(|isa| isa.is_available()) {
        let mut engine = Fast::with_isa(isa, 1).unwrap();
        for row in ACCUMULATORS {
            for pair in pairs {
                for &values in VALUES {
                    let output = Conversion::native(FP32);
                    let mut case = Case::new(&mut random, (5, 40, 70), pair, values, row, output);
                    if random.below(2) == 0 {
                        let blocking = Blocking {
                            scale: random.pick(&BlockScale::ALL),
                            length: 32,
                            rows: 1,
                            cols: 1,
                        };
                        case = case.scaled(&mut random, blocking);
                    }
                    let expected = engine.run(&case.job()).unwrap().values;
                    for &mode in MODES {
                        let result = with_mode(mode, || engine.run(&case.job()).unwrap().values);
                        let what = format!("{} {values:?} {isa:?}, MXCSR {mode:04x}", row.name);
                        assert!(result == expected, "{what}");
                        compared += result.len();
                    }
                }
            }
        }
    }
    println!("{compared} elements");
    assert!(compared > 0);
}
