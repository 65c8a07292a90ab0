//! Argo CD (3.x): an `AppProject` with no more rights than the manifests need, and what follows `rendered/`.
//!
//! Argo CD follows the directories that hold objects of a cluster, and only those.

use serde::Serialize;

use super::{Draft, Part, Sheet, Target, View, Work};
use crate::base::{Class, Fault, Fingerprint};
use crate::model::settings::{ArgocdSettings, ConfigRepository, KargoMode};
use crate::model::{Owner, Subject};

const PATH: &str = "rendered/argocd/applications.yaml";

/// The Argo CD target. Nothing is rendered without the section `argocd` in the settings.
pub(super) struct Argocd;

/// A directory that is followed.
#[derive(Serialize, Clone)]
struct Followed {
    system: &'static str,
    path: &'static str,
    namespace: String,
    wave: &'static str,
}

#[derive(Serialize)]
struct Allowed<'a> {
    project: &'a str,
    namespace: &'a str,
    server: &'a str,
    repositories: Vec<&'a str>,
    /// Namespaces that may be deployed to.
    namespaces: Vec<String>,
}

#[derive(Serialize)]
struct Application<'a> {
    name: String,
    project: &'a str,
    namespace: &'a str,
    server: &'a str,
    repository: &'a str,
    revision: String,
    followed: Followed,
    authorized_stage: Option<&'a str>,
}

#[derive(Serialize)]
struct Set<'a> {
    project: &'a str,
    namespace: &'a str,
    server: &'a str,
    elements: Vec<Element<'a>>,
    authorized_stage: Option<&'a str>,
}

#[derive(Serialize)]
struct Element<'a> {
    name: String,
    repository: &'a str,
    revision: String,
    followed: Followed,
}

impl Target for Argocd {
    fn name(&self) -> &'static str {
        "argocd"
    }

    fn render<'v>(&'v self, view: View<'v>, work: &mut Work<'v>) {
        if let Some(settings) = &view.settings.argocd {
            work.add(move |sheet| applications(view, settings, sheet));
        }
    }

    fn paths(&self, _subject: &Subject) -> Vec<String> {
        Vec::new()
    }
}

fn applications(view: View<'_>, settings: &ArgocdSettings, sheet: &mut Sheet<'_>) {
    if view.is_bare() {
        return sheet.postpone(PATH, view.kept.is_empty());
    }
    let owner = Owner::repository("argocd");
    let Some(repository) = &view.settings.repository else {
        let fault = Fault::new(Class::Config, "Applications need to know where this repository is")
            .hint("add `repository: {url: https://…}` to plimsoll.yaml");
        return sheet.refuse(PATH.to_owned(), owner, fault);
    };
    let followed = followed(view);
    if followed.is_empty() {
        return;
    }
    let mut parts = vec![project(settings, repository, &followed)];
    if settings.application_set {
        parts.push(set(settings, repository, &followed));
    } else {
        parts.extend(followed.iter().map(|followed| application(settings, repository, followed)));
    }
    sheet.file(Draft { path: PATH.to_owned(), owner, of_all: false, parts });
}

/// The directories that the settings ask something for.
fn followed(view: View<'_>) -> Vec<Followed> {
    let mut out = Vec::new();
    if view.settings.kargo.mode != KargoMode::Off {
        let namespace = view.settings.kargo.project.clone();
        out.push(Followed { system: "kargo", path: "rendered/kargo", namespace, wave: "0" });
    }
    if let Some(backstage) = &view.settings.backstage {
        let namespace = backstage.namespace.clone();
        out.push(Followed { system: "backstage", path: "rendered/backstage/configmaps", namespace, wave: "2" });
    }
    out
}

fn project(settings: &ArgocdSettings, repository: &ConfigRepository, followed: &[Followed]) -> Part {
    let more = settings.application_set.then_some(&settings.more_repositories).into_iter().flatten();
    let repositories: Vec<&str> = [repository.url.as_str()].into_iter().chain(more.map(String::as_str)).collect();
    // Which namespaces other repositories deploy to, only they know.
    let namespaces = if repositories.len() > 1 {
        vec!["*".to_owned()]
    } else {
        let mut own: Vec<String> = followed.iter().map(|followed| followed.namespace.clone()).collect();
        own.sort();
        own.dedup();
        own
    };
    let values = Allowed { project: &settings.project, namespace: &settings.namespace, server: &settings.server, repositories, namespaces };
    Part::new("argocd/app-project.yaml", &values)
}

fn application(settings: &ArgocdSettings, repository: &ConfigRepository, followed: &Followed) -> Part {
    let values = Application {
        name: format!("{}-{}", settings.project, followed.system),
        project: &settings.project,
        namespace: &settings.namespace,
        server: &settings.server,
        repository: &repository.url,
        revision: revision(repository),
        followed: followed.clone(),
        authorized_stage: settings.authorized_stage.as_deref(),
    };
    Part::new("argocd/application.yaml", &values)
}

fn set(settings: &ArgocdSettings, repository: &ConfigRepository, followed: &[Followed]) -> Part {
    let all = [&repository.url].into_iter().chain(&settings.more_repositories);
    let mut elements = Vec::new();
    for url in all {
        for followed in followed {
            elements.push(Element {
                name: element_name(settings, &repository.url, url, followed.system),
                repository: url,
                revision: revision(repository),
                followed: followed.clone(),
            });
        }
    }
    let values = Set {
        project: &settings.project,
        namespace: &settings.namespace,
        server: &settings.server,
        elements,
        authorized_stage: settings.authorized_stage.as_deref(),
    };
    Part::new("argocd/application-set.yaml", &values)
}

/// Our own Applications keep the names they have without a set; others are told apart by a hash of their address.
fn element_name(settings: &ArgocdSettings, own: &str, url: &str, system: &str) -> String {
    if url == own {
        format!("{}-{system}", settings.project)
    } else {
        format!("{}-{}-{system}", settings.project, Fingerprint::of(url).hex(4))
    }
}

/// Fully qualified, so that Argo CD need not ask whether it is a branch or a tag.
fn revision(repository: &ConfigRepository) -> String {
    format!("refs/heads/{}", repository.branch)
}
