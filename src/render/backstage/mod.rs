//! Backstage: entities as `ConfigMap`s and as a plain tree, documentation pages, and a form that enrols.
//!
//! Everything is rendered only when `plimsoll.yaml` has a `backstage` section. Argo CD follows the `ConfigMap`s
//! and nothing else of it. Nothing here refuses a text of people: what the catalog does not take is mapped or cut,
//! so that a file which the list of Locations names is always there.

mod base_image;
mod enrolled;
mod entity;
mod external;
pub(super) mod field;
mod managed;
mod name;
mod page;
mod source;
#[cfg(test)]
mod tests;
mod things;

use std::sync::Arc;

use serde::Serialize;

use self::name::entity_name;
use self::source::Repository;
use self::things::{Catalog, THINGS, Thing};
use super::name::object_name;
use super::{Document, Draft, Part, Sheet, Target, View, Work};
use crate::base::{Class, Fault};
use crate::model::settings::{BackstageSettings, EntityKinds};
use crate::model::{Owner, Subject};

/// The form's skeleton, as it is: the scaffolder fills it in.
const SKELETON: &str = include_str!("../../../templates/backstage/skeleton.yaml.njk");

/// The Backstage target.
pub struct Backstage;

#[derive(Serialize)]
struct System<'a> {
    name: &'a str,
    owner: &'a str,
}

#[derive(Serialize)]
struct Location {
    name: String,
    targets: Vec<String>,
}

#[derive(Serialize)]
struct ConfigMap<'a> {
    name: String,
    namespace: &'a str,
}

#[derive(Serialize)]
struct EnrolImage<'a> {
    owner: &'a str,
    system: &'a str,
    repository: String,
    branch: &'a str,
}

impl Target for Backstage {
    fn name(&self) -> &'static str {
        "backstage"
    }

    fn render<'v>(&'v self, view: View<'v>, work: &mut Work<'v>) {
        let Some(settings) = &view.settings.backstage else { return };
        let catalog = Arc::new(Catalog::of(view));
        let subjects: Vec<_> = THINGS.iter().map(|things| (things, things.subjects(view))).collect();
        work.add(move |sheet| {
            system(settings, sheet);
            enrol_image(view, settings, sheet);
        });
        let named: Vec<Subject> = subjects.iter().flat_map(|(_, subjects)| subjects.iter().cloned()).collect();
        let all = Arc::clone(&catalog);
        work.add(move |sheet| {
            if !view.applied_only {
                locations(&all, &named, settings.kinds, sheet);
            }
            for subject in &all.names.suffixed {
                let name = all.names.of(subject).unwrap_or_default();
                let text = format!("{subject}: its name is that of another image of the catalog; its entity is named {name}");
                sheet.warn(Fault::new(Class::Config, text));
            }
        });
        for (things, subjects) in subjects {
            for subject in subjects {
                let catalog = Arc::clone(&catalog);
                work.add(move |sheet| {
                    if let Some(thing) = things.thing(view, settings, &subject) {
                        entities(&catalog, &thing, settings, sheet);
                        if !view.applied_only {
                            pages(&catalog, &thing, sheet);
                        }
                    }
                });
            }
        }
    }

    fn paths(&self, subject: &Subject) -> Vec<String> {
        let file = object_name(subject);
        let forms = THINGS.iter().flat_map(|things| things.forms());
        let mut paths: Vec<String> = forms.map(|form| entity_path(form.word, &file)).collect();
        paths.sort();
        paths.dedup();
        paths.extend([config_map_path(&file), mkdocs_path(&file), index_path(&file)]);
        paths
    }

    fn is_applied(&self, path: &str) -> bool {
        path.starts_with("rendered/backstage/configmaps/")
    }
}

fn own() -> Owner {
    Owner::repository("backstage")
}

fn entity_path(word: &str, file: &str) -> String {
    format!("rendered/backstage/catalog/{word}/{file}.yaml")
}

fn config_map_path(file: &str) -> String {
    format!("rendered/backstage/configmaps/{file}.yaml")
}

fn mkdocs_path(file: &str) -> String {
    format!("rendered/backstage/techdocs/{file}/mkdocs.yml")
}

fn index_path(file: &str) -> String {
    format!("rendered/backstage/techdocs/{file}/docs/index.md")
}

/// A name of ours in a place where others put things too.
fn prefixed(prefix: &str, file: &str) -> String {
    let name = format!("plimsoll-{prefix}{file}");
    entity_name(&name).unwrap_or(name)
}

