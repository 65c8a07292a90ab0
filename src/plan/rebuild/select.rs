//! Which questions are open for one image. What was answered once is recorded, and not asked again.

use super::due::{self, Base};
use super::input::{InsideQuestion, Questions, RunQuestion};
use super::look;
use super::states::States;
use crate::model::rebuild::{CONFIRM_WITHIN, RebuildStatus};
use crate::model::{Build, Digest, Entry, ImageReference, ImageState, Trigger};
use crate::plan::planner;

/// The run of a rebuild that may have been sent.
pub(super) fn run(out: &mut Questions, build: &Build, state: &ImageState) {
    let Some(rebuild) = state.rebuild.as_ref().filter(|rebuild| rebuild.is_in_flight()) else { return };
    if !matches!(build.rebuilt_by(), Trigger::Github | Trigger::Gitlab) {
        return;
    }
    let claimed = rebuild.claimed_at.unwrap_or(rebuild.since);
    // The key may have been sent under the claim that was taken over; before that it was certainly not.
    let since = if rebuild.taken_from.is_some() { claimed.saturating_sub(CONFIRM_WITHIN).unwrap_or(claimed) } else { claimed };
    out.runs.push(RunQuestion { image: state.name.clone(), run: rebuild.run.clone(), key: rebuild.key.clone(), since });
}

/// The platforms of bases that moved, before and after, for an image that is built for some platforms only.
pub(super) fn platforms(out: &mut Questions, states: &States<'_>, build: &Build, state: &ImageState) {
    if build.platforms.is_empty() {
        return;
    }
    for (name, unbuilt) in &state.unbuilt {
        let Some(base) = Base::of(states, name) else { continue };
        let Some(current) = base.ledger.current.as_ref().filter(|current| unbuilt.compared.as_ref() != Some(current)) else { continue };
        out.platforms.extend(state.built_from.get(name).into_iter().chain([current]).map(|digest| by_digest(&base.image(), digest)));
    }
}

/// A look into the image: when it moved since its base did, when a rebuild may have made it, and before one begins.
pub(super) fn inside(out: &mut Questions, states: &States<'_>, entry: &Entry, build: &Build, state: &ImageState) {
    let Some(current) = &state.ledger.current else { return };
    let bases = look::targets(states, state);
    if bases.is_empty() || look::examined(state, &bases).is_some() || states.input.urgent.contains(&state.name) && state.rebuild.is_none() {
        return;
    }
    let wanted = match &state.rebuild {
        Some(rebuild) if rebuild.status != RebuildStatus::Failed => rebuild.from.as_ref() != Some(current),
        _ => {
            let first = state.unbuilt.values().map(|unbuilt| unbuilt.since).min();
            let moved = state.ledger.moved_at().is_some_and(|moved| first.is_some_and(|first| moved >= first));
            moved
                || follows_a_rebuild(states, state)
                || due::due(states, state, build.rebuild_delay).is_some_and(|due| due.at <= states.input.observed.at)
        }
    };
    if wanted {
        let reference = by_digest(&entry.tagged(planner::managed_tag(Some(state))), current);
        out.inside.push(InsideQuestion { image: state.name.clone(), reference, platforms: build.platforms.clone(), bases });
    }
}

/// Whether an image that it builds on may be found rebuilt in this pass: it then may be due at once.
fn follows_a_rebuild(states: &States<'_>, state: &ImageState) -> bool {
    let mut rebuilds = state.unbuilt.keys().filter_map(|name| states.image(name));
    rebuilds.any(|parent| parent.rebuild.as_ref().is_some_and(|rebuild| rebuild.from != parent.ledger.current))
}

/// The image under one of its digests.
pub(super) fn by_digest(image: &ImageReference, digest: &Digest) -> ImageReference {
    ImageReference { tag: None, digest: Some(digest.clone()), ..image.clone() }
}
