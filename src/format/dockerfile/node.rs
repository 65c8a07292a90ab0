//! One instruction: its word, flags and what follows, with the checks that BuildKit's parser makes.

use std::borrow::Cow;
use std::ops::Range;

use super::heredoc::Heredoc;
use super::{DockerfileError, ErrorKind, Refused};

/// Which instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Add,
    Arg,
    Cmd,
    Copy,
    Entrypoint,
    Env,
    Expose,
    From,
    Healthcheck,
    Label,
    Maintainer,
    Onbuild,
    Run,
    Shell,
    Stopsignal,
    User,
    Volume,
    Workdir,
    Unknown,
}

/// An instruction. Ranges are into `joined`.
#[derive(Debug, Clone)]
pub(super) struct Node<'a> {
    /// Line where it starts, from 1.
    pub(super) line: usize,
    /// The whole instruction, comments and continuations gone.
    pub(super) joined: Cow<'a, str>,
    pub(super) verb: Verb,
    word: Range<usize>,
    rest: Range<usize>,
    /// `--name=value`, quotes and escapes taken off.
    pub(super) flags: Vec<String>,
    /// The words of the JSON form.
    pub(super) json: Option<Vec<String>>,
    /// Bodies, in order.
    pub(super) heredocs: Vec<Heredoc<'a>>,
    /// What ONBUILD triggers: its verb, its word, and whether it stands in the JSON form.
    pub(super) trigger: Option<(Verb, Range<usize>, bool)>,
}

impl Node<'_> {
    /// Its word as it is written.
    pub(super) fn word(&self) -> &str {
        self.joined.get(self.word.clone()).unwrap_or_default()
    }

    /// What follows word and flags, trimmed.
    pub(super) fn rest(&self) -> &str {
        self.joined.get(self.rest.clone()).unwrap_or_default()
    }

    /// The word that ONBUILD triggers.
    pub(super) fn trigger_word(&self) -> &str {
        self.trigger.as_ref().and_then(|(_, word, _)| self.joined.get(word.clone())).unwrap_or_default()
    }

    /// Whether heredocs are looked for.
    pub(super) fn takes_heredocs(&self) -> bool {
        let (verb, json) = match &self.trigger {
            Some((verb, _, json)) => (*verb, *json),
            None => (self.verb, self.json.is_some()),
        };
        matches!(verb, Verb::Run | Verb::Copy | Verb::Add) && !json
    }

    /// The same, as if it stood at `line`.
    pub(super) fn at(self, line: usize) -> Self {
        Self { line, ..self }
    }

    /// The same without borrowing.
    pub(super) fn into_owned(self) -> Node<'static> {
        let heredocs = self.heredocs.into_iter();
        Node {
            line: self.line,
            joined: Cow::Owned(self.joined.into_owned()),
            verb: self.verb,
            word: self.word,
            rest: self.rest,
            flags: self.flags,
            json: self.json,
            heredocs: heredocs.map(|heredoc| Heredoc { operator: heredoc.operator, body: Cow::Owned(heredoc.body.into_owned()) }).collect(),
            trigger: self.trigger,
        }
    }
}

