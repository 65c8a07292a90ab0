//! A YAML node with its place in the file.

use crate::model::value::Value;

/// Where a node begins, both counted from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Position {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

/// A node and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Where it begins.
    pub at: Position,
    /// What it is.
    pub content: Content,
}

/// What a node is. Scalars stay text: what they mean depends on who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A scalar; `plain` when it was written without quotes.
    Scalar {
        /// Its text after escapes.
        text: String,
        /// Written without quotes, so YAML would guess its type.
        plain: bool,
    },
    /// A list.
    List(Vec<Node>),
    /// A map.
    Map(Map),
    /// Something that is not read, in the words of a message: only whoever asks for it is stopped.
    Refused(&'static str),
}

/// A map in file order, each key once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Map {
    /// Key, where the key stands, and the value.
    pub entries: Vec<(String, Position, Node)>,
    /// What makes the map unusable, and where: a key for the second time, a merge key.
    pub faults: Vec<(Position, String)>,
}

impl Map {
    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries.iter().find(|(name, _, _)| name == key).map(|(_, _, node)| node)
    }
}

impl Node {
    /// Whether this is an empty plain scalar, `~` or `null`: the ways people leave a value out.
    pub fn is_null(&self) -> bool {
        matches!(&self.content, Content::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// The text of a scalar that is not null.
    pub fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar { text, .. } if !self.is_null() => Some(text),
            _ => None,
        }
    }

    /// The entries of a map.
    pub fn map(&self) -> Option<&Map> {
        match &self.content {
            Content::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The items of a list.
    pub fn list(&self) -> Option<&[Node]> {
        match &self.content {
            Content::List(items) => Some(items),
            _ => None,
        }
    }

    /// What kind of thing this is, in the words of a message.
    pub fn kind(&self) -> &'static str {
        match &self.content {
            _ if self.is_null() => "nothing",
            Content::Scalar { .. } => "a single value",
            Content::List(_) => "a list",
            Content::Map(_) => "a map",
            Content::Refused(what) => what,
        }
    }

    /// The node without its positions, plain scalars resolved by the YAML 1.2 core schema.
    pub fn to_value(&self) -> Value {
        match &self.content {
            Content::Scalar { text, plain: false } => Value::Text(text.clone()),
            Content::Scalar { text, plain: true } => resolve(text),
            Content::List(items) => Value::List(items.iter().map(Node::to_value).collect()),
            Content::Refused(_) => Value::Null,
            Content::Map(map) => Value::Map(map.entries.iter().map(|(key, _, node)| (key.clone(), node.to_value())).collect()),
        }
    }
}

/// Resolves a plain scalar. Only what every YAML version agrees on becomes a number or a boolean.
fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !digits.is_empty()
        && digits.bytes().all(|b| b.is_ascii_digit())
        && (digits.len() == 1 || !digits.starts_with('0'))
        && let Ok(number) = text.parse()
    {
        return Value::Int(number);
    }
    let numeric = digits.starts_with(|c: char| c.is_ascii_digit()) && digits.bytes().all(|b| b.is_ascii_digit() || b"eE+-.".contains(&b));
    if numeric && digits.contains('.') && text.parse::<f64>().is_ok_and(f64::is_finite) {
        return Value::Number(text.to_owned());
    }
    Value::Text(text.to_owned())
}
