//! Heredocs: `RUN <<EOF` and the lines up to `EOF`.
//!
//! They are looked for in the joined instruction, only where an instruction takes them, never in the JSON
//! form, and only where a word begins. Bodies follow the whole instruction, in order. Whatever the file's
//! escape character is, here it is the backslash.

use std::borrow::Cow;

use super::lines::Lines;
use super::words::{Lexer, Raw};
use super::{DockerfileError, ErrorKind, Refused};

/// One operator: `[n]<<[-]NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Operator {
    /// The line that ends the body.
    pub(super) name: String,
    /// Whether no part of NAME is quoted: variables in the body are expanded.
    pub(super) expand: bool,
    /// `<<-`: tabs before the end are no part of it.
    chomp: bool,
}

/// A heredoc with its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Heredoc<'a> {
    pub(super) operator: Operator,
    pub(super) body: Cow<'a, str>,
}

impl Operator {
    /// Takes the body's lines.
    pub(super) fn body<'a>(self, lines: &mut Lines<'a>, start: usize) -> Refused<Heredoc<'a>> {
        let whole = lines.ahead();
        let mut left = whole.len();
        while let Some(line) = lines.next() {
            let line = if self.chomp { line.trim_start_matches('\t') } else { line };
            if line == self.name {
                let body = whole.get(..whole.len() - left).unwrap_or_default();
                return Ok(Heredoc { operator: self, body: Cow::Borrowed(body) });
            }
            left = lines.ahead().len();
        }
        Err(DockerfileError::new(ErrorKind::Heredoc, start, format!("the heredoc `{}` does not end", self.name)))
    }
}

/// The heredocs of an instruction.
pub(super) fn of(line: &str) -> Result<Vec<Operator>, String> {
    let raw = Raw { quotes: true, escapes: true, unset: true };
    // What can't be split into words, such as text with one quote, has no heredocs.
    let words = Lexer::new('\\', &|_| None).raw(raw).words(line).unwrap_or_default();
    words.iter().filter_map(|word| operator(word).transpose()).collect()
}

/// Reads `[n]<<[-]NAME`, NAME possibly quoted; `None` when the word is something else.
pub(super) fn operator(word: &str) -> Result<Option<Operator>, String> {
    let Some(rest) = word.trim_start_matches(|c: char| c.is_ascii_digit()).strip_prefix("<<") else { return Ok(None) };
    let (chomp, rest) = rest.strip_prefix('-').map_or((false, rest), |rest| (true, rest));
    let rest = rest.trim_start_matches(super::directives::BLANKS);
    if rest.is_empty() || rest.contains('<') {
        return Ok(None);
    }
    let words = |quotes| Lexer::new('\\', &|_| None).raw(Raw { quotes, escapes: false, unset: true }).words(rest);
    let plain = words(false)?;
    let [name] = plain.as_slice() else { return Ok(None) };
    let kept = words(true)?;
    let [with_quotes] = kept.as_slice() else { return Err(format!("`{word}` is split in two ways")) };
    let quotes = |text: &str| text.matches(['\'', '"']).count();
    Ok(Some(Operator { expand: quotes(name) == quotes(with_quotes), name: name.clone(), chomp }))
}
