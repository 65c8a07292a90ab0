//! Floor 7: the command line. Arguments in, exit code out; everything between is below.

mod args;
mod clock;
mod commands;
mod demo;
mod inspect_args;
mod loopback;
mod operator_file;
mod output;
mod progress;
mod settings;
mod world;

use std::ffi::OsString;

use clap::{CommandFactory, FromArgMatches};

pub use args::Cli;

/// Wrong usage. clap's own 2 would read as "changes pending".
pub const USAGE: u8 = 64;

/// Runs the program with its arguments and gives its exit code.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let command = match operator_file::with_defaults(Cli::command(), &arguments) {
        Ok(command) => command,
        Err(fault) => {
            output::text::fault(&fault);
            return USAGE;
        }
    };
    let parsed = command.try_get_matches_from(arguments).and_then(|matches| Cli::from_arg_matches(&matches));
    match parsed {
        Ok(cli) => commands::run(cli),
        Err(error) => {
            // A closed pipe is no failure.
            let _printed = error.print();
            if error.use_stderr() { USAGE } else { 0 }
        }
    }
}
