//! Reading: one document, budgets first, positions kept.

use std::collections::HashSet;

use granit_parser::{Event, Options, Parser, ScalarStyle};

use super::node::{Content, Map, Node, Position};
use super::quick;

/// Deepest nesting of lists and maps.
pub(super) const DEEPEST: usize = 32;

/// What a document may cost before it is refused.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Size of the text, in bytes.
    pub bytes: usize,
}

impl Limits {
    /// For every file but `images.yaml`: 1 MiB.
    pub const FILE: Self = Self { bytes: 1 << 20 };
    /// For `images.yaml`: 16 MiB.
    pub const IMAGES: Self = Self { bytes: 16 << 20 };
}

/// Why a document can't be read at all, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct YamlError {
    /// Where reading stopped.
    pub at: Position,
    /// The cause.
    pub message: String,
    /// The next step.
    pub hint: Option<&'static str>,
}

impl YamlError {
    fn new(at: Position, message: impl Into<String>) -> Self {
        Self { at, message: message.into(), hint: None }
    }

    fn hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }
}

/// Reads the one document of `text`. `None` when there is nothing but comments.
///
/// Aliases are never followed: they save little in files of this kind, and a few lines of them can ask for
/// gigabytes. They, and keys that stand twice, stop only the map they are in. Memory stays proportional to
/// the text.
///
/// # Errors
/// [`YamlError`] with the position, for text that is no UTF-8 YAML or goes beyond `limits`.
pub fn read(bytes: &[u8], limits: Limits) -> Result<Option<Node>, YamlError> {
    Ok(parse(bytes, limits, 1)?.pop())
}

/// Reads every document of a stream; those that are nothing but comments are left out.
///
/// # Errors
/// [`YamlError`], as [`read`] has it.
pub fn read_stream(bytes: &[u8], limits: Limits) -> Result<Vec<Node>, YamlError> {
    parse(bytes, limits, usize::MAX)
}

fn parse(bytes: &[u8], limits: Limits, documents: usize) -> Result<Vec<Node>, YamlError> {
    let start = Position { line: 1, column: 1 };
    if bytes.len() > limits.bytes {
        return Err(YamlError::new(start, format!("the file has {} bytes, more than the {} that are read", bytes.len(), limits.bytes)));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let line = 1 + String::from_utf8_lossy(before).matches('\n').count();
        YamlError::new(Position { line, column: 1 }, "the file is not UTF-8 text")
    })?;
    match quick::read(text, documents) {
        Some(nodes) => {
            // So that each test of anything that reads YAML is also one of this.
            debug_assert_eq!(whole(text, documents).as_ref(), Ok(&nodes), "the two readers differ on {text:?}");
            Ok(nodes)
        }
        None => whole(text, documents),
    }
}

/// Reads whatever YAML there is.
pub(super) fn whole(text: &str, documents: usize) -> Result<Vec<Node>, YamlError> {
    let mut options = Options::default();
    options.flow_nesting_limit = DEEPEST + 1;
    options.block_nesting_limit = DEEPEST + 1;
    let mut parser = Parser::new_from_str_with_options(text, options);
    let mut builder = Builder { open: Vec::new(), roots: Vec::new(), documents: 0, most: documents };
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| {
            let at = Position { line: error.marker().line(), column: error.marker().col() + 1 };
            YamlError::new(at, format!("this is not YAML: {}", crate::base::fault::foreign(&error.info())))
        })?;
        let at = Position { line: span.start.line(), column: span.start.col() + 1 };
        builder.take(event, at)?;
    }
    Ok(builder.roots)
}

/// An open list or map.
enum Open {
    List(Position, Vec<Node>),
    Map { at: Position, map: Map, keys: HashSet<String>, key: Option<(String, Position, bool)> },
}

