//! `quaver gemm`: one job on one engine.

mod operands;
mod report;

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use quaver_contract::accumulator::{AccumulatorRow, TABLE as ACCUMULATORS};
use quaver_contract::profile::Profile;
use quaver_contract::{Blocking, CoreConfig, Format, Job, Rounding};

use crate::args::{Global, Policy, one_of};
use crate::console;
use crate::engines::{ENGINES, EngineOptions, EngineRow, SimulatorArgs};
use crate::error::CliError;
use crate::npy;
use crate::output::{Output, Pending};
use operands::{Operands, OwnedBlocks};
use report::{Clock, Report};

const EXAMPLES: &str = "\
ARRAYS:
  A is M x K and B is K x N, uint8 codes; init is M x N, bias and column scales have N elements, all
  float32 or uint32 bits. C or Fortran order. M, N and K may be 0. The result is float32 for fp32,
  float16 for fp16, and else unsigned integers that hold the codes. Scales of A and B are multiplied
  in binary32 before the job runs. Scales of blocks are what quaver convert --block writes; blocks of
  A and of B have the same length along K.

EXAMPLES:
  quaver gemm --a a.npy --b b.npy --format-a e4m3fn --format-b e4m3fn --engine golden -o d.npy
  quaver gemm --a a.npy --b b.npy --format-a e4m3fn --format-b e5m2 --engine rtl --config small \\
    --scale-a 0.5 --scale-b columns.npy --bias bias.npy --relu --out e4m3fn --json -o d.npy
  quaver gemm --a a.npy --b b.npy --format-a e4m3fn --format-b e4m3fn --engine fast \\
    --block-a mx --block-scales-a sa.npy --block-b mx:32x1 --block-scales-b sb.npy -o d.npy
  quaver gemm --a a.npy --b b.npy --format-a e5m2 --format-b e5m2 --engine rtl --config single \\
    --simulator icarus --stalls 7 --vcd run.vcd -o d.npy";

/// Arguments of `quaver gemm`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct GemmArgs {
    /// Codes of A, M x K
    #[arg(long, value_name = "A.npy")]
    a: PathBuf,

    /// Codes of B, K x N
    #[arg(long, value_name = "B.npy")]
    b: PathBuf,

    /// Format of A
    #[arg(long, value_name = "FORMAT")]
    format_a: String,

    /// Format of B
    #[arg(long, value_name = "FORMAT")]
    format_b: String,

    /// Initial values, M x N [default: +0]
    #[arg(long, value_name = "I.npy")]
    init: Option<PathBuf>,

    /// Scale of A: a number, or an array of one
    #[arg(long, value_name = "S|S.npy", allow_hyphen_values = true)]
    scale_a: Option<String>,

    /// Scale of B: a number, or an array of one or of N
    #[arg(long, value_name = "S|S.npy", allow_hyphen_values = true)]
    scale_b: Option<String>,

    /// A is in blocks that have scales: mx, nvfp4, fp32, or RxC for fp32; another block than 1x32,
    /// 1x16, 1x128 as in mx:4x32
    #[arg(long, value_name = "KIND", value_parser = Blocking::get, requires_all = ["block_scales_a", "block_b"])]
    block_a: Option<Blocking>,

    /// Codes of the scales of A's blocks
    #[arg(long, value_name = "S.npy", requires = "block_a")]
    block_scales_a: Option<PathBuf>,

    /// B is in such blocks: RxC of K x N, as in mx:32x1
    #[arg(long, value_name = "KIND", value_parser = Blocking::get, requires_all = ["block_scales_b", "block_a"])]
    block_b: Option<Blocking>,

    /// Codes of the scales of B's blocks
    #[arg(long, value_name = "S.npy", requires = "block_b")]
    block_scales_b: Option<PathBuf>,

    /// Biases, one per column
    #[arg(long, value_name = "BIAS.npy")]
    bias: Option<PathBuf>,

    /// Makes negative results +0 before conversion
    #[arg(long)]
    relu: bool,

    /// Format of the result
    #[arg(long, value_name = "FORMAT", default_value = "fp32")]
    out: String,

    #[command(flatten)]
    policy: Policy,

    /// How products are added [default: as the configuration does]
    #[arg(long, value_name = "NAME", value_parser = one_of(ACCUMULATORS, |row| row.name))]
    accumulator: Option<AccumulatorRow>,

    /// Adds as a real chip does: its accumulator, by the chip's name (see quaver profiles)
    #[arg(long, value_name = "CHIP", conflicts_with = "accumulator")]
    profile: Option<String>,

    /// The core: a named configuration or a file of one
    #[arg(long, value_name = "NAME|FILE.toml", default_value = "default")]
    config: String,

    /// What runs the job
    #[arg(long, value_parser = one_of(ENGINES, |row| row.name))]
    engine: EngineRow,

    /// Threads of engines that use several; 0: one a core
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    threads: usize,

    #[command(flatten)]
    simulator: SimulatorArgs,

    /// Stalls every stream at random, from this seed; none: not at all
    #[arg(long, value_name = "SEED|none", default_value = "none")]
    stalls: String,

    /// Writes a waveform
    #[arg(long, value_name = "FILE")]
    vcd: Option<PathBuf>,

    /// The result
    #[arg(short, long, value_name = "D.npy")]
    output: PathBuf,

    /// Prints one JSON object about the run
    #[arg(long)]
    json: bool,
}

