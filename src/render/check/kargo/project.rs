//! Projects and their configuration.

use std::collections::BTreeSet;

use super::super::node::{Findings, entries, get, items, text};
use crate::base::fault::foreign;
use crate::format::yaml::Node;
use crate::model::policy;
use crate::model::settings::Receiver;

pub(super) fn project(node: &Node, out: &mut Findings) {
    if let Some(spec) = get(node, &["spec"]) {
        out.error("A2", spec, "a Project has no spec since 1.7; its policies are those of a ProjectConfig");
    }
}

pub(super) fn config(node: &Node, out: &mut Findings) {
    if text(node, &["metadata", "name"]) != text(node, &["metadata", "namespace"]) {
        out.error("A2", node, "a ProjectConfig is named like its namespace");
    }
    let mut exact = BTreeSet::new();
    for policy in items(node, &["spec", "promotionPolicies"]) {
        let (stage, selector) = (get(policy, &["stage"]), get(policy, &["stageSelector"]));
        if stage.is_some() == selector.is_some() {
            out.error("A3", policy, "a policy has exactly one of `stage` and `stageSelector`");
        }
        let Some(name) = stage.or_else(|| get(selector?, &["name"])).and_then(Node::text) else { continue };
        match name.split_once(':') {
            None if !exact.insert(name) => out.error("A4", policy, format!("the Stage {} has two policies", foreign(name))),
            None | Some(("glob", _)) => {}
            Some(("regex" | "regexp", pattern)) if policy::compile(pattern).is_ok() => {}
            Some(_) => {
                out.error("A4", policy, format!("`{}` is no pattern: glob:, regex: or regexp: and one that compiles", foreign(name)));
            }
        }
    }
    let mut names = BTreeSet::new();
    for receiver in items(node, &["spec", "webhookReceivers"]) {
        let name = text(receiver, &["name"]).unwrap_or_default();
        if name.is_empty() || !names.insert(name) {
            out.error("A5", receiver, format!("the receiver `{}` needs a name of its own", foreign(name)));
        }
        let kinds: Vec<(&str, &Node)> = entries(receiver).filter(|(key, _)| Receiver::KINDS.contains(key)).collect();
        let [(kind, value)] = kinds.as_slice() else {
            out.error("A5", receiver, "a receiver takes the webhooks of exactly one system");
            continue;
        };
        if text(value, &["secretRef", "name"]).is_none_or(str::is_empty) {
            out.error("A5", value, "a receiver has the name of a Secret under `secretRef`");
        }
        if *kind == "generic" {
            actions(value, out);
        }
    }
}

fn actions(receiver: &Node, out: &mut Findings) {
    for target in items(receiver, &["actions"]).iter().flat_map(|action| items(action, &["targetSelectionCriteria"])) {
        if text(target, &["kind"]) != Some("Warehouse") {
            out.error("A5", target, "only a Warehouse can be refreshed by a webhook");
        }
        if ["name", "labelSelector", "indexSelector"].iter().all(|key| get(target, &[key]).is_none()) {
            out.error("A5", target, "a target needs name, labelSelector or indexSelector");
        }
        for index in items(target, &["indexSelector", "matchIndices"]) {
            if text(index, &["key"]) != Some("subscribedURLs") {
                out.error("A5", index, "the only index is subscribedURLs");
            }
        }
    }
}
