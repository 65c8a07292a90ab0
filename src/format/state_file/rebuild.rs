//! What an image's state file says of its bases and rebuilds.

use std::collections::BTreeMap;

use super::keys::{Read, digest, error, extra, pair, place, stamp, text, time};
use super::ledger::{tenure, write_tenure};
use crate::format::yaml::{Map, Node};
use crate::model::rebuild::{Examined, HeldWhy, Rebuild, RebuildStatus, Unbuilt, Verdict};
use crate::model::state::ImageState;
use crate::model::{Digest, Value};

/// Keys of an image's state that are read and written here.
pub(super) const KEYS: [&str; 6] = ["builtFrom", "pinned", "unbuilt", "rebuild", "rebuilt", "examined"];

const REBUILD_KEYS: [&str; 16] = [
    "key",
    "attempt",
    "status",
    "since",
    "holder",
    "claimedAt",
    "expiresAt",
    "takenFrom",
    "run",
    "url",
    "nextAt",
    "from",
    "to",
    "contentSince",
    "why",
    "note",
];

/// Takes in what `map` says.
pub(super) fn read(map: &Map, state: &mut ImageState) -> Read<()> {
    state.built_from = digests(map, "builtFrom")?;
    state.pinned = texts(map, "pinned")?;
    state.unbuilt = unbuilt(map)?;
    state.rebuild = child(map, "rebuild")?.map(rebuild).transpose()?;
    state.rebuilt = map.get("rebuilt").filter(|node| !node.is_null()).map(tenure).transpose()?;
    state.examined = child(map, "examined")?.map(examined).transpose()?;
    Ok(())
}

/// Writes it; what says nothing is left out.
pub(super) fn write(state: &ImageState, out: &mut Vec<(String, Value)>) {
    let mut push = |key: &str, value: Value, there: bool| {
        if there {
            out.push((key.to_owned(), value));
        }
    };
    push("builtFrom", write_digests(&state.built_from), !state.built_from.is_empty());
    push("pinned", write_texts(&state.pinned), !state.pinned.is_empty());
    let entries = state.unbuilt.iter().map(|(base, unbuilt)| (base.clone(), write_unbuilt(unbuilt))).collect();
    push("unbuilt", Value::Map(entries), !state.unbuilt.is_empty());
    push("rebuild", state.rebuild.as_ref().map_or(Value::Null, write_rebuild), state.rebuild.is_some());
    push("rebuilt", state.rebuilt.as_ref().map_or(Value::Null, write_tenure), state.rebuilt.is_some());
    push("examined", state.examined.as_ref().map_or(Value::Null, write_examined), state.examined.is_some());
}

fn rebuild(map: &Map) -> Read<Rebuild> {
    let missing = |key: &str| super::keys::StateError { at: place(map, key), message: format!("a rebuild has a `{key}`") };
    let status = text(map, "status")?.ok_or_else(|| missing("status"))?;
    let Some(status) = RebuildStatus::parse(status) else {
        return error(place(map, "status"), "`status` is one of eligible, claimed, sent, failed, held");
    };
    let why = match text(map, "why")? {
        None => None,
        Some(word) => match HeldWhy::parse(word) {
            Some(why) => Some(why),
            None => return error(place(map, "why"), "`why` is one of unconfirmed, attempts, reverted"),
        },
    };
    let attempt = match text(map, "attempt")? {
        None => 1,
        Some(number) => match number.parse() {
            Ok(number) => number,
            Err(_) => return error(place(map, "attempt"), "`attempt` is a number from 1"),
        },
    };
    let owned = |key: &str| Ok(text(map, key)?.map(str::to_owned));
    Ok(Rebuild {
        key: owned("key")?.ok_or_else(|| missing("key"))?,
        attempt,
        status,
        since: time(map, "since")?.ok_or_else(|| missing("since"))?,
        holder: owned("holder")?,
        claimed_at: time(map, "claimedAt")?,
        expires_at: time(map, "expiresAt")?,
        taken_from: owned("takenFrom")?,
        run: owned("run")?,
        url: owned("url")?,
        next_at: time(map, "nextAt")?,
        from: digest(map, "from")?,
        to: digests(map, "to")?,
        content_since: time(map, "contentSince")?,
        why,
        note: owned("note")?,
        extra: extra(map, &REBUILD_KEYS),
    })
}

