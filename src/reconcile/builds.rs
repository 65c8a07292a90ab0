//! One build of an entry with `trigger: docker`, from its source to the registry. It can be repeated at any time:
//! the same order on the same engine is the same image.

use std::collections::BTreeMap;

use super::observe::source_branch;
use crate::base::{Class, Fault};
use crate::docker::{self, Making};
use crate::model::{CommitId, Digest, Entry, ImageReference};
use crate::ports::builder::Builder;
use crate::ports::context::{Contexts, OwnContexts};

/// What builds need from outside.
#[derive(Clone, Copy)]
pub struct Workshop<'a> {
    /// Contexts from source repositories; `None` when offline.
    pub sources: Option<&'a dyn Contexts>,
    /// Contexts from the config repository.
    pub own: &'a dyn OwnContexts,
    /// The engine.
    pub builder: &'a dyn Builder,
}

/// Builds `entry` and pushes it under `tag`. `config` is the commit of an entry whose provider is `local`; `digests` are
/// what the tags of its bases pointed at when the build was decided on.
///
/// # Errors
/// `Offline` without sources; else those of [`Contexts`], [`docker::order()`] and [`Builder`].
pub async fn build(
    shop: Workshop<'_>,
    config: &CommitId,
    entry: &Entry,
    tag: &str,
    digests: &BTreeMap<ImageReference, Digest>,
) -> Result<Digest, Fault> {
    let nothing = || Fault::new(Class::Config, format!("{} has no source to build from", entry.name));
    let path = docker::order::context_path(entry).ok_or_else(nothing)?;
    let context = match source_branch(entry.build().ok_or_else(nothing)?)? {
        None => shop.own.own_context(config, &path)?,
        Some(branch) => match shop.sources {
            Some(sources) => sources.context(&branch, &path).await?,
            None => return Err(Fault::new(Class::Offline, "not asked: offline")),
        },
    };
    shop.builder.build(&docker::order(Making { entry, tag, context: &context, digests })?).await
}
