//! `state/` files: read leniently, written canonically, keys of others kept.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::yaml::{self, Limits, Map, Node, Position};
use crate::model::ledger::{Ledger, Tenure};
use crate::model::policy::{self, Strategy, TagPolicy};
use crate::model::state::{BaseState, Discovery, ImageState};
use crate::model::{Digest, ImageName, ImageReference, Value};

/// Why a state file can't be used, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateError {
    /// Where in the file.
    pub at: Position,
    /// The cause.
    pub message: String,
}

type Read<T> = Result<T, StateError>;

const IMAGE_KEYS: [&str; 19] = [
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
    "updateHistory",
    "schemaVersion",
];

const BASE_KEYS: [&str; 19] = [
    "name",
    "fullImage",
    "registry",
    "repository",
    "tag",
    "digest",
    "repoURL",
    "allowTags",
    "imageSelectionStrategy",
    "firstDiscovered",
    "lastChecked",
    "currentDigest",
    "lastUpdated",
    "previousDigest",
    "rebuildEligibleAt",
    "metadata",
    "returning",
    "updateHistory",
    "schemaVersion",
];

/// The newest state format that is understood. A newer one is refused, never rewritten.
const SCHEMA_VERSION: i64 = 1;

fn error<T>(at: Position, message: impl Into<String>) -> Read<T> {
    Err(StateError { at, message: message.into() })
}

fn document(bytes: &[u8]) -> Read<Map> {
    let node = yaml::read(bytes, Limits::FILE).map_err(|problem| StateError { at: problem.at, message: problem.message })?;
    let start = Position { line: 1, column: 1 };
    match node {
        Some(Node { content: yaml::Content::Map(map), .. }) => {
            if let Some((at, message)) = map.faults.first() {
                return error(*at, message.as_str());
            }
            if let Some(version) = map.get("schemaVersion") {
                match version.to_value() {
                    Value::Int(number) if number <= SCHEMA_VERSION => {}
                    _ => return error(version.at, "a newer Plimsoll wrote this file; this one leaves it alone"),
                }
            }
            Ok(map)
        }
        Some(node) => error(node.at, format!("a state file is a map, this is {}", node.kind())),
        None => error(start, "the file is empty"),
    }
}

/// Reads `state/images/<name>.yaml`.
///
/// # Errors
/// [`StateError`] for what can't be YAML or contradicts itself; unknown keys are kept, missing ones defaulted.
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
    Ok(ImageState {
        name: name.clone(),
        enrolled_at: time(&map, "enrolledAt")?.unwrap_or(Timestamp::UNIX_EPOCH),
        last_discovery: time(&map, "lastDiscovery")?,
        discovery,
        defined_in: text(&map, "definedIn")?.map(str::to_owned),
        enrollment: map.get("enrollment").map_or(Value::Map(Vec::new()), Node::to_value),
        base_images,
        watch: watch(&map)?,
        current_version: text(&map, "currentVersion")?.map(str::to_owned),
        ledger: ledger(&map)?,
        last_built: map.get("lastBuilt").filter(|node| !node.is_null()).map(Node::to_value),
        extra: extra(&map, &IMAGE_KEYS),
    })
}

