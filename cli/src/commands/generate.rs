//! `quaver generate`: the Verilog of a core.

use std::path::{Path, PathBuf};

use clap::Args;
use quaver_contract::CoreConfig;
use serde::Serialize;

use crate::args::Global;
use crate::console;
use crate::error::CliError;
use crate::output;

const EXAMPLES: &str = "\
The folder is made when it is not there. Files that are already up to date keep their time stamps,
and files of other names stay. The design's own README says what each file is.

EXAMPLES:
  quaver generate --config default -o build/core
  quaver generate --config my_core.toml -o build/core --json";

/// Arguments of `quaver generate`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct GenerateArgs {
    /// The core: a named configuration or a file of one
    #[arg(long, value_name = "NAME|FILE.toml")]
    config: String,

    /// The folder to write
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,

    /// Prints one JSON object about the design
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report<'a> {
    config: &'a str,
    top: &'a str,
    output: &'a Path,
    /// Paths below the folder; Verilog in dependency order.
    files: Vec<&'a str>,
}

/// Writes the design.
///
/// # Errors
/// [`CliError`] for a bad configuration, or a folder that cannot be written.
pub(crate) fn run(args: &GenerateArgs, global: &Global) -> Result<(), CliError> {
    let config = CoreConfig::load(&args.config, &global.formats()?)?;
    let design = quaver_hdl::generate(&config).map_err(CliError::other)?;
    let files: Vec<&str> = design.files.iter().map(|file| file.path.as_str()).collect();
    output::check_folder(&args.output, &files)?;
    output::uninterrupted(|| design.write_to(&args.output)).map_err(CliError::other)?;
    let report = Report {
        config: &config.name,
        top: &design.top,
        output: &args.output,
        files,
    };
    if args.json {
        return console::print_json(&report);
    }
    console::print(&format!(
        "{}: {} files of core '{}', top module {}\n",
        report.output.display(),
        report.files.len(),
        report.config,
        report.top
    ))
}
