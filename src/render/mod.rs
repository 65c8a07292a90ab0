//! Floor 2: manifests from recorded state. Pure: the same state gives the same bytes.
//!
//! Each target is one file here and its templates in `templates/<target>/`; [`TARGETS`] lists them.

mod engine;
pub mod kargo;
mod name;

use std::collections::BTreeMap;

use crate::base::Fault;
use crate::format::head;
use crate::model::{BaseState, Entry, ImageName, ImageState, RepoSettings, Subject};

pub use engine::Engine;

/// What is rendered from.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// Settings of the repository.
    pub settings: &'a RepoSettings,
    /// Entries by name.
    pub entries: &'a BTreeMap<ImageName, Entry>,
    /// States of enrolled images.
    pub images: &'a BTreeMap<ImageName, ImageState>,
    /// States of base images.
    pub bases: &'a BTreeMap<ImageName, BaseState>,
}

/// One rendered file, without its head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The state it is rendered from.
    pub subject: Subject,
    /// Its text, complete with newline.
    pub body: String,
}

/// A system that manifests are rendered for.
pub trait Target: Sync {
    /// Its word on the command line, and its directory under `rendered/`.
    fn name(&self) -> &'static str;

    /// Its documents by path. A fault is about one subject and leaves the others alone.
    fn render(&self, view: View<'_>, engine: &Engine) -> (BTreeMap<String, Document>, Vec<(Subject, Fault)>);

    /// Where the documents of a subject are, whether or not they exist.
    fn paths(&self, subject: &Subject) -> Vec<String>;
}

/// Every target, in the order of the documentation.
pub const TARGETS: &[&dyn Target] = &[&kargo::Kargo];

/// Renders all targets. Paths start with `rendered/`.
pub fn render(view: View<'_>) -> (BTreeMap<String, Document>, Vec<(Subject, Fault)>) {
    let engine = Engine::new();
    let mut documents = BTreeMap::new();
    let mut faults = Vec::new();
    for target in TARGETS {
        let (rendered, refused) = target.render(view, &engine);
        documents.extend(rendered);
        faults.extend(refused);
    }
    (documents, faults)
}

/// Every path under `rendered/` that belongs to a subject.
pub fn paths(subject: &Subject) -> impl Iterator<Item = String> {
    TARGETS.iter().flat_map(|target| target.paths(subject))
}

/// The file as it is committed: head and body.
pub fn file(document: &Document) -> String {
    head::with_head(&document.subject.to_string(), &document.subject.state_path(), &document.body)
}
