//! When a rebuild is due: which bases moved since the image was built, and from when on it may follow.

use jiff::{SignedDuration, Timestamp};

use super::input::Input;
use crate::model::ledger::{Ledger, Tenure};
use crate::model::rebuild::Unbuilt;
use crate::model::{Delay, Digest, ImageName, ImageReference, ImageState};
use crate::plan::recorded::identity;
use crate::plan::{Plan, planner};

/// A base as its dependents see it: a base image, or an image that is built here.
#[derive(Debug, Clone)]
pub(super) struct Base<'a> {
    /// Its ledger.
    pub(super) ledger: &'a Ledger,
    /// What a rebuild from here made of it last.
    rebuilt: Option<&'a Tenure>,
    /// Its reference, without digest.
    pub(super) image: ImageReference,
}

impl<'a> Base<'a> {
    /// Finds a base by the name that states use.
    pub(super) fn of(plan: &'a Plan, input: &Input<'a>, name: &str) -> Option<Self> {
        let name = ImageName::parse(name).ok()?;
        if let Some(state) = plan.bases.get(&name) {
            return Some(Self { ledger: &state.ledger, rebuilt: None, image: identity(&state.image) });
        }
        if let Some(entry) = input.desired.entries.get(&name).filter(|entry| entry.build().is_some()) {
            let state = plan.images.get(&name).or_else(|| input.recorded.images.get(&name))?;
            let image = entry.tagged(planner::managed_tag(Some(state)));
            return Some(Self { ledger: &state.ledger, rebuilt: state.rebuilt.as_ref(), image });
        }
        let state = input.recorded.bases.get(&name)?;
        Some(Self { ledger: &state.ledger, rebuilt: None, image: identity(&state.image) })
    }

    /// Since when the content of a tenure is known. What a rebuild from here made is as old as what it brought
    /// in: else each image of a chain would wait for the same news anew.
    fn age(&self, tenure: &Tenure) -> Timestamp {
        match self.rebuilt {
            Some(rebuilt) if rebuilt.digest == tenure.digest => rebuilt.seen_at.min(tenure.seen_at),
            _ => tenure.seen_at,
        }
    }

    /// Since when the current content is known.
    fn newest(&self) -> Option<Timestamp> {
        let current = self.ledger.current.as_ref()?;
        self.ledger.history.iter().find(|tenure| tenure.digest == *current).map(|tenure| self.age(tenure))
    }

    /// Since when there is content that an image built from `built` lacks. A ledger that no longer reaches back
    /// that far gives its oldest tenure.
    fn first_after(&self, built: &Digest) -> Option<Timestamp> {
        let after = self.ledger.history.iter().take_while(|tenure| tenure.digest != *built);
        after.map(|tenure| self.age(tenure)).min()
    }

    /// The digests that came after `built`, newest first.
    pub(super) fn digests_after(&self, built: Option<&Digest>) -> Vec<Digest> {
        let mut out: Vec<Digest> = Vec::new();
        for tenure in self.ledger.history.iter().take_while(|tenure| Some(&tenure.digest) != built) {
            if !out.contains(&tenure.digest) {
                out.push(tenure.digest.clone());
            }
        }
        out
    }
}

/// Brings what is recorded of an image's bases up to date: a base seen for the first time is a baseline, one
/// that moved is unbuilt from the first move on, one that is back at what the image was built from is not.
pub(super) fn settle(plan: &Plan, input: &Input<'_>, state: &mut ImageState) {
    let named = state.base_images.clone();
    state.built_from.retain(|base, _| named.contains(base));
    state.unbuilt.retain(|base, _| named.contains(base));
    for name in named {
        // An image that names itself follows no other.
        if state.pinned.contains(&name) || name == state.name.as_str() {
            state.unbuilt.remove(&name);
            state.built_from.remove(&name);
            continue;
        }
        let Some(base) = Base::of(plan, input, &name) else { continue };
        let Some(current) = &base.ledger.current else { continue };
        let Some(built) = state.built_from.get(&name) else {
            state.built_from.insert(name, current.clone());
            continue;
        };
        if built == current {
            state.unbuilt.remove(&name);
        } else {
            let since = base.first_after(built).unwrap_or(input.observed.at);
            state.unbuilt.entry(name).or_insert(Unbuilt { since, compared: None, missing: Vec::new() });
        }
    }
}

/// When an image may follow its bases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Due {
    /// The moment.
    pub(super) at: Timestamp,
    /// It is the cap that decides, since the bases keep moving.
    pub(super) capped: bool,
    /// Since when the newest content is known.
    pub(super) newest: Timestamp,
    /// The base with that content.
    pub(super) base: String,
}

/// The date of an image whose bases moved: `min(newest + delay, first unbuilt + 2 × delay)`. Nothing when none did.
pub(super) fn due(plan: &Plan, input: &Input<'_>, state: &ImageState, delay: Delay) -> Option<Due> {
    let newest = state.unbuilt.keys().filter_map(|name| Some((Base::of(plan, input, name)?.newest()?, name)));
    let (newest, base) = newest.max_by_key(|(at, _)| *at)?;
    let first = state.unbuilt.values().map(|unbuilt| unbuilt.since).min()?;
    let after = |at: Timestamp, times: i32| {
        let delay = SignedDuration::try_from(delay.duration()).unwrap_or(SignedDuration::MAX);
        let wait = delay.checked_mul(times).unwrap_or(SignedDuration::MAX);
        at.checked_add(wait).unwrap_or(Timestamp::MAX)
    };
    let (usual, cap) = (after(newest, 1), after(first, 2));
    Some(Due { at: usual.min(cap), capped: cap < usual, newest, base: base.clone() })
}
