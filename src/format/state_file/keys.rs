//! What both kinds of state files share: the document, and single keys of a map.

use jiff::Timestamp;

use crate::format::yaml::{self, Limits, Map, Node, Position};
use crate::model::{Digest, ImageName, Value};

/// Why a state file can't be used, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateError {
    /// Where in the file.
    pub at: Position,
    /// The cause.
    pub message: String,
}

pub(super) type Read<T> = Result<T, StateError>;

/// The newest state format that is understood. A newer one is refused, never rewritten.
const SCHEMA_VERSION: i64 = 1;

pub(super) fn error<T>(at: Position, message: impl Into<String>) -> Read<T> {
    Err(StateError { at, message: message.into() })
}

pub(super) fn document(bytes: &[u8]) -> Read<Map> {
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

pub(super) fn place(map: &Map, key: &str) -> Position {
    map.get(key).map_or(Position { line: 1, column: 1 }, |node| node.at)
}

pub(super) fn text<'a>(map: &'a Map, key: &str) -> Read<Option<&'a str>> {
    match map.get(key) {
        None => Ok(None),
        Some(node) if node.is_null() => Ok(None),
        Some(node) => {
            node.text().map_or_else(|| error(node.at, format!("`{key}` is a single value, this is {}", node.kind())), |text| Ok(Some(text)))
        }
    }
}

pub(super) fn same_name(map: &Map, name: &ImageName) -> Read<()> {
    match text(map, "name")? {
        Some(inside) if inside != name.as_str() => {
            error(place(map, "name"), format!("the file is named `{name}` and says it is about another image"))
        }
        _ => Ok(()),
    }
}

pub(super) fn time(map: &Map, key: &str) -> Read<Option<Timestamp>> {
    text(map, key)?.map(|text| instant(text, place(map, key), key)).transpose()
}

pub(super) fn instant(text: &str, at: Position, key: &str) -> Read<Timestamp> {
    text.parse().map_err(|_| StateError { at, message: format!("`{key}` is a time such as 2026-01-31T12:00:00Z") })
}

pub(super) fn digest(map: &Map, key: &str) -> Read<Option<Digest>> {
    text(map, key)?
        .map(|text| {
            Digest::parse(text).map_err(|problem| StateError { at: place(map, key), message: format!("`{key}` is no digest: {problem}") })
        })
        .transpose()
}

pub(super) fn pair(key: &str, value: impl Into<Value>) -> (String, Value) {
    (key.to_owned(), value.into())
}

pub(super) fn stamp(at: Option<Timestamp>) -> Value {
    Value::text_or_null(at.map(written))
}

/// A time as it is written into files: whole seconds, UTC.
pub fn written(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

pub(super) fn extra(map: &Map, known: &[&str]) -> Vec<(String, Value)> {
    map.entries
        .iter()
        .filter(|(key, _, _)| !known.contains(&key.as_str()) || key == "schemaVersion")
        .map(|(key, _, node)| (key.clone(), node.to_value()))
        .collect()
}
