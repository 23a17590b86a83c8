//! What the tests of this crate share: the cache, and small hand-written designs.

#![allow(dead_code, reason = "each test file uses its own part")]

pub(crate) mod gemm;

use std::path::Path;

use quaver_cosim::Cache;
use quaver_hdl::{Design, DesignFile, Direction, Port};

/// The cache of every test run, in the target folder, so that designs are built once.
pub(crate) fn cache() -> Cache {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent();
    Cache::at(
        target
            .expect("tmp is in the target folder")
            .join("quaver-cache"),
    )
}

fn port(name: &str, width: u32, direction: Direction) -> Port {
    Port {
        name: name.to_owned(),
        width,
        direction,
    }
}

/// A design of one file.
pub(crate) fn design(
    top: &str,
    source: &str,
    inputs: &[(&str, u32)],
    outputs: &[(&str, u32)],
) -> Design {
    let inputs = inputs.iter().map(|&(n, w)| port(n, w, Direction::Input));
    let outputs = outputs.iter().map(|&(n, w)| port(n, w, Direction::Output));
    Design {
        top: top.to_owned(),
        config_name: top.to_owned(),
        files: vec![DesignFile {
            path: format!("rtl/{top}.v"),
            contents: source.to_owned(),
        }],
        ports: inputs.chain(outputs).collect(),
    }
}

/// A registered adder, with a combinational output beside it: one port of every width class.
pub(crate) fn adder() -> Design {
    design(
        "test_adder",
        include_str!("adder.v"),
        &[
            ("clk_i", 1),
            ("rst_ni", 1),
            ("narrow_i", 7),
            ("word_i", 32),
            ("long_i", 53),
            ("wide_i", 100),
        ],
        &[
            ("carry_o", 1),
            ("word_o", 32),
            ("long_o", 53),
            ("wide_o", 100),
            ("now_o", 8),
        ],
    )
}

/// A combinational design, without a clock.
pub(crate) fn inverter() -> Design {
    design(
        "test_inverter",
        "module test_inverter (input wire [8:0] d_i, output wire [8:0] q_o);\n    \
         assign q_o = ~d_i;\nendmodule\n",
        &[("d_i", 9)],
        &[("q_o", 9)],
    )
}
