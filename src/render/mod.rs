//! Floor 2: manifests from recorded state. Pure: the same state gives the same bytes.
//!
//! Each target is one file or directory here and its templates in `templates/<target>/`; [`TARGETS`] lists
//! them. A target puts values together and names templates; [`Sheet`] renders, checks ([`check`]) and takes or
//! refuses the files; [`Work`] has several of them written at once. What is refused stays on the branch as it was.

mod argocd;
pub mod backstage;
pub mod check;
mod engine;
mod extra;
mod inert;
pub mod kargo;
mod name;
mod quote;
mod sheet;
pub mod templates;
mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::base::Fault;
use crate::format::head;
use crate::model::{BaseState, Entry, ImageName, ImageState, Owner, RepoSettings, Subject};

pub use engine::Engine;
pub use sheet::{Draft, Part, Sheet};
pub use work::Work;

/// What is rendered from. Nothing in it depends on who renders: a pass, a plain directory, or Argo CD's plugin.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// Settings of the repository, its own address among them.
    pub settings: &'a RepoSettings,
    /// Entries by name.
    pub entries: &'a BTreeMap<ImageName, Entry>,
    /// States of enrolled images.
    pub images: &'a BTreeMap<ImageName, Arc<ImageState>>,
    /// States of base images.
    pub bases: &'a BTreeMap<ImageName, BaseState>,
    /// Subjects that are left alone: not asked for, or not readable. Their files exist and are not rendered.
    pub kept: &'a BTreeSet<Subject>,
    /// Templates of the config repository by path under `templates/`; empty unless the operator allows them.
    pub templates: &'a BTreeMap<String, String>,
    /// Only what is applied to a cluster is wanted, for a stream of it: targets may leave out what nothing of that is made
    /// of.
    pub applied_only: bool,
}

impl View<'_> {
    /// Whether no image can be rendered. Then nothing is begun for the repository as a whole either.
    fn is_bare(&self) -> bool {
        self.images.is_empty() && self.bases.is_empty()
    }
}

/// One rendered file, without its head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Whose it is.
    pub owner: Owner,
    /// It speaks of all images: it stays as it is while some of them can't be read.
    pub of_all: bool,
    /// Its text, complete with newline. Documents in it are parted by `---`.
    pub body: String,
}

/// A file that is not rendered, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Its path. What stands there stays.
    pub path: String,
    /// Whose it is.
    pub owner: Owner,
    /// Why.
    pub fault: Fault,
}

/// Everything that was rendered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rendered {
    /// Files by path.
    pub documents: BTreeMap<String, Document>,
    /// Files that stay as they are because they can't be rendered.
    pub refused: Vec<Refusal>,
    /// Paths of files that stay as they are because not every image they speak of is known.
    pub postponed: BTreeSet<String>,
    /// Templates of the config repository that were passed over, by what is wrong with them.
    pub findings: BTreeMap<String, Fault>,
    /// What people may want to know of files that are rendered all the same.
    pub warnings: Vec<Fault>,
}

impl Rendered {
    /// Paths that stay as they are.
    pub fn untouched(&self) -> impl Iterator<Item = &str> {
        self.refused.iter().map(|refusal| refusal.path.as_str()).chain(self.postponed.iter().map(String::as_str))
    }

    /// Everything that is wrong.
    pub fn faults(&self) -> impl Iterator<Item = &Fault> {
        self.refused.iter().map(|refusal| &refusal.fault).chain(self.findings.values())
    }
}

/// A system that manifests are rendered for.
pub trait Target: Sync {
    /// Its word on the command line, and its directory under `rendered/`.
    fn name(&self) -> &'static str;

    /// Sets the tasks that write its files. A file that can't be made is refused alone.
    fn render<'v>(&'v self, view: View<'v>, work: &mut Work<'v>);

    /// Where the files of a subject may be. Only saves reading them: what a file is made for, its head says.
    fn paths(&self, subject: &Subject) -> Vec<String>;

    /// Whether the file of a path holds objects of a cluster, which is what a stream of manifests is made of.
    fn is_applied(&self, _path: &str) -> bool {
        true
    }
}

/// Every target, in the order of the documentation.
pub const TARGETS: &[&dyn Target] = &[&kargo::Kargo, &argocd::Argocd, &backstage::Backstage, &extra::Extra];

/// Renders all targets. Paths start with `rendered/`.
pub fn render(view: View<'_>) -> Rendered {
    let mut work = Work::default();
    for target in TARGETS {
        target.render(view, &mut work);
    }
    work.done(view.templates).finish(view.kept.is_empty())
}

/// Paths under `rendered/` that may belong to a subject.
pub fn paths(subject: &Subject) -> impl Iterator<Item = String> {
    TARGETS.iter().flat_map(|target| target.paths(subject))
}

/// Whether the file of a path holds objects of a cluster.
pub fn is_applied(path: &str) -> bool {
    let system = path.strip_prefix("rendered/").and_then(|rest| rest.split('/').next()).unwrap_or_default();
    TARGETS.iter().find(|target| target.name() == system).is_none_or(|target| target.is_applied(path))
}

/// The file as it is committed under `path`: head and body.
pub fn file(path: &str, document: &Document) -> String {
    head::styled(head::Style::of_path(path), &document.owner.to_string(), &document.owner.made_from(), &document.body)
}
