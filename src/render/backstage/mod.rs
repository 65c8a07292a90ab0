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

use serde::Serialize;

use self::name::entity_name;
use self::source::Repository;
use self::things::{Catalog, Form, THINGS, Thing};
use super::name::object_name;
use super::{Document, Draft, Part, Sheet, Target, View};
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

    fn render(&self, view: View<'_>, sheet: &mut Sheet<'_>) {
        let Some(settings) = &view.settings.backstage else { return };
        let catalog = Catalog::of(view);
        let mut locations = Locations::new(system(settings, sheet));
        for things in THINGS {
            for subject in things.subjects(view) {
                let forms: Vec<Form> = catalog.forms(&subject, settings.kinds).collect();
                let file = object_name(&subject);
                for form in &forms {
                    locations.add(*form, &file);
                }
                if let Some(thing) = things.thing(view, settings, &subject) {
                    write(&catalog, &thing, &forms, settings, sheet);
                }
            }
        }
        for subject in &catalog.names.suffixed {
            let name = catalog.names.of(subject).unwrap_or_default();
            let text = format!("{subject}: its name is that of another image of the catalog; its entity is named {name}");
            sheet.warn(Fault::new(Class::Config, text));
        }
        locations.write(settings.kinds, sheet);
        enrol_image(view, settings, sheet);
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

/// A Location of its own for each image, in one file for each sort of kinds. A target that can't be used, or
/// whose kind the catalog does not allow, keeps all targets of its Location out.
struct Locations {
    system: Part,
    standard: Vec<Part>,
    custom: Vec<Part>,
}

impl Locations {
    fn new(system: Part) -> Self {
        Self { system, standard: Vec::new(), custom: Vec::new() }
    }

    fn add(&mut self, form: Form, file: &str) {
        let (list, prefix) = if form.standard { (&mut self.standard, "image-") } else { (&mut self.custom, "custom-") };
        let targets = vec![format!("./{}/{file}.yaml", form.word)];
        list.push(Part::new("backstage/location.yaml", &Location { name: prefixed(prefix, file), targets }));
    }

    /// Writes them. The system stands in one of the files only: a catalog may read both.
    fn write(self, kinds: EntityKinds, sheet: &mut Sheet<'_>) {
        let (mut standard, mut custom) = (self.standard, self.custom);
        if kinds == EntityKinds::Custom { &mut custom } else { &mut standard }.insert(0, self.system);
        for (word, parts) in [("standard", standard), ("custom", custom)] {
            if !parts.is_empty() {
                let path = format!("rendered/backstage/catalog/{word}.yaml");
                sheet.file(Draft { path, owner: own(), of_all: true, parts });
            }
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
    let part = Part::new("backstage/config-map.yaml", &ConfigMap { name, namespace: &settings.namespace }).with_block(block);
    sheet.file(Draft { path, owner, of_all: false, parts: vec![part] });
}

/// The system of images that name none. Other systems are people's own: of two entities with one reference
/// the catalog drops one, and it might be theirs. Gives its Location.
fn system(settings: &BackstageSettings, sheet: &mut Sheet<'_>) -> Part {
    // No image's file has `_` in its name.
    let path = entity_path("system", "_system");
    let parts = vec![Part::new("backstage/system.yaml", &System { name: &settings.system, owner: &settings.owner })];
    sheet.file(Draft { path: path.clone(), owner: own(), of_all: false, parts });
    config_map(config_map_path("_system"), own(), prefixed("", "system"), &[path], settings, sheet);
    let targets = vec!["./system/_system.yaml".to_owned()];
    Part::new("backstage/location.yaml", &Location { name: prefixed("", "system"), targets })
}

/// The files of one thing.
fn write(catalog: &Catalog, thing: &Thing, forms: &[Form], settings: &BackstageSettings, sheet: &mut Sheet<'_>) {
    let (subject, file) = (&thing.subject, object_name(&thing.subject));
    let mut entities = Vec::new();
    for form in forms {
        let Some(entity) = catalog.entity(thing, *form, settings) else { continue };
        let path = entity_path(form.word, &file);
        let parts = vec![Part::new(form.template, &entity)];
        sheet.file(Draft { path: path.clone(), owner: subject.clone().into(), of_all: false, parts });
        entities.push(path);
    }
    config_map(config_map_path(&file), subject.clone().into(), prefixed("image-", &file), &entities, settings, sheet);
    for (path, body) in [(mkdocs_path(&file), page::mkdocs(&thing.page)), (index_path(&file), page::index(&thing.page, subject, catalog))] {
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
