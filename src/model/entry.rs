//! One entry of `images.yaml` or `images.d/`, checked.

use std::collections::BTreeMap;

use super::delay::Delay;
use super::name::ImageName;
use super::policy::TagPolicy;
use super::rebuild::Trigger;
use super::{ImageReference, RepoPath};

/// An image people enrolled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name: the name of its state file, for ever.
    pub name: ImageName,
    /// Registry host, normalised.
    pub registry: String,
    /// Repository path, normalised.
    pub repository: String,
    /// Whether we know how it is built, or only watch it.
    pub kind: EntryKind,
    /// The file that defines it.
    pub defined_in: String,
    /// Where in that file, from 1.
    pub line: usize,
    /// A person's word that nothing is to be done to it.
    pub hold: Option<String>,
    /// Facts for catalogs, by key: `owner`, `system`, `lifecycle`, `description`.
    pub catalog: BTreeMap<String, String>,
    /// Free labels for catalogs.
    pub tags: Vec<String>,
    /// Links for catalogs.
    pub links: Vec<Link>,
}

/// A link on the page of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its address, as it was written.
    pub url: String,
    /// What it says.
    pub title: Option<String>,
}

/// Managed or external.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// It has a `source`: its Dockerfile is read, its bases are watched, it is rebuilt.
    Managed(Build),
    /// It has none: the tags of its registry are watched.
    External(TagPolicy),
}

/// How a managed image is built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// Where its Dockerfile is.
    pub source: Source,
    /// How long a new base must have stood before a rebuild.
    pub rebuild_delay: Delay,
    /// Whether a moved base rebuilds it.
    pub auto_rebuild: bool,
    /// `os/arch[/variant]`, as wanted.
    pub platforms: Vec<String>,
    /// Who rebuilds: the word of the entry.
    pub trigger: Option<String>,
}

/// Where a managed image's Dockerfile is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Who hosts it.
    pub provider: Provider,
    /// `owner/name` for forges, a URL for `git`, nothing for `local`.
    pub repo: Option<String>,
    /// `None` is the repository's default branch.
    pub branch: Option<String>,
    /// Path of the Dockerfile from the top of the repository.
    pub dockerfile: RepoPath,
    /// Directory of the build, from the top of the repository.
    pub context: Option<RepoPath>,
    /// The workflow or pipeline that builds it.
    pub workflow: Option<String>,
    /// The stage that is built; the last one when absent.
    pub target: Option<String>,
    /// Values for the Dockerfile's ARGs.
    pub build_args: BTreeMap<String, String>,
}

/// Who hosts a source repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Provider {
    /// GitHub.
    Github,
    /// GitLab.
    Gitlab,
    /// Any URL that the git program speaks.
    Git,
    /// The config repository itself.
    Local,
}

impl Provider {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Github, Self::Gitlab, Self::Git, Self::Local];

    /// The word in files.
    pub fn word(self) -> &'static str {
        match self {
            Self::Github => "github",
            Self::Gitlab => "gitlab",
            Self::Git => "git",
            Self::Local => "local",
        }
    }

    /// The provider of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|provider| provider.word() == word)
    }
}

impl Build {
    /// Who rebuilds it: the entry's word, else the forge of its workflow.
    pub fn rebuilt_by(&self) -> Trigger {
        let by_forge = match self.source.provider {
            Provider::Github if self.source.workflow.is_some() => Trigger::Github,
            Provider::Gitlab if self.source.workflow.is_some() => Trigger::Gitlab,
            _ => Trigger::None,
        };
        match self.trigger.as_deref().and_then(Trigger::parse) {
            // A pipeline needs no file of its own.
            Some(Trigger::Gitlab) if self.source.provider == Provider::Gitlab => Trigger::Gitlab,
            // A word that the source can't follow starts nothing.
            None | Some(Trigger::Github | Trigger::Gitlab) => by_forge,
            Some(trigger) => trigger,
        }
    }
}

impl Entry {
    /// How it is built, when it is managed.
    pub fn build(&self) -> Option<&Build> {
        match &self.kind {
            EntryKind::Managed(build) => Some(build),
            EntryKind::External(_) => None,
        }
    }

    /// `registry/repository`, as Kargo wants it.
    pub fn repo_url(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// The image under one of its tags.
    pub fn tagged(&self, tag: &str) -> ImageReference {
        ImageReference { registry: self.registry.clone(), repository: self.repository.clone(), tag: Some(tag.to_owned()), digest: None }
    }
}
