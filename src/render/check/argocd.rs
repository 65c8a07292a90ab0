//! Rules for Argo CD's objects.

use super::node::{Findings, entries, get, is_dns_name, items, text};
use crate::base::fault::foreign;
use crate::format::yaml::Node;

/// The annotation by which an Application lets a Kargo Stage update it.
const AUTHORIZED: &str = "kargo.akuity.io/authorized-stage";

/// Annotations that Argo CD or a person writes, never a manifest.
const WRITTEN_BY_OTHERS: [&str; 3] = ["argocd.argoproj.io/tracking-id", "argocd.argoproj.io/refresh", "argocd.argoproj.io/hydrate"];

pub(super) fn rules(node: &Node, kind: &str, out: &mut Findings) {
    for (key, value) in get(node, &["metadata", "annotations"]).into_iter().flat_map(entries) {
        if WRITTEN_BY_OTHERS.contains(&key) {
            out.error("C1", value, format!("`{}` is not a manifest's to write", foreign(key)));
        }
    }
    for path in [&["metadata", "annotations", AUTHORIZED][..], &["spec", "template", "metadata", "annotations", AUTHORIZED]] {
        if let Some(value) = get(node, path)
            && !value.text().is_some_and(is_stage)
        {
            out.error("C6", value, format!("`{AUTHORIZED}` is one Stage, as project:stage: Kargo refuses to promote with anything else"));
        }
    }
    match kind {
        "Application" => {
            if let Some(spec) = get(node, &["spec"]) {
                application(spec, out);
            }
        }
        "ApplicationSet" => {
            if text(node, &["spec", "goTemplate"]) != Some("true")
                || !items(node, &["spec", "goTemplateOptions"]).iter().any(|option| option.text() == Some("missingkey=error"))
            {
                out.error(
                    "C5",
                    node,
                    "an ApplicationSet uses Go templates with missingkey=error: a misspelt field must not become an empty path",
                );
            }
            if let Some(spec) = get(node, &["spec", "template", "spec"]) {
                application(spec, out);
            }
        }
        _ => {}
    }
}

/// Whether a text is `project:stage`. Older releases read no list, and none reads patterns.
fn is_stage(text: &str) -> bool {
    text.split_once(':').is_some_and(|(project, stage)| !project.contains('.') && is_dns_name(project) && is_dns_name(stage))
}

fn application(spec: &Node, out: &mut Findings) {
    if get(spec, &["source", "repoURL"]).is_none() || get(spec, &["source", "targetRevision"]).is_none() {
        out.error("C2", spec, "a source has repoURL and targetRevision");
    }
    let destination = get(spec, &["destination"]);
    if destination.is_none_or(|destination| get(destination, &["server"]).is_some() == get(destination, &["name"]).is_some()) {
        out.error("C2", spec, "a destination has exactly one of `server` and `name`");
    }
    if let Some(automated) = get(spec, &["syncPolicy", "automated"]) {
        if text(automated, &["allowEmpty"]) != Some("false") {
            out.error("C3", automated, "`allowEmpty: false` must stand there: an empty result would delete everything");
        }
        if get(spec, &["syncPolicy", "retry", "limit"]).is_none() {
            out.error("C4", spec, "an automated Application has a retry limit");
        }
    }
    for option in items(spec, &["syncPolicy", "syncOptions"]) {
        let given = option.text().unwrap_or_default();
        if given.split_once('=').is_none_or(|(name, value)| name.is_empty() || value.is_empty()) {
            out.error("C4", option, format!("`{}` is no option: they read Name=value", foreign(given)));
        }
        if given == "Replace=true" {
            out.error("C4", option, "Replace beats ServerSideApply and writes over what Kargo wrote");
        }
    }
}
