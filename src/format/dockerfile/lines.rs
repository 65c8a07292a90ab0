//! Physical lines into instructions: directives, comments, continuations, heredoc bodies.

use std::borrow::Cow;

use super::directives::Directives;
use super::heredoc;
use super::node::{self, Node};
use super::{DockerfileError, ErrorKind, Refused};

/// Shortest line that BuildKit's scanner refuses, in bytes without its line feed.
const TOO_LONG: usize = 64 * 1024;

/// A file's instructions and its escape character.
#[derive(Debug)]
pub(super) struct Parsed<'a> {
    pub(super) escape: char,
    pub(super) nodes: Vec<Node<'a>>,
}

/// The lines of a file, with their numbers from 1. A line that is too long ends them.
pub(super) struct Lines<'a> {
    rest: &'a str,
    /// Lines given so far.
    pub(super) read: usize,
    too_long: bool,
}

impl<'a> Lines<'a> {
    pub(super) fn next(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() || self.too_long {
            return None;
        }
        let (line, rest) = match self.rest.split_once('\n') {
            Some((line, rest)) => (line, rest),
            None => (self.rest, ""),
        };
        if line.len() >= TOO_LONG {
            self.too_long = true;
            return None;
        }
        self.rest = rest;
        self.read += 1;
        Some(line.trim_end_matches('\r'))
    }

    /// What has not been read yet.
    pub(super) fn ahead(&self) -> &'a str {
        self.rest
    }
}

/// Splits a file into instructions. Errors are those of BuildKit's parser, which come before all others.
pub(super) fn parse(text: &str) -> Refused<Parsed<'_>> {
    let mut lines = Lines { rest: text.strip_prefix('\u{feff}').unwrap_or(text), read: 0, too_long: false };
    let mut directives = Directives::default();
    let mut nodes = Vec::new();
    while let Some(line) = lines.next() {
        let start = lines.read;
        let line = line.trim_start();
        directives.look(line).map_err(|why| DockerfileError::new(ErrorKind::Directive, start, why))?;
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
            let Some(line) = lines.next() else { break };
            // Comments and empty lines inside a continuation vanish.
            let bare = line.trim_start();
            if bare.is_empty() || bare.starts_with('#') {
                continue;
            }
            let (part, more) = continued(line, escape);
            if joined.is_empty() {
                joined = Cow::Borrowed(part);
            } else {
                joined.to_mut().push_str(part);
            }
            open = more;
        }
        let mut node = node::read(joined, start, escape)?;
        if node.takes_heredocs() && node.joined.contains("<<") {
            for opened in heredoc::of(&node.joined).map_err(|why| DockerfileError::new(ErrorKind::Substitution, start, why))? {
                let body = opened.body(&mut lines, start)?;
                node.heredocs.push(body);
            }
        }
        nodes.push(node);
    }
    if nodes.is_empty() {
        return Err(DockerfileError::new(ErrorKind::Empty, lines.read.max(1), "the file has no instructions"));
    }
    if lines.too_long {
        return Err(DockerfileError::new(ErrorKind::LineTooLong, lines.read + 1, "the line has 64 KiB or more"));
    }
    Ok(Parsed { escape: directives.escape.unwrap_or('\\'), nodes })
}

/// The line without its continuation, and whether there is one: the last non-blank is the escape character
/// and the one before it is not.
fn continued(line: &str, escape: char) -> (&str, bool) {
    let bare = line.trim_end_matches([' ', '\t']);
    match bare.strip_suffix(escape) {
        Some(before) if !before.ends_with(escape) => (before, true),
        _ => (line, false),
    }
}
