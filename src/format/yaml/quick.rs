//! A reader for the YAML that programs write: block maps and lists, scalars on one line, `|` texts.
//!
//! Manifests and states are nearly all YAML there is, and all of theirs has this form. The whole reader takes ten
//! times as long for it. What is not certain here is left to the whole reader: the answer is either exactly the nodes
//! that it would give, or none.

use super::node::{Content, Map, Node, Position};
use super::read::DEEPEST;

/// Most keys of a map, and longest key. More is left to the whole reader, so that looking for a key that stands twice
/// stays cheap.
const KEYS: usize = 256;
const KEY: usize = 128;

/// The documents of `text`, at most `documents`; `None` when this reader is not certain of them.
pub(super) fn read(text: &str, documents: usize) -> Option<Vec<Node>> {
    // Without a newline at its end the last line can mean something else.
    let is_text = |byte: u8| byte == b'\n' || (byte >= b' ' && byte != 0x7f);
    if !text.bytes().all(is_text) || !(text.is_empty() || text.ends_with('\n')) {
        return None;
    }
    let mut lines = Lines { rest: text, number: 0, line: "", indent: 0, ended: false };
    lines.next()?;
    let mut roots = Vec::new();
    let mut begun = false;
    while !lines.ended {
        if lines.is_start() {
            if documents == 1 && begun {
                return None;
            }
            begun = true;
            lines.next()?;
            continue;
        }
        if lines.indent != 0 || (begun && roots.len() == documents) {
            return None;
        }
        begun = true;
        roots.push(lines.block(0)?);
        if !lines.ended && !lines.is_start() {
            return None;
        }
    }
    Some(roots)
}

/// The text, line by line: blank lines and comments are passed over.
struct Lines<'a> {
    rest: &'a str,
    /// Number of `line`, from 1.
    number: usize,
    /// What stands behind the blanks of the current line, or is left of it.
    line: &'a str,
    /// Column of `line`, from 0.
    indent: usize,
    ended: bool,
}

impl<'a> Lines<'a> {
    /// Goes to the next line that says something; `None` where this reader is not certain.
    fn next(&mut self) -> Option<()> {
        loop {
            let Some(line) = self.take() else {
                self.ended = true;
                self.line = "";
                self.indent = 0;
                return Some(());
            };
            let inner = line.trim_start_matches(' ');
            if inner.is_empty() {
                continue;
            }
            self.indent = line.len() - inner.len();
            if inner.starts_with('#') {
                is_harmless(inner).then_some(())?;
                continue;
            }
            // Directives, the end of a document, and marks with something behind them.
            let is_mark = match inner.as_bytes() {
                [b'%', ..] | [b'.', b'.', b'.', ..] => true,
                [b'-', b'-', b'-', more @ ..] => !more.is_empty(),
                _ => false,
            };
            if self.indent == 0 && is_mark {
                return None;
            }
            self.line = inner;
            return Some(());
        }
    }

    fn take(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() {
            return None;
        }
        self.number += 1;
        let (line, rest) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
        self.rest = rest;
        Some(line)
    }

    fn at(&self) -> Position {
        Position { line: self.number, column: self.indent + 1 }
    }

    /// Whether a document begins at the current line.
    fn is_start(&self) -> bool {
        self.indent == 0 && self.line == "---"
    }

    /// The list or map that begins at the current line.
    fn block(&mut self, depth: usize) -> Option<Node> {
        if is_item(self.line) { self.list(depth) } else { self.map(depth) }
    }

    fn list(&mut self, depth: usize) -> Option<Node> {
        if depth + 2 >= DEEPEST {
            return None;
        }
        let (at, indent) = (self.at(), self.indent);
        let mut items = Vec::new();
        while !self.ended && self.indent == indent && is_item(self.line) {
            self.line = self.line.get(2..)?;
            self.indent += 2;
            // More blanks, an item of nothing, and a list in an item are rare.
            if self.line.is_empty() || self.line.starts_with(' ') || is_item(self.line) {
                return None;
            }
            let item = if key(self.line).is_some() { self.map(depth + 1)? } else { self.scalar(indent)? };
            items.push(item);
            self.ends(indent)?;
        }
        Some(Node { at, content: Content::List(items) })
    }

