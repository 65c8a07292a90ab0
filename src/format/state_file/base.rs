//! `state/base-images/<name>.yaml`.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::keys::{Read, digest, document, error, extra, instant, pair, place, same_name, stamp, text, time};
use super::ledger::{ledger, push_history, push_ledger_head, push_watch, watch};
use crate::format::yaml::{self, Map, Node, Position};
use crate::model::policy::{self, TagPolicy};
use crate::model::{BaseState, ImageName, ImageReference, Value};

const KEYS: [&str; 20] = [
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
    "reverted",
    "updateHistory",
    "schemaVersion",
];

/// Reads `state/base-images/<name>.yaml`.
///
/// # Errors
/// As [`read_image`](super::read_image); also when the image it is about can't be told.
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
        extra: extra(&map, &KEYS),
    })
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
