//! When a rebuild is due: which bases moved since the image was built, and from when on it may follow.

use std::sync::Arc;

use jiff::Timestamp;

use super::states::States;
use crate::model::ledger::{Ledger, Tenure};
use crate::model::rebuild::Unbuilt;
use crate::model::{BaseState, Delay, Digest, Entry, ImageReference, ImageState};
use crate::plan::observed::DockerfileFact;
use crate::plan::recorded::identity;
use crate::plan::{Observation, planner};

/// A base as its dependents see it: a base image, or an image that is built here.
#[derive(Debug, Clone)]
pub(super) struct Base<'a> {
    /// Its ledger.
    pub(super) ledger: &'a Ledger,
    /// What a rebuild from here made of it last.
    rebuilt: Option<&'a Tenure>,
    known: Known<'a>,
}

/// What a base is known as.
#[derive(Debug, Clone, Copy)]
enum Known<'a> {
    Base(&'a ImageReference),
    Image(&'a Entry, &'a ImageState),
}

impl<'a> Base<'a> {
    /// Finds a base by the name that states use.
    pub(super) fn of(states: &'a States<'_>, name: &str) -> Option<Self> {
        let of_base = |state: &'a BaseState| Self { ledger: &state.ledger, rebuilt: None, known: Known::Base(&state.image) };
        if let Some(state) = states.base(name) {
            return Some(of_base(state));
        }
        if let Some(entry) = states.entry(name).filter(|entry| entry.build().is_some()) {
            let state = states.image(name)?;
            return Some(Self { ledger: &state.ledger, rebuilt: state.rebuilt.as_ref(), known: Known::Image(entry, state) });
        }
        states.input.recorded.bases.get(name).map(of_base)
    }

    /// Its reference, without digest.
    pub(super) fn image(&self) -> ImageReference {
        match self.known {
            Known::Base(image) => identity(image),
            Known::Image(entry, state) => entry.tagged(planner::managed_tag(Some(state))),
        }
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

/// Notes which bases the Dockerfile pins by digest. An unread Dockerfile changes nothing.
pub(super) fn pins(states: &States<'_>, state: &mut Arc<ImageState>, fact: Option<&Observation<DockerfileFact>>) {
    let Some(Observation::Known(DockerfileFact::Bases(images))) = fact else { return };
    let pinned = |name: &&String| {
        let Some(base) = Base::of(states, name).map(|base| base.image()) else { return false };
        let mut uses = images.iter().filter(|image| identity(image) == base).peekable();
        uses.peek().is_some() && uses.all(|image| image.digest.is_some())
    };
    let pinned: Vec<String> = if images.iter().any(|image| image.digest.is_some()) {
        state.base_images.iter().filter(pinned).cloned().collect()
    } else {
        Vec::new()
    };
    if state.pinned != pinned {
        Arc::make_mut(state).pinned = pinned;
    }
}

/// Brings what is recorded of an image's bases up to date: a base seen for the first time is a baseline, one
/// that moved is unbuilt from the first move on, one that is back at what the image was built from is not.
pub(super) fn settle(states: &States<'_>, state: &mut Arc<ImageState>) {
    let gone = |base: &String| !state.base_images.contains(base);
    if state.built_from.keys().chain(state.unbuilt.keys()).any(gone) {
        let ImageState { base_images: named, built_from, unbuilt, .. } = Arc::make_mut(state);
        built_from.retain(|base, _| named.contains(base));
        unbuilt.retain(|base, _| named.contains(base));
    }
    for at in 0..state.base_images.len() {
        let Some((name, turn)) = state.base_images.get(at).and_then(|name| Some((name, turn(states, state, name)?))) else { continue };
        let name = name.clone();
        // Only what changes is copied: nearly all bases are what they were.
        let state = Arc::make_mut(state);
        match turn {
            Turn::NotFollowed => {
                state.unbuilt.remove(&name);
                state.built_from.remove(&name);
            }
            Turn::Baseline(current) => drop(state.built_from.insert(name, current)),
            Turn::Back => drop(state.unbuilt.remove(&name)),
            Turn::Moved(since) => drop(state.unbuilt.insert(name, Unbuilt { since, compared: None, missing: Vec::new() })),
        }
    }
}

/// What became of a base since it was last looked at.
enum Turn {
    NotFollowed,
    Baseline(Digest),
    Back,
    Moved(Timestamp),
}

/// The turn of a base, if there is any that is not noted yet.
fn turn(states: &States<'_>, state: &ImageState, name: &String) -> Option<Turn> {
    let (built, unbuilt) = (state.built_from.get(name), state.unbuilt.contains_key(name));
    // An image that names itself follows no other.
    if state.pinned.contains(name) || name == state.name.as_str() {
        return (built.is_some() || unbuilt).then_some(Turn::NotFollowed);
    }
    let base = Base::of(states, name)?;
    let current = base.ledger.current.as_ref()?;
    match built {
        None => Some(Turn::Baseline(current.clone())),
        Some(built) if built == current => unbuilt.then_some(Turn::Back),
        Some(built) => (!unbuilt).then(|| Turn::Moved(base.first_after(built).unwrap_or(states.input.observed.at))),
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
pub(super) fn due(states: &States<'_>, state: &ImageState, delay: Delay) -> Option<Due> {
    let newest = state.unbuilt.keys().filter_map(|name| Some((Base::of(states, name)?.newest()?, name)));
    let (newest, base) = newest.max_by_key(|(at, _)| *at)?;
    let first = state.unbuilt.values().map(|unbuilt| unbuilt.since).min()?;
    let after = |at: Timestamp, times: u32| delay.after(at, times).unwrap_or(Timestamp::MAX);
    let (usual, cap) = (after(newest, 1), after(first, 2));
    Some(Due { at: usual.min(cap), capped: cap < usual, newest, base: base.clone() })
}
