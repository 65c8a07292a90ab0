//! `plimsoll.yaml`: the repository's own settings. Nothing in it can widen what the operator allows.

use std::collections::BTreeSet;

use super::Delay;

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
    /// What Kargo gets.
    pub kargo: KargoSettings,
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

/// What Kargo gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KargoSettings {
    /// Whether anything is rendered for Kargo.
    pub enabled: bool,
    /// Kargo project, which is also the namespace.
    pub project: String,
    /// How often Kargo looks at managed and external images.
    pub interval: Delay,
    /// How often Kargo looks at base images.
    pub base_interval: Delay,
}

impl Default for RepoSettings {
    fn default() -> Self {
        Self {
            author: "Plimsoll".to_owned(),
            email: "plimsoll@localhost".to_owned(),
            subject: "plimsoll: {summary}".to_owned(),
            approvals: BTreeSet::new(),
            kargo: KargoSettings::default(),
            rebuild: RebuildSettings::default(),
        }
    }
}

impl Default for KargoSettings {
    fn default() -> Self {
        let minutes = |text| Delay::parse(text).unwrap_or(Delay::WEEK);
        Self { enabled: true, project: "plimsoll".to_owned(), interval: minutes("15m"), base_interval: minutes("24h") }
    }
}
