//! `backstage:`: what the catalog gets.

/// Entities that describe the images. Rendered only when the section is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackstageSettings {
    /// Which kinds of entities.
    pub kinds: EntityKinds,
    /// `group/version` of the custom kinds.
    pub group: String,
    /// Reference of the owner of images that name none.
    pub owner: String,
    /// Reference of the owner of base images.
    pub upstream_owner: String,
    /// Name of the system of images that name none. It is the one system that is rendered.
    pub system: String,
    /// Namespace of the `ConfigMap`s.
    pub namespace: String,
    /// The branch that people's entries are on, when it is not the one of `repository`.
    pub branch: Option<String>,
}

/// Which kinds of entities are rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EntityKinds {
    /// `ManagedImage` and `BaseImage`, which need a processor or model layer in the catalog.
    Custom,
    /// `Component` and `Resource`, which every Backstage knows.
    Standard,
    /// Each image as both.
    Both,
}

impl EntityKinds {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Custom, Self::Standard, Self::Both];

    /// The word in files.
    pub fn word(self) -> &'static str {
        match self {
            Self::Custom => "custom",
            Self::Standard => "standard",
            Self::Both => "both",
        }
    }
}

impl Default for BackstageSettings {
    fn default() -> Self {
        Self {
            kinds: EntityKinds::Standard,
            group: "backstage.io/v1alpha1".to_owned(),
            owner: "group:default/platform".to_owned(),
            upstream_owner: "group:default/upstream".to_owned(),
            system: "image-factory".to_owned(),
            namespace: "backstage".to_owned(),
            branch: None,
        }
    }
}
