//! JSON Schemas of the files people write, generated from types that mirror what the readers accept.

use std::collections::BTreeMap;

use schemars::{JsonSchema, schema_for};

use super::settings::{ArgocdSchema, BackstageSchema, KargoSchema, RepositorySchema};

/// Length of time: numbers with units, such as `7d`, `36h` or `1d12h`.
#[derive(JsonSchema)]
#[schemars(transparent)]
#[allow(dead_code, reason = "only its schema is used")]
pub(super) struct Delay(#[schemars(regex(pattern = r"^(0|([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?)$"))] String);

/// A list of images, or a map with the list under `images`.
#[derive(JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "only its schema is used")]
enum ImagesFile {
    /// The list alone.
    List(Vec<Image>),
    /// The list under a key.
    Map {
        /// The images.
        images: Vec<Image>,
    },
}

/// An enrolled image. With `source` it is built by you; without, its tags are watched.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code, reason = "only its schema is used")]
pub(super) struct Image {
    /// Its name, for ever: lower-case letters, digits, `-`, `_` and `.`.
    #[schemars(regex(pattern = r"^[a-z0-9]([a-z0-9._-]{0,126}[a-z0-9])?$"))]
    name: Option<String>,
    /// Registry host: `docker.io`, `ghcr.io`, `localhost:5000`.
    registry: String,
    /// Path in the registry, without a tag: `acme/portal`.
    repository: String,
    /// Where its Dockerfile is; makes it a managed image.
    source: Option<Source>,
    /// How long a new base image must have stood before a rebuild [7d].
    rebuild_delay: Option<Delay>,
    /// Whether a moved base image rebuilds it [true].
    auto_rebuild: Option<bool>,
    /// Wanted platforms, as os/arch.
    platforms: Option<Vec<String>>,
    /// Who rebuilds it.
    trigger: Option<Trigger>,
    /// Tags that count, as a regular expression (RE2 syntax); external images only.
    allow_tags: Option<String>,
    /// A version range, or the one tag of `Digest`; external images only.
    constraint: Option<String>,
    /// How the best tag is chosen; external images only.
    #[serde(rename = "imageSelectionStrategy")]
    selection_strategy: Option<Strategy>,
    /// Nothing is done to it while this is true or gives a reason.
    hold: Option<Hold>,
    /// Catalog: its owner.
    owner: Option<String>,
    /// Catalog: the system it belongs to.
    system: Option<String>,
    /// Catalog: its lifecycle.
    lifecycle: Option<String>,
    /// Catalog: a title.
    title: Option<String>,
    /// Catalog: what it is.
    description: Option<String>,
    /// Catalog: free labels.
    tags: Option<Vec<String>>,
    /// Catalog: links.
    links: Option<Vec<Link>>,
}

/// A link on the page of an image.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "only its schema is used")]
pub(super) struct Link {
    /// Its address: https, http or mailto.
    url: String,
    /// What it says.
    title: Option<String>,
}

/// True, or the reason.
#[derive(JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "only its schema is used")]
enum Hold {
    /// Held, or not.
    Flag(bool),
    /// Held, and why.
    Reason(String),
}

/// Where a Dockerfile is.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code, reason = "only its schema is used")]
pub(super) struct Source {
    /// Who hosts the source.
    provider: Provider,
    /// `owner/name` for github and gitlab, a URL for git, nothing for local.
    repo: Option<String>,
    /// The branch [the repository's default].
    branch: Option<String>,
    /// Path of the Dockerfile from the top of its repository.
    dockerfile: String,
    /// Directory of the build, from the top of the repository.
    context: Option<String>,
    /// The workflow or pipeline that builds it.
    workflow: Option<String>,
    /// The stage that is built [the last].
    target: Option<String>,
    /// Values for the Dockerfile's ARGs.
    build_args: Option<BTreeMap<String, String>>,
}

/// Who hosts a source.
#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(dead_code, reason = "only its schema is used")]
enum Provider {
    Github,
    Gitlab,
    Git,
    Local,
}

/// Who rebuilds an image.
#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(dead_code, reason = "only its schema is used")]
enum Trigger {
    Github,
    Gitlab,
    Docker,
    Kargo,
    None,
}

/// How the best tag is chosen.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "only its schema is used")]
enum Strategy {
    /// One mutable tag, watched by its digest.
    Digest,
    /// The highest semantic version.
    SemVer,
    /// The last in lexical order.
    Lexical,
    /// The newest by build date.
    NewestBuild,
    /// The newest by when it was first seen.
    FirstSeen,
}

/// Settings of the repository.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code, reason = "only its schema is used")]
pub(super) struct Settings {
    /// Author and subject of commits.
    commit: Option<Commit>,
    /// IDs of held prunes that may go.
    approvals: Option<Vec<String>>,
    /// Where this repository is, as clusters and catalogs see it.
    repository: Option<RepositorySchema>,
    /// What Kargo gets.
    kargo: Option<KargoSchema>,
    /// What Argo CD gets; nothing is rendered for it without this section.
    argocd: Option<ArgocdSchema>,
    /// What Backstage gets; nothing is rendered for it without this section.
    backstage: Option<BackstageSchema>,
    /// How rebuilds go.
    rebuild: Option<Rebuild>,
}

/// How rebuilds go.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code, reason = "only its schema is used")]
pub(super) struct Rebuild {
    /// How many rebuilds may be on their way at once [10].
    #[schemars(range(min = 1, max = 1000))]
    max_concurrent: Option<u32>,
}

/// Times in which nothing is rebuilt.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "only its schema is used")]
pub(super) struct FreezeFile {
    /// Nothing at all is rebuilt while this is true.
    stop: Option<bool>,
    /// Why, for whoever finds it.
    reason: Option<String>,
    /// Windows.
    freezes: Option<Vec<FreezeWindow>>,
}

/// A time in which some images are not rebuilt.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "only its schema is used")]
pub(super) struct FreezeWindow {
    /// Names of images; `*` stands for any characters, `?` for one.
    scope: Scope,
    /// Why.
    reason: String,
    /// From when on: a time, or a date in UTC [always].
    from: Option<String>,
    /// Until when: a time, or a date in UTC [for ever].
    until: Option<String>,
}

/// One pattern, or several.
#[derive(JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "only its schema is used")]
enum Scope {
    One(String),
    Several(Vec<String>),
}

/// `freeze.yaml`: a map, or the windows alone.
#[derive(JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "only its schema is used")]
enum FreezeShapes {
    Map(FreezeFile),
    List(Vec<FreezeWindow>),
}

/// Author and subject of commits.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code, reason = "only its schema is used")]
pub(super) struct Commit {
    /// Author's name [Plimsoll].
    author: Option<String>,
    /// Author's address.
    email: Option<String>,
    /// Subject; `{summary}` stands for what changed.
    subject: Option<String>,
}

/// All schemas by file name.
pub fn all() -> BTreeMap<&'static str, String> {
    [
        ("images.schema.json", schema_for!(ImagesFile)),
        ("image.schema.json", schema_for!(Image)),
        ("plimsoll.schema.json", schema_for!(Settings)),
        ("freeze.schema.json", schema_for!(FreezeShapes)),
    ]
    .into_iter()
    .map(|(name, schema)| (name, format!("{}\n", serde_json::to_string_pretty(&schema).unwrap_or_default())))
    .collect()
}

/// The keys a type's schema names.
#[cfg(test)]
pub(super) fn keys<T: JsonSchema>() -> std::collections::BTreeSet<String> {
    let schema = schema_for!(T);
    schema.get("properties").and_then(serde_json::Value::as_object).map(|map| map.keys().cloned().collect()).unwrap_or_default()
}
