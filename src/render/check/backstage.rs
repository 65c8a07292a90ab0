//! Rules for Backstage's entities, after what its catalog refuses, drops without a word, or shows as a dead end.

use super::node::{Findings, entries, get, items, text};
use crate::base::fault::foreign;
use crate::format::yaml::{self, Content, Limits, Node};
use crate::model::Value;
use crate::render::backstage::field;

/// The label by which a `ConfigMap` is found.
const LABEL: &str = "eda.io/backstage-catalog";

/// Largest `ConfigMap`, in bytes of its values.
const LARGEST: usize = 1 << 20;

/// Kinds that only a catalog which was taught them knows, whatever their group.
const CUSTOM: [&str; 2] = ["ManagedImage", "BaseImage"];

/// Actions that the enrolment form may use: the scaffolder's own, and those of its GitHub module.
const ACTIONS: [&str; 6] = ["catalog:", "debug:", "fetch:", "fs:", "github:", "publish:github"];

/// Whether a document is an entity rather than an object of a cluster.
pub(super) fn is_entity(document: &Node) -> bool {
    text(document, &["apiVersion"]).is_some_and(|version| version.contains("backstage.io/"))
        || text(document, &["kind"]).is_some_and(|kind| CUSTOM.contains(&kind))
}

pub(super) fn rules(document: &Node, kind: &str, out: &mut Findings) {
    for (key, value) in entries(document) {
        if !["apiVersion", "kind", "metadata", "spec"].contains(&key) {
            out.error("B1", value, format!("an entity has no field `{}` of its own", foreign(key)));
        }
    }
    if let Some(metadata) = get(document, &["metadata"]) {
        self::metadata(metadata, out);
    }
    annotations(document, out);
    spec(document, kind, out);
    relations(document, out);
    if kind == "Template" {
        for step in items(document, &["spec", "steps"]) {
            let action = text(step, &["action"]).unwrap_or_default();
            if !ACTIONS.iter().any(|known| action.starts_with(known)) {
                out.error("B8", step, format!("the action `{}` needs a module that may not be installed", foreign(action)));
            }
        }
    }
}

fn metadata(metadata: &Node, out: &mut Findings) {
    if get(metadata, &["namespace"]).is_some_and(|namespace| !namespace.text().is_some_and(field::is_namespace)) {
        out.error("B2", metadata, "the namespace is no DNS label");
    }
    for (key, value) in entries(metadata) {
        let is_empty_text = matches!(key, "title" | "name") && value.text().is_none_or(str::is_empty);
        if value.is_null() || is_empty_text {
            out.error("B2", value, format!("`{}` is left out or has a value", foreign(key)));
        }
    }
    for part in ["annotations", "labels"] {
        for (key, value) in get(metadata, &[part]).into_iter().flat_map(entries) {
            if !field::is_key(key) {
                out.error("B3", value, format!("`{}` is no key of {part}", foreign(key)));
            }
            if part == "labels" && !value.text().is_none_or(field::is_label_value) {
                out.error("B3", value, format!("the label `{}` holds what only an annotation may", foreign(key)));
            }
        }
    }
    for tag in items(metadata, &["tags"]) {
        if !matches!(tag.to_value(), Value::Text(text) if field::is_tag(&text)) {
            out.error("B4", tag, "a tag is up to 63 of a-z, 0-9, `:`, `+`, `#`, with single `-` between them");
        }
    }
    for link in items(metadata, &["links"]) {
        if !text(link, &["url"]).is_some_and(field::is_link)
            || get(link, &["title"]).is_some_and(|title| title.text().is_none_or(str::is_empty))
        {
            out.error("B5", link, "a link has an address with https, http or mailto, and a title that is not empty");
        }
    }
}

