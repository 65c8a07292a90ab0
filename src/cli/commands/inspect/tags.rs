//! `inspect tags`.

use std::fmt::Write as _;

use super::super::super::inspect_args::TagsArgs;
use super::super::super::output::style::printable;
use super::super::Context;
use crate::base::{Class, Fault};
use crate::format::inspect::{self, TagAnswer};

/// Chooses tags for each scenario of a file.
pub(super) fn tags(context: &Context, args: &TagsArgs) -> Result<u8, Fault> {
    let answers = inspect::tags(&super::text(&args.from)?).map_err(|why| {
        Fault::new(Class::Config, format!("{} is no list of scenarios: {why}", args.from.display()))
            .hint("a scenario looks like {\"id\": \"a\", \"strategy\": \"SemVer\", \"tags\": [{\"tag\": \"1.0.0\"}]}")
    })?;
    super::print(context.operator.output, &answers, || {
        let mut out = String::new();
        for answer in &answers {
            let _ = match answer {
                TagAnswer::Selected { id, selected } if selected.is_empty() => writeln!(out, "{}  none", printable(id)),
                TagAnswer::Selected { id, selected } => writeln!(out, "{}  {}", printable(id), printable(&selected.join(" "))),
                TagAnswer::Refused { id, error } => writeln!(out, "{}  {}", printable(id), context.out.bad(error)),
            };
        }
        out
    })?;
    Ok(0)
}
