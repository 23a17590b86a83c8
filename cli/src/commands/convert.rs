//! `quaver convert`: an array from one format to another.

use std::path::{Path, PathBuf};

use clap::Args;
use ndarray::{ArrayD, IxDyn};
use quaver_contract::Rounding;
use serde::Serialize;

use crate::args::{Global, Policy};
use crate::console;
use crate::error::CliError;
use crate::npy::{self, Dtype};
use crate::output::Output;

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
  quaver convert --from fp32 --to e5m2 --rounding sr --seed 7 x.npy -o y.npy";

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

    /// Random bits for --rounding sr: uint32 of the input's shape
    #[arg(long, value_name = "R.npy", conflicts_with = "seed")]
    random: Option<PathBuf>,

    /// Seed of the random bits for --rounding sr: SplitMix64's upper halves, in C order
    #[arg(long, value_name = "S")]
    seed: Option<u64>,

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
    rounding: &'static str,
    overflow: &'static str,
    infinity: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
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
    let conversion = args.policy.conversion(to)?;
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
    let values = quaver_golden::convert_array(codes.view(), from, &conversion, random)
        .map_err(CliError::other)?;
    output.write(|writer| npy::write_codes(writer, to, values.view()))?;
    if args.json {
        console::print_json(&Report {
            from: from.name,
            to: to.name,
            rounding: conversion.rounding.name(),
            overflow: conversion.overflow.name(),
            infinity: conversion.infinity.name(),
            seed: args.seed,
            shape: values.shape(),
            elements: values.len(),
            output: output.path(),
        })?;
    }
    Ok(())
}

fn read_random(path: &Path, shape: &[usize]) -> Result<ArrayD<u32>, CliError> {
    let (_, bits) = npy::read::<u32>(path, &[Dtype::Uint32])?;
    if bits.shape() != shape {
        return Err(CliError::array(
            path,
            "shape",
            format!("{:?}", bits.shape()),
            format!("the input's: {shape:?}"),
        ));
    }
    Ok(bits)
}

/// Random bits of a seed, in C order: the same for every format, machine and shape of the same
/// length (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014).
fn random_bits(seed: u64, shape: &[usize]) -> Result<ArrayD<u32>, CliError> {
    let mut state = seed;
    let bits = std::iter::repeat_with(|| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 32) as u32
    });
    let length = shape.iter().product();
    ArrayD::from_shape_vec(IxDyn(shape), bits.take(length).collect()).map_err(CliError::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_bits_vs_published_splitmix64() {
        // The first outputs for seed 1234567, as published with the reference implementation.
        let published = [
            6_457_827_717_110_365_317_u64,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ];
        let bits = random_bits(1_234_567, &[5]).unwrap();
        let expected: Vec<u32> = published.iter().map(|x| (x >> 32) as u32).collect();
        assert_eq!(bits.into_raw_vec_and_offset().0, expected);
    }
}