/// Writes a Location of its own for each image, in one file for each sort of kinds. A target that can't be used, or
/// whose kind the catalog does not allow, keeps all targets of its Location out. The system stands in one of the files
/// only: a catalog may read both.
fn locations(catalog: &Catalog, subjects: &[Subject], kinds: EntityKinds, sheet: &mut Sheet<'_>) {
    let location = |name: String, target: &str| Part::new("backstage/location.yaml", &Location { name, targets: vec![target.to_owned()] });
    let system = || location(prefixed("", "system"), "./system/_system.yaml");
    let (mut standard, mut custom) = (Vec::new(), Vec::new());
    if kinds == EntityKinds::Custom { &mut custom } else { &mut standard }.push(system());
    for subject in subjects {
        let file = object_name(subject);
        for form in catalog.forms(subject, kinds) {
            let (list, prefix) = if form.standard { (&mut standard, "image-") } else { (&mut custom, "custom-") };
            list.push(location(prefixed(prefix, &file), &format!("./{}/{file}.yaml", form.word)));
        }
    }
    for (word, parts) in [("standard", standard), ("custom", custom)] {
        if !parts.is_empty() {
            let path = format!("rendered/backstage/catalog/{word}.yaml");
            sheet.file(Draft { path, owner: own(), of_all: true, parts });
        }
    }
}

/// Writes the `ConfigMap` that carries the entities of files which stand in the tree already.
fn config_map(path: String, owner: Owner, name: String, entities: &[String], settings: &BackstageSettings, sheet: &mut Sheet<'_>) {
    let bodies: Option<Vec<&str>> = entities.iter().map(|path| sheet.body(path)).collect();
    let Some(bodies) = bodies else {
        let fault = Fault::new(Class::Config, format!("{path}: the entities in it can't be rendered"));
        sheet.refuse(path, owner, fault);
        return;
    };
    let block = bodies.join("---\n");
    let part = Part::new("backstage/config-map.yaml", &ConfigMap { name, namespace: &settings.namespace }).with_taken(block);
    sheet.file(Draft { path, owner, of_all: false, parts: vec![part] });
}

/// The system of images that name none. Other systems are people's own: of two entities with one reference
/// the catalog drops one, and it might be theirs.
fn system(settings: &BackstageSettings, sheet: &mut Sheet<'_>) {
    // No image's file has `_` in its name.
    let path = entity_path("system", "_system");
    let parts = vec![Part::new("backstage/system.yaml", &System { name: &settings.system, owner: &settings.owner })];
    sheet.file(Draft { path: path.clone(), owner: own(), of_all: false, parts });
    config_map(config_map_path("_system"), own(), prefixed("", "system"), &[path], settings, sheet);
}

/// The entities of one thing, each in a file of its own and all in a `ConfigMap`.
fn entities(catalog: &Catalog, thing: &Thing, settings: &BackstageSettings, sheet: &mut Sheet<'_>) {
    let (subject, file) = (&thing.subject, object_name(&thing.subject));
    let mut entities = Vec::new();
    for form in catalog.forms(subject, settings.kinds) {
        let Some(entity) = catalog.entity(thing, form, settings) else { continue };
        let path = entity_path(form.word, &file);
        let parts = vec![Part::new(form.template, &entity)];
        sheet.file(Draft { path: path.clone(), owner: subject.clone().into(), of_all: false, parts });
        entities.push(path);
    }
    config_map(config_map_path(&file), subject.clone().into(), prefixed("image-", &file), &entities, settings, sheet);
}

/// The documentation of one thing.
fn pages(catalog: &Catalog, thing: &Thing, sheet: &mut Sheet<'_>) {
    let (subject, file) = (&thing.subject, object_name(&thing.subject));
    let values = || page::values(&thing.page, subject, catalog);
    for (path, template, built_in) in [
        (mkdocs_path(&file), "backstage/mkdocs.yml", page::mkdocs(&thing.page)),
        (index_path(&file), "backstage/index.md", page::index(&thing.page, subject, catalog)),
    ] {
        let body = sheet.page(template, values).unwrap_or(built_in);
        sheet.put(path, Document { owner: subject.clone().into(), of_all: false, body });
    }
}

/// The form that enrols an image by pull request, where there is a GitHub repository to open one in.
fn enrol_image(view: View<'_>, settings: &BackstageSettings, sheet: &mut Sheet<'_>) {
    let Some(config) = &view.settings.repository else { return };
    let repository = Repository::of_config(config);
    let Some((host, owner, name)) = repository.github_parts() else { return };
    let form = EnrolImage {
        owner: &settings.owner,
        system: &settings.system,
        repository: format!("{host}?owner={owner}&repo={name}"),
        branch: settings.branch.as_deref().unwrap_or(&config.branch),
    };
    let directory = "rendered/backstage/templates/enrol-image";
    let parts = vec![Part::new("backstage/enrol-image.yaml", &form)];
    if sheet.file(Draft { path: format!("{directory}/template.yaml"), owner: own(), of_all: false, parts }) {
        sheet.put(format!("{directory}/skeleton.yaml.njk"), Document { owner: own(), of_all: false, body: SKELETON.to_owned() });
    }
}
