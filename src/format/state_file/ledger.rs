//! The first-seen ledger and the watch in state files.

use super::keys::{Read, digest, error, pair, place, stamp, text, time};
use crate::format::yaml::{Map, Node};
use crate::model::ledger::{Ledger, Tenure};
use crate::model::policy::{Strategy, TagPolicy};
use crate::model::{Digest, Value};

pub(super) fn watch(map: &Map) -> Read<Option<TagPolicy>> {
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

pub(super) fn ledger(map: &Map) -> Read<Ledger> {
    let mut history = Vec::new();
    if let Some(node) = map.get("updateHistory").filter(|node| !node.is_null()) {
        let Some(items) = node.list() else { return error(node.at, "`updateHistory` is a list") };
        for item in items {
            history.push(tenure(item)?);
        }
    }
    let one = |key: &str| map.get(key).filter(|node| !node.is_null()).map(tenure).transpose();
    Ok(Ledger {
        current: digest(map, "currentDigest")?,
        previous: digest(map, "previousDigest")?,
        last_updated: time(map, "lastUpdated")?,
        history,
        returning: one("returning")?,
        reverted: one("reverted")?,
    })
}

pub(super) fn tenure(node: &Node) -> Read<Tenure> {
    let Some(map) = node.map() else { return error(node.at, "a tenure is a map of `digest` and `seenAt`") };
    match (digest(map, "digest")?, time(map, "seenAt")?) {
        (Some(digest), Some(seen_at)) => Ok(Tenure { digest, seen_at }),
        _ => error(node.at, "a tenure has `digest` and `seenAt`"),
    }
}

pub(super) fn push_watch(out: &mut Vec<(String, Value)>, watch: &TagPolicy) {
    if let Some(pattern) = &watch.allow_tags {
        out.push(pair("allowTags", pattern.as_str()));
    }
    if let Some(constraint) = &watch.constraint {
        out.push(pair("constraint", constraint.as_str()));
    }
    out.push(pair("imageSelectionStrategy", watch.strategy.word()));
}

pub(super) fn push_ledger_head(out: &mut Vec<(String, Value)>, ledger: &Ledger) {
    out.push(pair("currentDigest", Value::text_or_null(ledger.current.as_ref().map(Digest::as_str))));
    out.push(pair("previousDigest", Value::text_or_null(ledger.previous.as_ref().map(Digest::as_str))));
    out.push(pair("lastUpdated", stamp(ledger.last_updated)));
}

/// A tenure as a map.
pub(super) fn write_tenure(tenure: &Tenure) -> Value {
    Value::Map(vec![pair("digest", tenure.digest.as_str()), pair("seenAt", stamp(Some(tenure.seen_at)))])
}

pub(super) fn push_history(out: &mut Vec<(String, Value)>, ledger: &Ledger) {
    for (key, tenure) in [("returning", &ledger.returning), ("reverted", &ledger.reverted)] {
        if let Some(tenure) = tenure {
            out.push(pair(key, write_tenure(tenure)));
        }
    }
    out.push(pair("updateHistory", Value::List(ledger.history.iter().map(write_tenure).collect())));
}
