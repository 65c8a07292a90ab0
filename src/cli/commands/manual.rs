//! `completions` and `man`: made from the definitions of the options themselves.

use std::path::Path;

use clap::CommandFactory;

use super::super::args::{Cli, CompletionsArgs, ManArgs};
use super::super::output::{self, text};
use crate::base::{Class, Fault, fault};

/// Prints completions for a shell.
pub(super) fn completions(args: &CompletionsArgs) -> u8 {
    let mut printed = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "plimsoll", &mut printed);
    output::print(&String::from_utf8_lossy(&printed));
    0
}

/// Prints a manual page, or writes all of them.
pub(super) fn man(args: &ManArgs) -> Result<u8, Fault> {
    let mut root = Cli::command();
    root.build();
    if let Some(out) = &args.out {
        std::fs::create_dir_all(out).map_err(|error| Fault::new(Class::Local, format!("{}: {error}", out.display())))?;
        let written = write(&root, out)?;
        text::say(&format!("{written} pages written to {}", out.display()));
        return Ok(0);
    }
    let mut command = &root;
    for word in &args.path {
        command = command.find_subcommand(word).ok_or_else(|| {
            let known: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
            let hint =
                if known.is_empty() { "it has no commands of its own".to_owned() } else { format!("commands: {}", known.join(", ")) };
            Fault::new(Class::Config, format!("there is no command `{}`", fault::foreign(word))).hint(hint)
        })?;
    }
    output::print(&page(command)?);
    Ok(0)
}

/// Writes the page of a command and of all below it; how many that were.
fn write(command: &clap::Command, out: &Path) -> Result<usize, Fault> {
    let path = out.join(format!("{}.1", name(command)));
    std::fs::write(&path, page(command)?).map_err(|error| Fault::new(Class::Local, format!("{}: {error}", path.display())))?;
    let below = command.get_subcommands().filter(|inner| !inner.is_hide_set());
    below.map(|inner| write(inner, out)).try_fold(1, |sum, written| Ok(sum + written?))
}

fn page(command: &clap::Command) -> Result<String, Fault> {
    let mut printed = Vec::new();
    clap_mangen::Man::new(command.clone().name(name(command)))
        .render(&mut printed)
        .map_err(|error| Fault::new(Class::Internal, format!("the manual page can't be made: {error}")))?;
    Ok(String::from_utf8_lossy(&printed).into_owned())
}

/// `plimsoll-inspect-ref`: how pages of commands are called.
fn name(command: &clap::Command) -> String {
    command.get_bin_name().unwrap_or(command.get_name()).replace(' ', "-")
}
