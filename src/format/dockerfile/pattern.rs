//! Shell patterns in substitutions: `*` and `?`, and an escape that is always the backslash.

use regex::{NoExpand, Regex, RegexBuilder};

/// Largest compiled pattern, in bytes.
const PATTERN_LIMIT: usize = 1 << 20;
/// Longest result, in bytes.
const LONGEST: usize = 1 << 20;

/// Cuts the shortest or longest match off the beginning, or off the end: that is the beginning of both reversed.
pub(super) fn cut(value: &str, pattern: &str, end: bool, longest: bool) -> Result<String, String> {
    if is_literal(pattern) {
        let rest = if end { value.strip_suffix(pattern) } else { value.strip_prefix(pattern) };
        return Ok(rest.unwrap_or(value).to_owned());
    }
    let reversed = |text: &str| text.chars().rev().collect::<String>();
    let (value, pattern) = if end { (reversed(value), turned(pattern)) } else { (value.to_owned(), pattern.to_owned()) };
    let found = compile(&pattern, longest, true)?;
    let rest = found.find(&value).map_or(value.as_str(), |found| value.get(found.end()..).unwrap_or_default());
    Ok(if end { reversed(rest) } else { rest.to_owned() })
}

/// Replaces the first match or all of them. With all, `$0` and the like in the replacement mean the match.
pub(super) fn replace(value: &str, pattern: &str, replacement: &str, all: bool) -> Result<String, String> {
    if value.len().saturating_mul(replacement.len()) > LONGEST {
        return Err(format!("a word longer than {LONGEST} bytes"));
    }
    if is_literal(pattern) && !pattern.is_empty() && !(all && replacement.contains('$')) {
        return Ok(if all { value.replace(pattern, replacement) } else { value.replacen(pattern, replacement, 1) });
    }
    let found = compile(pattern, true, false)?;
    let replaced = if all { found.replace_all(value, replacement) } else { found.replacen(value, 1, NoExpand(replacement)) };
    Ok(replaced.into_owned())
}

fn is_literal(pattern: &str) -> bool {
    !pattern.contains(['*', '?', '\\'])
}

/// The pattern from its end, an escape staying before what it escapes.
fn turned(pattern: &str) -> String {
    let mut pieces: Vec<(Option<char>, char)> = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match (c, chars.clone().next()) {
            ('\\', Some(next)) => {
                chars.next();
                pieces.push((Some('\\'), next));
            }
            _ => pieces.push((None, c)),
        }
    }
    pieces.into_iter().rev().flat_map(|(escape, c)| escape.into_iter().chain([c])).collect()
}

fn compile(pattern: &str, longest: bool, anchored: bool) -> Result<Regex, String> {
    let mut out = String::with_capacity(pattern.len() + 8);
    if anchored {
        out.push('^');
    }
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '*' => out.push_str(if longest { ".*" } else { ".*?" }),
            '?' => out.push('.'),
            // `}` and `/` need an escape inside the braces, which is no part of the pattern.
            '\\' if matches!(chars.peek(), Some('}' | '/')) => {}
            '\\' => match chars.next() {
                Some(next @ ('*' | '?' | '\\')) => out.extend(['\\', next]),
                _ => return Err("a pattern has an escape before something other than * ? \\".to_owned()),
            },
            c => out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    RegexBuilder::new(&out).size_limit(PATTERN_LIMIT).build().map_err(|_| "a pattern that is too large".to_owned())
}
