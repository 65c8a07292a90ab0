//! What one plan finds again and again: the digest of a tag, the entry of a repository, the record of a reference.

use std::cell::OnceCell;

use super::abreast::Hashed;
use super::observed::Observation;
use super::planner::{Input, managed_tag};
use crate::model::{BaseState, Digest, Entry, ImageReference, ImageState, Value};

/// Registry, repository and tag.
type Tagged<'a> = (&'a str, &'a str, &'a str);

/// Look-ups of one plan, each made when it is first asked for.
#[derive(Default)]
pub(super) struct Found<'a> {
    digests: OnceCell<Hashed<Tagged<'a>, &'a Observation<Digest>>>,
    managed: OnceCell<Hashed<(&'a str, &'a str), &'a Entry>>,
    bases: OnceCell<Hashed<Tagged<'a>, &'a BaseState>>,
    built: OnceCell<Hashed<Tagged<'a>, &'a ImageState>>,
}

impl<'a> Found<'a> {
    /// What was seen of a tag.
    pub(super) fn digest(&self, input: &Input<'a>, registry: &str, repository: &str, tag: &str) -> Option<&'a Observation<Digest>> {
        let digests = self.digests.get_or_init(|| {
            let of_tags = input.observed.digests.iter().filter(|(reference, _)| reference.digest.is_none());
            of_tags.filter_map(|(reference, seen)| Some((tagged(reference)?, seen))).collect()
        });
        digests.get(&(registry, repository, tag)).copied()
    }

    /// The managed image that a repository is: of several the first by name.
    pub(super) fn managed(&self, input: &Input<'a>, reference: &ImageReference) -> Option<&'a Entry> {
        let managed = self.managed.get_or_init(|| {
            let mut out = Hashed::default();
            for entry in input.desired.entries.values().filter(|entry| entry.build().is_some()) {
                out.entry((entry.registry.as_str(), entry.repository.as_str())).or_insert(entry);
            }
            out
        });
        managed.get(&(reference.registry.as_str(), reference.repository.as_str())).copied()
    }

    /// The recorded base image of a tag: of several the first by name.
    pub(super) fn base(&self, input: &Input<'a>, entry: &Entry, tag: &str) -> Option<&'a BaseState> {
        let bases = self.bases.get_or_init(|| {
            let mut out = Hashed::default();
            for state in input.recorded.bases.values() {
                if let Some(tagged) = tagged(&state.image) {
                    out.entry(tagged).or_insert(state);
                }
            }
            out
        });
        bases.get(&(entry.registry.as_str(), entry.repository.as_str(), tag)).copied()
    }

    /// The recorded state of an image that was built here under a tag: of several the first by name.
    pub(super) fn built(&self, input: &Input<'a>, image: &ImageReference) -> Option<&'a ImageState> {
        let built = self.built.get_or_init(|| {
            let mut out = Hashed::default();
            for state in input.recorded.images.values().filter(|state| state.watch.is_none()) {
                let field = |wanted: &str| {
                    let entries = state.enrollment.entries().iter();
                    entries.filter(|(key, _)| key == wanted).find_map(|(_, value)| match value {
                        Value::Text(text) => Some(text.as_str()),
                        _ => None,
                    })
                };
                if let (Some(registry), Some(repository)) = (field("registry"), field("repository")) {
                    out.entry((registry, repository, managed_tag(Some(state)))).or_insert(&**state);
                }
            }
            out
        });
        built.get(&tagged(image)?).copied()
    }
}

/// A reference by its tag; what makes two the same base image is the tag, whatever digest stands beside it.
fn tagged(reference: &ImageReference) -> Option<Tagged<'_>> {
    Some((reference.registry.as_str(), reference.repository.as_str(), reference.tag.as_deref()?))
}
