//! What a project has once: itself, its policies, the analysis, and the tasks that start rebuilds.

use serde::Serialize;

use super::super::check::Identity;
use super::super::{Part, View};
use crate::base::{Class, Fault};
use crate::model::settings::{KargoSettings, Receiver};

/// Where its documents are.
pub(super) const PATH: &str = "rendered/kargo/project.yaml";

#[derive(Serialize)]
struct Values<'a> {
    project: &'a str,
    receivers: Vec<Hook<'a>>,
    secret: &'a str,
    inputs: &'a [&'static str],
}

#[derive(Serialize)]
struct Hook<'a> {
    name: &'a str,
    kind: &'static str,
    secret: &'a str,
}

#[derive(Serialize)]
struct Analysis<'a> {
    project: &'a str,
    image: &'a str,
    secret: Option<&'a str>,
    repository: &'a str,
    branch: &'a str,
}

/// The objects that images refer to.
pub(super) fn identities(settings: &KargoSettings) -> Vec<Identity> {
    let project = settings.project.as_str();
    let of_kargo = |kind, namespace, name| Identity::new("kargo.akuity.io/v1alpha1", kind, namespace, name);
    let mut out = vec![
        of_kargo("Project", "", project),
        of_kargo("PromotionTask", project, "plimsoll-dispatch-github"),
        of_kargo("PromotionTask", project, "plimsoll-dispatch-gitlab"),
    ];
    if settings.analysis.is_some() {
        out.push(Identity::new("argoproj.io/v1alpha1", "AnalysisTemplate", project, "plimsoll-analyze"));
    }
    out
}

/// The documents, in the order they are needed.
pub(super) fn parts(view: View<'_>) -> Result<Vec<Part>, Fault> {
    let settings = &view.settings.kargo;
    let values = Values {
        project: &settings.project,
        receivers: settings.receivers.iter().map(hook).collect(),
        secret: &settings.dispatch.secret,
        inputs: &settings.dispatch.inputs,
    };
    let mut parts = vec![
        Part::new("kargo/project.yaml", &values),
        Part::new("kargo/project-config.yaml", &values),
        Part::new("kargo/dispatch-github.yaml", &values),
        Part::new("kargo/dispatch-gitlab.yaml", &values),
    ];
    if let Some(analysis) = &settings.analysis {
        let Some(repository) = &view.settings.repository else {
            return Err(Fault::new(Class::Config, "kargo.analysis needs to know where this repository is")
                .hint("add `repository: {url: https://…}` to plimsoll.yaml"));
        };
        let values = Analysis {
            project: &settings.project,
            image: &analysis.image,
            secret: analysis.secret.as_deref(),
            repository: &repository.url,
            branch: &repository.branch,
        };
        for template in ["kargo/service-account.yaml", "kargo/role.yaml", "kargo/role-binding.yaml", "kargo/analysis-template.yaml"] {
            parts.push(Part::new(template, &values));
        }
    }
    Ok(parts)
}

fn hook(receiver: &Receiver) -> Hook<'_> {
    Hook { name: &receiver.name, kind: receiver.kind, secret: &receiver.secret }
}
