//! Warehouses, and the Freight that Plimsoll offers in `mode: freight`.

use std::sync::LazyLock;

use regex::Regex;
use serde::Serialize;

use super::super::check::freight_name;
use super::super::name::object_name;
use super::super::{Part, View};
use crate::base::{Class, Fault};
use crate::model::entry::{Build, Provider};
use crate::model::policy::{Strategy, TagPolicy};
use crate::model::settings::{KargoMode, KargoVersion};
use crate::model::{BaseState, Delay, Digest, Entry, ImageState, RepoPath, Subject};

/// What Kargo's admission accepts as an image's `repoURL` (its CRD's own pattern, whose classes are those of ASCII, as
/// in Go). Legal OCI names with
/// `--` or `__` are outside of it.
static REPO_URL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"^([0-9A-Za-z_]+([.-][0-9A-Za-z_]+)*(:[0-9]+)?/)?([0-9A-Za-z_]+([.-][0-9A-Za-z_]+)*)(/[0-9A-Za-z_]+([.-][0-9A-Za-z_]+)*)*$")
        .ok()
});

#[derive(Serialize)]
struct Warehouse<'a> {
    name: String,
    namespace: &'a str,
    interval: String,
    policy: &'static str,
    image: ImageSubscription<'a>,
    git: Option<GitSubscription<'a>>,
}

#[derive(Serialize)]
struct ImageSubscription<'a> {
    repo_url: String,
    strategy: &'static str,
    constraint: Option<&'a str>,
    allow_tags: Option<&'a str>,
    cache_by_tag: bool,
}

#[derive(Serialize)]
struct GitSubscription<'a> {
    repo_url: String,
    branch: Option<&'a str>,
    include_path: Option<&'a str>,
    filter: String,
    blobless: bool,
}

#[derive(Serialize)]
struct Freight<'a> {
    name: String,
    namespace: &'a str,
    warehouse: &'a str,
    repo_url: &'a str,
    tag: &'a str,
    digest: &'a str,
}

/// What is watched of one subject.
struct Watched<'a> {
    subject: Subject,
    interval: Delay,
    image: ImageSubscription<'a>,
    git: Option<GitSubscription<'a>>,
    /// The tag and digest that are out, as recorded.
    out: Option<(&'a str, &'a Digest)>,
}

/// The documents of an enrolled image; none when nothing of it is watched by Kargo.
pub(super) fn of_image(view: View<'_>, entry: &Entry, state: &ImageState) -> Result<Vec<Part>, Fault> {
    let image = match (&state.watch, entry.build()) {
        (Some(policy), _) => watched(entry.repo_url(), policy),
        (None, Some(_)) => Some(built(entry, state.current_version.as_deref())),
        (None, None) => None,
    };
    let Some(image) = image else { return Ok(Vec::new()) };
    let tag = state.current_version.as_deref().or_else(|| state.watch.as_ref()?.tag()).unwrap_or("latest");
    let watched = Watched {
        subject: Subject::image(&entry.name),
        interval: view.settings.kargo.interval,
        image,
        git: entry.build().and_then(|build| source(build, view)),
        out: state.ledger.current.as_ref().map(|digest| (tag, digest)),
    };
    parts(view, watched)
}

/// The documents of a base image; none when it is pinned by its digest alone.
pub(super) fn of_base(view: View<'_>, state: &BaseState) -> Result<Vec<Part>, Fault> {
    let Some(image) = state.watch.as_ref().and_then(|policy| watched(state.image.repo_url(), policy)) else { return Ok(Vec::new()) };
    let watched = Watched {
        subject: Subject::base(&state.name),
        interval: view.settings.kargo.base_interval,
        image,
        git: None,
        out: state.image.tag.as_deref().zip(state.ledger.current.as_ref()),
    };
    parts(view, watched)
}

