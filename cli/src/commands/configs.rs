//! `quaver configs`: the named core configurations.

use clap::Args;
use quaver_contract::{CoreConfig, Format};
use serde::Serialize;

use crate::args::Global;
use crate::console;
use crate::error::CliError;

const EXAMPLES: &str = "\
EXAMPLES:
  quaver configs
  quaver configs small odd --json
  quaver configs my_core.toml";

/// Arguments of `quaver configs`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ConfigsArgs {
    /// Names, or files of one configuration each [default: all named ones]
    #[arg(value_name = "NAME|FILE.toml")]
    names: Vec<String>,

    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    configs: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    name: String,
    description: String,
    rows: usize,
    cols: usize,
    lanes: usize,
    pe_latency: usize,
    tile_rows: usize,
    dataflow: &'static str,
    accumulator: &'static str,
    block_scales: String,
    operand_formats: Vec<&'static str>,
    output_formats: Vec<&'static str>,
}

impl Row {
    fn new(config: CoreConfig) -> Self {
        let names = |formats: &[&'static Format]| formats.iter().map(|f| f.name).collect();
        Self {
            rows: config.rows,
            cols: config.cols,
            lanes: config.lanes(),
            pe_latency: config.pe_latency,
            tile_rows: config.tile_rows,
            dataflow: config.dataflow.name(),
            accumulator: config.accumulator_name,
            block_scales: config
                .block_scales
                .map_or_else(|| "none".to_owned(), |blocks| blocks.to_string()),
            operand_formats: names(&config.operand_formats),
            output_formats: names(&config.output_formats),
            name: config.name,
            description: config.description,
        }
    }
}

/// Prints the configurations.
///
/// # Errors
/// [`CliError`] for an unknown name or an illegal file.
pub(crate) fn run(args: &ConfigsArgs, global: &Global) -> Result<(), CliError> {
    let formats = global.formats()?;
    let configs = match args.names.as_slice() {
        [] => CoreConfig::named(&formats)?,
        names => names
            .iter()
            .map(|name| CoreConfig::load(name, &formats))
            .collect::<Result<_, _>>()?,
    };
    let configs = configs.into_iter().map(Row::new).collect();
    if args.json {
        return console::print_json(&Report { configs });
    }
    let header = [
        "name",
        "rows",
        "cols",
        "latency",
        "tile rows",
        "accumulator",
        "block scales",
        "operands",
        "outputs",
        "description",
    ];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    rows.extend(configs.into_iter().map(|config| {
        vec![
            config.name,
            config.rows.to_string(),
            config.cols.to_string(),
            config.pe_latency.to_string(),
            config.tile_rows.to_string(),
            config.accumulator.to_owned(),
            config.block_scales,
            config.operand_formats.join(","),
            config.output_formats.join(","),
            config.description,
        ]
    }));
    console::print(&console::columns(&rows))
}
