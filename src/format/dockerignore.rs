//! `.dockerignore`: which files of a directory are not sent to an engine.
//!
//! The rules are those of moby's pattern matcher: one pattern a line, `#` comments, `!` takes back, the last
//! pattern that matches a path or one of its parents decides.

use regex::{Regex, RegexBuilder};

/// Largest compiled pattern, in bytes.
const PATTERN_LIMIT: usize = 1 << 20;

/// Most patterns a file may have.
const MOST_PATTERNS: usize = 10_000;

/// A file's patterns in order.
#[derive(Debug, Default)]
pub struct Dockerignore {
    patterns: Vec<(bool, Regex)>,
}

impl Dockerignore {
    /// Reads a file.
    ///
    /// # Errors
    /// Line and cause when a pattern can't be read; Docker's client refuses such a file too.
    pub fn parse(text: &str) -> Result<Self, (usize, String)> {
        let mut patterns = Vec::new();
        for (index, line) in text.strip_prefix('\u{feff}').unwrap_or(text).lines().enumerate() {
            // A comment is only one at the very beginning of its line.
            if line.starts_with('#') {
                continue;
            }
            let line = line.trim();
            let (back, pattern) = line.strip_prefix('!').map_or((false, line), |rest| (true, rest.trim()));
            if pattern.is_empty() {
                if back {
                    return Err((index + 1, "`!` without a pattern".to_owned()));
                }
                continue;
            }
            let cleaned = clean(pattern);
            if cleaned == "." {
                continue;
            }
            if patterns.len() >= MOST_PATTERNS {
                return Err((index + 1, format!("more than {MOST_PATTERNS} patterns")));
            }
            let built = RegexBuilder::new(&expression(&cleaned)).size_limit(PATTERN_LIMIT).build();
            let built = built.map_err(|_| (index + 1, format!("`{}` is no pattern", crate::base::fault::foreign(pattern))))?;
            patterns.push((back, built));
        }
        Ok(Self { patterns })
    }

    /// Whether a file is left out; `path` has no leading slash.
    pub fn ignores(&self, path: &str) -> bool {
        let parents = path.match_indices('/').filter_map(|(end, _)| path.get(..end));
        let places: Vec<&str> = parents.chain([path]).collect();
        let last = self.patterns.iter().rev().find(|(_, pattern)| places.iter().any(|place| pattern.is_match(place)));
        last.is_some_and(|(back, _)| !back)
    }
}

/// The path without `.`, `..` and doubled or outer slashes, as Go's `filepath.Clean` on an absolute path.
fn clean(pattern: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in pattern.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    if parts.is_empty() { ".".to_owned() } else { parts.join("/") }
}

/// The pattern as an anchored regular expression: `**` is any number of directories, `*` and `?` stay in one.
fn expression(pattern: &str) -> String {
    let mut out = String::from("^(?s:");
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '*' if chars.peek() == Some(&'*') => {
                chars.next();
                if chars.peek() == Some(&'/') {
                    chars.next();
                }
                if chars.peek().is_none() {
                    out.push_str(".*");
                } else {
                    out.push_str("(?:.*/)?");
                }
            }
            '*' => out.push_str("[^/]*"),
            '?' => out.push_str("[^/]"),
            '[' => {
                let class: String = chars.clone().take_while(|c| *c != ']').collect();
                let negated = class.starts_with('^');
                let members = class.trim_start_matches('^');
                if members.is_empty() || !chars.clone().any(|c| c == ']') {
                    // No class: the expression is refused, as Go's matcher refuses the pattern.
                    out.push('[');
                    continue;
                }
                chars.nth(class.chars().count());
                out.push_str(if negated { "[^" } else { "[" });
                for member in members.chars() {
                    if matches!(member, '[' | '^' | '&' | '~') {
                        out.push('\\');
                    }
                    out.push(member);
                }
                out.push(']');
            }
            '\\' => out.push_str(&chars.next().map_or_else(|| "\\\\".to_owned(), |c| regex::escape(&c.to_string()))),
            c => out.push_str(&regex::escape(&c.to_string())),
        }
    }
    out.push_str(")$");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out() {
        let table: &[(&str, &[(&str, bool)])] = &[
            ("", &[("a", false)]),
            ("# a\n\n  \n", &[("a", false), ("# a", false)]),
            ("target", &[("target", true), ("target/debug/x", true), ("src/target", false), ("targets", false)]),
            ("/target/", &[("target/x", true), ("src/target", false)]),
            ("*.md", &[("README.md", true), ("docs/a.md", false), ("README.mdx", false)]),
            ("**/*.md", &[("README.md", true), ("docs/a.md", true), ("docs/b/c.md", true)]),
            ("**", &[("a", true), ("a/b", true)]),
            ("*/temp*", &[("a/temporary", true), ("a/temp/x", true), ("temp", false), ("a/b/temp", false)]),
            ("*\n!README.md", &[("a/b", true), ("README.md", false)]),
            ("docs\n!docs/keep.md", &[("docs/a.md", true), ("docs/keep.md", false)]),
            ("!a\na", &[("a", true)]),
            ("a\n!a", &[("a", false)]),
            ("temp?", &[("tempa", true), ("temp", false), ("temp/", false)]),
            ("a/**/z", &[("a/z", true), ("a/b/c/z", true), ("b/z", false)]),
            ("[a-c].txt", &[("b.txt", true), ("d.txt", false)]),
            ("[^a].txt", &[("b.txt", true), ("a.txt", false)]),
            ("a\\*b", &[("a*b", true), ("axb", false)]),
            ("./a/../b", &[("b", true), ("a", false)]),
            (".", &[("a", false)]),
            ("..\n../..", &[("a", false)]),
            ("a.b", &[("a.b", true), ("axb", false)]),
            ("ä*", &[("äx", true)]),
        ];
        for (text, paths) in table {
            let ignore = Dockerignore::parse(text).unwrap();
            for (path, expected) in *paths {
                assert_eq!(ignore.ignores(path), *expected, "{text:?} {path}");
            }
        }
        for text in ["!", "[", "a[", "[]"] {
            assert_eq!(Dockerignore::parse(&format!("x\n{text}\n")).unwrap_err().0, 2, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "(a|b|/|\\*|\\?|\\[|\\]|!|#|\\\\|\\.|\\^|-|\n| ){0,30}", path in "[ab/.]{0,10}") {
            if let Ok(ignore) = Dockerignore::parse(&text) {
                ignore.ignores(&path);
            }
        }
    }
}
