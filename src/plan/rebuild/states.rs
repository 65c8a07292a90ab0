//! The states of a plan while rebuilds are decided on: taken out of it, found by name at once, and put back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::decision::Decision;
use super::input::Input;
use crate::model::{BaseState, Entry, ImageGraph, ImageName, ImageState};
use crate::plan::abreast::{Abreast, Hashed};
use crate::plan::observed::DockerfileFact;
use crate::plan::{Observation, Plan};

/// One image.
pub(super) struct Slot<'a> {
    name: ImageName,
    /// Its entry. A plan has states of enrolled images only.
    pub(super) entry: Option<&'a Entry>,
    /// What its Dockerfile says.
    pub(super) fact: Option<&'a Observation<DockerfileFact>>,
    /// Its state as it is recorded.
    pub(super) prior: Option<&'a Arc<ImageState>>,
    /// Its state as it is planned; nothing while it is decided on.
    state: Option<Arc<ImageState>>,
    /// What is decided.
    pub(super) decision: Option<Decision>,
}

/// All of them.
pub(super) struct States<'a> {
    pub(super) input: Input<'a>,
    bases: BTreeMap<ImageName, BaseState>,
    images: Vec<Slot<'a>>,
    places: Hashed<&'a str, usize>,
}

impl<'a> States<'a> {
    /// Takes the states out of a plan.
    pub(super) fn take(plan: &mut Plan, input: &Input<'a>) -> Self {
        let (mut entries, mut recorded) = (Abreast::of(&input.desired.entries), Abreast::of(&input.recorded.images));
        let mut dockerfiles = Abreast::of(&input.observed.dockerfiles);
        let images = std::mem::take(&mut plan.images).into_iter().map(|(name, state)| {
            let (entry, prior, fact) = (entries.at(&name), recorded.at(&name), dockerfiles.at(&name));
            Slot { name, entry, fact, prior, state: Some(state), decision: None }
        });
        let images: Vec<Slot<'a>> = images.collect();
        let named = images.iter().enumerate().filter_map(|(place, slot)| Some((slot.entry?.name.as_str(), place)));
        let places = named.collect();
        Self { input: *input, bases: std::mem::take(&mut plan.bases), images, places }
    }

    /// Puts the states back, with what is decided.
    pub(super) fn put_back(self, plan: &mut Plan) {
        let (mut states, mut decisions) = (Vec::with_capacity(self.images.len()), Vec::with_capacity(self.images.len()));
        for Slot { name, state, decision, .. } in self.images {
            decisions.extend(decision.map(|decision| (name.clone(), decision)));
            states.extend(state.map(|state| (name, state)));
        }
        plan.images = states.into_iter().collect();
        plan.bases = self.bases;
        plan.decisions = decisions.into_iter().collect();
    }

    /// One image by its place.
    pub(super) fn slot(&self, place: usize) -> Option<&Slot<'a>> {
        self.images.get(place)
    }

    /// Takes out the state of an image that is decided on now.
    pub(super) fn take_out(&mut self, place: usize) -> Option<Arc<ImageState>> {
        self.images.get_mut(place)?.state.take()
    }

    /// Puts it back, with what is decided, if anything is.
    pub(super) fn put(&mut self, place: usize, state: Arc<ImageState>, decision: Option<Decision>) {
        if let Some(slot) = self.images.get_mut(place) {
            slot.state = Some(state);
            slot.decision = decision;
        }
    }

    /// Whether the plan has a state of the image, to be decided on.
    pub(super) fn decides_on(&self, name: &str) -> bool {
        self.places.contains_key(name)
    }

    /// The planned states of all base images, with all the rest beside them.
    pub(super) fn take_bases(&mut self) -> BTreeMap<ImageName, BaseState> {
        std::mem::take(&mut self.bases)
    }

    /// Puts them back.
    pub(super) fn put_bases(&mut self, bases: BTreeMap<ImageName, BaseState>) {
        self.bases = bases;
    }

    /// The planned state of a base image.
    pub(super) fn base(&self, name: &str) -> Option<&BaseState> {
        self.bases.get(name)
    }

    /// The state of an enrolled image: as it is planned, else as it is recorded.
    pub(super) fn image(&self, name: &str) -> Option<&ImageState> {
        let planned = self.places.get(name).and_then(|place| self.images.get(*place)?.state.as_deref());
        planned.or_else(|| self.input.recorded.images.get(name).map(Arc::as_ref))
    }

    /// The entry of an image by its name.
    pub(super) fn entry(&self, name: &str) -> Option<&'a Entry> {
        match self.places.get(name) {
            Some(place) => self.images.get(*place)?.entry,
            None => self.input.desired.entries.get(name),
        }
    }

    /// Places of all images, each after those that it builds on; those in a cycle or behind one, for which there is no
    /// order, at the end. Those before an equal number of others are in the order of their names.
    pub(super) fn order(&self) -> Order {
        let mut waits_for = vec![0usize; self.images.len()];
        let mut dependents: Vec<Vec<usize>> = vec![Vec::new(); self.images.len()];
        for (place, slot) in self.images.iter().enumerate() {
            let named = slot.state.as_deref().map_or(&[][..], |state| &state.base_images);
            for (index, base) in named.iter().enumerate() {
                let Some(base_at) = self.places.get(base.as_str()).filter(|_| !named.iter().take(index).any(|before| before == base))
                else {
                    continue;
                };
                if let (Some(waits), Some(dependents)) = (waits_for.get_mut(place), dependents.get_mut(*base_at)) {
                    *waits += 1;
                    dependents.push(place);
                }
            }
        }
        let mut places = Vec::with_capacity(self.images.len());
        let mut wave: Vec<usize> = waits_for.iter().enumerate().filter(|(_, waits)| **waits == 0).map(|(place, _)| place).collect();
        while !wave.is_empty() {
            let mut next = Vec::new();
            for dependent in wave.iter().filter_map(|place| dependents.get(*place)).flatten() {
                let Some(waits) = waits_for.get_mut(*dependent) else { continue };
                *waits -= 1;
                if *waits == 0 {
                    next.push(*dependent);
                }
            }
            next.sort_unstable();
            places.append(&mut wave);
            wave = next;
        }
        let left: Vec<usize> = waits_for.iter().enumerate().filter(|(_, waits)| **waits > 0).map(|(place, _)| place).collect();
        let cyclic = self.cyclic(&left);
        places.extend(left);
        Order { places, cyclic }
    }

    /// Those of `left` that build on themselves, directly or not; the others build on such ones.
    fn cyclic(&self, left: &[usize]) -> BTreeSet<usize> {
        let slots = left.iter().filter_map(|place| self.images.get(*place));
        let graph = ImageGraph::new(slots.filter_map(|slot| {
            let state = slot.state.as_deref()?;
            Some((slot.name.clone(), state.base_images.iter().cloned().collect()))
        }));
        let names = graph.cycles().into_iter().flatten();
        names.filter_map(|name| self.places.get(name.as_str()).copied()).collect()
    }
}

/// The order in which images are decided on.
pub(super) struct Order {
    /// Their places.
    pub(super) places: Vec<usize>,
    /// Places of those that build on themselves.
    pub(super) cyclic: BTreeSet<usize>,
}
