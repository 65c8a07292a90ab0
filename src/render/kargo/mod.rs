//! Kargo (1.9 to 1.11): the project, and for each image a Warehouse and the Stages that act on its Freight.
//!
//! Since 1.9 the CRD checks almost nothing of a subscription or a step, so the fields, and the defaults that
//! Kargo's admission would add (else Argo CD shows drift for ever), are ours to get right: [`super::check`].

mod project;
mod rebuild;
mod warehouse;

use serde::Serialize;

use super::check::Identity;
use super::name::{derived_name, object_name};
use super::{Draft, Part, Sheet, Target, View, Work};
use crate::base::Fault;
use crate::model::settings::KargoMode;
use crate::model::{Owner, Subject};

/// The Kargo target.
pub struct Kargo;

/// A Stage that runs an analysis of each new Freight.
#[derive(Serialize)]
struct AnalysisStage<'a> {
    name: String,
    namespace: &'a str,
    warehouse: String,
    repo_url: String,
    image: &'a str,
}

impl Target for Kargo {
    fn name(&self) -> &'static str {
        "kargo"
    }

    fn render<'v>(&'v self, view: View<'v>, work: &mut Work<'v>) {
        if view.settings.kargo.mode == KargoMode::Off {
            return;
        }
        if view.is_bare() {
            return work.add(move |sheet| sheet.postpone(project::PATH, view.kept.is_empty()));
        }
        work.add(move |sheet| of_project(view, sheet));
        // Base images first: a rebuild Stage takes Freight of their Warehouses.
        for (name, state) in view.bases {
            work.add(move |sheet| file(sheet, Subject::base(name), warehouse::of_base(view, state)));
        }
        for name in view.images.keys() {
            work.add(move |sheet| {
                let subject = Subject::image(name);
                let parts = image(view, &subject);
                file(sheet, subject, parts);
            });
        }
    }

    fn paths(&self, subject: &Subject) -> Vec<String> {
        vec![path(subject)]
    }
}

fn path(subject: &Subject) -> String {
    format!("rendered/kargo/{subject}.yaml")
}

fn of_project(view: View<'_>, sheet: &mut Sheet<'_>) {
    let settings = &view.settings.kargo;
    // What images need of the project is there as soon as the settings ask for it: when its file is refused,
    // the one of before stays.
    for identity in project::identities(settings) {
        sheet.expect(identity);
    }
    for subject in view.kept {
        sheet.expect(warehouse_of(subject, &settings.project));
    }
    let (path, owner) = (project::PATH.to_owned(), Owner::repository("kargo"));
    match project::parts(view) {
        Ok(parts) => {
            sheet.file(Draft { path, owner, of_all: false, parts });
        }
        Err(fault) => sheet.refuse(path, owner, fault),
    }
}

fn file(sheet: &mut Sheet<'_>, subject: Subject, parts: Result<Vec<Part>, Fault>) {
    match parts {
        Ok(parts) if parts.is_empty() => {}
        Ok(parts) => {
            sheet.file(Draft { path: path(&subject), owner: subject.into(), of_all: false, parts });
        }
        Err(fault) => sheet.refuse(path(&subject), subject.into(), fault),
    }
}

fn warehouse_of(subject: &Subject, project: &str) -> Identity {
    Identity::new("kargo.akuity.io/v1alpha1", "Warehouse", project, &object_name(subject))
}

/// The documents of an enrolled image; none when nothing of it can be watched.
fn image(view: View<'_>, subject: &Subject) -> Result<Vec<Part>, Fault> {
    let settings = &view.settings.kargo;
    let (Some(state), Some(entry)) = (view.images.get(&subject.name), view.entries.get(&subject.name)) else { return Ok(Vec::new()) };
    let mut parts = warehouse::of_image(view, entry, state)?;
    if settings.analysis.is_some() && !parts.is_empty() {
        let values = AnalysisStage {
            name: derived_name("analyze", &[subject.name.as_str()], &subject.to_string()),
            namespace: &settings.project,
            warehouse: object_name(subject),
            repo_url: entry.repo_url(),
            image: subject.name.as_str(),
        };
        parts.push(Part::new("kargo/analysis-stage.yaml", &values));
    }
    parts.extend(rebuild::stages(view, entry, state)?);
    Ok(parts)
}
