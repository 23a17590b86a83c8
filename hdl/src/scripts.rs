//! The files that tools read: the file list, the Yosys scripts and the clock's constraint.

use crate::text::{Text, header};

/// The clock that the constraint asks for: the oscillator of common ECP5 boards, in MHz.
pub(crate) const CLOCK_MHZ: u32 = 25;

/// The file list of Verilator and Icarus, `<config>.f`.
pub(crate) fn file_list(config: &str, verilog: &[&str]) -> String {
    let mut text = Text::new();
    text.push(&header("//", config, ""));
    for path in verilog {
        text.line(format_args!("{path}"));
    }
    text.finish()
}

/// The generic Yosys script, `synth.ys`: gates of Yosys's own library, and their number.
pub(crate) fn yosys_generic(config: &str, top: &str, verilog: &[&str]) -> String {
    let mut text = yosys(config, top, verilog);
    text.line(format_args!(
        "synth -top {top} -flatten\ncheck -assert\nstat\nwrite_verilog -noattr {top}.netlist.v"
    ));
    text.finish()
}

/// The Yosys script for Lattice ECP5, `synth_ecp5.ys`. Multipliers stay in LUTs: a product of two
/// significands is too small to be worth a multiplier block.
pub(crate) fn yosys_ecp5(config: &str, top: &str, verilog: &[&str]) -> String {
    let mut text = yosys(config, top, verilog);
    text.line(format_args!(
        "synth_ecp5 -top {top} -nodsp -json {top}.json\nstat"
    ));
    text.finish()
}

/// The constraint of nextpnr-ecp5, `<top>.lpf`.
pub(crate) fn lpf(config: &str) -> String {
    let mut text = Text::new();
    text.push(&header("#", config, ""));
    text.line(format_args!("FREQUENCY PORT \"clk_i\" {CLOCK_MHZ} MHZ;"));
    text.finish()
}

fn yosys(config: &str, top: &str, verilog: &[&str]) -> Text {
    let mut text = Text::new();
    text.push(&header("#", config, ""));
    for path in verilog {
        text.line(format_args!("read_verilog {path}"));
    }
    text.line(format_args!("hierarchy -check -top {top}"));
    text
}
