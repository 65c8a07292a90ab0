//! Typed access to the keys of one YAML map, one diagnostic a fault, "did you mean" for unknown keys.

use super::yaml::{Map, Node, Position};
use crate::base::fault::foreign;
use crate::model::{Delay, Diagnostic, Place, Severity};

/// Reads the keys of one map. Each accessor answers `None` both for an absent key and for one that
/// can't be used; the second also leaves a diagnostic and sets [`Fields::failed`].
pub(super) struct Fields<'a> {
    /// The map itself.
    pub(super) map: &'a Map,
    /// Where the map begins.
    pub(super) at: Position,
    file: &'a str,
    out: &'a mut Vec<Diagnostic>,
    /// Whether an error was found: what this map describes is left out.
    pub(super) failed: bool,
}

impl<'a> Fields<'a> {
    pub(super) fn new(file: &'a str, at: Position, map: &'a Map, out: &'a mut Vec<Diagnostic>) -> Self {
        let mut fields = Self { map, at, file, out, failed: false };
        fields.faults();
        fields
    }

    /// Says what makes the map itself unusable.
    fn faults(&mut self) {
        let map = self.map;
        for (at, message) in &map.faults {
            self.error("duplicate-key", *at, message.as_str(), Some("keep each key once".to_owned()));
        }
    }

    /// A child map's fields, sharing the list of diagnostics.
    pub(super) fn child<'b>(&'b mut self, at: Position, map: &'b Map) -> Fields<'b> {
        let mut fields = Fields { map, at, file: self.file, out: self.out, failed: false };
        fields.faults();
        fields
    }

    /// Says what is wrong at `at`; what this map describes is left out.
    pub(super) fn error(&mut self, code: &'static str, at: Position, message: impl Into<String>, hint: Option<String>) {
        self.failed = true;
        self.push(Severity::Error, code, at, message.into(), hint);
    }

    /// Says what is odd at `at`; reading goes on.
    pub(super) fn warning(&mut self, code: &'static str, at: Position, message: impl Into<String>, hint: Option<String>) {
        self.push(Severity::Warning, code, at, message.into(), hint);
    }

    fn push(&mut self, severity: Severity, code: &'static str, at: Position, message: String, hint: Option<String>) {
        let place = Place { file: self.file.to_owned(), line: at.line, column: at.column };
        self.out.push(Diagnostic { severity, code, place, message, hint });
    }

    /// Warns of keys that are not in `known`. They are most often misspelt, and never an error: a newer
    /// version, or another tool, may know them.
    pub(super) fn unknown_keys(&mut self, known: &[&str]) {
        let map = self.map;
        for (key, at, _) in &map.entries {
            if !known.contains(&key.as_str()) {
                let hint = nearest(key, known).map(|name| format!("did you mean `{name}`?"));
                self.warning("unknown-key", *at, format!("the key `{}` is not known and not used", foreign(key)), hint);
            }
        }
    }