fn parts(view: View<'_>, watched: Watched<'_>) -> Result<Vec<Part>, Fault> {
    let Watched { subject, interval, mut image, git, out } = watched;
    // One tag that moves is what `Digest` is for; Kargo caches nothing of it.
    image.cache_by_tag = view.settings.kargo.cache_by_tag && image.strategy != Strategy::Digest.word();
    if !REPO_URL.as_ref().is_some_and(|pattern| pattern.is_match(&image.repo_url)) {
        return Err(Fault::new(
            Class::Config,
            format!("{}: Kargo does not take {} for an image's repoURL; it gets no Warehouse", subject, image.repo_url),
        ));
    }
    let settings = &view.settings.kargo;
    let offers = settings.mode == KargoMode::Freight;
    let name = object_name(&subject);
    let freight = out.filter(|_| offers).map(|(tag, digest)| {
        let freight = Freight {
            name: freight_name(&name, &[format!("{}:{tag}@{digest}", image.repo_url)]),
            namespace: &settings.project,
            warehouse: &name,
            repo_url: &image.repo_url,
            tag,
            digest: digest.as_str(),
        };
        Part::new("kargo/freight.yaml", &freight)
    });
    let warehouse = Warehouse {
        name: name.clone(),
        namespace: &settings.project,
        // Kargo discovers even where it makes no Freight; once a day is as seldom as it is useful.
        interval: if offers { interval.max(settings.base_interval).go() } else { interval.go() },
        policy: if offers { "Manual" } else { "Automatic" },
        // Freight has one artifact of each subscription, and which commit an image was built from is not known.
        git: git.filter(|_| !offers),
        image,
    };
    let mut parts = vec![Part::new("kargo/warehouse.yaml", &warehouse)];
    parts.extend(freight);
    Ok(parts)
}

/// The subscription of an upstream image. Kargo has no first-seen order: those tags are chosen here.
fn watched(repo_url: String, policy: &TagPolicy) -> Option<ImageSubscription<'_>> {
    let allow_tags = match policy.strategy {
        Strategy::FirstSeen => return None,
        Strategy::Digest => None,
        _ => policy.allow_tags.as_deref(),
    };
    let constraint = match policy.strategy {
        Strategy::Digest | Strategy::SemVer => policy.constraint.as_deref(),
        _ => None,
    };
    Some(ImageSubscription { repo_url, strategy: policy.strategy.word(), constraint, allow_tags, cache_by_tag: false })
}

/// The subscription of an image built here: its versions once it has one, else its `latest`.
fn built<'a>(entry: &Entry, version: Option<&str>) -> ImageSubscription<'a> {
    let number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let versioned = version.is_some_and(|version| {
        let core = version.trim_start_matches('v').split(['-', '+']).next().unwrap_or_default();
        core.split('.').count() == 3 && core.split('.').all(number)
    });
    let (strategy, constraint) = if versioned { (Strategy::SemVer, None) } else { (Strategy::Digest, Some("latest")) };
    ImageSubscription { repo_url: entry.repo_url(), strategy: strategy.word(), constraint, allow_tags: None, cache_by_tag: false }
}

/// The subscription of the source, leaving out our own commits: else each record would start a new round.
fn source<'a>(build: &'a Build, view: View<'_>) -> Option<GitSubscription<'a>> {
    let repo = build.source.repo.as_deref();
    let repo_url = match (build.source.provider, repo?) {
        (Provider::Github, repo) => format!("https://github.com/{repo}.git"),
        (Provider::Gitlab, repo) => format!("https://gitlab.com/{repo}.git"),
        (Provider::Git, url) if url.starts_with("https://") => url.to_owned(),
        _ => return None,
    };
    let directory = build.source.context.as_ref().map(RepoPath::as_str);
    let include_path = directory.or_else(|| build.source.dockerfile.as_str().rsplit_once('/').map(|(directory, _)| directory));
    let address: String = view.settings.email.chars().filter(|c| !matches!(c, '\'' | '\\' | '$' | '{' | '}')).collect();
    Some(GitSubscription {
        repo_url,
        branch: build.source.branch.as_deref(),
        include_path,
        filter: format!("!(author contains '<{address}>')"),
        blobless: view.settings.kargo.version >= KargoVersion::V1_11,
    })
}
