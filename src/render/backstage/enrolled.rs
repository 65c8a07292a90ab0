//! What all images with an entry have in common.

use super::entity::{Annotations, Facts, Link, Spec};
use super::field::is_link;
use super::name;
use super::page::{Page, Row};
use super::source::Repository;
use crate::model::settings::BackstageSettings;
use crate::model::{Entry, Ledger, Subject, Value};
use crate::render::View;
use crate::render::name::object_name;

/// The lifecycle of what says none.
pub(super) const LIFECYCLE: &str = "production";

/// Longest title and lifecycle, in characters.
const LINE: usize = 200;

/// Longest description, in characters. A `ConfigMap` has room for 1 MiB in all.
const DESCRIPTION: usize = 10_000;

/// Most tags and most links.
const MOST: usize = 50;

/// Longest address of a link, in bytes.
const ADDRESS: usize = 2_000;

/// `text` cut at `longest` characters; `None` when nothing but blanks is left.
fn cut(text: &str, longest: usize) -> Option<String> {
    let text = text.trim();
    let short: String = text.chars().take(longest).collect();
    (!short.is_empty()).then(|| if short.len() < text.len() { format!("{short}…") } else { short })
}

/// A recorded text.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => cut(text, LINE),
        _ => None,
    }
}

fn fact(entry: &Entry, key: &str, longest: usize) -> Option<String> {
    entry.catalog.get(key).and_then(|text| cut(text, longest))
}

/// Title, description, tags and links.
pub(super) fn facts(entry: &Entry) -> Facts {
    let links = entry.links.iter().filter(|link| link.url.len() <= ADDRESS && is_link(&link.url));
    let mut tags = name::tags(&entry.tags);
    tags.truncate(MOST);
    Facts {
        title: fact(entry, "title", LINE),
        description: fact(entry, "description", DESCRIPTION),
        tags,
        links: links
            .take(MOST)
            .map(|link| Link { url: link.url.clone(), title: link.title.as_deref().and_then(|title| cut(title, LINE)) })
            .collect(),
        ..Facts::default()
    }
}

/// Where the image is, where its entry is, and its pages.
pub(super) fn annotations(view: View<'_>, settings: &BackstageSettings, entry: &Entry) -> Annotations {
    let config = view.settings.repository.as_ref();
    let branch = config.map(|config| settings.branch.as_deref().unwrap_or(&config.branch)).unwrap_or_default();
    let repository = config.map(Repository::of_config);
    Annotations {
        registry: Some(entry.registry.clone()),
        repository: Some(entry.repository.clone()),
        hold: entry.hold.clone(),
        view_url: repository.as_ref().and_then(|repository| repository.view(branch, &entry.defined_in)),
        edit_url: repository.as_ref().and_then(|repository| repository.edit(branch, &entry.defined_in)),
        techdocs_ref: techdocs(view, &Subject::image(&entry.name)),
        ..Annotations::default()
    }
}

/// Owner, system and lifecycle, those of the settings where the entry has none that can be used.
pub(super) fn spec(settings: &BackstageSettings, entry: &Entry) -> Spec {
    let reference = |key: &str| entry.catalog.get(key).and_then(|text| name::reference(text));
    Spec {
        owner: reference("owner").unwrap_or_else(|| settings.owner.clone()),
        system: reference("system").unwrap_or_else(|| settings.system.clone()),
        lifecycle: fact(entry, "lifecycle", LINE).unwrap_or_else(|| LIFECYCLE.to_owned()),
        ..Spec::default()
    }
}

/// Head of its documentation page.
pub(super) fn page(entry: &Entry, spec: &Spec) -> Page {
    Page {
        title: fact(entry, "title", LINE).unwrap_or_else(|| entry.name.to_string()),
        description: fact(entry, "description", DESCRIPTION),
        facts: vec![
            Row::code("Image", &entry.repo_url()),
            Row::text("Owner", &spec.owner),
            Row::text("System", &spec.system),
            Row::text("Lifecycle", &spec.lifecycle),
            Row::code("Enrolled in", &entry.defined_in),
        ],
        policy: Vec::new(),
        ledger: Ledger::default(),
    }
}

/// Where `TechDocs` finds the pages of a subject: an address, because a reader of a `ConfigMap` has no directory.
pub(super) fn techdocs(view: View<'_>, subject: &Subject) -> Option<String> {
    let config = view.settings.repository.as_ref()?;
    let directory = format!("rendered/backstage/techdocs/{}", object_name(subject));
    Some(format!("url:{}", Repository::of_config(config).tree(Some(&config.branch), &directory)))
}

/// Where people look at a file of the record.
pub(super) fn recorded(view: View<'_>, path: &str) -> Option<String> {
    let config = view.settings.repository.as_ref()?;
    Repository::of_config(config).view(&config.branch, path)
}
