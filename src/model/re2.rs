//! Expressions in RE2's syntax, which Kargo reads, as the engine here reads them.

use std::iter::Peekable;
use std::str::Chars;

/// Highest count of a repetition that RE2 takes.
const MOST_REPEATED: u32 = 1_000;

/// The same expression for the engine here. Inside a class it knows set operators that RE2 takes for characters.
pub(super) fn translated(pattern: &str) -> Result<String, String> {
    let mut out = String::with_capacity(pattern.len());
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => escape(&mut chars, &mut out),
            '[' => class(&mut chars, &mut out),
            '(' => group(&mut chars, &mut out)?,
            '{' => {
                let numbers: String = chars.clone().take_while(|c| *c != '}').collect();
                if numbers.split(',').any(|number| number.parse::<u32>().is_ok_and(|number| number > MOST_REPEATED)) {
                    return Err(format!("a repetition of more than {MOST_REPEATED}"));
                }
                out.push(c);
            }
            c => out.push(c),
        }
    }
    Ok(out)
}

/// What follows a backslash; `\Q…\E` is text as it stands.
fn escape(chars: &mut Peekable<Chars<'_>>, out: &mut String) {
    if chars.next_if_eq(&'Q').is_none() {
        out.push('\\');
        out.extend(chars.next());
        return;
    }
    while let Some(c) = chars.next() {
        if c == '\\' && chars.next_if_eq(&'E').is_some() {
            return;
        }
        out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
    }
}

/// A class up to its end; one that comes first is no end.
fn class(chars: &mut Peekable<Chars<'_>>, out: &mut String) {
    out.push('[');
    out.extend(chars.next_if_eq(&'^'));
    let mut first = true;
    while let Some(c) = chars.next() {
        if c == ']' && !first {
            out.push(c);
            return;
        }
        first = false;
        let single = item(c, chars, out);
        // A dash between two characters is a range, anywhere else a dash.
        let mut ahead = chars.clone();
        if single && ahead.next() == Some('-') && ahead.next().is_some_and(|c| c != ']') {
            out.extend(chars.next());
            if let Some(c) = chars.next() {
                item(c, chars, out);
            }
        }
    }
}

/// One item of a class; whether it is a single character.
fn item(c: char, chars: &mut Peekable<Chars<'_>>, out: &mut String) -> bool {
    match c {
        '\\' => {
            out.push(c);
            let escaped = chars.next();
            out.extend(escaped);
            !escaped.is_some_and(|c| "dDwWsSpP".contains(c))
        }
        '[' if chars.peek() == Some(&':') => {
            out.push(c);
            // `[:alpha:]`, whose end is not the class's.
            while let Some(c) = chars.next() {
                out.push(c);
                if c == ':' && chars.peek() == Some(&']') {
                    out.extend(chars.next());
                    break;
                }
            }
            false
        }
        '[' | ']' | '&' | '~' | '-' => {
            out.extend(['\\', c]);
            true
        }
        c => {
            out.push(c);
            true
        }
    }
}

/// A group; of its flags, RE2 knows `i`, `m`, `s` and `U`.
fn group(chars: &mut Peekable<Chars<'_>>, out: &mut String) -> Result<(), String> {
    out.push('(');
    let ahead: String = chars.clone().take_while(|c| !matches!(c, ')' | ':' | '<')).collect();
    match ahead.strip_prefix('?').filter(|flags| *flags != "P") {
        Some(flags) if !flags.chars().all(|c| "imsU-".contains(c)) => Err(format!("`(?{flags}` is no group of RE2's")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use crate::model::policy::compile;

    #[test]
    fn expressions_mean_what_they_mean_to_re2() {
        let table: &[(&str, &str, bool)] = &[
            ("^[a&&b]$", "&", true),
            ("^[[]$", "[", true),
            ("^[]a]$", "]", true),
            ("^[^]a]$", "]", false),
            ("^[a-z--b]$", "1", true),
            ("^[a-]$", "-", true),
            ("^[[:digit:]x]+$", "1x2", true),
            (r"^\Q1.2\E$", "1.2", true),
            (r"^\Q1.2\E$", "1x2", false),
            (r"^\Q1.2", "1.2", true),
            ("(?i)^V", "v1", true),
            ("^(?P<a>x)(?:y)$", "xy", true),
        ];
        for (pattern, tag, expected) in table {
            assert_eq!(compile(pattern).map(|compiled| compiled.is_match(tag)), Ok(*expected), "{pattern} {tag}");
        }
        for pattern in ["(?x)a b", "(?u)a", "a{1001}", "(?=a)", "(?!a)", r"(a)\1", "[z-a]", "(", "*"] {
            assert!(compile(pattern).is_err(), "{pattern}");
        }
    }
}
