//! `kargo:`: what Kargo gets.

use super::super::Delay;

/// What Kargo gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KargoSettings {
    /// Who looks at registries.
    pub mode: KargoMode,
    /// The oldest Kargo that must accept the manifests.
    pub version: KargoVersion,
    /// Kargo project, which is also the namespace.
    pub project: String,
    /// How often Kargo looks at managed and external images.
    pub interval: Delay,
    /// How often Kargo looks at base images.
    pub base_interval: Delay,
    /// Whether Kargo may keep what it learned of a tag, where tags are chosen among. Some operators require it.
    pub cache_by_tag: bool,
    /// Webhook receivers of the project.
    pub receivers: Vec<Receiver>,
    /// The analysis that follows new Freight; none without this.
    pub analysis: Option<Analysis>,
    /// How images with `trigger: kargo` are rebuilt.
    pub dispatch: Dispatch,
}

/// Who looks at registries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KargoMode {
    /// Kargo polls and makes Freight.
    Watch,
    /// Plimsoll polls and makes Freight; Kargo promotes it.
    Freight,
    /// Nothing is rendered for Kargo.
    Off,
}

/// A minor version of Kargo 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KargoVersion {
    /// 1.9
    V1_9,
    /// 1.10
    V1_10,
    /// 1.11
    V1_11,
}

/// A webhook receiver of the project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    /// Its name, unique in the project.
    pub name: String,
    /// Whose webhooks it takes: `github`, `dockerhub`, … or `generic`.
    pub kind: &'static str,
    /// The Secret with its `secret` key.
    pub secret: String,
}

impl Receiver {
    /// The kinds that exist.
    pub const KINDS: [&'static str; 10] =
        ["artifactory", "azure", "bitbucket", "dockerhub", "generic", "gitea", "github", "gitlab", "harbor", "quay"];
}

/// A pass for one image, run in the cluster after each new Freight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Analysis {
    /// The image that holds `plimsoll`.
    pub image: String,
    /// The Secret with the key `token` for the config repository's git host.
    pub secret: Option<String>,
}

/// How a rebuild Stage starts a workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispatch {
    /// The Secret with the key `token` for the forge.
    pub secret: String,
    /// Those of [`Dispatch::INPUTS`] that the workflows declare. A forge refuses inputs it does not know.
    pub inputs: Vec<&'static str>,
}

impl Dispatch {
    /// What a dispatch can tell the workflow.
    pub const INPUTS: [&'static str; 3] = ["base_image", "base_digest", "plimsoll_key"];
}

impl Default for KargoSettings {
    fn default() -> Self {
        let minutes = |text| Delay::parse(text).unwrap_or(Delay::WEEK);
        Self {
            mode: KargoMode::Watch,
            version: KargoVersion::V1_9,
            project: "plimsoll".to_owned(),
            interval: minutes("15m"),
            base_interval: minutes("24h"),
            cache_by_tag: false,
            receivers: Vec::new(),
            analysis: None,
            dispatch: Dispatch { secret: "plimsoll-dispatch".to_owned(), inputs: Vec::new() },
        }
    }
}
