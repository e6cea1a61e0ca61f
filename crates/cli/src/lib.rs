//! What users type: arguments in, text or JSON out.
//!
//! In: the command line. Out: a table, a page, JSON, an error with its hint,
//! and an exit code. Never: a decision about a device (that is `model`), or a
//! change to the machine other than through `engine`.
//!
//! Modules stand in reading order.

pub mod args;
mod context;
mod device;
mod error;
mod inner;
mod verbs;

mod known;
mod naming;
mod output;
mod size;
mod wire;
mod words;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use args::Cli;
use error::Error;

/// The whole command line, for man pages and completions.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the program and says how it went: 0 done, 1 failed, 2 usage,
/// 3 refused, 4 in doubt. Without a standard output nothing can be printed,
/// which is a failure where something is to be.
pub fn main(args: impl IntoIterator<Item = OsString>, stdout_closed: bool) -> ExitCode {
    if stdout_closed {
        output::stdout_was_closed();
    }
    let args: Vec<OsString> = args.into_iter().collect();
    if let Some(ended) = inner::run(&args) {
        return ended.map_or_else(|error| error::report(&error, false), |()| ExitCode::SUCCESS);
    }
    match Cli::try_parse_from(&args) {
        Ok(cli) => {
            let json = cli.global.json;
            cli.run().map_or_else(|error| error::report(&error, json), |()| ExitCode::SUCCESS)
        }
        Err(usage) => {
            // The flag cannot be asked of arguments that did not parse.
            let json = args.iter().skip(1).any(|arg| arg == "--json");
            error::report(&Error::Arguments(usage), json)
        }
    }
}