    fn present(&self, key: &str) -> Option<&'a Node> {
        self.map.get(key).filter(|node| !node.is_null())
    }

    /// Where `key`'s value stands, or the map itself.
    pub(super) fn place(&self, key: &str) -> Position {
        self.map.get(key).map_or(self.at, |node| node.at)
    }

    /// A single value as text.
    pub(super) fn text(&mut self, key: &str) -> Option<&'a str> {
        let node = self.present(key)?;
        if let Some(text) = node.text() {
            return Some(text);
        }
        self.error("wrong-type", node.at, format!("`{key}` is a single value, this is {}", node.kind()), None);
        None
    }

    /// Text that may be a version: unquoted `1.10` is refused, because most YAML readers make 1.1 of it.
    pub(super) fn version_text(&mut self, key: &str) -> Option<&'a str> {
        let node = self.present(key)?;
        if let Some(text) = cut_version(node) {
            self.error(
                "unquoted-version",
                node.at,
                format!("unquoted `{text}` is a number, and most YAML readers make `{}` of it", text.trim_end_matches('0')),
                Some(format!("write `{key}: \"{text}\"`")),
            );
            return None;
        }
        self.text(key)
    }

    /// A required single value.
    pub(super) fn required(&mut self, key: &str, hint: &str) -> Option<&'a str> {
        if self.present(key).is_none() {
            let at = self.at;
            self.error("missing-key", at, format!("`{key}` is missing"), Some(hint.to_owned()));
            return None;
        }
        self.text(key)
    }

    /// `true` or `false`; YAML 1.1's `yes` and `on` are refused, since YAML 1.2 readers take them for text.
    pub(super) fn flag(&mut self, key: &str) -> Option<bool> {
        let node = self.present(key)?;
        match node.text() {
            Some("true" | "True" | "TRUE") => Some(true),
            Some("false" | "False" | "FALSE") => Some(false),
            _ => {
                self.error("wrong-type", node.at, format!("`{key}` is true or false"), None);
                None
            }
        }
    }

    /// A length of time.
    pub(super) fn delay(&mut self, key: &str) -> Option<Delay> {
        let text = self.text(key)?;
        match Delay::parse(text) {
            Ok(delay) => Some(delay),
            Err(message) => {
                let at = self.place(key);
                self.error("bad-duration", at, format!("`{key}: {}`: {message}", foreign(text)), None);
                None
            }
        }
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&mut self, key: &str, known: &[(&'static str, T)]) -> Option<T> {
        let text = self.text(key)?;
        if let Some((_, value)) = known.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
        let hint = nearest(text, &words).map(|word| format!("did you mean `{word}`?"));
        let at = self.place(key);
        self.error("unknown-word", at, format!("`{key}: {}` is none of {}", foreign(text), words.join(", ")), hint);
        None
    }

    /// A list of single values; one value alone counts as a list of one.
    pub(super) fn texts(&mut self, key: &str) -> Vec<(&'a str, Position)> {
        let Some(node) = self.present(key) else { return Vec::new() };
        if let Some(text) = node.text() {
            return vec![(text, node.at)];
        }
        let Some(items) = node.list() else {
            self.error("wrong-type", node.at, format!("`{key}` is a list, this is {}", node.kind()), None);
            return Vec::new();
        };
        let mut out = Vec::new();
        for item in items {
            match item.text() {
                Some(text) => out.push((text, item.at)),
                None => self.error("wrong-type", item.at, format!("an item of `{key}` is a single value, this is {}", item.kind()), None),
            }
        }
        out
    }

    /// A map.
    pub(super) fn map(&mut self, key: &str) -> Option<(&'a Map, Position)> {
        let node = self.present(key)?;
        if let Some(map) = node.map() {
            return Some((map, node.at));
        }
        self.error("wrong-type", node.at, format!("`{key}` is a map, this is {}", node.kind()), None);
        None
    }

    /// A list of maps.
    pub(super) fn maps(&mut self, key: &str) -> Vec<(&'a Map, Position)> {
        let Some(node) = self.present(key) else { return Vec::new() };
        let Some(items) = node.list() else {
            self.error("wrong-type", node.at, format!("`{key}` is a list, this is {}", node.kind()), None);
            return Vec::new();
        };
        let mut out = Vec::new();
        for item in items {
            match item.map() {
                Some(map) => out.push((map, item.at)),
                None => self.error("wrong-type", item.at, format!("an item of `{key}` is a map, this is {}", item.kind()), None),
            }
        }
        out
    }

    /// A value parsed by a rule of the model, its refusal as a diagnostic.
    pub(super) fn parsed<T, E: std::fmt::Display>(
        &mut self,
        key: &str,
        code: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.text(key)?;
        match parse(text) {
            Ok(value) => Some(value),
            Err(error) => {
                let at = self.place(key);
                self.error(code, at, format!("`{key}: {}`: {error}", foreign(text)), None);
                None
            }
        }
    }
}

/// The text of an unquoted number whose last zero would get lost: `1.10`, `3.20`.
pub(super) fn cut_version(node: &Node) -> Option<&str> {
    let super::yaml::Content::Scalar { text, plain: true } = &node.content else { return None };
    let (whole, fraction) = text.split_once('.')?;
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    (digits(whole) && digits(fraction) && fraction.ends_with('0')).then_some(text)
}

/// The known word most like `word`, if one is like it at all.
pub(super) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let word: String = word.chars().take(64).flat_map(char::to_lowercase).collect();
    known
        .iter()
        .map(|name| (strsim::jaro_winkler(&word, &name.to_lowercase()), *name))
        .filter(|(likeness, _)| *likeness > 0.82)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name)
}