/// Reads `state/base-images/<name>.yaml`.
///
/// # Errors
/// As [`read_image`]; also when the image it is about can't be told.
pub fn read_base(name: &ImageName, bytes: &[u8]) -> Read<BaseState> {
    let map = document(bytes)?;
    same_name(&map, name)?;
    let image = match (text(&map, "registry")?, text(&map, "repository")?) {
        (Some(registry), Some(repository)) => ImageReference {
            registry: registry.to_owned(),
            repository: repository.to_owned(),
            tag: text(&map, "tag")?.map(str::to_owned),
            digest: digest(&map, "digest")?,
        },
        _ => return error(Position { line: 1, column: 1 }, "`registry` and `repository` say which image this is; one is missing"),
    };
    if image.tag.as_deref().is_some_and(|tag| !policy::is_tag(tag)) {
        return error(place(&map, "tag"), "`tag` is no tag");
    }
    let mut watch = watch(&map)?;
    let mut was_twice_escaped = false;
    if let (Some(policy), Some(tag)) = (&mut watch, &image.tag) {
        // A base image has one tag, so its policy follows from it, whatever expression was recorded.
        was_twice_escaped = policy.allow_tags.as_deref().and_then(policy::twice_escaped).is_some();
        *policy = TagPolicy::of_tag(tag);
    }
    Ok(BaseState {
        name: name.clone(),
        image,
        watch,
        first_discovered: time(&map, "firstDiscovered")?.unwrap_or(Timestamp::UNIX_EPOCH),
        last_checked: time(&map, "lastChecked")?,
        ledger: ledger(&map)?,
        eligible_at: eligible(&map)?,
        metadata: map.get("metadata").map_or(Value::Map(Vec::new()), Node::to_value),
        was_twice_escaped,
        extra: extra(&map, &BASE_KEYS),
    })
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
    push_history(&mut out, &state.ledger);
    out.extend(state.extra.iter().cloned());
    yaml::write(&Value::Map(out))
}

/// The canonical body of a base image's state file.
pub fn write_base(state: &BaseState) -> String {
    let mut out = vec![
        pair("name", state.name.as_str()),
        pair("fullImage", state.image.familiar()),
        pair("registry", state.image.registry.as_str()),
        pair("repository", state.image.repository.as_str()),
        pair("tag", Value::text_or_null(state.image.tag.as_deref())),
    ];
    if let Some(digest) = &state.image.digest {
        out.push(pair("digest", digest.as_str()));
    }
    if let Some(watch) = &state.watch {
        out.push(pair("repoURL", state.image.repo_url()));
        push_watch(&mut out, &TagPolicy { constraint: None, ..watch.clone() });
    }
    out.push(pair("firstDiscovered", stamp(Some(state.first_discovered))));
    out.push(pair("lastChecked", stamp(state.last_checked)));
    push_ledger_head(&mut out, &state.ledger);
    let eligible = state.eligible_at.iter().map(|(name, at)| (name.clone(), stamp(*at)));
    // `default` first, then the images by name.
    let (default, images): (Vec<_>, Vec<_>) = eligible.partition(|(name, _)| name == "default");
    out.push(pair("rebuildEligibleAt", Value::Map(default.into_iter().chain(images).collect())));
    out.push(pair("metadata", state.metadata.clone()));
    push_history(&mut out, &state.ledger);
    out.extend(state.extra.iter().cloned());
    yaml::write(&Value::Map(out))
}

fn pair(key: &str, value: impl Into<Value>) -> (String, Value) {
    (key.to_owned(), value.into())
}

fn stamp(at: Option<Timestamp>) -> Value {
    Value::text_or_null(at.map(written))
}

/// A time as it is written into files: whole seconds, UTC.
pub fn written(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn push_watch(out: &mut Vec<(String, Value)>, watch: &TagPolicy) {
    if let Some(pattern) = &watch.allow_tags {
        out.push(pair("allowTags", pattern.as_str()));
    }
    if let Some(constraint) = &watch.constraint {
        out.push(pair("constraint", constraint.as_str()));
    }
    out.push(pair("imageSelectionStrategy", watch.strategy.word()));
}

fn push_ledger_head(out: &mut Vec<(String, Value)>, ledger: &Ledger) {
    out.push(pair("currentDigest", Value::text_or_null(ledger.current.as_ref().map(Digest::as_str))));
    out.push(pair("previousDigest", Value::text_or_null(ledger.previous.as_ref().map(Digest::as_str))));
    out.push(pair("lastUpdated", stamp(ledger.last_updated)));
}

fn push_history(out: &mut Vec<(String, Value)>, ledger: &Ledger) {
    let tenure = |tenure: &Tenure| Value::Map(vec![pair("digest", tenure.digest.as_str()), pair("seenAt", stamp(Some(tenure.seen_at)))]);
    if let Some(returning) = &ledger.returning {
        out.push(pair("returning", tenure(returning)));
    }
    out.push(pair("updateHistory", Value::List(ledger.history.iter().map(tenure).collect())));
}

fn place(map: &Map, key: &str) -> Position {
    map.get(key).map_or(Position { line: 1, column: 1 }, |node| node.at)
}

fn text<'a>(map: &'a Map, key: &str) -> Read<Option<&'a str>> {
    match map.get(key) {
        None => Ok(None),
        Some(node) if node.is_null() => Ok(None),
        Some(node) => {
            node.text().map_or_else(|| error(node.at, format!("`{key}` is a single value, this is {}", node.kind())), |text| Ok(Some(text)))
        }
    }
}

