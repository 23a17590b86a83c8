//! The command line: what is common to all commands. Each command declares its own arguments.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use quaver_contract::{
    Bundle, ContractError, Conversion, Format, Formats, Nan, Overflow, Rounding,
};
use quaver_cosim::Cache;

use crate::commands::{
    accumulators, bench, compare, configs, convert, explore, export, formats, gemm, generate,
    model, profiles, qat, quantize, report, run, simulate, verify, wavediff,
};
use crate::error::CliError;

const EXAMPLES: &str = "\
EXAMPLES:
  quaver formats e4m3fn e5m2
  quaver convert --from fp32 --to e4m3fn weights.npy -o codes.npy
  quaver gemm --a a.npy --b b.npy --format-a e4m3fn --format-b e5m2 --engine golden -o c.npy
  quaver generate --config default -o build/core
  quaver simulate --config large --m 1024 --n 1024 --k 1024
  quaver verify

EXIT STATUS:
  0  done; engines agree
  1  a mismatch was found
  2  bad input or usage: one line on standard error, and no output file";

/// An FP8 MAC-array workbench: one job, the same bits on every engine.
#[derive(Debug, Parser)]
#[command(name = "quaver", version, after_help = EXAMPLES)]
#[command(arg_required_else_help = false, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Where help lists the options of every command.
const EVERYWHERE: &str = "Options of every command";

/// Options of every command.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Adds the formats of a TOML file to the table; may be repeated
    #[arg(long, global = true, value_name = "FILE.toml", help_heading = EVERYWHERE)]
    formats_file: Vec<PathBuf>,

    /// Where built simulations are kept [default: $QUAVER_CACHE, else $XDG_CACHE_HOME/quaver, else
    /// ~/.cache/quaver]
    #[arg(long, global = true, value_name = "DIR", help_heading = EVERYWHERE)]
    cache: Option<PathBuf>,
}

impl Global {
    /// The table and what the user adds to it.
    ///
    /// # Errors
    /// [`ContractError`] naming the file or the row's key.
    pub(crate) fn formats(&self) -> Result<Formats, ContractError> {
        let mut formats = Formats::default();
        for file in &self.formats_file {
            formats.add_file(file)?;
        }
        Ok(formats)
    }

    /// Where built simulations are kept.
    ///
    /// # Errors
    /// [`CliError`] when no place is named and the environment has none.
    pub(crate) fn cache(&self) -> Result<Cache, CliError> {
        match &self.cache {
            Some(folder) => Ok(Cache::at(folder)),
            None => Cache::from_environment().map_err(CliError::other),
        }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Shows number formats: what each row of the table says and what follows from it
    Formats(formats::FormatsArgs),
    /// Shows the named core configurations
    Configs(configs::ConfigsArgs),
    /// Shows real chips and what is known of their sums
    Profiles(profiles::ProfilesArgs),
    /// Converts an array from one format to another
    Convert(Box<convert::ConvertArgs>),
    /// Runs D = convert(relu(scale * (init + A * B) + bias)) on an engine
    Gemm(Box<gemm::GemmArgs>),
    /// Writes the Verilog of a core
    Generate(generate::GenerateArgs),
    /// Holds the RTL to the golden model
    Verify(verify::VerifyArgs),
    /// Shows the clocks of layers on a core, in closed form or step by step
    Simulate(Box<simulate::SimulateArgs>),
    /// Shows what layers cost on several cores behind a memory: time, traffic, energy, area, error
    Explore(Box<explore::ExploreArgs>),
    /// Compares two waveforms of a core
    Wavediff(wavediff::WavediffArgs),
    /// Shows how far each accumulator is from the exact sum
    Accumulators(accumulators::AccumulatorsArgs),
    /// Runs an ONNX model, its matrix products as jobs on an engine
    Run(Box<run::RunArgs>),
    /// Compares every matrix product of an ONNX model on several engines, bit for bit
    Compare(Box<compare::CompareArgs>),
    /// Writes what a plan does to every layer of an ONNX model, as one HTML page
    Report(Box<report::ReportArgs>),
    /// Makes a plan for a model as another system would
    Quantize(Box<quantize::QuantizeArgs>),
    /// Trains an ONNX model's weights with the bits of a plan
    Qat(Box<qat::QatArgs>),
    /// Writes an ONNX model with its plan as QuantizeLinear and DequantizeLinear
    Export(export::ExportArgs),
    /// Shows what an ONNX model has: inputs, operators, tensors
    Model(model::ModelArgs),
    /// Measures the fast engine beside numpy and ml_dtypes
    Bench(bench::BenchArgs),
}

/// How results are rounded and what happens to those that are too large.
#[derive(Debug, Args)]
pub(crate) struct Policy {
    /// The conversions of another system, which the next three change
    #[arg(long, value_name = "SYSTEM", value_parser = one_of(Bundle::ALL, |bundle| bundle.name))]
    policy: Option<Bundle>,

