//! Enrolled images of others: `BaseImage` of the type `external-image`, or `Resource`.

use super::enrolled;
use super::entity::{Annotations, Facts, Spec, UpstreamSpec};
use super::page::{Page, Row};
use super::things::{Form, Thing, Things};
use crate::model::entry::EntryKind;
use crate::model::policy::TagPolicy;
use crate::model::settings::BackstageSettings;
use crate::model::{Discovery, Subject};
use crate::render::View;

/// Enrolled images of others.
pub(super) struct External;

impl Things for External {
    fn forms(&self) -> [Form; 2] {
        super::base_image::FORMS
    }

    fn subjects(&self, view: View<'_>) -> Vec<Subject> {
        let external = view.images.iter().filter(|(name, state)| match view.entries.get(*name) {
            Some(entry) => entry.build().is_none(),
            None => state.discovery == Discovery::External,
        });
        external.map(|(name, _)| Subject::image(name)).collect()
    }

    fn thing(&self, view: View<'_>, settings: &BackstageSettings, subject: &Subject) -> Option<Thing> {
        let (entry, state) = (view.entries.get(&subject.name)?, view.images.get(&subject.name)?);
        let EntryKind::External(policy) = &entry.kind else { return None };
        let tag = policy.tag().map(str::to_owned);
        let annotations = Annotations {
            tag: tag.clone().or_else(|| state.current_version.clone()),
            digest: state.ledger.current.as_ref().map(ToString::to_string),
            last_updated: state.ledger.last_updated.map(|at| at.to_string()),
            ..enrolled::annotations(view, settings, entry)
        };
        let upstream = UpstreamSpec { registry: entry.registry.clone(), repository: entry.repository.clone(), tag };
        let spec = Spec { kind_type: "external-image", upstream: Some(upstream), ..enrolled::spec(settings, entry) };
        let mut rows = watched(policy);
        rows.extend(entry.hold.as_deref().map(|hold| Row::text("On hold", hold)));
        let page = Page { policy: rows, ledger: state.ledger.clone(), ..enrolled::page(entry, &spec) };
        Some(Thing { subject: subject.clone(), facts: Facts { annotations, spec, ..enrolled::facts(entry) }, page })
    }
}

/// What is watched upstream, as rows of a table.
pub(super) fn watched(policy: &TagPolicy) -> Vec<Row> {
    let mut rows = vec![Row::code("Strategy", policy.strategy.word())];
    rows.extend(policy.constraint.as_deref().map(|constraint| Row::code("Constraint", constraint)));
    rows.extend(policy.allow_tags.as_deref().map(|expression| Row::code("Tags", expression)));
    rows
}
