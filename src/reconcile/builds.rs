//! One build of an entry with `trigger: docker`, from its source to the registry. It can be repeated at any time:
//! the same order on the same engine is the same image.

use std::collections::BTreeMap;

use super::memory::tagged;
use super::observe::source_branch;
use crate::base::{Class, Fault};
use crate::docker::{self, LAST_LINES, Making};
use crate::model::{CommitId, Digest, Entry, ImageName, ImageReference, ImageState};
use crate::plan::{Desired, Plan, recorded};
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

/// What the tags of an image's bases were last seen to point at.
pub(super) fn bases(desired: &Desired, plan: &Plan, state: &ImageState) -> BTreeMap<ImageReference, Digest> {
    let seen = |name: &String| {
        let name = ImageName::parse(name).ok()?;
        if let Some(base) = plan.bases.get(&name) {
            return Some((recorded::identity(&base.image), base.ledger.current.clone()?));
        }
        let image = plan.images.get(&name)?;
        Some((tagged(desired, image)?, image.ledger.current.clone()?))
    };
    state.base_images.iter().filter_map(seen).collect()
}

/// A fault as it is recorded: the lines of a build's log are told once, and stay out of git.
pub(super) fn without_log(fault: Fault) -> Fault {
    let text = fault.text.split(LAST_LINES).next().unwrap_or_default().to_owned();
    Fault { text, ..fault }
}
