//! `WWW-Authenticate`, read as RFC 9110 §11.6.1 writes it.

use std::collections::BTreeMap;
use std::fmt;
use std::iter::Peekable;
use std::str::Chars;

/// Longest header value read, in bytes; the rest of a longer one is ignored.
const LONGEST: usize = 8 * 1024;

/// One challenge: a scheme and its parameters. It prints as a header value that reads as the same challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// Lower case: `basic`, `bearer`.
    pub scheme: String,
    /// By lower-case name; of a repeated name the first one counts.
    pub params: BTreeMap<String, String>,
}

impl Challenge {
    /// A parameter's value, if it is there and not empty.
    pub(super) fn param(&self, name: &str) -> Option<&str> {
        self.params.get(name).map(String::as_str).filter(|v| !v.is_empty())
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.scheme)?;
        for (place, (name, value)) in self.params.iter().enumerate() {
            let before = if place == 0 { " " } else { ", " };
            write!(f, "{before}{name}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))?;
        }
        Ok(())
    }
}

/// Reads all challenges of one header value. What can't be read ends the list; what came before it counts.
pub fn parse(value: &str) -> Vec<Challenge> {
    let end = (0..=value.len().min(LONGEST)).rev().find(|&i| value.is_char_boundary(i)).unwrap_or(0);
    let mut input = Cursor(value.get(..end).unwrap_or_default().chars().peekable());
    let mut found: Vec<Challenge> = Vec::new();
    loop {
        input.skip(|c| c == ',' || is_space(c));
        let name = input.take(is_token).to_ascii_lowercase();
        if name.is_empty() {
            return found;
        }
        let spaced = input.skip(is_space);
        if input.eat('=') {
            // A parameter belongs to the scheme before it; one without a scheme is nothing we know.
            let (Some(value), Some(challenge)) = (input.value(), found.last_mut()) else { return found };
            challenge.params.entry(name).or_insert(value);
        } else {
            found.push(Challenge { scheme: name, params: BTreeMap::new() });
            if spaced {
                input.skip_token68();
            }
        }
    }
}

#[derive(Clone)]
struct Cursor<'a>(Peekable<Chars<'a>>);

impl Cursor<'_> {
    /// Passes over characters; whether there were any.
    fn skip(&mut self, wanted: impl Fn(char) -> bool) -> bool {
        let mut any = false;
        while self.0.next_if(|&c| wanted(c)).is_some() {
            any = true;
        }
        any
    }

    fn take(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let mut text = String::new();
        while let Some(c) = self.0.next_if(|&c| wanted(c)) {
            text.push(c);
        }
        text
    }

    fn eat(&mut self, wanted: char) -> bool {
        self.0.next_if_eq(&wanted).is_some()
    }

    /// A token or a quoted string; `None` when the quote never ends or holds control characters.
    fn value(&mut self) -> Option<String> {
        self.skip(is_space);
        if !self.eat('"') {
            return Some(self.take(is_token));
        }
        let mut text = String::new();
        loop {
            match self.0.next()? {
                '"' => return Some(text),
                '\\' => text.push(self.0.next().filter(|c| !c.is_control())?),
                c if c.is_control() && c != '\t' => return None,
                c => text.push(c),
            }
        }
    }

    /// Passes over the base64-like credential some schemes carry in place of parameters, if one stands here.
    fn skip_token68(&mut self) {
        let mut ahead = self.clone();
        let any = ahead.skip(|c| c.is_ascii_alphanumeric() || "-._~+/".contains(c));
        ahead.skip(|c| c == '=');
        ahead.skip(is_space);
        if any && matches!(ahead.0.peek(), None | Some(',')) {
            *self = ahead;
        }
    }
}

fn is_space(c: char) -> bool {
    c == ' ' || c == '\t'
}

/// `tchar` of RFC 9110 §5.6.2.
fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(value: &str) -> Vec<String> {
        let pair = |(k, v): (&String, &String)| format!("{k}={v}");
        parse(value).iter().map(|c| format!("{} {}", c.scheme, c.params.iter().map(pair).collect::<Vec<_>>().join(" "))).collect()
    }

    #[test]
    fn challenge_table() {
        let table: &[(&str, &[&str])] = &[
            ("", &[]),
            ("Basic", &["basic "]),
            ("Basic realm=\"Registry Realm\"", &["basic realm=Registry Realm"]),
            (
                "Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\",scope=\"repository:library/node:pull\"",
                &["bearer realm=https://auth.docker.io/token scope=repository:library/node:pull service=registry.docker.io"],
            ),
            ("BEARER Realm=token , ,SERVICE=x", &["bearer realm=token service=x"]),
            ("Bearer realm = \"a\" , service= \"b\"", &["bearer realm=a service=b"]),
            ("Bearer realm=\"a, Basic realm=\\\"b\\\"\"", &["bearer realm=a, Basic realm=\"b\""]),
            ("Bearer realm=\"a\", Basic realm=\"b\"", &["bearer realm=a", "basic realm=b"]),
            ("Negotiate, Basic realm=\"b\"", &["negotiate ", "basic realm=b"]),
            ("Negotiate YII/abc+==, Basic realm=b", &["negotiate ", "basic realm=b"]),
            ("Bearer scope=\"repository:a:pull,push\"", &["bearer scope=repository:a:pull,push"]),
            ("Bearer realm=\"a\",realm=\"b\"", &["bearer realm=a"]),
            ("Bearer realm=\"never ends", &["bearer "]),
            ("Bearer realm=\"a\u{7}b\"", &["bearer "]),
            ("realm=\"no scheme\"", &[]),
            (",,, ,", &[]),
            ("Bearer realm=\"a\" ???", &["bearer realm=a"]),
        ];
        for (value, expected) in table {
            assert_eq!(shown(value), *expected, "{value}");
        }
    }

    proptest! {
        #[test]
        fn no_header_panics_or_yields_control_characters(value in "\\PC{0,200}|[ -~\"\\\\,=]{0,200}") {
            for challenge in parse(&value) {
                prop_assert!(challenge.params.values().all(|v| !v.chars().any(|c| c.is_control() && c != '\t')));
                prop_assert_eq!(parse(&challenge.to_string()), [challenge]);
            }
        }

        #[test]
        fn quoted_values_survive(value in "[ -~]{0,40}", other in "[a-z]{1,8}") {
            let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
            let found = parse(&format!("Bearer realm=\"{quoted}\", x={other}"));
            prop_assert_eq!(found.len(), 1);
            prop_assert_eq!(&found[0].params["realm"], &value);
            prop_assert_eq!(&found[0].params["x"], &other);
        }
    }
}