    /// Rounding direction [default: the policy's, else rne]
    #[arg(long, value_name = "R", value_parser = one_of(Rounding::ALL, |r| r.name()))]
    rounding: Option<Rounding>,

    /// What replaces numbers beyond the largest finite one; native: what the format has, infinity
    /// before NaN before the largest number [default: the policy's, else native]
    #[arg(long, value_name = "P", value_parser = overflow())]
    overflow: Option<PolicyChoice>,

    /// What NaN becomes [default: the policy's, else canonical]
    #[arg(long, value_name = "P", value_parser = one_of(Nan::ALL, |nan| nan.name()))]
    nan: Option<Nan>,
}

/// The overflow policy that follows the format.
const NATIVE: &str = "native";

/// An overflow policy as asked for.
#[derive(Clone, Copy, Debug)]
enum PolicyChoice {
    Native,
    Fixed(Overflow),
}

impl Policy {
    /// The conversion to that format.
    ///
    /// # Errors
    /// [`ContractError::Illegal`] for a policy that the format has no code for.
    pub(crate) fn conversion(&self, format: &'static Format) -> Result<Conversion, ContractError> {
        let native = Conversion::native(format);
        let mut conversion = match &self.policy {
            Some(bundle) => bundle.conversion(format)?,
            None => native,
        };
        conversion.rounding = self.rounding.unwrap_or(conversion.rounding);
        conversion.nan = self.nan.unwrap_or(conversion.nan);
        match self.overflow {
            None => {}
            Some(PolicyChoice::Native) => {
                (conversion.overflow, conversion.infinity) = (native.overflow, native.infinity);
            }
            Some(PolicyChoice::Fixed(overflow)) => {
                conversion = conversion.with_overflow(overflow)?;
            }
        }
        conversion.validate()?;
        Ok(conversion)
    }

    /// The system's name, where one is named.
    pub(crate) fn name(&self) -> Option<&'static str> {
        self.policy.map(|bundle| bundle.name)
    }

    /// Whether the system rounds a scaled number to the scale's format first.
    pub(crate) fn divides_twice(&self) -> bool {
        self.policy.is_some_and(|bundle| bundle.divides_twice)
    }
}

fn overflow() -> impl TypedValueParser<Value = PolicyChoice> {
    PossibleValuesParser::new(Overflow::ALL.iter().map(|p| p.name()).chain([NATIVE])).try_map(
        |name| match name.as_str() {
            NATIVE => Ok(PolicyChoice::Native),
            name => Overflow::get(name).map(PolicyChoice::Fixed),
        },
    )
}

/// An argument that names a row of a table; help and errors list the names.
pub(crate) fn one_of<T: Copy + Send + Sync + 'static>(
    table: &'static [T],
    name: fn(&T) -> &'static str,
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(table.iter().map(name)).try_map(move |given| {
        let row = table.iter().find(|row| name(row) == given);
        row.copied().ok_or("no such name")
    })
}

/// Runs the command; `true` when everything agrees.
///
/// # Errors
/// [`CliError`] for bad input.
pub(crate) fn run(cli: &Cli) -> Result<bool, CliError> {
    let global = &cli.global;
    match &cli.command {
        Command::Formats(args) => formats::run(args, global).map(|()| true),
        Command::Configs(args) => configs::run(args, global).map(|()| true),
        Command::Profiles(args) => profiles::run(args).map(|()| true),
        Command::Convert(args) => convert::run(args, global).map(|()| true),
        Command::Gemm(args) => gemm::run(args, global).map(|()| true),
        Command::Generate(args) => generate::run(args, global).map(|()| true),
        Command::Verify(args) => verify::run(args, global),
        Command::Simulate(args) => simulate::run(args, global).map(|()| true),
        Command::Explore(args) => explore::run(args, global).map(|()| true),
        Command::Model(args) => model::run(args).map(|()| true),
        Command::Run(args) => run::run(args, global).map(|()| true),
        Command::Compare(args) => compare::run(args, global),
        Command::Report(args) => report::run(args, global).map(|()| true),
        Command::Quantize(args) => quantize::run(args, global),
        Command::Qat(args) => qat::run(args, global).map(|()| true),
        Command::Export(args) => export::run(args, global).map(|()| true),
        Command::Wavediff(args) => wavediff::run(args),
        Command::Accumulators(args) => accumulators::run(args, global).map(|()| true),
        Command::Bench(args) => bench::run(args).map(|()| true),
    }
}
