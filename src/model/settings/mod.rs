//! `plimsoll.yaml`: the repository's own settings, one file here a section. Nothing in it can widen what the
//! operator allows.

mod argocd;
mod backstage;
mod kargo;
mod repository;

use std::collections::BTreeSet;

pub use argocd::ArgocdSettings;
pub use backstage::{BackstageSettings, EntityKinds};
pub use kargo::{Analysis, Dispatch, KargoMode, KargoSettings, KargoVersion, Receiver};
pub use repository::ConfigRepository;

/// Settings of a config repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepoSettings {
    /// Author of our commits.
    pub author: String,
    /// Address of that author.
    pub email: String,
    /// Subject of our commits; `{summary}` stands for what changed.
    pub subject: String,
    /// IDs of held prunes that people have approved.
    pub approvals: BTreeSet<String>,
    /// Where this repository is, as clusters see it.
    pub repository: Option<ConfigRepository>,
    /// What Kargo gets.
    pub kargo: KargoSettings,
    /// What Argo CD gets; nothing is rendered for it without this section.
    pub argocd: Option<ArgocdSettings>,
    /// What Backstage gets; nothing is rendered for it without this section.
    pub backstage: Option<BackstageSettings>,
    /// How rebuilds go.
    pub rebuild: RebuildSettings,
}

/// How rebuilds go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RebuildSettings {
    /// How many may be on their way at once.
    pub max_concurrent: u32,
}

impl Default for RebuildSettings {
    fn default() -> Self {
        Self { max_concurrent: 10 }
    }
}

impl Default for RepoSettings {
    fn default() -> Self {
        Self {
            author: "Plimsoll".to_owned(),
            email: "plimsoll@localhost".to_owned(),
            subject: "plimsoll: {summary}".to_owned(),
            approvals: BTreeSet::new(),
            repository: None,
            kargo: KargoSettings::default(),
            argocd: None,
            backstage: None,
            rebuild: RebuildSettings::default(),
        }
    }
}
