//! `state/images/<name>.yaml`.

use jiff::Timestamp;

use super::keys::{Read, document, error, extra, pair, place, same_name, stamp, text, time};
use super::ledger::{ledger, push_history, push_ledger_head, push_watch, watch};
use super::{rebuild, sightings};
use crate::format::yaml::{self, Node};
use crate::model::state::{Discovery, ImageState};
use crate::model::{ImageName, Value};

const KEYS: [&str; 20] = [
    "name",
    "definedIn",
    "enrolledAt",
    "lastDiscovery",
    "discoveryStatus",
    "enrollment",
    "baseImages",
    "repoURL",
    "allowTags",
    "constraint",
    "imageSelectionStrategy",
    "currentVersion",
    "currentDigest",
    "previousDigest",
    "lastUpdated",
    "lastBuilt",
    "returning",
    "reverted",
    "updateHistory",
    "schemaVersion",
];

fn known() -> Vec<&'static str> {
    KEYS.into_iter().chain(rebuild::KEYS).chain(sightings::KEYS).collect()
}

/// Reads `state/images/<name>.yaml`.
///
/// # Errors
/// [`StateError`](super::StateError) for what can't be YAML or contradicts itself; unknown keys are kept, missing ones defaulted.
pub fn read_image(name: &ImageName, bytes: &[u8]) -> Read<ImageState> {
    let map = document(bytes)?;
    same_name(&map, name)?;
    let discovery = match text(&map, "discoveryStatus")? {
        None => Discovery::Pending,
        Some(word) => match Discovery::parse(word) {
            Some(status) => status,
            None => return error(place(&map, "discoveryStatus"), "`discoveryStatus` is one of pending, success, failed, external"),
        },
    };
    let base_images = match map.get("baseImages") {
        None => Vec::new(),
        Some(node) if node.is_null() => Vec::new(),
        Some(node) => match node.list() {
            Some(items) => items.iter().filter_map(|item| item.text().map(str::to_owned)).collect(),
            None => return error(node.at, "`baseImages` is a list of names"),
        },
    };
    let mut state = ImageState {
        last_discovery: time(&map, "lastDiscovery")?,
        discovery,
        defined_in: text(&map, "definedIn")?.map(str::to_owned),
        enrollment: map.get("enrollment").map_or(Value::Map(Vec::new()), Node::to_value),
        base_images,
        watch: watch(&map)?,
        current_version: text(&map, "currentVersion")?.map(str::to_owned),
        ledger: ledger(&map)?,
        sightings: sightings::read(&map)?,
        last_built: map.get("lastBuilt").filter(|node| !node.is_null()).map(Node::to_value),
        extra: extra(&map, &known()),
        ..ImageState::enrolled(name.clone(), time(&map, "enrolledAt")?.unwrap_or(Timestamp::UNIX_EPOCH))
    };
    rebuild::read(&map, &mut state)?;
    Ok(state)
}

/// The canonical body of an image's state file.
pub fn write_image(state: &ImageState) -> String {
    let mut out = vec![pair("name", state.name.as_str())];
    if let Some(file) = &state.defined_in {
        out.push(pair("definedIn", file.as_str()));
    }
    out.push(pair("enrolledAt", stamp(Some(state.enrolled_at))));
    out.push(pair("lastDiscovery", stamp(state.last_discovery)));
    out.push(pair("discoveryStatus", state.discovery.word()));
    out.push(pair("enrollment", state.enrollment.clone()));
    out.push(pair("baseImages", Value::List(state.base_images.iter().map(|name| name.as_str().into()).collect())));
    if let Some(watch) = &state.watch {
        let url = |key: &str| state.enrollment.entries().iter().find(|(name, _)| name == key).map(|(_, value)| value.clone());
        if let (Some(Value::Text(registry)), Some(Value::Text(repository))) = (url("registry"), url("repository")) {
            out.push(pair("repoURL", format!("{registry}/{repository}")));
        }
        push_watch(&mut out, watch);
    }
    out.push(pair("currentVersion", Value::text_or_null(state.current_version.as_deref())));
    push_ledger_head(&mut out, &state.ledger);
    out.push(pair("lastBuilt", state.last_built.clone().unwrap_or(Value::Null)));
    rebuild::write(state, &mut out);
    sightings::write(&state.sightings, &mut out);
    push_history(&mut out, &state.ledger);
    out.extend(state.extra.iter().cloned());
    yaml::write(&Value::Map(out))
}
