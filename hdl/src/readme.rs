//! The README of a generated folder.

use quaver_contract::config::Dataflow;
use quaver_contract::{CoreConfig, Format};

use crate::assemble::core_unit;
use crate::scripts::CLOCK_MHZ;
use crate::text::{header, one_line};

/// Text of the generated `README.md`.
pub(crate) fn readme(config: &CoreConfig, top: &str) -> String {
    let name = &config.name;
    let (rows, cols, lanes) = (config.rows, config.cols, config.lanes());
    let (scales, sideband) = match config.block_scales {
        None => (String::new(), String::new()),
        Some(blocks) => {
            let (format, length) = (one_line(blocks.format.name), blocks.length);
            let bits = blocks.format.bits();
            let row = format!("| scales of blocks | {format}, one for {length} of K |\n");
            let text = format!(
                "\nEvery beat of `s_axis_a` has in `tuser` the scale of the row's block along K, {bits} bits \
                 of {format};\nevery beat of `s_axis_b` has those of the {cols} columns' blocks. A block \
                 is {length} of K.\n"
            );
            (row, text)
        }
    };
    let flow = Flow::of(config.dataflow);
    format!(
        "{header}# {top}

{description}.

A GEMM core: `D[M,N] = convert(relu(scale * (init + A[M,K] * B[K,N]) + bias))`, on a systolic array.

| what | value |
|---|---|
| dataflow | {dataflow} |
| array, rows (along {along}) x columns (along N) | {rows} x {cols} |
| LANES: products a PE and clock | {lanes} |
| clocks from a PE's partial-sum input to its output | {pe_latency} |
| rows of M in a partial-sum bank | {tile_rows} |
| accumulator | {accumulator} |
{scales}| operand formats | {operands} |
| output formats | {outputs} |

## Files

| file | what |
|---|---|
| `rtl/{top}.v` | the top: fixes the parameters of `{core}` |
| `rtl/quaver_csr.v` | the registers |
| `rtl/*.v` | the units, one a file |
| `{name}.f` | file list of Verilator and Icarus |
| `quaver_csr.md`, `quaver_csr.h` | the registers for people and for C |
| `synth.ys`, `synth_ecp5.ys` | Yosys scripts: generic gates, Lattice ECP5 |
| `{top}.lpf` | the clock, {CLOCK_MHZ} MHz, for nextpnr-ecp5 |

## Running a job

One clock, `clk_i`; one synchronous active-low reset, `rst_ni`.
Write the registers M to SCALE over AXI4-Lite (`s_axil_*`), then 1 to CONTROL.start; move the
streams; wait for STATUS.done.

The streams are AXI4-Stream and independent of one another. Tiles follow
`for n_tile: for m_tile: for k_tile`; a whole tile has {cols} of N, {tile_rows} of M and {tile_k} of K.
Element 0 of a beat is in the low bits. Elements beyond {ignored} are ignored.

| stream | elements of a beat | element | beats |
|---|---|---|---|
| `s_axis_a` | {a} codes, 8 bits each | `row*LANES + lane` is `{a_element}` | for each (n, m, k) tile: {a_beats}; none when K = 0 |
| `s_axis_b` | {b} codes, 8 bits each | `col*LANES + lane` is `{b_element}` | for each (n, m, k) tile: {b_beats} |
| `s_axis_c` | {cols} FP32 words | `col` is `init[m, n0 + col]` | when EPILOGUE.init is set, for each (n, m) tile: one a row |
| `s_axis_p` | {cols} FP32 words | `col` is the scale, or the bias, of column `n0 + col` | for each n tile: one of scales when EPILOGUE.scale_mode is 2, then one of biases when EPILOGUE.bias is set |
| `m_axis_d` | {cols} words of 32 bits | `col` is the code of `D[m, n0 + col]`, in the low bits | for each (n, m) tile: one a row; `tkeep` is set for columns < N; `tlast` ends the job |
{sideband}
## Tools

Lint, elaborate, build a C++ model, and synthesise; in this folder:

```sh
verilator --lint-only -Wall --top-module {top} -f {name}.f
iverilog -g2005 -Wall -t null -s {top} -f {name}.f
verilator --cc --build --top-module {top} -f {name}.f
yosys -s synth.ys
yosys -s synth_ecp5.ys
nextpnr-ecp5 --25k --package CABGA381 --out-of-context --lpf-allow-unconstrained \\
    --lpf {top}.lpf --json {top}.json --write {top}.routed.json
```

The last places and routes the core without pins, for its size and clock. A bitstream needs a board's
own top around it.
",
        header = header("<!--", name, " -->"),
        description = one_line(&config.description),
        dataflow = config.dataflow.name(),
        core = core_unit(config.dataflow),
        along = flow.along,
        ignored = flow.ignored,
        a_element = flow.a_element,
        a_beats = flow.a_beats,
        b_element = flow.b_element,
        b_beats = flow.b_beats,
        pe_latency = config.pe_latency,
        tile_rows = config.tile_rows,
        accumulator = config.accumulator_name,
        operands = names(&config.operand_formats),
        outputs = names(&config.output_formats),
        tile_k = config.tile_k(),
        a = rows * lanes,
        b = cols * lanes,
    )
}

/// What differs between dataflows.
struct Flow {
    along: &'static str,
    ignored: &'static str,
    a_element: &'static str,
    a_beats: &'static str,
    b_element: &'static str,
    b_beats: &'static str,
}

impl Flow {
    const fn of(dataflow: Dataflow) -> Self {
        match dataflow {
            Dataflow::WeightStationary => Self {
                along: "K",
                ignored: "K or N",
                a_element: "A[m, k0 + row*LANES + lane]",
                a_beats: "one a row m of the tile",
                b_element: "B[k0 + row*LANES + lane, n0 + col]",
                b_beats: "one an array row that holds a k < K, ascending",
            },
            Dataflow::OutputStationary => Self {
                along: "M",
                ignored: "M, N or K",
                a_element: "A[m1 + row, k0 + lane]",
                a_beats: "one for each m1 of the tile, in steps of the array's rows",
                b_element: "B[k0 + lane, n0 + col]",
                b_beats: "one; none when K = 0",
            },
        }
    }
}

fn names(formats: &[&'static Format]) -> String {
    let names: Vec<_> = formats.iter().map(|f| one_line(f.name)).collect();
    names.join(", ")
}
