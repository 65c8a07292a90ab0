//! `inspect ref`.

use std::fmt::Write as _;
use std::path::Path;

use super::super::super::inspect_args::RefArgs;
use super::super::super::output::style::printable;
use super::super::Context;
use crate::base::Fault;
use crate::format::inspect;

/// Shows what references mean.
pub(super) fn reference(context: &Context, args: &RefArgs) -> Result<u8, Fault> {
    let mut answers = Vec::new();
    for given in &args.references {
        if given == "-" {
            answers.extend(super::text(Path::new("-"))?.lines().map(inspect::reference));
        } else {
            answers.push(inspect::reference(given));
        }
    }
    super::print(context.operator.output, &answers, || {
        let mut out = String::new();
        for answer in &answers {
            let meaning = answer.image.as_ref().map_or_else(
                || context.out.bad(answer.reason.unwrap_or_default()),
                |image| if image.canonical == answer.input { context.out.good("canonical") } else { image.canonical.clone() },
            );
            let _ = writeln!(out, "{}  {meaning}", printable(&answer.input));
        }
        out
    })?;
    Ok(0)
}
