//! Rules for Kargo's objects: what its admission refuses, what fails or misbehaves later, what drifts.

mod expression;
mod project;
mod stage;
mod steps;
mod subscription;

use std::fmt::Write as _;
use std::sync::LazyLock;

use regex::Regex;
use sha1::{Digest as _, Sha1};

use super::node::{Findings, entries, get, items, text};
use crate::base::fault::foreign;
use crate::format::yaml::Node;

pub(super) use expression::{Asked, argument_of_image_from, variable};

/// A duration as Kargo's CRDs take it.
static DURATION: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^([0-9]+(\.[0-9]+)?(s|m|h))+$").ok());
/// A duration as Go prints it back: what is written otherwise differs for ever from what the cluster keeps.
static GO_DURATION: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^(([1-9][0-9]*h)?[0-5]?[0-9]m)?[0-5]?[0-9]s$").ok());
static VARIABLE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^[a-zA-Z_][0-9a-zA-Z_]*$").ok());

/// Whether `text` matches; a pattern that does not compile matches nothing, and tests would show it.
pub(super) fn matches(pattern: &LazyLock<Option<Regex>>, text: &str) -> bool {
    pattern.as_ref().is_some_and(|pattern| pattern.is_match(text))
}

pub(super) fn rules(node: &Node, kind: &str, out: &mut Findings) {
    if let Some(label) = get(node, &["metadata", "labels", "kargo.akuity.io/shard"]) {
        out.error("D3", label, "Kargo writes the label kargo.akuity.io/shard itself, from spec.shard");
    }
    match kind {
        "Project" => project::project(node, out),
        "ProjectConfig" => project::config(node, out),
        "Warehouse" => subscription::warehouse(node, out),
        "Stage" => stage::stage(node, out),
        "PromotionTask" | "ClusterPromotionTask" => stage::task(node, out),
        "Freight" => freight(node, out),
        _ => {}
    }
}

/// A duration under `key`, when there is one.
fn duration(node: &Node, key: &str, out: &mut Findings) {
    let Some(value) = get(node, &[key]) else { return };
    let given = value.text().unwrap_or_default();
    if !matches(&DURATION, given) {
        out.error("A19", value, format!("`{key}: {}` is no duration: numbers with h, m and s", foreign(given)));
    } else if !matches(&GO_DURATION, given) {
        out.error(
            "D1",
            value,
            format!("`{key}: {}` is not as Go writes it (5m0s, 24h0m0s): Argo CD would show a difference", foreign(given)),
        );
    }
}

/// Variables: their names, and the expressions in their values.
fn variables(node: &Node, path: &[&str], out: &mut Findings) {
    for item in items(node, path) {
        let name = text(item, &["name"]).unwrap_or_default();
        if !matches(&VARIABLE, name) {
            out.error("A20", item, format!("`{}` is no name of a variable", foreign(name)));
        }
    }
}

fn freight(node: &Node, out: &mut Findings) {
    if text(node, &["origin", "kind"]) != Some("Warehouse") || text(node, &["origin", "name"]).is_none() {
        out.error("A21", node, "Freight has an origin of kind Warehouse");
    }
    let mut images = Vec::new();
    for image in items(node, &["images"]) {
        let part = |key| text(image, &[key]).unwrap_or_default();
        if part("repoURL").is_empty() || part("tag").is_empty() || crate::model::Digest::parse(part("digest")).is_err() {
            out.error("A21", image, "an image of Freight has repoURL, tag and digest");
        }
        images.push(format!("{}:{}@{}", part("repoURL"), part("tag"), part("digest")));
    }
    let others = ["commits", "charts", "artifacts"].iter().any(|key| get(node, &[key]).is_some());
    if images.is_empty() && !others {
        out.error("A21", node, "Freight has at least one artifact");
    } else if !others {
        images.sort();
        let origin = text(node, &["origin", "name"]).unwrap_or_default();
        let name = text(node, &["metadata", "name"]).unwrap_or_default();
        if name != freight_name(origin, &images) {
            out.error("A21", node, "Kargo names Freight by its content, and this is not that name");
        }
    }
}

/// The name that Kargo's admission gives to Freight: a hash of its origin and its artifacts, `repoURL:tag@digest`
/// in alphabetical order. A manifest with another name would be refused, as a name can't be changed.
pub fn freight_name(warehouse: &str, images: &[String]) -> String {
    let mut hash = Sha1::new();
    hash.update(format!("Warehouse/{warehouse}:{}", images.join("|")));
    hash.finalize().iter().fold(String::new(), |mut out, byte| {
        // Writing into a string does not fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// Keys of `node` that are none of `known`.
fn unknown<'a>(node: &'a Node, known: &'a [&str]) -> impl Iterator<Item = (&'a str, &'a Node)> {
    entries(node).filter(|(key, _)| !known.contains(key))
}