fn write_rebuild(rebuild: &Rebuild) -> Value {
    let mut out = vec![
        pair("key", rebuild.key.as_str()),
        pair("attempt", Value::Int(rebuild.attempt.into())),
        pair("status", rebuild.status.word()),
        pair("since", stamp(Some(rebuild.since))),
    ];
    let digest = rebuild.from.as_ref().map(|digest| digest.as_str().to_owned());
    let written = |at: Option<jiff::Timestamp>| at.map(super::keys::written);
    for (key, value) in [
        ("why", rebuild.why.map(|why| why.word().to_owned())),
        ("note", rebuild.note.clone()),
        ("holder", rebuild.holder.clone()),
        ("claimedAt", written(rebuild.claimed_at)),
        ("expiresAt", written(rebuild.expires_at)),
        ("takenFrom", rebuild.taken_from.clone()),
        ("run", rebuild.run.clone()),
        ("url", rebuild.url.clone()),
        ("nextAt", written(rebuild.next_at)),
        ("from", digest),
    ] {
        if let Some(value) = value {
            out.push(pair(key, value));
        }
    }
    out.push(pair("to", write_digests(&rebuild.to)));
    if let Some(since) = rebuild.content_since {
        out.push(pair("contentSince", stamp(Some(since))));
    }
    out.extend(rebuild.extra.iter().cloned());
    Value::Map(out)
}

fn unbuilt(map: &Map) -> Read<BTreeMap<String, Unbuilt>> {
    let mut out = BTreeMap::new();
    for (base, _, node) in child(map, "unbuilt")?.map_or(&[][..], |map| &map.entries) {
        let Some(entry) = node.map() else { return error(node.at, "an unbuilt base is a map with `since`") };
        let Some(since) = time(entry, "since")? else { return error(node.at, "an unbuilt base has `since`") };
        out.insert(base.clone(), Unbuilt { since, compared: digest(entry, "compared")?, missing: texts(entry, "missing")? });
    }
    Ok(out)
}

fn write_unbuilt(unbuilt: &Unbuilt) -> Value {
    let mut out = vec![pair("since", stamp(Some(unbuilt.since)))];
    if let Some(digest) = &unbuilt.compared {
        out.push(pair("compared", digest.as_str()));
    }
    if !unbuilt.missing.is_empty() {
        out.push(pair("missing", write_texts(&unbuilt.missing)));
    }
    Value::Map(out)
}

fn examined(map: &Map) -> Read<Examined> {
    let verdict = text(map, "verdict")?.and_then(Verdict::parse);
    match (digest(map, "digest")?, verdict) {
        (Some(digest), Some(verdict)) => Ok(Examined { digest, against: digests(map, "against")?, verdict }),
        _ => error(place(map, "digest"), "`examined` has a `digest` and a `verdict`"),
    }
}

fn write_examined(examined: &Examined) -> Value {
    Value::Map(vec![
        pair("digest", examined.digest.as_str()),
        pair("against", write_digests(&examined.against)),
        pair("verdict", examined.verdict.word()),
    ])
}

fn child<'a>(map: &'a Map, key: &str) -> Read<Option<&'a Map>> {
    match map.get(key).filter(|node| !node.is_null()) {
        None => Ok(None),
        Some(node) => match node.map() {
            Some(child) => match child.faults.first() {
                Some((at, message)) => error(*at, message.as_str()),
                None => Ok(Some(child)),
            },
            None => error(node.at, format!("`{key}` is a map, this is {}", node.kind())),
        },
    }
}

pub(super) fn list<'a>(map: &'a Map, key: &str) -> Read<&'a [Node]> {
    match map.get(key).filter(|node| !node.is_null()) {
        None => Ok(&[]),
        Some(node) => node.list().map_or_else(|| error(node.at, format!("`{key}` is a list, this is {}", node.kind())), Ok),
    }
}

fn texts(map: &Map, key: &str) -> Read<Vec<String>> {
    Ok(list(map, key)?.iter().filter_map(|item| item.text().map(str::to_owned)).collect())
}

fn write_texts(items: &[String]) -> Value {
    Value::List(items.iter().map(|item| item.as_str().into()).collect())
}

