//! Rebuild Stages: one a pair of image and base, for images with `trigger: kargo`.
//!
//! Kargo has no notion of a baseline or a delay. So each Stage holds the digest that the image was built from
//! and does nothing for that one, and it carries the label that lets Kargo promote only while the recorded state
//! says that a rebuild is due: delay, hold and freeze are Plimsoll's.

use std::fmt::Write as _;

use serde::Serialize;

use super::super::name::{derived_name, object_name};
use super::super::{Part, View};
use super::warehouse;
use crate::base::{Class, Fault};
use crate::model::rebuild::{RebuildStatus, Trigger};
use crate::model::{Build, Entry, ImageName, ImageState, Provider, Subject};

#[derive(Serialize)]
struct Stage<'a> {
    name: String,
    namespace: &'a str,
    eligible: bool,
    warehouse: String,
    task: &'static str,
    base_url: String,
    built_from: &'a str,
    url: String,
    reference: &'a str,
    key: Option<&'a str>,
}

/// The Stages of an image.
pub(super) fn stages(view: View<'_>, entry: &Entry, state: &ImageState) -> Result<Vec<Part>, Fault> {
    let Some(build) = entry.build().filter(|build| build.rebuilt_by() == Trigger::Kargo && build.auto_rebuild) else {
        return Ok(Vec::new());
    };
    let (task, url) = dispatch(&entry.name, build)?;
    let Some(reference) = build.source.branch.as_deref() else {
        return Err(wrong(&entry.name, "needs `source.branch`: a forge starts a workflow on a branch"));
    };
    let rebuild = state.rebuild.as_ref();
    let eligible = entry.hold.is_none() && rebuild.is_some_and(|rebuild| rebuild.status == RebuildStatus::Eligible);
    let mut parts = Vec::new();
    for base in state.base_images.iter().filter(|base| !state.pinned.contains(base)) {
        let Some(found) = base_of(view, base) else { continue };
        // Without a digest to compare with, the first Freight of an old base would rebuild everything.
        let Some(built_from) = state.built_from.get(base).map(crate::model::Digest::as_str).or(found.digest) else { continue };
        let values = Stage {
            name: derived_name("rebuild", &[entry.name.as_str(), "on", base], &format!("{} on {base}", entry.name)),
            namespace: &view.settings.kargo.project,
            eligible,
            warehouse: object_name(&found.subject),
            task,
            base_url: found.repo_url,
            built_from,
            url: url.clone(),
            reference,
            key: rebuild.map(|rebuild| rebuild.key.as_str()),
        };
        parts.push(Part::new("kargo/rebuild-stage.yaml", &values));
    }
    Ok(parts)
}

struct Base<'a> {
    subject: Subject,
    repo_url: String,
    digest: Option<&'a str>,
}

/// A base that has a Warehouse: a base image, or an image of this repository.
fn base_of<'a>(view: View<'a>, name: &str) -> Option<Base<'a>> {
    let name = ImageName::parse(name).ok()?;
    if let Some(base) = view.bases.get(&name) {
        warehouse::of_base(view, base).ok().filter(|parts| !parts.is_empty())?;
        let digest = base.ledger.current.as_ref().map(crate::model::Digest::as_str);
        return Some(Base { subject: Subject::base(&name), repo_url: base.image.repo_url(), digest });
    }
    let (state, entry) = (view.images.get(&name)?, view.entries.get(&name)?);
    warehouse::of_image(view, entry, state).ok().filter(|parts| !parts.is_empty())?;
    let digest = state.ledger.current.as_ref().map(crate::model::Digest::as_str);
    Some(Base { subject: Subject::image(&name), repo_url: entry.repo_url(), digest })
}

/// The task that starts a build, and the address it posts to.
fn dispatch(name: &ImageName, build: &Build) -> Result<(&'static str, String), Fault> {
    let source = &build.source;
    let Some(repo) = source.repo.as_deref() else {
        return Err(wrong(name, "needs a source at github or gitlab"));
    };
    match (source.provider, source.workflow.as_deref()) {
        (Provider::Github, Some(workflow)) => {
            // GitHub takes the name of the file, not its path.
            let file = workflow.rsplit('/').next().unwrap_or(workflow);
            let url = format!(
                "https://api.github.com/repos/{}/actions/workflows/{}/dispatches",
                repo.split('/').map(encoded).collect::<Vec<_>>().join("/"),
                encoded(file)
            );
            Ok(("plimsoll-dispatch-github", url))
        }
        (Provider::Github, None) => Err(wrong(name, "needs `source.workflow`")),
        (Provider::Gitlab, _) => Ok(("plimsoll-dispatch-gitlab", format!("https://gitlab.com/api/v4/projects/{}/pipeline", encoded(repo)))),
        (Provider::Git | Provider::Local, _) => Err(wrong(name, "needs a source at github or gitlab")),
    }
}

/// RFC 3986 percent-encoding of one part of a path.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        // Writing into a string does not fail.
        let _ = match byte {
            byte if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => write!(out, "{}", char::from(byte)),
            byte => write!(out, "%{byte:02X}"),
        };
        out
    })
}

fn wrong(name: &ImageName, what: &str) -> Fault {
    Fault::new(Class::Config, format!("images/{name}: `trigger: kargo` {what}"))
}
