//! Base images found in Dockerfiles: `BaseImage`, or `Resource`.

use super::enrolled;
use super::entity::{Annotations, Facts, Spec, UpstreamSpec};
use super::external::watched;
use super::page::{Page, Row};
use super::things::{Form, Thing, Things};
use crate::model::Subject;
use crate::model::settings::BackstageSettings;
use crate::render::View;

/// The forms of images that others publish.
pub(super) const FORMS: [Form; 2] = [
    Form { word: "baseimage", template: "backstage/base-image.yaml", standard: false },
    Form { word: "resource", template: "backstage/resource.yaml", standard: true },
];

/// Base images found in Dockerfiles.
pub(super) struct Bases;

impl Things for Bases {
    fn forms(&self) -> [Form; 2] {
        FORMS
    }

    fn subjects(&self, view: View<'_>) -> Vec<Subject> {
        view.bases.keys().map(Subject::base).collect()
    }

    fn thing(&self, view: View<'_>, settings: &BackstageSettings, subject: &Subject) -> Option<Thing> {
        let state = view.bases.get(&subject.name)?;
        let image = &state.image;
        let annotations = Annotations {
            registry: Some(image.registry.clone()),
            repository: Some(image.repository.clone()),
            tag: image.tag.clone(),
            digest: state.ledger.current.as_ref().or(image.digest.as_ref()).map(ToString::to_string),
            last_updated: state.ledger.last_updated.map(|at| at.to_string()),
            view_url: enrolled::recorded(view, &subject.state_path()),
            techdocs_ref: enrolled::techdocs(view, subject),
            ..Annotations::default()
        };
        let spec = Spec {
            kind_type: "base-image",
            lifecycle: enrolled::LIFECYCLE.to_owned(),
            owner: settings.upstream_owner.clone(),
            system: settings.system.clone(),
            upstream: Some(UpstreamSpec { registry: image.registry.clone(), repository: image.repository.clone(), tag: image.tag.clone() }),
            ..Spec::default()
        };
        let title = image.familiar();
        let mut policy = state.watch.as_ref().map(watched).unwrap_or_default();
        let eligible = state.eligible_at.iter().filter_map(|(who, at)| Some((who, (*at)?)));
        policy.extend(eligible.map(|(who, at)| match who.as_str() {
            "default" => Row::code("Dependents may rebuild from", &at.to_string()),
            name => Row::code(&format!("{name} may rebuild from"), &at.to_string()),
        }));
        let facts = vec![
            Row::code("Image", &image.canonical()),
            Row::text("Owner", &spec.owner),
            Row::text("System", &spec.system),
            Row::code("First found", &state.first_discovered.to_string()),
        ];
        let page = Page { title: title.clone(), description: None, facts, policy, ledger: state.ledger.clone() };
        Some(Thing { subject: subject.clone(), facts: Facts { title: Some(title), annotations, spec, ..Facts::default() }, page })
    }
}