fn digests(map: &Map, key: &str) -> Read<BTreeMap<String, Digest>> {
    let mut out = BTreeMap::new();
    if let Some(entries) = child(map, key)? {
        for (base, _, _) in &entries.entries {
            if let Some(digest) = digest(entries, base)? {
                out.insert(base.clone(), digest);
            }
        }
    }
    Ok(out)
}

fn write_digests(digests: &BTreeMap<String, Digest>) -> Value {
    Value::Map(digests.iter().map(|(base, digest)| pair(base, digest.as_str())).collect())
}

#[cfg(test)]
mod tests {
    use crate::format::state_file::{read_image, write_image};
    use crate::model::ImageName;

    const STATE: &str = "\
name: portal
enrolledAt: \"2026-01-01T00:00:00Z\"
lastDiscovery: null
discoveryStatus: success
enrollment: {}
baseImages:
- node-22
currentVersion: null
currentDigest: null
previousDigest: null
lastUpdated: null
lastBuilt: null
builtFrom:
  node-22: sha256:1111111111111111111111111111111111111111111111111111111111111111
pinned:
- alpine-3
unbuilt:
  node-22:
    since: \"2026-01-02T00:00:00Z\"
    compared: sha256:2222222222222222222222222222222222222222222222222222222222222222
    missing:
    - linux/arm64
rebuild:
  key: 0123456789abcdef
  attempt: 2
  status: held
  since: \"2026-01-09T00:00:00Z\"
  why: attempts
  note: \"run 7: failure\"
  holder: one
  claimedAt: \"2026-01-09T00:00:00Z\"
  expiresAt: \"2026-01-09T00:10:00Z\"
  takenFrom: other
  run: \"7\"
  url: https://example.org/7
  nextAt: \"2026-01-09T00:20:00Z\"
  from: sha256:3333333333333333333333333333333333333333333333333333333333333333
  to:
    node-22: sha256:2222222222222222222222222222222222222222222222222222222222222222
  contentSince: \"2026-01-02T00:00:00Z\"
  kept: by others
rebuilt:
  digest: sha256:4444444444444444444444444444444444444444444444444444444444444444
  seenAt: \"2026-01-01T00:00:00Z\"
examined:
  digest: sha256:3333333333333333333333333333333333333333333333333333333333333333
  against:
    node-22: sha256:2222222222222222222222222222222222222222222222222222222222222222
  verdict: not-proven
tags:
- tag: \"1.2\"
  digest: null
  seenAt: \"2026-01-02T00:00:00Z\"
tagsBefore: 0000002a deadbeef
tagsEdited: true
reverted:
  digest: sha256:5555555555555555555555555555555555555555555555555555555555555555
  seenAt: \"2026-01-02T00:00:00Z\"
updateHistory: []
theirs: 1
";

    #[test]
    fn what_is_recorded_of_rebuilds_survives_a_round_trip() {
        let name = ImageName::parse("portal").unwrap();
        let state = read_image(&name, STATE.as_bytes()).unwrap();
        assert_eq!(write_image(&state), STATE);
        assert_eq!(state.rebuild.as_ref().map(|rebuild| rebuild.extra.len()), Some(1));
    }

    #[test]
    fn what_contradicts_itself_is_refused_with_its_place() {
        let name = ImageName::parse("portal").unwrap();
        for (text, expected) in [
            ("rebuild: 1\n", "1:10 `rebuild` is a map"),
            ("rebuild:\n  key: k\n  since: 2026-01-01T00:00:00Z\n  status: lost\n", "4:11 `status` is one of"),
            ("rebuild:\n  key: k\n  status: held\n", "1:1 a rebuild has a `since`"),
            ("builtFrom: {a: b}\n", "1:16 `a` is no digest"),
            ("unbuilt: {a: {}}\n", "1:14 an unbuilt base has `since`"),
            ("tags: [{tag: a}]\n", "1:8 a seen tag has"),
            ("tagsBefore: 0000002a tag\n", "1:13 `tagsBefore` is a line of marks"),
        ] {
            let error = read_image(&name, text.as_bytes()).unwrap_err();
            let told = format!("{}:{} {}", error.at.line, error.at.column, error.message);
            assert!(told.starts_with(expected), "{text}: {told}");
        }
    }
}
