//! Heredocs: `RUN <<EOF` and the lines up to `EOF`.
//!
//! They are looked for in the joined instruction, only where an instruction takes them, never in the JSON
//! form, and only where a word begins. Bodies follow the whole instruction, in order.

use super::lines::Instruction;
use super::{DockerfileError, ErrorKind};

/// One body that is to come.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Heredoc {
    /// The line that ends it.
    end: String,
    /// `<<-`: tabs before the end are no part of it.
    chomp: bool,
}

impl Heredoc {
    /// Takes the body's lines.
    pub(super) fn skip<'a>(&self, lines: &mut impl Iterator<Item = (usize, &'a str)>, start: usize) -> Result<(), DockerfileError> {
        for (_, line) in lines {
            let line = line.strip_suffix('\r').unwrap_or(line);
            let line = if self.chomp { line.trim_start_matches('\t') } else { line };
            if line == self.end {
                return Ok(());
            }
        }
        Err(DockerfileError::new(ErrorKind::Heredoc, start, format!("the heredoc `{}` does not end", self.end)))
    }
}

/// The heredocs of an instruction.
pub(super) fn of(instruction: &Instruction<'_>, escape: char) -> Vec<Heredoc> {
    let mut rest = &*instruction.rest;
    let mut word = instruction.word.as_str();
    if word == "ONBUILD" {
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let (inner, tail) = rest.split_at(end);
        word = ["RUN", "COPY", "ADD"].into_iter().find(|name| inner.eq_ignore_ascii_case(name)).unwrap_or_default();
        rest = tail.trim_start();
    }
    if !matches!(word, "RUN" | "COPY" | "ADD") || !rest.contains("<<") {
        return Vec::new();
    }
    if serde_json::from_str::<Vec<String>>(super::flags::after(rest)).is_ok() {
        return Vec::new();
    }
    super::flags::words(rest, escape).iter().filter_map(|word| operator(word, escape)).collect()
}

/// Reads `[n]<<[-]NAME`, NAME possibly quoted.
fn operator(word: &str, escape: char) -> Option<Heredoc> {
    let rest = word.trim_start_matches(|c: char| c.is_ascii_digit()).strip_prefix("<<")?;
    let (chomp, rest) = rest.strip_prefix('-').map_or((false, rest), |rest| (true, rest));
    if rest.is_empty() || rest.starts_with(['<', '>', '-']) {
        return None;
    }
    let mut end = String::new();
    let mut quote = None;
    let mut chars = rest.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            (None | Some('"'), c) if c == escape => end.extend(chars.next()),
            (None, '$' | '<' | '>' | '|' | '&' | ';' | '(' | ')') => return None,
            (_, c) => end.push(c),
        }
    }
    (quote.is_none() && !end.is_empty()).then_some(Heredoc { end, chomp })
}
