//! The `quaver` command.

#![forbid(unsafe_code)]

mod args;
mod commands;
mod console;
mod engines;
mod error;
mod exact;
mod npy;
mod output;
mod signal;
mod value;

use std::process::ExitCode;

use clap::Parser as _;

/// Exit status when engines disagree.
const MISMATCH: u8 = 1;
/// Exit status for bad input or usage.
const BAD_INPUT: u8 = 2;

fn main() -> ExitCode {
    quaver_fast::memory::keep_freed();
    let cli = match args::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => {
            eprintln!("{}", error::usage_line(&error));
            return ExitCode::from(BAD_INPUT);
        }
        Err(help) => {
            // Help or version; a reader that has gone away wants no more of it.
            let _ = help.print();
            return ExitCode::SUCCESS;
        }
    };
    let result = signal::install()
        .map_err(error::CliError::other)
        .and_then(|()| args::run(&cli));
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(MISMATCH),
        Err(error) => {
            eprintln!("{}", error::one_line(&error.to_string()));
            ExitCode::from(BAD_INPUT)
        }
    }
}
