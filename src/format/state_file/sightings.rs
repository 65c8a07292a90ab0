//! The tags that `FirstSeen` rests on, in state files.

use std::collections::BTreeSet;

use super::keys::{Read, digest, error, pair, place, stamp, text, time};
use super::rebuild::list;
use crate::format::yaml::{Map, Node};
use crate::model::tags::{SeenTag, Sightings};
use crate::model::{Digest, Value};

/// Keys that are read and written here.
pub(super) const KEYS: [&str; 3] = ["tags", "tagsBefore", "tagsEdited"];

pub(super) fn read(map: &Map) -> Read<Sightings> {
    Ok(Sightings {
        tags: list(map, "tags")?.iter().map(seen).collect::<Read<_>>()?,
        before: marks(map)?,
        edited: text(map, "tagsEdited")? == Some("true"),
    })
}

/// Writes them; what says nothing is left out.
pub(super) fn write(sightings: &Sightings, out: &mut Vec<(String, Value)>) {
    if !sightings.tags.is_empty() {
        out.push(pair("tags", Value::List(sightings.tags.iter().map(write_seen).collect())));
    }
    if !sightings.before.is_empty() {
        let marks: Vec<String> = sightings.before.iter().map(|mark| format!("{mark:08x}")).collect();
        out.push(pair("tagsBefore", marks.join(" ")));
    }
    if sightings.edited {
        out.push(pair("tagsEdited", true));
    }
}

fn seen(node: &Node) -> Read<SeenTag> {
    let Some(map) = node.map() else { return error(node.at, "a seen tag is a map of `tag`, `digest` and `seenAt`") };
    match (text(map, "tag")?, time(map, "seenAt")?) {
        (Some(tag), Some(seen_at)) => Ok(SeenTag { tag: tag.to_owned(), digest: digest(map, "digest")?, seen_at }),
        _ => error(node.at, "a seen tag has `tag` and `seenAt`"),
    }
}

fn write_seen(seen: &SeenTag) -> Value {
    Value::Map(vec![
        pair("tag", seen.tag.as_str()),
        pair("digest", Value::text_or_null(seen.digest.as_ref().map(Digest::as_str))),
        pair("seenAt", stamp(Some(seen.seen_at))),
    ])
}

/// Eight hexadecimal digits each, apart by blanks.
fn marks(map: &Map) -> Read<BTreeSet<u32>> {
    let marks = text(map, "tagsBefore")?.unwrap_or_default().split_whitespace();
    let read = marks.map(|mark| u32::from_str_radix(mark, 16)).collect::<Result<_, _>>();
    read.or_else(|_| error(place(map, "tagsBefore"), "`tagsBefore` is a line of marks, eight hexadecimal digits each"))
}
