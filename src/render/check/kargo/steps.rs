//! Promotion steps: the registered ones with their keys, and what a careless `http` step does.

use super::super::node::{Findings, entries, get, text};
use super::{expression, unknown};
use crate::base::fault::foreign;
use crate::format::yaml::Node;
use crate::model::Value;

/// A step of the open edition: its name, the keys of its config, and those it needs. No keys: any.
type Step = (&'static str, &'static [&'static str], &'static [&'static str]);

/// Facts of Kargo 1.11's own step schemas. An unknown key fails the Promotion, not the admission.
const STEPS: &[Step] = &[
    ("argocd-update", &["apps"], &["apps"]),
    ("argocd-wait", &["apps"], &["apps"]),
    ("compose-output", &[], &[]),
    ("copy", &["ignore", "inPath", "outPath"], &["inPath", "outPath"]),
    ("delete", &["path", "paths", "pathsAreGlobs", "strict"], &[]),
    ("fail", &["message"], &[]),
    ("file-write", &["contents", "overwrite", "path", "permissions"], &["contents", "path"]),
    ("git-clear", &["path"], &["path"]),
    ("git-clone", &["author", "blobless", "checkout", "insecureSkipTLSVerify", "recurseSubmodules", "repoURL"], &["checkout", "repoURL"]),
    ("git-commit", &["author", "message", "path"], &["message", "path"]),
    (
        "git-merge-pr",
        &["insecureSkipTLSVerify", "mergeMethod", "pollInterval", "prNumber", "provider", "repoURL", "wait"],
        &["prNumber", "repoURL"],
    ),
    (
        "git-open-pr",
        &[
            "createTargetBranch",
            "description",
            "insecureSkipTLSVerify",
            "labels",
            "provider",
            "repoURL",
            "sourceBranch",
            "targetBranch",
            "title",
        ],
        &["repoURL", "sourceBranch", "targetBranch"],
    ),
    ("git-push", &["force", "generateTargetBranch", "maxAttempts", "path", "provider", "tag", "targetBranch"], &["path"]),
    ("git-tag", &["force", "message", "path", "tag"], &["message", "path", "tag"]),
    ("git-wait-for-pr", &["insecureSkipTLSVerify", "pollInterval", "prNumber", "provider", "repoURL"], &["prNumber", "repoURL"]),
    ("github-push", &["force", "generateTargetBranch", "insecureSkipTLSVerify", "maxAttempts", "path", "targetBranch"], &["path"]),
    (
        "helm-template",
        &[
            "apiVersions",
            "buildDependencies",
            "disableHooks",
            "ignoreMissingValueFiles",
            "includeCRDs",
            "kubeVersion",
            "namespace",
            "outLayout",
            "outPath",
            "path",
            "releaseName",
            "setValues",
            "skipTests",
            "useReleaseName",
            "valuesFiles",
        ],
        &["outPath", "path", "releaseName"],
    ),
    ("helm-update-chart", &["charts", "path"], &["path"]),
    (
        "http",
        &[
            "body",
            "errorExpression",
            "failureExpression",
            "headers",
            "insecureSkipTLSVerify",
            "method",
            "outputs",
            "pollInterval",
            "proxy",
            "queryParams",
            "responseContentType",
            "successExpression",
            "timeout",
            "url",
        ],
        &["url"],
    ),
    (
        "http-download",
        &["allowOverwrite", "headers", "insecureSkipTLSVerify", "outPath", "queryParams", "timeout", "url"],
        &["outPath", "url"],
    ),
    ("json-parse", &["outputs", "path"], &["outputs", "path"]),
    ("json-update", &["path", "updates"], &["path", "updates"]),
    ("kustomize-build", &["outPath", "outputFormat", "path", "plugin"], &["outPath", "path"]),
    ("kustomize-set-image", &["images", "path"], &["path"]),
    ("oci-download", &["allowOverwrite", "imageRef", "insecureSkipTLSVerify", "mediaType", "outPath"], &["imageRef", "outPath"]),
    ("oci-push", &["annotations", "destRef", "insecureSkipTLSVerify", "srcRef"], &["destRef", "srcRef"]),
    ("set-freight-alias", &["alias", "name"], &["alias", "name"]),
    ("set-metadata", &["updates"], &["updates"]),
    ("toml-parse", &["outputs", "path"], &["outputs", "path"]),
    ("toml-update", &["path", "updates"], &["path", "updates"]),
    ("untar", &["ignore", "inPath", "outPath", "stripComponents"], &["inPath", "outPath"]),
    ("yaml-merge", &["ignoreMissingFiles", "inFiles", "outFile"], &["inFiles", "outFile"]),
    ("yaml-parse", &["outputs", "path"], &["outputs", "path"]),
    ("yaml-update", &["path", "updates"], &["path", "updates"]),
];

/// Keys whose value is no text. A key means the same in every step.
const LISTS: [&str; 14] = [
    "apiVersions",
    "apps",
    "charts",
    "checkout",
    "headers",
    "images",
    "inFiles",
    "labels",
    "outputs",
    "paths",
    "queryParams",
    "setValues",
    "updates",
    "valuesFiles",
];
const MAPS: [&str; 3] = ["annotations", "author", "plugin"];
const NUMBERS: [&str; 3] = ["maxAttempts", "prNumber", "stripComponents"];
const FLAGS: [&str; 18] = [
    "allowOverwrite",
    "blobless",
    "buildDependencies",
    "createTargetBranch",
    "disableHooks",
    "force",
    "generateTargetBranch",
    "ignoreMissingFiles",
    "ignoreMissingValueFiles",
    "includeCRDs",
    "insecureSkipTLSVerify",
    "overwrite",
    "pathsAreGlobs",
    "recurseSubmodules",
    "skipTests",
    "strict",
    "useReleaseName",
    "wait",
];

pub(super) fn step(step: &Node, out: &mut Findings) {
    let Some(uses) = text(step, &["uses"]) else { return };
    let Some((_, keys, needed)) = STEPS.iter().find(|(name, _, _)| *name == uses) else {
        out.error("R3", step, format!("`{}` is no step of the open edition", foreign(uses)));
        return;
    };
    let config = get(step, &["config"]);
    for key in *needed {
        if config.and_then(|config| get(config, &[key])).is_none() {
            out.error("R3", step, format!("the step {uses} needs `{key}`"));
        }
    }
    let Some(config) = config else { return };
    if !keys.is_empty() {
        for (key, value) in unknown(config, keys) {
            out.error("R3", value, format!("the step {uses} has no `{}`; an unknown key fails the Promotion", foreign(key)));
        }
        for (key, value) in entries(config).filter(|(key, _)| keys.contains(key)) {
            if let Some(wanted) = mistaken(key, value) {
                out.error("R3", value, format!("`{key}` of the step {uses} is {wanted}; anything else fails the Promotion"));
            }
        }
    }
    if uses == "http" {
        http(step, config, out);
    }
}

/// What the value of a key should be, when it is something else. What an expression makes is not known here.
fn mistaken(key: &str, node: &Node) -> Option<&'static str> {
    if node.text().is_some_and(|text| text.contains("${{") || text.contains("${%")) {
        return None;
    }
    let value = node.to_value();
    let (wanted, good) = if LISTS.contains(&key) {
        ("a list", matches!(value, Value::List(_)))
    } else if MAPS.contains(&key) {
        ("a map", matches!(value, Value::Map(_)))
    } else if NUMBERS.contains(&key) {
        ("a whole number", matches!(value, Value::Int(_)))
    } else if FLAGS.contains(&key) {
        ("true or false", matches!(value, Value::Bool(_)))
    } else {
        ("text", matches!(value, Value::Text(_)))
    };
    (!good).then_some(wanted)
}

/// Without these, an answer that is neither success nor failure is asked for again for ever: a workflow would be
/// started every five minutes.
fn http(step: &Node, config: &Node, out: &mut Findings) {
    if text(config, &["method"]).is_none_or(|method| method == "GET" || method == "HEAD") {
        return;
    }
    for key in ["successExpression", "failureExpression"] {
        match get(config, &[key]) {
            None => out.error("R7", config, format!("a request that is no GET needs `{key}`")),
            Some(value) if !expression::is_balanced(value.text().unwrap_or_default()) => {
                out.error("R4", value, "the expression's quotes or brackets do not match");
            }
            Some(_) => {}
        }
    }
    if get(step, &["retry", "timeout"]).is_none() {
        out.error("R7", step, "a request that is no GET needs `retry.timeout`");
    }
}