    fn map(&mut self, depth: usize) -> Option<Node> {
        if depth + 2 >= DEEPEST {
            return None;
        }
        let (at, indent) = (self.at(), self.indent);
        let mut entries: Vec<(String, Position, Node)> = Vec::new();
        while !self.ended && self.indent == indent && !self.is_start() && !is_item(self.line) {
            let (name, rest) = key(self.line)?;
            if entries.len() == KEYS || entries.iter().any(|(known, _, _)| known == name) {
                return None;
            }
            let place = self.at();
            let value = if rest.is_empty() {
                self.next()?;
                // A list may stand right under its key. Nothing at all is a null, whose place is a fine point.
                let below = self.indent > indent || (self.indent == indent && is_item(self.line));
                if self.ended || !below {
                    return None;
                }
                let is_level = self.indent == indent;
                let mut block = self.block(depth + 1)?;
                if is_level {
                    // The whole reader has such a list begin behind the mark of its first item.
                    block.at.column += 2;
                }
                block
            } else {
                self.indent += self.line.len() - rest.len();
                self.line = rest;
                self.scalar(indent)?
            };
            entries.push((name.to_owned(), place, value));
            self.ends(indent)?;
        }
        Some(Node { at, content: Content::Map(Map { entries, faults: Vec::new() }) })
    }

    /// Whether what stands next can't belong to a value in a block of this indent.
    fn ends(&self, indent: usize) -> Option<()> {
        (self.ended || self.indent <= indent).then_some(())
    }

    /// The value at the current place, which ends with its line or is a text below it. `indent` is that of its block.
    fn scalar(&mut self, indent: usize) -> Option<Node> {
        let at = self.at();
        let line = self.line;
        let content = match line.as_bytes().first()? {
            b'"' => {
                let (text, rest) = double_quoted(line)?;
                rest.is_empty().then_some(Content::Scalar { text, plain: false })?
            }
            b'\'' => {
                let (text, rest) = single_quoted(line)?;
                rest.is_empty().then_some(Content::Scalar { text, plain: false })?
            }
            b'|' if line == "|" => return self.literal(indent),
            b'[' => flow(line, at)?,
            _ if line == "{}" => Content::Map(Map::default()),
            _ => plain(line)?,
        };
        self.next()?;
        Some(Node { at, content })
    }

    /// A text of several lines, which ends in one newline.
    fn literal(&mut self, indent: usize) -> Option<Node> {
        let blanks = |text: &str| text.bytes().take_while(|byte| *byte == b' ').count();
        let within = blanks(self.rest);
        if within <= indent || self.rest.get(within..)?.starts_with('\n') {
            return None;
        }
        // The whole reader has it begin where its first line does.
        let at = Position { line: self.number + 1, column: within + 1 };
        let mut text = String::new();
        let mut empty = 0;
        while self.rest.starts_with('\n') || blanks(self.rest) >= within {
            let line = self.take()?;
            if line.is_empty() {
                empty += 1;
                continue;
            }
            // How readers count the blanks of a line of blanks is a fine point.
            let inner = line.get(within..).filter(|inner| !inner.trim_start_matches(' ').is_empty() && is_harmless(inner))?;
            text.extend(std::iter::repeat_n('\n', std::mem::take(&mut empty)));
            text.push_str(inner);
            text.push('\n');
        }
        self.next()?;
        Some(Node { at, content: Content::Scalar { text, plain: false } })
    }
}

/// Whether a line is an item of a list.
fn is_item(line: &str) -> bool {
    matches!(line.as_bytes(), [b'-'] | [b'-', b' ', ..])
}

/// Whether no character of a text is one that some readers take for a line break, or refuse.
fn is_harmless(text: &str) -> bool {
    let good = |c: char| !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}');
    text.is_ascii() || text.chars().all(good)
}

/// A key and what stands behind it on its line.
fn key(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = if let Some(quoted) = line.strip_prefix('"') {
        let end = quoted.bytes().position(|byte| matches!(byte, b'"' | b'\\') || !byte.is_ascii())?;
        (quoted.get(..end)?, quoted.get(end..)?.strip_prefix('"')?)
    } else {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"_./-".contains(&byte);
        let end = line.bytes().position(|byte| !inner(byte))?;
        let first = *line.as_bytes().first()?;
        (first.is_ascii_alphanumeric() || first == b'_').then_some((line.get(..end)?, line.get(end..)?))?
    };
    let rest = rest.strip_prefix(':')?;
    let rest = if rest.is_empty() { rest } else { rest.strip_prefix(' ').filter(|rest| !rest.is_empty() && !rest.starts_with(' '))? };
    (name.len() <= KEY).then_some((name, rest))
}

