//! What is catalogued. Each kind of thing is one file that implements [`Things`], and one line in [`THINGS`].

use std::collections::{BTreeMap, BTreeSet};

use super::entity::{Entity, Facts};
use super::name::Names;
use super::page::Page;
use crate::model::settings::{BackstageSettings, EntityKinds};
use crate::model::{ImageName, Subject};
use crate::render::View;

/// The kinds of things, in the order in which they are named: of two that would meet, the first keeps its name.
pub(super) const THINGS: &[&dyn Things] = &[&super::managed::Managed, &super::external::External, &super::base_image::Bases];

/// The group of the kinds that every Backstage knows.
const STANDARD: &str = "backstage.io/v1alpha1";

/// The namespace of all entities.
const NAMESPACE: &str = "default";

/// Most references in the list of what builds on an image. The catalog makes that side of a relation by itself;
/// the list is for readers, and a `ConfigMap` has room for 1 MiB.
const DEPENDENTS: usize = 500;

/// A kind of an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    /// Its kind in lower case, as in references and paths.
    pub(super) word: &'static str,
    /// Its template.
    pub(super) template: &'static str,
    /// Whether every Backstage knows it.
    pub(super) standard: bool,
}

/// A kind of thing: images built here, images of others, base images.
pub(super) trait Things: Sync {
    /// Its custom and its standard form.
    fn forms(&self) -> [Form; 2];

    /// All of them, those included that can't be described in this pass.
    fn subjects(&self, view: View<'_>) -> Vec<Subject>;

    /// One of them; `None` when its entry can't be read, and what is rendered of it stays.
    fn thing(&self, view: View<'_>, settings: &BackstageSettings, subject: &Subject) -> Option<Thing>;
}

/// One thing.
#[derive(Debug, Clone)]
pub(super) struct Thing {
    /// Its state's identity.
    pub(super) subject: Subject,
    /// What it says of itself.
    pub(super) facts: Facts,
    /// Its documentation.
    pub(super) page: Page,
}

/// All things with their names and what builds on what.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    /// Names of entities.
    pub(super) names: Names,
    forms: BTreeMap<Subject, [Form; 2]>,
    on: BTreeMap<Subject, BTreeSet<Subject>>,
    below: BTreeMap<Subject, BTreeSet<Subject>>,
}

impl Catalog {
    /// Names everything and links it.
    pub(super) fn of(view: View<'_>) -> Self {
        let mut catalog = Self::default();
        for things in THINGS {
            for subject in things.subjects(view) {
                catalog.names.give(&subject, &things.forms().map(|form| form.word));
                catalog.forms.insert(subject, things.forms());
            }
        }
        for (name, state) in view.images {
            let subject = Subject::image(name);
            for base in state.base_images.iter().filter_map(|base| ImageName::parse(base).ok()) {
                let base = if view.bases.contains_key(&base) { Subject::base(&base) } else { Subject::image(&base) };
                if catalog.forms.contains_key(&base) {
                    catalog.below.entry(base.clone()).or_default().insert(subject.clone());
                    catalog.on.entry(subject.clone()).or_default().insert(base);
                }
            }
        }
        catalog
    }

    /// What a thing builds on.
    pub(super) fn bases(&self, subject: &Subject) -> impl Iterator<Item = &Subject> {
        self.on.get(subject).into_iter().flatten()
    }

    /// What builds on a thing.
    pub(super) fn dependents(&self, subject: &Subject) -> impl Iterator<Item = &Subject> {
        self.below.get(subject).into_iter().flatten()
    }

    /// The forms of a thing that are rendered.
    pub(super) fn forms(&self, subject: &Subject, kinds: EntityKinds) -> impl Iterator<Item = Form> {
        let wanted = move |form: &Form| match kinds {
            EntityKinds::Both => true,
            EntityKinds::Custom => !form.standard,
            EntityKinds::Standard => form.standard,
        };
        self.forms.get(subject).into_iter().flatten().copied().filter(wanted)
    }

    /// The entity of a thing in one form. Its relations stay among entities of the same sort, custom or standard.
    pub(super) fn entity<'a>(&'a self, thing: &Thing, form: Form, settings: &'a BackstageSettings) -> Option<Entity<'a>> {
        let mut facts = thing.facts.clone();
        if form.standard && settings.kinds == EntityKinds::Both {
            // One set of pages for both entities.
            facts.annotations.techdocs_entity = facts.annotations.techdocs_ref.take().and_then(|_| self.reference(&thing.subject, false));
        }
        let references = |subjects: &mut dyn Iterator<Item = &Subject>| {
            subjects.filter_map(|subject| self.reference(subject, form.standard)).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>()
        };
        let mut dependents = references(&mut self.dependents(&thing.subject));
        if dependents.len() > DEPENDENTS {
            dependents.clear();
        }
        Some(Entity {
            api_version: if form.standard { STANDARD } else { &settings.group },
            name: self.names.of(&thing.subject)?,
            depends_on: references(&mut self.bases(&thing.subject)),
            dependents,
            facts,
        })
    }

    fn reference(&self, subject: &Subject, standard: bool) -> Option<String> {
        let form = self.forms.get(subject)?.iter().find(|form| form.standard == standard)?;
        Some(format!("{}:{NAMESPACE}/{}", form.word, self.names.of(subject)?))
    }
}
