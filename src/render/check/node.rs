//! Ways into a node, and the rules that hold for every document.

use super::Finding;
use crate::base::fault::foreign;
use crate::format::yaml::{Content, Node};
use crate::model::{Severity, Value};

/// Findings as they are made.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) found: Vec<Finding>,
}

impl Findings {
    /// Something that gets a document refused.
    pub(super) fn error(&mut self, rule: &'static str, node: &Node, message: impl Into<String>) {
        self.found.push(Finding { rule, severity: Severity::Error, at: node.at, message: message.into() });
    }

    /// Something people should look at.
    pub(super) fn warning(&mut self, rule: &'static str, node: &Node, message: impl Into<String>) {
        self.found.push(Finding { rule, severity: Severity::Warning, at: node.at, message: message.into() });
    }
}

/// The value under a path of keys.
pub(super) fn get<'a>(node: &'a Node, path: &[&str]) -> Option<&'a Node> {
    path.iter().try_fold(node, |node, key| node.map()?.get(key))
}

/// The text under a path of keys.
pub(super) fn text<'a>(node: &'a Node, path: &[&str]) -> Option<&'a str> {
    get(node, path)?.text()
}

/// The items of the list under a path of keys; none when it is absent.
pub(super) fn items<'a>(node: &'a Node, path: &[&str]) -> &'a [Node] {
    get(node, path).and_then(Node::list).unwrap_or_default()
}

/// The entries of a map; none for anything else.
pub(super) fn entries(node: &Node) -> impl Iterator<Item = (&str, &Node)> {
    node.map().into_iter().flat_map(|map| map.entries.iter().map(|(key, _, value)| (key.as_str(), value)))
}

/// Calls `see` with every scalar that is a value, in the order of the text.
pub(super) fn scalars<'a>(node: &'a Node, see: &mut impl FnMut(&'a Node)) {
    match &node.content {
        Content::Scalar { .. } => see(node),
        Content::List(items) => items.iter().for_each(|item| scalars(item, see)),
        Content::Map(map) => map.entries.iter().for_each(|(_, _, value)| scalars(value, see)),
        Content::Refused(_) => {}
    }
}

/// What holds for every object: one reading, a kind, a name, nothing that the cluster writes.
pub(super) fn shape(node: &Node, out: &mut Findings) {
    readable(node, out);
    let Some(map) = node.map() else {
        out.error("Y2", node, format!("an object is a map, this is {}", node.kind()));
        return;
    };
    for key in ["apiVersion", "kind"] {
        if text(node, &[key]).is_none_or(str::is_empty) {
            out.error("Y2", node, format!("`{key}` is missing"));
        }
    }
    let name = text(node, &["metadata", "name"]).unwrap_or_default();
    // Catalog entities are no objects of a cluster; their names have a form of their own.
    if super::backstage::is_entity(node) {
        if name.is_empty() || !is_label(name) {
            out.error("N1", get(node, &["metadata"]).unwrap_or(node), format!("`{}` is no name of an entity", foreign(name)));
        }
    } else if !is_dns_name(name) {
        out.error("N1", get(node, &["metadata"]).unwrap_or(node), format!("`{}` is no name of an object", foreign(name)));
    } else if name.len() > 63 {
        out.error("N1", node, format!("the name has {} characters; labels and Jobs made of it have 63", name.len()));
    }
    if let Some(status) = map.get("status") {
        out.error("D4", status, "`status` is the cluster's to write: Argo CD would show a difference for ever");
    }
    for field in ["labels", "annotations"] {
        for (key, value) in get(node, &["metadata", field]).into_iter().flat_map(entries) {
            // A number or a flag makes the API server refuse the object.
            if !matches!(value.to_value(), Value::Text(_)) {
                out.error("N2", value, format!("the value of `{}` is no text; quote it", foreign(key)));
            }
            if field == "labels" && !value.text().is_some_and(is_label) {
                out.error("N2", value, format!("the value of the label `{}` is no label", foreign(key)));
            }
        }
    }
}

/// Keys that stand twice, aliases, tags: what readers do not agree on.
pub(super) fn readable(node: &Node, out: &mut Findings) {
    match &node.content {
        Content::Refused(what) => out.error("Y1", node, format!("this is {what}")),
        Content::Scalar { .. } => {}
        Content::List(items) => items.iter().for_each(|item| readable(item, out)),
        Content::Map(map) => {
            for (at, message) in &map.faults {
                out.found.push(Finding { rule: "Y1", severity: Severity::Error, at: *at, message: message.clone() });
            }
            map.entries.iter().for_each(|(_, _, value)| readable(value, out));
        }
    }
}

/// RFC 1123 subdomain.
pub(super) fn is_dns_name(text: &str) -> bool {
    let good = |part: &str| {
        let inner = part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        !part.is_empty() && part.len() <= 63 && inner && !part.starts_with('-') && !part.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(good)
}

/// A label's value: at most 63 of letters, digits, `-`, `_` and `.`, letters or digits at both ends.
fn is_label(text: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let edge = |c: Option<char>| c.is_none_or(|c| c.is_ascii_alphanumeric());
    text.len() <= 63 && text.chars().all(good) && edge(text.chars().next()) && edge(text.chars().next_back())
}