/// Reads an instruction, and what ONBUILD holds however deep.
pub(super) fn read(joined: Cow<'_, str>, line: usize, escape: char) -> Refused<Node<'_>> {
    let text: &str = &joined;
    let outer = Split::of(text, 0, escape);
    let json = outer.checked(text, line, escape)?;
    let mut trigger = None;
    let mut inner = &outer;
    let mut next;
    while inner.verb == Verb::Onbuild && !inner.rest.is_empty() {
        next = Split::of(text.get(inner.rest.clone()).unwrap_or_default(), inner.rest.start, escape);
        let json = next.checked(text, line, escape)?;
        if trigger.is_none() {
            trigger = Some((next.verb, next.word.clone(), json.is_some()));
        }
        inner = &next;
    }
    let Split { verb, word, rest, flags } = outer;
    Ok(Node { line, joined, verb, word, rest, flags, json, heredocs: Vec::new(), trigger })
}

/// An instruction taken apart.
struct Split {
    verb: Verb,
    word: Range<usize>,
    rest: Range<usize>,
    flags: Vec<String>,
}

impl Split {
    /// Splits `text`, which begins at `offset` of the whole.
    fn of(text: &str, offset: usize, escape: char) -> Self {
        let start = text.len() - text.trim_start().len();
        let text = text.trim_end();
        let blank = |c: char| matches!(c, '\t' | '\u{b}' | '\u{c}' | '\r' | ' ');
        let trimmed = text.get(start..).unwrap_or_default();
        let end = trimmed.find(blank).unwrap_or(trimmed.len());
        let (word, tail) = trimmed.split_at(end);
        let tail = tail.trim_start_matches(blank);
        let (flags, tail) = flags(tail, escape);
        let tail = tail.trim();
        let rest = text.len() - tail.len();
        Self { verb: Verb::of(word), word: offset + start..offset + start + end, rest: offset + rest..offset + text.len(), flags }
    }

    /// What the parser refuses, and the JSON form of what may be JSON.
    fn checked(&self, whole: &str, line: usize, escape: char) -> Refused<Option<Vec<String>>> {
        let rest = whole.get(self.rest.clone()).unwrap_or_default();
        let refused = |why: String| DockerfileError::new(ErrorKind::InstructionSyntax, line, why);
        match self.verb {
            Verb::Add | Verb::Copy | Verb::Cmd | Verb::Entrypoint | Verb::Run | Verb::Shell | Verb::Volume => {
                json(rest).map_err(|()| refused("the JSON form takes strings only".to_owned()))
            }
            Verb::Healthcheck => {
                let (_, command) = healthcheck(rest);
                json(command).map_err(|()| refused("the JSON form takes strings only".to_owned()))
            }
            Verb::Env | Verb::Label => pairs_are_whole(rest, escape).map(|()| None).map_err(refused),
            _ => Ok(None),
        }
    }
}

impl Verb {
    fn of(word: &str) -> Self {
        const ALL: [(&str, Verb); 18] = [
            ("RUN", Verb::Run),
            ("COPY", Verb::Copy),
            ("ENV", Verb::Env),
            ("FROM", Verb::From),
            ("ARG", Verb::Arg),
            ("LABEL", Verb::Label),
            ("WORKDIR", Verb::Workdir),
            ("CMD", Verb::Cmd),
            ("USER", Verb::User),
            ("EXPOSE", Verb::Expose),
            ("ENTRYPOINT", Verb::Entrypoint),
            ("ADD", Verb::Add),
            ("VOLUME", Verb::Volume),
            ("HEALTHCHECK", Verb::Healthcheck),
            ("ONBUILD", Verb::Onbuild),
            ("SHELL", Verb::Shell),
            ("STOPSIGNAL", Verb::Stopsignal),
            ("MAINTAINER", Verb::Maintainer),
        ];
        let lowered;
        let word = if word.is_ascii() {
            word
        } else {
            lowered = lower(word);
            &lowered
        };
        ALL.iter().find(|(name, _)| word.eq_ignore_ascii_case(name)).map_or(Self::Unknown, |(_, verb)| *verb)
    }
}

/// Lower case as Go has it: one character for one.
pub(super) fn lower(text: &str) -> String {
    text.chars().map(|c| if c == 'İ' { 'i' } else { c.to_lowercase().next().unwrap_or(c) }).collect()
}

/// Type and command of a health check.
pub(super) fn healthcheck(rest: &str) -> (&str, &str) {
    let end = rest.bytes().position(is_byte_blank).unwrap_or(rest.len());
    let (kind, command) = rest.split_at_checked(end).unwrap_or((rest, ""));
    (kind, command.trim_start())
}

/// BuildKit reads flags byte by byte, so two bytes of Latin-1 count as blanks too.
fn is_byte_blank(b: u8) -> bool {
    matches!(b, b'\t'..=b'\r' | b' ' | 0x85 | 0xa0)
}

/// The flags before an instruction's arguments, and the arguments.
fn flags(text: &str, escape: char) -> (Vec<String>, &str) {
    let mut flags = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii() && is_byte_blank(c as u8));
        if !rest.starts_with("--") {
            return (flags, rest);
        }
        let (word, tail) = flag(rest, escape);
        rest = tail;
        match word.as_str() {
            "--" => return (flags, rest),
            "" => {}
            _ => flags.push(word),
        }
    }
}