fn annotations(document: &Node, out: &mut Findings) {
    let of = |key| get(document, &["metadata", "annotations", key]);
    for (key, forms) in
        [("backstage.io/source-location", ["url:https://", "url:http://"]), ("backstage.io/techdocs-ref", ["url:https://", "dir:"])]
    {
        if let Some(value) = of(key)
            && !value.text().is_some_and(|text| forms.iter().any(|form| text.starts_with(form)))
        {
            out.error("B3", value, format!("`{key}` begins with {}", forms.join(" or ")));
        }
    }
    if let Some(value) = of("backstage.io/techdocs-entity")
        && !value.text().is_some_and(field::is_full_reference)
    {
        out.error("B3", value, "`backstage.io/techdocs-entity` is kind:namespace/name");
    }
}

fn spec(document: &Node, kind: &str, out: &mut Findings) {
    let wanted: &[&str] = match kind {
        "Component" => &["type", "lifecycle", "owner"],
        "Resource" | "Template" => &["type", "owner"],
        "System" => &["owner"],
        "ManagedImage" | "BaseImage" => &["type", "lifecycle", "owner", "system"],
        _ => &[],
    };
    for key in wanted {
        if text(document, &["spec", key]).is_none_or(str::is_empty) {
            out.error("B6", document, format!("a {kind} has `spec.{key}`"));
        }
    }
    if kind == "Location" && items(document, &["spec", "targets"]).is_empty() && get(document, &["spec", "target"]).is_none() {
        out.error("B6", document, "a Location has targets");
    }
    if kind == "Template" && items(document, &["spec", "steps"]).is_empty() {
        out.error("B6", document, "a Template has steps");
    }
}

fn relations(document: &Node, out: &mut Findings) {
    for key in ["owner", "system"] {
        if let Some(value) = get(document, &["spec", key])
            && !value.text().is_some_and(field::is_reference)
        {
            out.error("B7", value, format!("`{key}` is no reference, and the relation would lead nowhere"));
        }
    }
    for key in ["dependsOn", "dependencyOf", "dependents"] {
        let mut last = "";
        for item in items(document, &["spec", key]) {
            let reference = item.text().unwrap_or_default();
            if !field::is_full_reference(reference) {
                out.error("B7", item, format!("an item of `{key}` is kind:namespace/name"));
            } else if reference <= last {
                out.error("B7", item, format!("`{key}` is sorted, each reference once"));
            }
            last = reference;
        }
    }
}

/// A `ConfigMap` that carries entities: each of its values is a stream of entities that pass. One that is `taken` to the
/// letter is such a stream.
pub(super) fn config_map(document: &Node, taken: Option<&str>, out: &mut Findings) {
    let Some(label) = get(document, &["metadata", "labels", LABEL]) else { return };
    if label.text() != Some("true") {
        out.error("B9", label, format!("the value of `{LABEL}` is \"true\""));
    }
    let mut size = 0;
    let mut count = 0;
    for (key, value) in get(document, &["data"]).into_iter().flat_map(entries) {
        let Content::Scalar { text, .. } = &value.content else { continue };
        size += text.len();
        if taken == Some(text.as_str()) {
            count += 1;
            continue;
        }
        let entities = yaml::read_stream(text.as_bytes(), Limits::FILE).unwrap_or_default();
        count += entities.len();
        // An empty text makes the catalog delete what was there.
        if entities.is_empty() || !entities.iter().all(is_entity) {
            out.error("B9", value, format!("`{}` holds something that is no entity", foreign(key)));
        }
        let found = entities.iter().flat_map(super::rules);
        out.found.extend(found.map(|finding| super::Finding { rule: "B9", at: value.at, message: finding.to_string(), ..finding }));
    }
    if count == 0 {
        out.error("B9", document, "there is no entity in it");
    }
    if size > LARGEST {
        out.error("B9", document, format!("it has {size} bytes, and a ConfigMap takes {LARGEST}"));
    }
}

/// The name that tells an entity from others: references ignore case.
pub(super) fn folded(document: &Node, name: &str) -> String {
    if is_entity(document) { name.to_lowercase() } else { name.to_owned() }
}
