//! `quaver profiles`: real chips, and what is known of their sums.

use std::fs::File;
use std::path::{Path, PathBuf};

use clap::Args;
use ndarray::Array1;
use ndarray_npy::{NpzWriter, WriteNpzError};
use quaver_contract::Formats;
use quaver_contract::profile::{PROFILES, Profile};
use quaver_verify::separate;
use serde::Serialize;

use crate::console;
use crate::error::CliError;
use crate::output::Output;

const EXAMPLES: &str = "\
EXAMPLES:
  quaver profiles
  quaver profiles h100 gaudi2 --json
  quaver gemm --profile h100 --a a.npy --b b.npy --format-a e4m3fn --format-b e4m3fn \\
    --engine golden -o d.npy
  quaver profiles --vectors e4m3fn.npz
  quaver profiles --vectors e5m2.npz --format e5m2 --seed 7";

/// Arguments of `quaver profiles`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ProfilesArgs {
    /// Names [default: all]
    #[arg(value_name = "NAME")]
    names: Vec<String>,

    /// Writes dot products of 32 terms that tell NVIDIA's units, and variants of them, apart: what
    /// scripts/capture gives to a GPU
    #[arg(long, value_name = "FILE.npz", conflicts_with_all = ["names", "json"])]
    vectors: Option<PathBuf>,

    /// Format of the operands of these [default: e4m3fn]
    #[arg(long, value_name = "FORMAT", requires = "vectors")]
    #[arg(value_parser = ["e4m3fn", "e5m2"])]
    format: Option<String>,

    /// Seed of these [default: 1]
    #[arg(long, value_name = "SEED", requires = "vectors")]
    seed: Option<u64>,

    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    profiles: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    name: &'static str,
    chip: &'static str,
    /// `null` where it is not public.
    accumulator: Option<&'static str>,
    operand_formats: &'static [&'static str],
    evidence: &'static str,
    source: &'static str,
    unknown: &'static str,
}

impl Row {
    fn new(profile: &'static Profile) -> Self {
        Self {
            name: profile.name,
            chip: profile.chip,
            accumulator: profile.accumulator().ok().map(|row| row.name),
            operand_formats: profile.operand_formats,
            evidence: profile.evidence.summary(),
            source: profile.source,
            unknown: profile.unknown,
        }
    }
}

/// Writes the vectors, and prints the pairs of models that they do not separate.
fn write_vectors(path: &Path, args: &ProfilesArgs) -> Result<(), CliError> {
    let output = Output::check(path)?;
    let name = args.format.as_deref().unwrap_or("e4m3fn");
    let format = Formats::default().get(name)?;
    let separation = separate::separate(format, args.seed.unwrap_or(1));
    let blocks = &separation.blocks;
    let column = |value: u32| Array1::from_elem(blocks.c.len(), value as u8);
    let fail = |error: WriteNpzError| CliError::write(path)(std::io::Error::other(error));
    let bias = column(format.bias.unsigned_abs());
    let inf_nan_mode = column(if format.name == "e5m2" { 0 } else { 2 });
    let pending = output.begin()?;
    let file = File::create(pending.path()).map_err(CliError::write(path))?;
    let mut npz = NpzWriter::new_compressed(file);
    npz.add_array("a", &blocks.a).map_err(fail)?;
    npz.add_array("b", &blocks.b).map_err(fail)?;
    npz.add_array("c", &blocks.c).map_err(fail)?;
    npz.add_array("exp_bits", &column(format.exponent_bits))
        .map_err(fail)?;
    npz.add_array("bias_a", &bias).map_err(fail)?;
    npz.add_array("bias_b", &bias).map_err(fail)?;
    npz.add_array("inf_nan_mode", &inf_nan_mode).map_err(fail)?;
    npz.finish().map_err(fail)?;
    pending.commit()?;
    let mut rows = vec![vec![format!(
        "{} dot products of {}; not separated: {}",
        blocks.c.len(),
        format.name,
        separation.inseparable.len()
    )]];
    let pair = |(first, second): &(String, String)| vec![format!("{first} | {second}")];
    rows.extend(separation.inseparable.iter().map(pair));
    console::print(&console::columns(&rows))
}

/// Prints the profiles.
///
/// # Errors
/// [`CliError`] for an unknown name.
pub(crate) fn run(args: &ProfilesArgs) -> Result<(), CliError> {
    if let Some(path) = &args.vectors {
        return write_vectors(path, args);
    }
    let chosen: Vec<&'static Profile> = match args.names.as_slice() {
        [] => PROFILES.iter().collect(),
        names => names
            .iter()
            .map(|name| Profile::get(name))
            .collect::<Result<_, _>>()?,
    };
    let profiles: Vec<Row> = chosen.into_iter().map(Row::new).collect();
    if args.json {
        return console::print_json(&Report { profiles });
    }
    let header = ["name", "accumulator", "operands", "evidence", "chip"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    rows.extend(profiles.iter().map(|row| {
        let accumulator = row.accumulator.unwrap_or("-").to_owned();
        let operands = row.operand_formats.join(",");
        let (evidence, chip) = (row.evidence.to_owned(), row.chip.to_owned());
        vec![row.name.to_owned(), accumulator, operands, evidence, chip]
    }));
    console::print(&console::columns(&rows))
}
