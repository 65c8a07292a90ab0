//! `rebuild`: one pass for one image, at once if it is urgent. The claim is never skipped.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::super::args::{Format, RebuildArgs};
use super::super::output::{self, document, text};
use super::{Context, run};
use crate::base::{Class, Fault};
use crate::model::ImageName;
use crate::reconcile::{Options, Outcome, Status};

/// Runs the pass and says what was decided.
pub(super) fn rebuild(context: &Context, args: &RebuildArgs) -> Result<u8, Fault> {
    let image = ImageName::parse(&args.image)
        .map_err(|message| Fault::new(Class::Config, format!("{}: {message}", crate::base::fault::foreign(&args.image))))?;
    let only = BTreeSet::from([image.clone()]);
    let urgent = if args.now { only.clone() } else { BTreeSet::new() };
    let options = Options { only, urgent, ..run::options(context, false) };
    let outcome = run::one_pass(context, &options)?;
    match context.operator.output {
        Format::Text => {
            text::trouble(&outcome, context.err);
            if outcome.status != Status::Failed {
                output::print(&words(&outcome, &image));
            }
        }
        format => {
            let mut document = document::outcome(&outcome);
            let decision = outcome.decisions.get(&image).map(document::decision);
            if let (Some(map), Some(decision)) = (document.as_object_mut(), decision) {
                map.insert("decision".to_owned(), decision);
            }
            output::structured(&document, format);
        }
    }
    Ok(outcome.run_code())
}

fn words(outcome: &Outcome, image: &ImageName) -> String {
    let Some(decision) = outcome.decisions.get(image) else {
        return format!("{image}: nothing is decided\n");
    };
    let until = decision.at.map_or_else(String::new, |at| format!(" (until {})", crate::format::state_file::written(at)));
    let mut out = format!("{image}: {}{until}\n  {}\n  {}\n", decision.code.word(), decision.code.meaning(), decision.evidence);
    for effect in &outcome.effects {
        let _ = writeln!(out, "  {} {}: {}", effect.kind, effect.status.word(), effect.reason);
    }
    out
}