/// The text between double quotes, and what stands behind them.
fn double_quoted(line: &str) -> Option<(String, &str)> {
    let mut rest = line.strip_prefix('"')?;
    let mut text = String::new();
    loop {
        let end = rest.bytes().position(|byte| matches!(byte, b'"' | b'\\'))?;
        let part = rest.get(..end).filter(|part| is_harmless(part))?;
        text.push_str(part);
        rest = rest.get(end..)?;
        if let Some(behind) = rest.strip_prefix('"') {
            return Some((text, behind));
        }
        let escape = *rest.as_bytes().get(1)?;
        text.push(match escape {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'n' => '\n',
            b't' => '\t',
            b'r' => '\r',
            b'u' => {
                let digits = rest.get(2..6).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
                rest = rest.get(4..)?;
                char::from_u32(u32::from_str_radix(digits, 16).ok()?)?
            }
            _ => return None,
        });
        rest = rest.get(2..)?;
    }
}

/// The text between single quotes, and what stands behind them.
fn single_quoted(line: &str) -> Option<(String, &str)> {
    let mut rest = line.strip_prefix('\'')?;
    let mut text = String::new();
    loop {
        let (part, behind) = rest.split_once('\'').filter(|(part, _)| is_harmless(part))?;
        text.push_str(part);
        let Some(next) = behind.strip_prefix('\'') else { return Some((text, behind)) };
        text.push('\'');
        rest = next;
    }
}

/// A scalar without quotes that fills the rest of its line.
fn plain(line: &str) -> Option<Content> {
    let first = line.bytes().next()?;
    let second = line.as_bytes().get(1).copied().unwrap_or(b' ');
    let begins = first.is_ascii_alphanumeric() || b"/._~^".contains(&first) || (first == b'-' && second.is_ascii_alphanumeric());
    let is_whole = line.is_ascii() && !line.ends_with([' ', ':']) && !line.contains(": ") && !line.contains(" #");
    (begins && is_whole).then(|| Content::Scalar { text: line.to_owned(), plain: true })
}

