//! An instruction's words, and the flags (`--name=value`) before them.

use super::{DockerfileError, ErrorKind};

/// What follows the flags.
pub(super) fn after(rest: &str) -> &str {
    let mut rest = rest.trim_start();
    while let Some(tail) = rest.strip_prefix("--") {
        let end = tail.find(char::is_whitespace).unwrap_or(tail.len());
        let (name, next) = tail.split_at(end);
        rest = next.trim_start();
        if name.is_empty() {
            break;
        }
    }
    rest
}

/// Flags, and what follows them. Quotes and escapes are taken off the values as BuildKit does.
pub(super) fn split(rest: &str, escape: char) -> (Vec<(String, String)>, &str) {
    let mut flags = Vec::new();
    let mut rest = rest.trim_start();
    while rest.starts_with("--") {
        let (word, tail) = word(rest, escape);
        rest = tail.trim_start();
        match word.strip_prefix("--") {
            None | Some("") => break,
            Some(flag) => {
                let (name, value) = flag.split_once('=').unwrap_or((flag, ""));
                flags.push((name.to_owned(), value.to_owned()));
            }
        }
    }
    (flags, rest)
}

/// One word, and what follows it.
fn word(text: &str, escape: char) -> (String, &str) {
    let mut out = String::new();
    let mut quote = None;
    let mut chars = text.char_indices();
    while let Some((index, c)) = chars.next() {
        match quote {
            None if c.is_whitespace() => return (out, text.get(index..).unwrap_or_default()),
            None if c == '\'' || c == '"' => quote = Some(c),
            Some(open) if open == c => quote = None,
            None | Some('"') if c == escape => out.extend(chars.next().map(|(_, c)| c)),
            _ => out.push(c),
        }
    }
    (out, "")
}

/// Words split at blanks outside of quotes, quotes kept.
pub(super) fn words(text: &str, escape: char) -> Vec<String> {
    let mut out = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match quote {
            None if c.is_whitespace() => {
                if !word.is_empty() {
                    out.push(std::mem::take(&mut word));
                }
                continue;
            }
            None if c == '\'' || c == '"' => quote = Some(c),
            Some(open) if open == c => quote = None,
            _ => {}
        }
        word.push(c);
        if c == escape && quote != Some('\'') {
            word.extend(chars.next());
        }
    }
    if !word.is_empty() {
        out.push(word);
    }
    out
}

/// Refuses flags that an instruction does not take, and most that stand twice.
pub(super) fn check(flags: &[(String, String)], known: &[&str], repeated: &[&str], line: usize) -> Result<(), DockerfileError> {
    for (index, (name, _)) in flags.iter().enumerate() {
        if !known.contains(&name.as_str()) && !repeated.contains(&name.as_str()) {
            return Err(DockerfileError::new(ErrorKind::Flag, line, format!("unknown flag: --{name}")));
        }
        let earlier = flags.iter().take(index).any(|(other, _)| other == name);
        if earlier && !repeated.contains(&name.as_str()) {
            return Err(DockerfileError::new(ErrorKind::Flag, line, format!("the flag --{name} stands here a second time")));
        }
    }
    Ok(())
}

/// The value of a flag.
pub(super) fn value<'a>(flags: &'a [(String, String)], name: &str) -> Option<&'a str> {
    flags.iter().find(|(flag, _)| flag == name).map(|(_, value)| value.as_str())
}
