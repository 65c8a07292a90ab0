//! Images built here: `ManagedImage`, or `Component`.

use super::enrolled;
use super::entity::{Annotations, Facts, RebuildSpec, SourceSpec, Spec};
use super::page::{Page, Row};
use super::source::Repository;
use super::things::{Form, Thing, Things};
use crate::model::entry::{Build, Provider};
use crate::model::settings::BackstageSettings;
use crate::model::{Discovery, ImageState, RepoPath, Subject};
use crate::render::View;

/// Images built here.
pub(super) struct Managed;

impl Things for Managed {
    fn forms(&self) -> [Form; 2] {
        [
            Form { word: "managedimage", template: "backstage/managed-image.yaml", standard: false },
            Form { word: "component", template: "backstage/component.yaml", standard: true },
        ]
    }

    fn subjects(&self, view: View<'_>) -> Vec<Subject> {
        let managed = view.images.iter().filter(|(name, state)| match view.entries.get(*name) {
            Some(entry) => entry.build().is_some(),
            None => state.discovery != Discovery::External,
        });
        managed.map(|(name, _)| Subject::image(name)).collect()
    }

    fn thing(&self, view: View<'_>, settings: &BackstageSettings, subject: &Subject) -> Option<Thing> {
        let (entry, state) = (view.entries.get(&subject.name)?, view.images.get(&subject.name)?);
        let build = entry.build()?;
        let source = source_repository(view, build);
        let annotations = Annotations {
            tag: state.current_version.clone(),
            digest: state.ledger.current.as_ref().map(ToString::to_string),
            last_built: state.last_built.as_ref().and_then(enrolled::text),
            rebuild_status: rebuild_status(state),
            github_slug: source.as_ref().and_then(Repository::github_slug).map(str::to_owned),
            github_workflows: build.source.workflow.clone().filter(|_| matches!(build.source.provider, Provider::Github)),
            gitlab_slug: source.as_ref().and_then(Repository::gitlab_slug).map(str::to_owned),
            source_location: source.as_ref().map(|source| format!("url:{}", source.tree(branch(view, settings, build), directory(build)))),
            ..enrolled::annotations(view, settings, entry)
        };
        let spec = Spec {
            kind_type: "managed-image",
            source: Some(SourceSpec {
                provider: build.source.provider.word(),
                repo: build.source.repo.clone(),
                branch: build.source.branch.clone(),
                dockerfile: build.source.dockerfile.to_string(),
                context: build.source.context.as_ref().map(ToString::to_string),
                target: build.source.target.clone(),
                workflow: build.source.workflow.clone(),
            }),
            rebuild: Some(RebuildSpec { delay: build.rebuild_delay.to_string(), auto: build.auto_rebuild }),
            ..enrolled::spec(settings, entry)
        };
        let mut policy = vec![
            Row::code("Dockerfile", build.source.dockerfile.as_str()),
            Row::text("Rebuilt when a base moves", if build.auto_rebuild { "yes" } else { "no" }),
            Row::code("Delay", &build.rebuild_delay.to_string()),
            Row::code("Rebuilt by", build.rebuilt_by().word()),
        ];
        policy.extend(entry.hold.as_deref().map(|hold| Row::text("On hold", hold)));
        let page = Page { policy, ledger: state.ledger.clone(), ..enrolled::page(entry, &spec) };
        Some(Thing { subject: subject.clone(), facts: Facts { annotations, spec, ..enrolled::facts(entry) }, page })
    }
}

/// How far its rebuild is; nothing until it is known what it was built from.
fn rebuild_status(state: &ImageState) -> Option<&'static str> {
    match &state.rebuild {
        Some(rebuild) => Some(rebuild.status.word()),
        None if !state.unbuilt.is_empty() => Some("pending"),
        None => (!state.built_from.is_empty()).then_some("up-to-date"),
    }
}

fn source_repository(view: View<'_>, build: &Build) -> Option<Repository> {
    match build.source.provider {
        Provider::Local => view.settings.repository.as_ref().map(Repository::of_config),
        _ => Repository::of_source(&build.source),
    }
}

/// The branch of the source. That of a local one is people's branch of the config repository.
fn branch<'a>(view: View<'a>, settings: &'a BackstageSettings, build: &'a Build) -> Option<&'a str> {
    match build.source.provider {
        Provider::Local => settings.branch.as_deref().or(view.settings.repository.as_ref().map(|config| config.branch.as_str())),
        _ => build.source.branch.as_deref(),
    }
}

fn directory(build: &Build) -> &str {
    let context = build.source.context.as_ref().map(RepoPath::as_str);
    context.or_else(|| build.source.dockerfile.as_str().rsplit_once('/').map(|(directory, _)| directory)).unwrap_or_default()
}