/// A list of scalars between brackets that fills the rest of its line.
fn flow(line: &str, at: Position) -> Option<Content> {
    let mut items = Vec::new();
    let mut rest = line.strip_prefix('[')?;
    let mut column = at.column + 1;
    while rest != "]" || !items.is_empty() {
        let (content, behind) = if rest.starts_with('"') {
            let (text, behind) = double_quoted(rest)?;
            (Content::Scalar { text, plain: false }, behind)
        } else {
            let (word, behind) = rest.split_at_checked(rest.find([',', ']'])?)?;
            let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"_./-".contains(&byte);
            let good = word.starts_with(|c: char| c.is_ascii_alphanumeric()) && word.bytes().all(inner);
            (good.then(|| Content::Scalar { text: word.to_owned(), plain: true })?, behind)
        };
        items.push(Node { at: Position { line: at.line, column }, content });
        if behind == "]" {
            break;
        }
        column += rest.get(..rest.len() - behind.len())?.chars().count() + 2;
        rest = behind.strip_prefix(", ")?;
    }
    Some(Content::List(items))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::read::whole;
    use super::*;
    use crate::format::yaml::Limits;

    /// What both readers make of a text: whether the quick one is certain.
    fn agree(text: &str) -> bool {
        for documents in [1, usize::MAX] {
            if let Some(nodes) = read(text, documents) {
                assert_eq!(whole(text, documents), Ok(nodes), "{text:?}");
            }
        }
        read(text, usize::MAX).is_some()
    }

    #[test]
    fn what_programs_write_is_read_here() {
        for text in [
            "# made\na: 1\nb: \"x \\\"y\\\" \\u00e4\"\nc:\n  d: 'it''s'\n",
            "a:\n- b: 1\n  c:\n  - \"x\"\n  - y z\n- d: [a, \"b, c\", 1.2]\n  e: {}\n  f: []\n",
            "a:\n  - b\n\n  # between\n  - c: d\n",
            "a: 1\n---\n---\n# nothing\n---\n- x\n- y\n",
            "---\na: 1\n",
            "data:\n  catalog: |\n    a: 1\n\n      b\n    ---\n    # c\n\n\nx: -1\n",
            "\"a b\": ^x$\nc.d/e-f_g: a:b#c\n",
            "a: \"ü\"\nb: [\"ü\", x]\n",
            "a: |\n  text\n # a comment\nb: 1\n",
            "",
            "# nothing\n",
        ] {
            assert!(agree(text), "{text:?}");
        }
    }

    #[test]
    fn what_is_not_certain_is_left_to_the_whole_reader() {
        for text in [
            "a: 1",
            "a:\n",
            "a: 1\na: 2\n",
            "a:\n    b: 1\n  c: 2\n",
            "a: b\n  c\n",
            "a: &x 1\n",
            "a: *x\n",
            "a: !x 1\n",
            "<<: {a: 1}\n",
            "? a\n: b\n",
            "a: \"b\n  c\"\n",
            "a: >\n  b\n",
            "a: |-\n  b\n",
            "a: |\nb: 1\n",
            "a: |\n\n  b\n",
            "a:\t1\n",
            "a: 1 # b\n",
            "a: {b: 1}\n",
            "- - a\n",
            "-\n  a: 1\n",
            "a: 1\n...\n",
            "%YAML 1.2\n---\na: 1\n",
            "--- a\n",
            "a\n",
            "a: b: c\n",
            "a: 1\r\n",
            "a: \u{85}b\n",
            "\u{feff}a: 1\n",
            "a: @x\n",
            "a: %x\n",
            "a: [b, [c]]\n",
            "a: [b\n",
            "a: \"\\x41\"\n",
            "a: \"\\ud800\"\n",
            "a: 1\n- b\n",
            "- a\nb: 1\n",
            "a: |\n  b\n    \n  c\n",
        ] {
            assert!(read(text, usize::MAX).is_none(), "{text:?}");
        }
        assert!(read("a: 1\n---\nb: 2\n", 1).is_none());
        let deep = (0..40).fold(String::new(), |text, depth| text + &" ".repeat(depth) + "a:\n");
        assert!(read(&deep, 1).is_none());
    }

    /// Lines as documents have them, and as they should not.
    fn lines() -> impl Strategy<Value = String> {
        let indent = prop_oneof![4 => Just(""), 4 => Just("  "), 2 => Just("    "), 1 => Just(" ")];
        let lead = prop_oneof![4 => Just(""), 2 => Just("- "), 1 => Just("-"), 1 => Just("---"), 1 => Just("# "), 1 => Just("? ")];
        let key = prop_oneof![4 => Just("a: "), 4 => Just("b: "), 2 => Just("c:"), 2 => Just(""), 1 => Just("\"d\": "), 1 => Just("e : "), 1 => Just("<<: ")];
        let value = prop_oneof![
            4 => "[a-z0-9~:#,\\[\\]{}&*!|>'\"%@`. -]{0,8}",
            2 => Just("|".to_owned()),
            2 => Just(String::new()),
            2 => "\"([a-z :#äü]|\\\\[\\\\\"nt/x]|\\\\u00[0-9a-f]{2}){0,6}\"",
            1 => "'([a-z :#]|''){0,6}'",
            1 => "\\[([a-z]{0,2}|\"[a-z ,ü]{0,3}\")(, [a-z\"]{0,3}){0,3}\\]",
        ];
        let line = (indent, lead, key, value).prop_map(|(indent, lead, key, value)| format!("{indent}{lead}{key}{value}\n"));
        proptest::collection::vec(line, 0..7).prop_map(|lines| lines.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]

        #[test]
        fn both_readers_agree_on_lines(text in lines()) {
            agree(&text);
        }

        #[test]
        fn both_readers_agree_on_any_text(text in "[ -~\n\u{85}\u{2028}\tä]{0,80}|([ a-c:\\-#\"'|\n]{0,40})|(a:\\PC{0,20}\n){0,3}") {
            agree(&text);
        }
    }

    #[test]
    fn what_is_written_canonically_is_read_here() {
        let text = crate::format::yaml::write(&crate::model::Value::Map(vec![
            ("name".into(), "node 22: x".into()),
            ("list".into(), crate::model::Value::List(vec!["a".into(), "1.10".into()])),
        ]));
        assert!(agree(&text), "{text}");
        assert!(super::super::read(text.as_bytes(), Limits::FILE).is_ok());
    }
}
