//! `quaver profiles`: real chips, and what is known of their sums.

use clap::Args;
use quaver_contract::profile::{PROFILES, Profile};
use serde::Serialize;

use crate::console;
use crate::error::CliError;

const EXAMPLES: &str = "\
EXAMPLES:
  quaver profiles
  quaver profiles h100 gaudi2 --json
  quaver gemm --profile h100 --a a.npy --b b.npy --format-a e4m3fn --format-b e4m3fn \\
    --engine golden -o d.npy";

/// Arguments of `quaver profiles`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ProfilesArgs {
    /// Names [default: all]
    #[arg(value_name = "NAME")]
    names: Vec<String>,

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

/// Prints the profiles.
///
/// # Errors
/// [`CliError`] for an unknown name.
pub(crate) fn run(args: &ProfilesArgs) -> Result<(), CliError> {
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
