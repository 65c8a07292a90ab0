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

use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, FromArgMatches};

pub use args::Cli;

use args::{Color, Format};
use output::style::Style;

use crate::base::{Class, Fault};

/// Wrong usage. clap's own 2 would read as "changes pending".
pub const USAGE: u8 = 64;

/// Runs the program with its arguments and gives its exit code.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let plain = Style::of(Color::Auto, false, &std::io::stderr());
    let command = match operator_file::with_defaults(Cli::command(), &arguments) {
        Ok(command) => command,
        Err(fault) => {
            output::text::fault(&fault, plain);
            return USAGE;
        }
    };
    let parsed = command.try_get_matches_from(arguments).and_then(|matches| {
        let mut cli = Cli::from_arg_matches(&matches)?;
        Ok(match formatted(&matches, &mut cli) {
            Ok(()) => Ok(cli),
            Err(fault) => Err(fault),
        })
    });
    match parsed {
        Ok(Ok(cli)) => commands::run(cli),
        Ok(Err(fault)) => {
            output::text::fault(&fault, plain);
            USAGE
        }
        Err(error) => {
            // A closed pipe is no failure.
            let _printed = error.print();
            if error.use_stderr() { USAGE } else { 0 }
        }
    }
}

/// Checks that the command has the format that was asked for. One that a variable or the operator file names for all
/// commands is no mistake: a command without it prints text.
fn formatted(matches: &ArgMatches, cli: &mut Cli) -> Result<(), Fault> {
    let (name, formats) = cli.command.as_ref().map_or_else(|| ("run", Format::EVERYWHERE.to_vec()), args::Command::formats);
    if formats.contains(&cli.operator.output) {
        return Ok(());
    }
    let mut innermost = matches;
    while let Some((_, inner)) = innermost.subcommand() {
        innermost = inner;
    }
    let typed = [matches, innermost].iter().any(|matches| matches.value_source("output") == Some(ValueSource::CommandLine));
    if !typed {
        cli.operator.output = Format::Text;
        return Ok(());
    }
    let words: Vec<String> = formats.into_iter().map(Format::word).collect();
    Err(Fault::new(Class::Config, format!("`plimsoll {name}` does not print {}", cli.operator.output.word()))
        .hint(format!("it prints {}", words.join(", "))))
}
