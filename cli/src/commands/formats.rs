//! `quaver formats`: the format table with everything that follows from it.

mod row;

use clap::Args;
use quaver_contract::Format;
use serde::Serialize;

use crate::args::Global;
use crate::console;
use crate::error::CliError;
use row::{HEADER, Number, Row};

const EXAMPLES: &str = "\
EXAMPLES:
  quaver formats
  quaver formats e4m3fn e5m2 --codes
  quaver formats e4m3b3 --json              any E, M and bias: e<E>m<M>[b<bias>][fn|fnuz|finite]
  quaver formats --formats-file mine.toml   rows of your own";

/// Widest format whose codes are listed.
const LISTED_BITS: u32 = 16;

/// Arguments of `quaver formats`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct FormatsArgs {
    /// Formats by name, alias or systematic name [default: the whole table]
    #[arg(value_name = "NAME")]
    names: Vec<String>,

    /// Lists every code with its exact value (formats of at most 16 bits)
    #[arg(long)]
    codes: bool,

    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    formats: Vec<Row>,
}

/// Prints the formats.
///
/// # Errors
/// [`CliError`] for an unknown name, or `--codes` for a wide format.
pub(crate) fn run(args: &FormatsArgs, global: &Global) -> Result<(), CliError> {
    let formats = global.formats()?;
    let chosen: Vec<&'static Format> = match args.names.as_slice() {
        [] => formats
            .iter()
            .filter(|format| !args.codes || format.bits() <= LISTED_BITS)
            .collect(),
        names => names
            .iter()
            .map(|name| formats.get(name))
            .collect::<Result<_, _>>()?,
    };
    let wide = chosen.iter().find(|format| format.bits() > LISTED_BITS);
    if let (true, Some(format)) = (args.codes, wide) {
        return Err(CliError::option(
            "--codes",
            format!("of {} with {} bits", format.name, format.bits()),
            format!("formats of at most {LISTED_BITS} bits"),
        ));
    }
    if args.json {
        let formats = chosen.iter().map(|f| Row::new(f, args.codes)).collect();
        return console::print_json(&Report { formats });
    }
    let mut table = vec![HEADER.map(str::to_owned).to_vec()];
    table.extend(chosen.iter().map(|format| Row::new(format, false).cells()));
    console::print(&console::columns(&table))?;
    if args.codes {
        for format in chosen {
            console::print(&code_table(format))?;
        }
    }
    Ok(())
}

fn code_table(format: &'static Format) -> String {
    let digits = format.bits().div_ceil(4) as usize;
    let heading = [format.name, "value", "hexadecimal"].map(str::to_owned);
    let mut rows = vec![heading.to_vec()];
    rows.extend((0..=format.code_mask()).map(|code| {
        let number = Number::new(format, code);
        vec![format!("{code:0digits$x}"), number.exact, number.hex]
    }));
    format!("\n{}", console::columns(&rows))
}
