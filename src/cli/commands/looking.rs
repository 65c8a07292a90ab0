//! What the commands share that look and change nothing.

use super::super::output::{self, document, text};
use super::super::{args::Format, world::Owned};
use super::run::interrupted;
use super::{Context, runtime};
use crate::base::{Class, Fault};
use crate::model::{ImageGraph, Severity};
use crate::reconcile::{Drafted, Options, pass};

/// Reads config and record and plans, without asking registries or source repositories. The git host is asked where the
/// branch is; `--offline`, and a host that does not answer, leave it at the last fetch.
///
/// # Errors
/// When the repository can't be read at all.
pub(super) fn read(context: &Context) -> Result<(Owned, Drafted), Fault> {
    until_interrupted(async {
        if context.operator.offline {
            return unasked(Owned::open_last(&context.operator)?).await;
        }
        match unasked(Owned::open(&context.operator)?).await {
            Err(fault) if fault.class.may_pass() => {
                let Ok(last) = Owned::open_last(&context.operator) else { return Err(fault) };
                let read = unasked(last).await?;
                tracing::warn!("{fault}; this is what was last fetched");
                Ok(read)
            }
            other => other,
        }
    })
}

async fn unasked(owned: Owned) -> Result<(Owned, Drafted), Fault> {
    let drafted = pass::drafted(&owned.unasked(), &Options::default()).await?;
    Ok((owned, drafted))
}

/// Runs a future of a command that changes nothing, until its end or Ctrl-C.
pub(super) fn until_interrupted<T>(future: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    runtime()?.block_on(async {
        tokio::select! {
            // Before all else, so that a signal is listened for before anything is waited for.
            biased;
            () = interrupted() => Err(Fault::new(Class::Local, "interrupted")),
            result = future => result,
        }
    })
}

/// Who builds on whom, as it should be recorded.
pub(super) fn graph_of(drafted: &Drafted) -> ImageGraph {
    let managed =
        drafted.plan.images.iter().filter(|(name, _)| drafted.desired.entries.get(*name).is_some_and(|entry| entry.build().is_some()));
    ImageGraph::new(managed.map(|(name, state)| (name.clone(), state.base_images.iter().cloned().collect())))
}

/// Settings that can't be used stop every command: prints why, and gives the exit code.
pub(super) fn refused(context: &Context, drafted: &Drafted) -> Option<u8> {
    if !drafted.invalid {
        return None;
    }
    match context.operator.output {
        Format::Json | Format::Yaml => {
            output::structured(&serde_json::json!({"diagnostics": document::diagnostics(&drafted.diagnostics)}), context.operator.output);
        }
        _ => text::diagnostics(&drafted.diagnostics, context.err),
    }
    Some(3)
}

/// How many errors people made.
pub(super) fn errors(drafted: &Drafted) -> usize {
    drafted.diagnostics.iter().filter(|finding| finding.severity == Severity::Error).count()
}