struct Builder {
    open: Vec<Open>,
    roots: Vec<Node>,
    documents: usize,
    /// How many documents there may be.
    most: usize,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, at: Position) -> Result<(), YamlError> {
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > self.most {
                    return Err(YamlError::new(at, "the file holds a second document")
                        .hint("keep one document a file: remove the `---` between them"));
                }
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                self.close(Node { at, content: Content::Refused("an alias, and aliases are not read") })?;
            }
            Event::Scalar(text, style, _, tag) => {
                if tag.as_ref().is_some_and(|tag| !tag.is_yaml_core_schema()) {
                    return self.close(Node { at, content: Content::Refused("a value with a tag of its own, and those are not read") });
                }
                let plain = style == ScalarStyle::Plain && tag.is_none();
                if let Some(Open::Map { map, keys, key: key @ None, .. }) = self.open.last_mut() {
                    let name = text.into_owned();
                    let merge = plain && name == "<<";
                    if merge {
                        map.faults.push((at, "merge keys (`<<`) are not read; write the keys out".to_owned()));
                    }
                    let first = keys.insert(name.clone());
                    if !first {
                        let shown = crate::base::fault::foreign(&name);
                        map.faults
                            .push((at, format!("the key `{shown}` stands here a second time, and parsers disagree on which one wins")));
                    }
                    *key = Some((name, at, first && !merge));
                    return Ok(());
                }
                self.close(Node { at, content: Content::Scalar { text: text.into_owned(), plain } })?;
            }
            Event::SequenceStart(..) => self.push(Open::List(at, Vec::new()), at)?,
            Event::MappingStart(..) => self.push(Open::Map { at, map: Map::default(), keys: HashSet::new(), key: None }, at)?,
            Event::SequenceEnd | Event::MappingEnd => {
                let node = match self.open.pop() {
                    Some(Open::List(at, items)) => Node { at, content: Content::List(items) },
                    Some(Open::Map { at, map, .. }) => Node { at, content: Content::Map(map) },
                    None => return Ok(()),
                };
                self.close(node)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn push(&mut self, open: Open, at: Position) -> Result<(), YamlError> {
        if matches!(self.open.last(), Some(Open::Map { key: None, .. })) {
            return Err(YamlError::new(at, "a key must be a single value"));
        }
        if self.open.len() >= DEEPEST {
            return Err(YamlError::new(at, format!("nested deeper than {DEEPEST} levels")));
        }
        self.open.push(open);
        Ok(())
    }

    fn close(&mut self, node: Node) -> Result<(), YamlError> {
        match self.open.last_mut() {
            None if node.is_null() => {}
            None => self.roots.push(node),
            Some(Open::List(_, items)) => items.push(node),
            Some(Open::Map { map, key, .. }) => match key.take() {
                Some((name, place, true)) => map.entries.push((name, place, node)),
                Some((_, _, false)) => {}
                None => return Err(YamlError::new(node.at, "a key must be a single value")),
            },
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        match read(text.as_bytes(), Limits::FILE) {
            Err(error) => format!("{}:{}: {}", error.at.line, error.at.column, error.message),
            Ok(node) => format!("read: {node:?}"),
        }
    }

    #[test]
    fn documents_that_are_refused_say_where_and_why() {
        for (text, expected) in [
            ("a: 1\n---\nb: 2\n", "2:1: the file holds a second document"),
            ("? [a]\n: b\n", "1:3: a key must be a single value"),
            ("a: [1, 2\n", "1:4: this is not YAML"),
        ] {
            let got = refused(text);
            assert!(got.starts_with(expected), "{text:?}: {got}");
        }
        assert!(refused(&"[".repeat(100_000)).contains("1:"), "deep nesting is refused");
        let deep = refused(&format!("{}{}", "[".repeat(33), "]".repeat(33)));
        assert!(deep.starts_with("1:33:"), "{deep}");
    }

    #[test]
    fn what_stops_only_its_own_map_is_told_by_the_map() {
        let map = |text: &str| read(text.as_bytes(), Limits::FILE).unwrap().unwrap().map().unwrap().clone();
        for (text, expected) in [("a: 1\na: 2\n", "the key `a` stands here a second time"), ("<<: {a: 1}\n", "merge keys")] {
            let map = map(text);
            assert!(map.faults.len() == 1 && map.faults[0].1.starts_with(expected), "{text}: {map:?}");
            assert!(map.entries.len() <= 1);
        }
        for text in ["x: &x 1\na: *x\n", "a: !ruby/object x\n"] {
            assert!(map(text).get("a").unwrap().kind().ends_with("not read"), "{text}");
        }
    }

    #[test]
    fn a_stream_keeps_places() {
        let nodes = read_stream(b"a: 1\n---\n# nothing\n---\nb: 2\n", Limits::FILE).unwrap();
        assert_eq!(nodes.iter().map(|node| node.at.line).collect::<Vec<_>>(), [1, 5]);
        assert_eq!(read_stream(b"", Limits::FILE), Ok(Vec::new()));
    }

    #[test]
    fn plain_and_quoted_scalars_are_told_apart() {
        let node = read(b"a: 1.10\nb: \"1.10\"\nc: ~\n", Limits::FILE).unwrap().unwrap();
        let map = node.map().unwrap();
        assert_eq!(map.get("a").unwrap().content, Content::Scalar { text: "1.10".into(), plain: true });
        assert_eq!(map.get("b").unwrap().content, Content::Scalar { text: "1.10".into(), plain: false });
        assert!(map.get("c").unwrap().is_null());
        assert_eq!(read(b"# nothing\n", Limits::FILE), Ok(None));
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in ".{0,200}") {
            let _ = read(text.as_bytes(), Limits::FILE);
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = read(&bytes, Limits::FILE);
        }
    }
}