/// Runs the job.
///
/// # Errors
/// [`CliError`] for bad input; then there is no output.
pub(crate) fn run(args: &GemmArgs, global: &Global) -> Result<(), CliError> {
    let formats = global.formats()?;
    let format_a = operand_format("--format-a", formats.get(&args.format_a)?)?;
    let format_b = operand_format("--format-b", formats.get(&args.format_b)?)?;
    let conversion = args.policy.conversion(formats.get(&args.out)?)?;
    if conversion.rounding == Rounding::Stochastic {
        let allowed = "a job carries no random bits; round its fp32 result with quaver convert";
        return Err(CliError::option("--rounding", "sr", allowed));
    }
    let config = CoreConfig::load(&args.config, &formats)?;
    let accumulator = match (args.accumulator, &args.profile) {
        (Some(row), _) => row.accumulator,
        (None, Some(profile)) => Profile::get(profile)?.accumulator()?.accumulator,
        (None, None) => config.accumulator,
    };
    let mut options = engine_options(args, global, config)?;
    let output = Output::check(&args.output)?;
    let vcd = args.vcd.as_deref().map(Output::check).transpose()?;
    let operands = Operands::read(args, format_a, format_b)?;
    let job = Job {
        a: operands.a.view(),
        b: operands.b.view(),
        format_a,
        format_b,
        accumulator,
        init: operands.init.as_ref().map(|init| init.view()),
        blocks: operands.blocks.as_ref().map(OwnedBlocks::view),
        scale: operands.scale.view(),
        bias: operands.bias.as_ref().map(|bias| bias.view()),
        relu: args.relu,
        output: conversion,
    };
    let waveform = vcd.as_ref().map(Output::begin).transpose()?;
    options.vcd = waveform.as_ref().map(|file| file.path().to_owned());
    let mut engine = (args.engine.make)(&options)?;
    let start = Instant::now();
    let result = engine.run(&job)?;
    let seconds = start.elapsed().as_secs_f64();
    // A simulator completes its waveform when it ends.
    drop(engine);
    let values = result.values.view().into_dyn();
    output.write(|writer| npy::write_codes(writer, conversion.format, values))?;
    waveform.map(Pending::commit).transpose()?;
    if args.json {
        console::print_json(&Report {
            engine: args.engine.name,
            config: &options.config.name,
            format_a: format_a.name,
            format_b: format_b.name,
            accumulator: accumulator.name(),
            out: conversion.format.name,
            rounding: conversion.rounding.name(),
            overflow: conversion.overflow.name(),
            m: job.m(),
            n: job.n(),
            k: job.k(),
            cycles: result.counters.map(|counters| counters.cycles),
            counters: result.counters.map(Clock::from),
            seconds,
            output: output.path(),
            vcd: args.vcd.as_deref(),
        })?;
    }
    Ok(())
}

fn operand_format(
    option: &'static str,
    format: &'static Format,
) -> Result<&'static Format, CliError> {
    match format.is_operand() {
        true => Ok(format),
        false => Err(CliError::option(
            option,
            format.name,
            "signed formats of at most 8 bits",
        )),
    }
}

/// Everything but the waveform's file, which is made last.
fn engine_options<'a>(
    args: &GemmArgs,
    global: &'a Global,
    config: CoreConfig,
) -> Result<EngineOptions<'a>, CliError> {
    let stalls = match args.stalls.as_str() {
        "none" => None,
        seed => Some(seed.parse().map_err(|_| {
            CliError::option("--stalls", seed, "none, or a seed from 0 to 2^64 - 1")
        })?),
    };
    type Has = fn(&EngineRow) -> bool;
    let wanted: [(_, _, Has); 2] = [
        ("--stalls", stalls.is_some(), |row| row.clocked),
        ("--vcd", args.vcd.is_some(), |row| row.waveforms),
    ];
    for (option, given, has) in wanted {
        if given && !has(&args.engine) {
            let able = ENGINES.iter().filter(|row| has(row)).map(|row| row.name);
            return Err(CliError::option(
                option,
                format!("with engine {}", args.engine.name),
                format!("engines that can: {}", able.collect::<Vec<_>>().join(", ")),
            ));
        }
    }
    Ok(EngineOptions {
        config,
        threads: args.threads,
        simulator: args.simulator.simulator,
        stalls,
        vcd: None,
        global,
    })
}
