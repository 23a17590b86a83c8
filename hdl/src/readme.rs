//! The README of a generated folder.

use quaver_contract::CoreConfig;

use crate::scripts::CLOCK_MHZ;
use crate::text::{Text, header, one_line};

/// Text of the generated `README.md`.
pub(crate) fn readme(config: &CoreConfig, top: &str) -> String {
    let name = &config.name;
    let (rows, cols, lanes) = (config.rows, config.cols, config.lanes());
    let tile_k = config.tile_k();
    let mut text = Text::new();
    text.push(&header("<!--", name, " -->"));
    text.line(format_args!(
        "# {top}\n\n{}.\n\n\
         A GEMM core: `D[M,N] = convert(relu(scale * (init + A[M,K] * B[K,N]) + bias))`, \
         with a systolic array of {rows} x {cols} PEs, {} accumulation, partial-sum banks of {} \
         rows, and PEs of {} clocks.\n\n\
         | formats | |\n|---|---|\n| operands | {} |\n| output | {} |\n",
        one_line(&config.description),
        config.accumulator_name,
        config.tile_rows,
        config.pe_latency,
        names(&config.operand_formats),
        names(&config.output_formats),
    ));
    text.line(format_args!(
        "## Files\n\n\
         | file | what |\n|---|---|\n\
         | `rtl/{top}.v` | the top: fixes the parameters of `quaver_core` |\n\
         | `rtl/quaver_csr.v` | the registers |\n\
         | `rtl/*.v` | the units, one a file |\n\
         | `{name}.f` | file list of Verilator and Icarus |\n\
         | `quaver_csr.md`, `quaver_csr.h` | the registers for people and for C |\n\
         | `synth.ys`, `synth_ecp5.ys` | Yosys scripts: generic gates, Lattice ECP5 |\n\
         | `{top}.lpf` | the clock, {CLOCK_MHZ} MHz, for nextpnr-ecp5 |\n"
    ));
    text.line(format_args!(
        "## Running a job\n\n\
         Write the registers M to SCALE over AXI4-Lite, then CONTROL.start; move the streams; wait \
         for STATUS.done. One clock, `clk_i`; one synchronous active-low reset, `rst_ni`.\n\n\
         Streams are AXI4-Stream. Tiles follow `for n_tile: for m_tile: for k_tile`: {cols} columns of \
         N, {} rows of M, {tile_k} of K. Element 0 of a beat is in the low bits; elements beyond \
         K or N are ignored.\n\n\
         | stream | a beat | order of beats |\n|---|---|---|\n\
         | `s_axis_a` | {} codes of 8 bits: `A[m, k0 + row*{lanes} + lane]` at `row*{lanes} + lane` | for each (n, m, k) tile: one a row m of the tile; none when K = 0 |\n\
         | `s_axis_b` | {} codes of 8 bits: `B[k0 + row*{lanes} + lane, n0 + col]` at `col*{lanes} + lane` | for each (n, m, k) tile: one an array row that holds a k < K, ascending |\n\
         | `s_axis_c` | {cols} FP32 words: `init[m, n0 + col]` | when EPILOGUE.init is set, for each (n, m) tile: one a row |\n\
         | `s_axis_p` | {cols} FP32 words | for each n tile: scales when EPILOGUE.scale_mode is 2, then biases when EPILOGUE.bias is set |\n\
         | `m_axis_d` | {cols} words of 32 bits, the result's code in the low bits | for each (n, m) tile: one a row; `tkeep` has 4 bits for each column < N; `tlast` ends the job |\n",
        config.tile_rows,
        rows * lanes,
        cols * lanes,
    ));
    text.line(format_args!(
        "## Tools\n\nIn this folder:\n\n```sh\n\
         verilator --lint-only -Wall --top-module {top} -f {name}.f\n\
         iverilog -g2005 -Wall -t null -s {top} -f {name}.f\n\
         verilator --cc --build --top-module {top} -f {name}.f   # a C++ model in obj_dir/\n\
         yosys -s synth.ys                                      # gates in {top}.netlist.v\n\
         yosys -s synth_ecp5.ys                                 # {top}.json\n\
         nextpnr-ecp5 --25k --out-of-context --lpf {top}.lpf --json {top}.json --textcfg {top}.config\n\
         ```"
    ));
    text.finish()
}

fn names(formats: &[&'static quaver_contract::Format]) -> String {
    let names: Vec<_> = formats.iter().map(|f| one_line(f.name)).collect();
    names.join(", ")
}