/// One flag, and what follows it.
fn flag(text: &str, escape: char) -> (String, &str) {
    let escape = escape as u32;
    let bytes = text.as_bytes();
    let mut out = String::new();
    let mut quote = None;
    let mut at = 0;
    while let Some(&b) = bytes.get(at) {
        match quote {
            None if is_byte_blank(b) => break,
            None if b == b'\'' || b == b'"' => quote = Some(b),
            Some(open) if open == b => quote = None,
            _ if u32::from(b) == escape => {
                at += 1;
                match bytes.get(at) {
                    Some(&b) => out.push(char::from(b)),
                    None => quote = None,
                }
            }
            _ => out.push(char::from(b)),
        }
        at += 1;
    }
    let mut end = at.min(text.len());
    while !text.is_char_boundary(end) {
        end += 1;
    }
    (out, text.get(end..).unwrap_or_default())
}

/// The JSON form, `None` when the text is something else.
///
/// # Errors
/// It is JSON, but not a list of strings.
fn json(rest: &str) -> Result<Option<Vec<String>>, ()> {
    if !rest.starts_with('[') {
        return Ok(None);
    }
    if let Ok(words) = serde_json::from_str::<Vec<String>>(rest) {
        return Ok(Some(words));
    }
    if serde_json::from_str::<Vec<serde::de::IgnoredAny>>(rest).is_ok() { Err(()) } else { Ok(None) }
}

/// Words split at white space outside of quotes; quotes and escapes stay.
pub(super) struct Words<'a> {
    rest: &'a str,
    escape: char,
}

impl<'a> Words<'a> {
    pub(super) fn new(rest: &'a str, escape: char) -> Self {
        Self { rest, escape }
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        loop {
            let text = self.rest.trim_start();
            let mut chars = text.char_indices();
            let (mut quote, mut quoted) = (None, false);
            let mut end = text.len();
            let mut cut = end;
            while let Some((at, c)) = chars.next() {
                match quote {
                    None if c.is_whitespace() => {
                        (end, cut) = (at, at);
                        break;
                    }
                    None if c == '\'' || c == '"' => (quote, quoted) = (Some(c), true),
                    Some(open) if open == c => quote = None,
                    _ => {}
                }
                if c == self.escape && quote != Some('\'') && chars.next().is_none() {
                    // An escape at the very end is no part of the word.
                    cut = at;
                }
            }
            if text.is_empty() {
                return None;
            }
            self.rest = text.get(end..).unwrap_or_default();
            let word = text.get(..cut).unwrap_or_default();
            if quoted || !word.is_empty() {
                return Some(word);
            }
        }
    }
}

/// Whether an argument list is `key value`, or `key=value` throughout.
fn pairs_are_whole(rest: &str, escape: char) -> Result<(), String> {
    let mut words = Words::new(rest, escape);
    let Some(first) = words.next() else { return Ok(()) };
    if !first.contains('=') {
        let has_value = rest.contains(['\t', '\u{b}', '\u{c}', '\r', ' ']);
        return if has_value { Ok(()) } else { Err("a key without its value".to_owned()) };
    }
    match words.find(|word| !word.contains('=')) {
        Some(word) => Err(format!("`{word}` is not of the form name=value")),
        None => Ok(()),
    }
}

/// Keys and values of ENV or LABEL.
pub(super) fn pairs(rest: &str, escape: char) -> Vec<(&str, &str)> {
    let blank = ['\t', '\u{b}', '\u{c}', '\r', ' '];
    let mut words = Words::new(rest, escape).peekable();
    match words.peek() {
        Some(first) if !first.contains('=') => {
            rest.split_once(blank).map(|(key, value)| (key, value.trim_start_matches(blank))).into_iter().collect()
        }
        _ => words.filter_map(|word| word.split_once('=')).collect(),
    }
}

/// Arguments split at blanks, without a thought for quotes.
pub(super) fn blank_separated(rest: &str) -> impl Iterator<Item = &str> {
    rest.split(['\t', '\u{b}', '\u{c}', '\r', ' ']).filter(|word| !word.is_empty())
}
