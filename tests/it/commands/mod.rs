//! Every command as people and scripts meet it: its help, its errors, its JSON, and a page that shows them all.

mod doctor;
mod errors;
mod json;
mod manners;
pub(crate) mod page;
mod read_only;
pub(crate) mod scene;

use clap::CommandFactory;

/// Every command that does something, as it is typed: `plan`, `inspect ref`.
pub(crate) fn leaves() -> Vec<String> {
    fn below(command: &clap::Command, prefix: &str, out: &mut Vec<String>) {
        for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set()) {
            let path = format!("{prefix} {}", inner.get_name()).trim_start().to_owned();
            if inner.has_subcommands() { below(inner, &path, out) } else { out.push(path) }
        }
    }
    let mut out = Vec::new();
    below(&plimsoll::cli::Cli::command(), "", &mut out);
    out
}
