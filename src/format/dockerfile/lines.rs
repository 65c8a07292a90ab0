//! Physical lines into instructions: directives, comments, continuations, heredoc bodies.

use std::borrow::Cow;

use super::heredoc;
use super::{DockerfileError, ErrorKind};

/// BuildKit's scanner refuses longer lines.
const LONGEST_LINE: usize = 64 * 1024;

/// One instruction, comments and continuations gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Instruction<'a> {
    /// Line where it starts, from 1.
    pub(super) line: usize,
    /// Its word, in upper case.
    pub(super) word: String,
    /// What follows, trimmed.
    pub(super) rest: Cow<'a, str>,
}

/// A file's instructions and its escape character.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Instructions<'a> {
    pub(super) escape: char,
    pub(super) list: Vec<Instruction<'a>>,
}

/// What parser directives have said so far; they end at the first line that is none.
#[derive(Default)]
struct Directives {
    done: bool,
    seen: Vec<String>,
    escape: Option<char>,
}

impl Directives {
    fn look(&mut self, line: &str, number: usize) -> Result<(), DockerfileError> {
        if self.done {
            return Ok(());
        }
        let Some((key, value)) = directive(line) else {
            self.done = true;
            return Ok(());
        };
        let key = key.to_ascii_lowercase();
        if !matches!(key.as_str(), "syntax" | "escape" | "check") {
            return Ok(());
        }
        if self.seen.contains(&key) {
            return Err(DockerfileError::new(ErrorKind::Directive, number, format!("the directive `{key}` stands here a second time")));
        }
        if key == "escape" {
            self.escape = Some(match value {
                "\\" => '\\',
                "`" => '`',
                _ => return Err(DockerfileError::new(ErrorKind::Directive, number, "the escape character is \\ or `")),
            });
        }
        self.seen.push(key);
        Ok(())
    }
}

/// `# key=value`.
fn directive(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.strip_prefix('#')?.split_once('=')?;
    let (key, value) = (key.trim(), value.trim());
    let word = key.starts_with(|c: char| c.is_ascii_alphabetic()) && key.bytes().all(|b| b.is_ascii_alphanumeric());
    (word && !value.is_empty()).then_some((key, value))
}

/// Splits a file into instructions.
pub(super) fn instructions(text: &str) -> Result<Instructions<'_>, DockerfileError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = text.split_inclusive('\n').map(|line| line.strip_suffix('\n').unwrap_or(line)).enumerate();
    let mut directives = Directives::default();
    let mut list = Vec::new();
    while let Some((index, raw)) = lines.next() {
        let number = index + 1;
        let line = checked(raw, number)?.trim_start_matches(blank);
        directives.look(line, number)?;
        let escape = directives.escape.unwrap_or('\\');
        if line.starts_with('#') {
            continue;
        }
        let (first, mut open) = continued(line, escape);
        if !open && first.is_empty() {
            continue;
        }
        let mut joined = Cow::Borrowed(first);
        while open {
            let Some((index, raw)) = lines.next() else { break };
            let line = checked(raw, index + 1)?;
            let bare = line.trim_start_matches(blank);
            // Comments and empty lines inside a continuation vanish.
            if bare.is_empty() || bare.starts_with('#') {
                continue;
            }
            let (part, more) = continued(line, escape);
            joined.to_mut().push_str(part);
            open = more;
        }
        let Some(instruction) = split(joined, number) else { continue };
        for body in heredoc::of(&instruction, escape) {
            body.skip(&mut lines, number)?;
        }
        list.push(instruction);
    }
    if list.is_empty() {
        return Err(DockerfileError::new(ErrorKind::Empty, 1, "the file has no instructions"));
    }
    Ok(Instructions { escape: directives.escape.unwrap_or('\\'), list })
}

fn checked(line: &str, number: usize) -> Result<&str, DockerfileError> {
    if line.len() >= LONGEST_LINE {
        return Err(DockerfileError::new(ErrorKind::LineTooLong, number, "the line has 64 KiB or more"));
    }
    Ok(line.strip_suffix('\r').unwrap_or(line))
}

fn blank(c: char) -> bool {
    c == ' ' || c == '\t'
}

/// The line without its continuation, and whether there is one: the last non-blank is the escape character
/// and the one before it is not.
fn continued(line: &str, escape: char) -> (&str, bool) {
    let bare = line.trim_end_matches(blank);
    match bare.strip_suffix(escape) {
        Some(before) if !before.ends_with(escape) => (before, true),
        _ => (line, false),
    }
}

/// The word and what follows. A borrowed line stays borrowed: most instructions are one line.
fn split(joined: Cow<'_, str>, line: usize) -> Option<Instruction<'_>> {
    let cut = |text: &str| {
        let text = text.trim();
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        let (word, rest) = text.split_at(end);
        (word.to_ascii_uppercase(), rest.trim().len())
    };
    let (word, rest) = cut(&joined);
    if word.is_empty() {
        return None;
    }
    let tail = |text: &str| {
        let text = text.trim_end();
        text.len() - rest..text.len()
    };
    let rest = match joined {
        Cow::Borrowed(text) => Cow::Borrowed(text.get(tail(text)).unwrap_or_default()),
        Cow::Owned(text) => Cow::Owned(text.get(tail(&text)).unwrap_or_default().to_owned()),
    };
    Some(Instruction { line, word, rest })
}
