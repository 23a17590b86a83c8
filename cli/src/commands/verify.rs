//! `quaver verify`: holds the RTL to the golden model.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use quaver_contract::CoreConfig;
use quaver_verify::{Options, Report, SUITES, Suite, SuiteReport, Tier};
use serde::Serialize;

use crate::args::{Global, one_of};
use crate::console;
use crate::engines::SimulatorArgs;
use crate::error::CliError;
use crate::output::{self, Output};

const EXAMPLES: &str = "\
Every suite compares bit for bit and counts its classes of cases; a suite without a case fails. A
mismatch is shrunk and shown with the command that repeats it, and its waveform is kept.

EXAMPLES:
  quaver verify
  quaver verify --list
  quaver verify gemm products --config odd --seed 7
  quaver verify --engine cycle --config os_4x4
  quaver verify --simulator icarus --tier smoke --junit verify.xml --json";

/// Engines that simulate a core.
const ENGINES: &[&str] = &["rtl", "cycle"];

/// The suite of the cycle model.
const CYCLE: &str = "cycle";

/// Arguments of `quaver verify`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct VerifyArgs {
    /// Suites by name [default: all]
    #[arg(value_name = "SUITE")]
    suites: Vec<String>,

    /// The core: a named configuration or a file of one
    #[arg(long, value_name = "NAME|FILE.toml", default_value = "default")]
    config: String,

    /// Seed of all stimulus
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,

    /// What is held to the golden model: rtl, the Verilog; cycle, the cycle model, beside the Verilog
    #[arg(long, value_name = "ENGINE", default_value = "rtl",
        value_parser = one_of(ENGINES, |name| name))]
    engine: &'static str,

    #[command(flatten)]
    simulator: SimulatorArgs,

    /// How much is covered
    #[arg(long, value_name = "TIER", default_value = Tier::Quick.name(),
        value_parser = one_of(Tier::ALL, |tier| tier.name()))]
    tier: Tier,

    /// Writes a report as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,

    /// Prints the report as one JSON object, instead of a line a suite
    #[arg(long)]
    json: bool,

    /// Folder for waveforms and descriptions of mismatches, made when there is one
    #[arg(long, value_name = "DIR", default_value = "quaver-mismatches")]
    waves: PathBuf,

    /// Lists the suites and runs none
    #[arg(long)]
    list: bool,
}

/// The object of `--json`.
#[derive(Serialize)]
struct Json<'a> {
    passed: bool,
    #[serde(flatten)]
    report: &'a Report,
}

/// Runs the suites; `true` when all passed.
///
/// # Errors
/// [`CliError`] for bad input, and when a suite could not run to its end.
pub(crate) fn run(args: &VerifyArgs, global: &Global) -> Result<bool, CliError> {
    let of_model = args.engine == CYCLE;
    if let Some(name) = args.suites.iter().find(|name| of_model && *name != CYCLE) {
        let found = format!("cycle with suite {name}");
        return Err(CliError::option("--engine", found, "suite cycle"));
    }
    let suites: Vec<&'static Suite> = match args.suites.as_slice() {
        [] => SUITES
            .iter()
            .filter(|suite| !of_model || suite.name == CYCLE)
            .collect(),
        names => names
            .iter()
            .map(|name| Suite::get(name).map_err(CliError::other))
            .collect::<Result<_, _>>()?,
    };
    if args.list {
        return list(&suites, args.json).map(|()| true);
    }
    let config = CoreConfig::load(&args.config, &global.formats()?)?;
    output::check_folder(&args.waves, &["mismatch.vcd"])?;
    let junit = match &args.junit {
        Some(path) => Some(Output::check(path)?),
        None => None,
    };
    let mut options = Options::new(config, args.waves.clone(), global.cache()?);
    options.config_argument.clone_from(&args.config);
    options.simulator = args.simulator.simulator;
    options.suites = suites;
    options.seed = args.seed;
    options.tier = args.tier;

    let report = run_suites(&options, args.json)?;
    if let Some(junit) = junit {
        junit.write(|writer| writer.write_all(quaver_verify::junit(&report).as_bytes()))?;
    }
    let passed = report.passed();
    if args.json {
        let report = &report;
        console::print_json(&Json { passed, report })?;
    }
    let mismatch = report.suites.iter().any(|suite| suite.mismatches > 0);
    let stopped = report
        .suites
        .iter()
        .find_map(|suite| Some((suite.name, suite.error.clone()?)));
    match stopped {
        // What was found outweighs what could not be run.
        Some((suite, message)) if !mismatch => Err(CliError::Suite { suite, message }),
        _ => Ok(passed),
    }
}

/// Runs the suites with a progress bar on standard error, if that is a terminal, and a line a
/// suite on standard output.
fn run_suites(options: &Options, quiet: bool) -> Result<Report, CliError> {
    if !quiet {
        console::print(&format!(
            "configuration {}, simulator {}, tier {}, seed {}\n",
            options.config.name,
            options.simulator.name(),
            options.tier.name(),
            options.seed
        ))?;
    }
    let names: Vec<&str> = options.suites.iter().map(|suite| suite.name).collect();
    let width = names.iter().map(|name| name.len()).max().unwrap_or(0);
    let bar = ProgressBar::new(names.len() as u64).with_style(
        ProgressStyle::with_template("{spinner} [{bar:20}] {pos}/{len} {msg} {elapsed}")
            .map_err(CliError::other)?,
    );
    let next = |done: usize| names.get(done).copied().unwrap_or_default().to_owned();
    bar.set_message(next(0));
    bar.enable_steady_tick(Duration::from_millis(200));
    let mut done = 0;
    let mut printed = Ok(());
    let report = quaver_verify::run_with(options, |suite| {
        done += 1;
        bar.inc(1);
        bar.set_message(next(done));
        if !quiet && printed.is_ok() {
            printed = bar.suspend(|| console::print(&text(suite, width)));
        }
    });
    bar.finish_and_clear();
    printed.map(|()| report)
}

/// A suite's line, and its mismatches below.
fn text(suite: &SuiteReport, width: usize) -> String {
    let (name, seconds) = (suite.name, suite.seconds);
    let verdict = suite.verdict();
    let word = if suite.passed() { "pass" } else { "FAIL" };
    let mut text = format!("{word}  {name:width$}  {verdict}  ({seconds:.1} s)\n");
    for line in suite.failures.iter().flat_map(|failure| failure.lines()) {
        text.push_str(&format!("      {line}\n"));
    }
    text
}

#[derive(Serialize)]
struct Listed {
    suites: Vec<ListedSuite>,
}

#[derive(Serialize)]
struct ListedSuite {
    name: &'static str,
    summary: &'static str,
}

fn list(suites: &[&'static Suite], json: bool) -> Result<(), CliError> {
    let suites = suites.iter().map(|suite| ListedSuite {
        name: suite.name,
        summary: suite.summary,
    });
    let suites: Vec<ListedSuite> = suites.collect();
    if json {
        return console::print_json(&Listed { suites });
    }
    let rows: Vec<Vec<String>> = suites
        .into_iter()
        .map(|suite| vec![suite.name.to_owned(), suite.summary.to_owned()])
        .collect();
    console::print(&console::columns(&rows))
}
