//! `quaver convert`: an array from one format to another.

mod random;
mod scales;

use std::path::{Path, PathBuf};

use clap::Args;
use quaver_contract::{Dither, Rounding, Stochastic};
use serde::Serialize;

use crate::args::{Global, Policy, one_of};
use crate::console;
use crate::error::CliError;
use crate::npy;
use crate::output::Output;
use random::{random_bits, read_random};
use scales::ScaleArgs;

const EXAMPLES: &str = "\
ARRAYS:
  fp32 is float32 (or uint32 bits), fp16 is float16 (or uint16 bits), other formats are unsigned
  integers that hold the codes: uint8 up to 8 bits, uint16 up to 16, uint32 beyond. Integer formats
  also read int8, and arrays that numpy saved from ml_dtypes are read as their codes. Any shape, C or
  Fortran order; the result is in C order.

EXAMPLES:
  quaver convert --from fp32 --to e4m3fn weights.npy -o codes.npy
  quaver convert --from e4m3fn --to fp32 codes.npy -o weights.npy
  quaver convert --from fp32 --to e5m2 --overflow saturate --rounding rz x.npy -o y.npy
  quaver convert --from fp32 --to e5m2 --rounding sr --seed 7 x.npy -o y.npy
  quaver convert --from fp32 --to e4m3fn --policy onnx-saturate --scale 0.5 x.npy -o y.npy
  quaver convert --from fp32 --to f143*2^-3 --policy ipu x.npy -o y.npy
  quaver convert --from fp32 --to e2m1fn --block nvfp4 --scales s.npy --json x.npy -o y.npy
  quaver convert --from e4m3fn --to fp32 --from-block 128x128 --scales s.npy y.npy -o x.npy";

/// Arguments of `quaver convert`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ConvertArgs {
    /// The array to convert
    #[arg(value_name = "IN.npy")]
    input: PathBuf,

    /// Format of the input
    #[arg(long, value_name = "FORMAT")]
    from: String,

    /// Format of the result
    #[arg(long, value_name = "FORMAT")]
    to: String,

    #[command(flatten)]
    policy: Policy,

    /// How --rounding sr compares the discarded fraction with the random bits
    #[arg(long, value_name = "D", default_value = Dither::Floor.name(), value_parser = one_of(Dither::ALL, |d| d.name()))]
    dither: Dither,

    /// Random bits that --rounding sr uses, the low ones of each word
    #[arg(long, value_name = "N", default_value_t = Stochastic::DEFAULT.bits)]
    random_bits: u32,

    /// Random words for --rounding sr: uint32 of the input's shape
    #[arg(long, value_name = "R.npy", conflicts_with = "seed")]
    random: Option<PathBuf>,

    /// Seed of the random words for --rounding sr: SplitMix64's upper halves, in C order
    #[arg(long, value_name = "S")]
    seed: Option<u64>,

    #[command(flatten)]
    scales: ScaleArgs,

    /// The result
    #[arg(short, long, value_name = "OUT.npy")]
    output: PathBuf,

    /// Prints one JSON object about the conversion
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report<'a> {
    from: &'static str,
    to: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<&'static str>,
    rounding: &'static str,
    overflow: &'static str,
    infinity: &'static str,
    nan: &'static str,
    powers: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    /// The bits of NVFP4's tensor scale.
    #[serde(skip_serializing_if = "Option::is_none")]
    tensor_scale: Option<u32>,
    shape: &'a [usize],
    elements: usize,
    output: &'a Path,
}

/// Converts the array.
///
/// # Errors
/// [`CliError`] for bad input; then there is no output.
pub(crate) fn run(args: &ConvertArgs, global: &Global) -> Result<(), CliError> {
    let formats = global.formats()?;
    let (from, to) = (formats.get(&args.from)?, formats.get(&args.to)?);
    let mut conversion = args.policy.conversion(to)?;
    conversion.stochastic = Stochastic {
        dither: args.dither,
        bits: args.random_bits,
    };
    conversion.validate()?;
    let stochastic = conversion.rounding == Rounding::Stochastic;
    let (given, option) = match (&args.random, args.seed) {
        (Some(_), _) => (true, "--random"),
        (None, seed) => (seed.is_some(), "--seed"),
    };
    if given != stochastic {
        let (option, allowed) = match given {
            true => (option, "only --rounding sr takes random bits"),
            false => ("--rounding", "sr needs --random R.npy or --seed S"),
        };
        let rounding = conversion.rounding.name();
        let value = if given {
            format!("with {rounding}")
        } else {
            rounding.to_owned()
        };
        return Err(CliError::option(option, value, allowed));
    }
    let output = Output::check(&args.output)?;
    let codes = npy::read_codes(&args.input, from)?;
    let random = match (&args.random, args.seed) {
        (Some(path), _) => Some(read_random(path, codes.shape())?),
        (None, Some(seed)) => Some(random_bits(seed, codes.shape())?),
        (None, None) => None,
    };
    let random = random.as_ref().map(|bits| bits.view());
    let scaled = scales::Scaled {
        codes: &codes,
        from,
        conversion: &conversion,
        random,
        twice: args.policy.divides_twice(),
    };
    let (values, tensor_scale) = args.scales.convert(&scaled)?;
    output.write(|writer| npy::write_codes(writer, to, values.view()))?;
    if args.json {
        console::print_json(&Report {
            from: from.name,
            to: to.name,
            policy: args.policy.name(),
            rounding: conversion.rounding.name(),
            overflow: conversion.overflow.name(),
            infinity: conversion.infinity.name(),
            nan: conversion.nan.name(),
            powers: conversion.powers.name(),
            seed: args.seed,
            tensor_scale,
            shape: values.shape(),
            elements: values.len(),
            output: output.path(),
        })?;
    }
    Ok(())
}