fn same_name(map: &Map, name: &ImageName) -> Read<()> {
    match text(map, "name")? {
        Some(inside) if inside != name.as_str() => {
            error(place(map, "name"), format!("the file is named `{name}` and says it is about another image"))
        }
        _ => Ok(()),
    }
}

fn time(map: &Map, key: &str) -> Read<Option<Timestamp>> {
    text(map, key)?.map(|text| instant(text, place(map, key), key)).transpose()
}

fn instant(text: &str, at: Position, key: &str) -> Read<Timestamp> {
    text.parse().map_err(|_| StateError { at, message: format!("`{key}` is a time such as 2026-01-31T12:00:00Z") })
}

fn digest(map: &Map, key: &str) -> Read<Option<Digest>> {
    text(map, key)?
        .map(|text| {
            Digest::parse(text).map_err(|problem| StateError { at: place(map, key), message: format!("`{key}` is no digest: {problem}") })
        })
        .transpose()
}

fn watch(map: &Map) -> Read<Option<TagPolicy>> {
    if text(map, "repoURL")?.is_none() {
        return Ok(None);
    }
    let strategy = match text(map, "imageSelectionStrategy")? {
        None => Strategy::Digest,
        Some(word) => match Strategy::parse(word) {
            Some(strategy) => strategy,
            None => return error(place(map, "imageSelectionStrategy"), "`imageSelectionStrategy` is no strategy that is known"),
        },
    };
    Ok(Some(TagPolicy {
        strategy,
        constraint: text(map, "constraint")?.map(str::to_owned),
        allow_tags: text(map, "allowTags")?.map(str::to_owned),
    }))
}

fn ledger(map: &Map) -> Read<Ledger> {
    let mut history = Vec::new();
    if let Some(node) = map.get("updateHistory").filter(|node| !node.is_null()) {
        let Some(items) = node.list() else { return error(node.at, "`updateHistory` is a list") };
        for item in items {
            history.push(tenure(item)?);
        }
    }
    let returning = map.get("returning").filter(|node| !node.is_null()).map(tenure).transpose()?;
    Ok(Ledger {
        current: digest(map, "currentDigest")?,
        previous: digest(map, "previousDigest")?,
        last_updated: time(map, "lastUpdated")?,
        history,
        returning,
    })
}

fn tenure(node: &Node) -> Read<Tenure> {
    let Some(map) = node.map() else { return error(node.at, "a tenure is a map of `digest` and `seenAt`") };
    match (digest(map, "digest")?, time(map, "seenAt")?) {
        (Some(digest), Some(seen_at)) => Ok(Tenure { digest, seen_at }),
        _ => error(node.at, "a tenure has `digest` and `seenAt`"),
    }
}

fn eligible(map: &Map) -> Read<BTreeMap<String, Option<Timestamp>>> {
    let mut out = BTreeMap::from([("default".to_owned(), None)]);
    if let Some(node) = map.get("rebuildEligibleAt").filter(|node| !node.is_null()) {
        let Some(entries) = node.map() else { return error(node.at, "`rebuildEligibleAt` is a map of times") };
        for (name, _, value) in &entries.entries {
            let at = value.text().map(|text| instant(text, value.at, "rebuildEligibleAt")).transpose()?;
            out.insert(name.clone(), at);
        }
    }
    Ok(out)
}

fn extra(map: &Map, known: &[&str]) -> Vec<(String, Value)> {
    map.entries
        .iter()
        .filter(|(key, _, _)| !known.contains(&key.as_str()) || key == "schemaVersion")
        .map(|(key, _, node)| (key.clone(), node.to_value()))
        .collect()
}
