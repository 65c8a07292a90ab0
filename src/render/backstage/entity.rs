//! An entity before it is text: what its template gets.

use serde::Serialize;

/// What the same thing says of itself in each of its forms.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Facts {
    pub(super) title: Option<String>,
    pub(super) description: Option<String>,
    pub(super) annotations: Annotations,
    pub(super) tags: Vec<String>,
    pub(super) links: Vec<Link>,
    pub(super) spec: Spec,
}

/// Annotations, by the names that templates use. A template names the keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Annotations {
    pub(super) registry: Option<String>,
    pub(super) repository: Option<String>,
    pub(super) tag: Option<String>,
    pub(super) digest: Option<String>,
    pub(super) last_built: Option<String>,
    pub(super) last_updated: Option<String>,
    pub(super) rebuild_status: Option<&'static str>,
    pub(super) hold: Option<String>,
    pub(super) github_slug: Option<String>,
    pub(super) github_workflows: Option<String>,
    pub(super) gitlab_slug: Option<String>,
    pub(super) source_location: Option<String>,
    pub(super) view_url: Option<String>,
    pub(super) edit_url: Option<String>,
    pub(super) techdocs_ref: Option<String>,
    pub(super) techdocs_entity: Option<String>,
}

/// A link on the entity's page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Link {
    pub(super) url: String,
    pub(super) title: Option<String>,
}

/// What `spec` is made of; each template takes what its kind has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Spec {
    /// The type of a custom kind. Standard kinds are all `container-image`.
    pub(super) kind_type: &'static str,
    pub(super) lifecycle: String,
    pub(super) owner: String,
    pub(super) system: String,
    pub(super) source: Option<SourceSpec>,
    pub(super) rebuild: Option<RebuildSpec>,
    pub(super) upstream: Option<UpstreamSpec>,
}

/// Where a managed image is built from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct SourceSpec {
    pub(super) provider: &'static str,
    pub(super) repo: Option<String>,
    pub(super) branch: Option<String>,
    pub(super) dockerfile: String,
    pub(super) context: Option<String>,
    pub(super) target: Option<String>,
    pub(super) workflow: Option<String>,
}

/// When a managed image is rebuilt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct RebuildSpec {
    pub(super) delay: String,
    pub(super) auto: bool,
}

/// What somebody else publishes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct UpstreamSpec {
    pub(super) registry: String,
    pub(super) repository: String,
    pub(super) tag: Option<String>,
}

/// One entity: the facts in one form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Entity<'a> {
    pub(super) api_version: &'a str,
    pub(super) name: &'a str,
    #[serde(flatten)]
    pub(super) facts: Facts,
    /// References to what it builds on, sorted.
    pub(super) depends_on: Vec<String>,
    /// References to what builds on it, sorted.
    pub(super) dependents: Vec<String>,
}
