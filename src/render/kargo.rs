//! Kargo (1.9 to 1.11): a Warehouse for each watched image.
//!
//! Since 1.9 the CRD checks almost nothing of a subscription, so the fields, and the defaults that
//! Kargo's admission would add (else Argo CD shows drift for ever), are ours to get right.

use std::sync::LazyLock;

use regex::Regex;
use serde::Serialize;

use super::name::object_name;
use super::{Draft, Part, Sheet, Target, View};
use crate::base::{Class, Fault};
use crate::model::entry::{Build, Provider};
use crate::model::policy::{Strategy, TagPolicy};
use crate::model::settings::KargoMode;
use crate::model::{Delay, Entry, Subject};

/// What Kargo's admission accepts as an image's `repoURL` (its CRD's own pattern). Legal OCI names with
/// `--` or `__` are outside of it.
static REPO_URL: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^(\w+([\.-]\w+)*(:[\d]+)?/)?(\w+([\.-]\w+)*)(/\w+([\.-]\w+)*)*$").ok());

/// The Kargo target.
pub struct Kargo;

#[derive(Serialize)]
struct Warehouse<'a> {
    name: String,
    namespace: &'a str,
    interval: String,
    image: ImageSubscription<'a>,
    git: Option<GitSubscription<'a>>,
}

#[derive(Serialize)]
struct ImageSubscription<'a> {
    repo_url: String,
    strategy: &'static str,
    constraint: Option<&'a str>,
    allow_tags: Option<&'a str>,
}

#[derive(Serialize)]
struct GitSubscription<'a> {
    repo_url: String,
    branch: Option<&'a str>,
    include_path: Option<&'a str>,
    filter: String,
}

impl Target for Kargo {
    fn name(&self) -> &'static str {
        "kargo"
    }

    fn render(&self, view: View<'_>, sheet: &mut Sheet<'_>) {
        if view.settings.kargo.mode == KargoMode::Off {
            return;
        }
        let mut add = |subject: Subject, interval: Delay, image: Option<ImageSubscription<'_>>, git: Option<GitSubscription<'_>>| {
            let Some(image) = image else { return };
            if !REPO_URL.as_ref().is_some_and(|pattern| pattern.is_match(&image.repo_url)) {
                let fault = Fault::new(
                    Class::Config,
                    format!("{}: Kargo does not take {} for an image's repoURL; it gets no Warehouse", subject, image.repo_url),
                );
                sheet.refuse(path(&subject), subject.into(), fault);
                return;
            }
            let warehouse =
                Warehouse { name: object_name(&subject), namespace: &view.settings.kargo.project, interval: interval.go(), image, git };
            let parts = vec![Part::new("kargo/warehouse.yaml", &warehouse)];
            sheet.file(Draft { path: path(&subject), owner: subject.into(), of_all: false, parts });
        };
        for (name, state) in view.images {
            let Some(entry) = view.entries.get(name) else { continue };
            let image = match (&state.watch, entry.build()) {
                (Some(policy), _) => watched(entry.repo_url(), policy),
                (None, Some(_)) => Some(built(entry, state.current_version.as_deref())),
                (None, None) => None,
            };
            let git = entry.build().and_then(|build| source(build, &view.settings.email));
            add(Subject::image(name), view.settings.kargo.interval, image, git);
        }
        for (name, state) in view.bases {
            let image = state.watch.as_ref().and_then(|policy| watched(state.image.repo_url(), policy));
            add(Subject::base(name), view.settings.kargo.base_interval, image, None);
        }
    }

    fn paths(&self, subject: &Subject) -> Vec<String> {
        vec![path(subject)]
    }
}

fn path(subject: &Subject) -> String {
    format!("rendered/kargo/{subject}.yaml")
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
    Some(ImageSubscription { repo_url, strategy: policy.strategy.word(), constraint, allow_tags })
}

/// The subscription of an image built here: its versions once it has one, else its `latest`.
fn built<'a>(entry: &Entry, version: Option<&str>) -> ImageSubscription<'a> {
    let number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let versioned = version.is_some_and(|version| {
        let core = version.trim_start_matches('v').split(['-', '+']).next().unwrap_or_default();
        core.split('.').count() == 3 && core.split('.').all(number)
    });
    let (strategy, constraint) = if versioned { (Strategy::SemVer, None) } else { (Strategy::Digest, Some("latest")) };
    ImageSubscription { repo_url: entry.repo_url(), strategy: strategy.word(), constraint, allow_tags: None }
}

/// The subscription of the source, leaving out our own commits: else each record would start a new round.
fn source<'a>(build: &'a Build, email: &str) -> Option<GitSubscription<'a>> {
    let repo = build.source.repo.as_deref();
    let repo_url = match (build.source.provider, repo?) {
        (Provider::Github, repo) => format!("https://github.com/{repo}.git"),
        (Provider::Gitlab, repo) => format!("https://gitlab.com/{repo}.git"),
        (Provider::Git, url) if url.starts_with("https://") => url.to_owned(),
        _ => return None,
    };
    let directory = build.source.context.as_ref().map(crate::model::RepoPath::as_str);
    let include_path = directory.or_else(|| build.source.dockerfile.as_str().rsplit_once('/').map(|(directory, _)| directory));
    let address: String = email.chars().filter(|c| !matches!(c, '\'' | '\\' | '$' | '{' | '}')).collect();
    Some(GitSubscription {
        repo_url,
        branch: build.source.branch.as_deref(),
        include_path,
        filter: format!("!(author contains '<{address}>')"),
    })
}
