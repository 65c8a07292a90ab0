//! Flags (`--name=value`) that instructions take, and what BuildKit refuses about them.

use super::node::{Node, Verb};
use super::{DockerfileError, ErrorKind, Refused};

/// How often a flag may stand, and what it takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    /// `--name`, `--name=true` or `--name=false`, once.
    Switch,
    /// A value, once.
    Value,
    /// A value each time.
    Values,
}

use Takes::{Switch, Value, Values};

fn taken(verb: Verb) -> &'static [(&'static str, Takes)] {
    match verb {
        Verb::Add => &[
            ("chown", Value),
            ("chmod", Value),
            ("link", Switch),
            ("keep-git-dir", Switch),
            ("checksum", Value),
            ("unpack", Switch),
            ("exclude", Values),
        ],
        Verb::Copy => &[("chown", Value), ("from", Value), ("chmod", Value), ("link", Switch), ("exclude", Values), ("parents", Switch)],
        Verb::From => &[("platform", Value)],
        Verb::Healthcheck => {
            &[("interval", Value), ("timeout", Value), ("start-period", Value), ("start-interval", Value), ("retries", Value)]
        }
        Verb::Run => &[("device", Values), ("mount", Values), ("network", Value), ("security", Value)],
        _ => &[],
    }
}

/// Refuses flags that the instruction does not take.
pub(super) fn check(node: &Node<'_>) -> Refused<()> {
    let known = taken(node.verb);
    let refused = |why: String| Err(DockerfileError::new(ErrorKind::Flag, node.line, why));
    for (index, flag) in node.flags.iter().enumerate() {
        let (name, value) = split(flag);
        let Some((_, takes)) = known.iter().find(|(known, _)| *known == name) else {
            return refused(format!("unknown flag: --{name}"));
        };
        if *takes != Values && node.flags.iter().take(index).any(|other| split(other).0 == name) {
            return refused(format!("the flag --{name} stands here a second time"));
        }
        match (takes, value) {
            (Value | Values, None) | (Switch, Some("")) => return refused(format!("the flag --{name} lacks its value")),
            (Switch, Some(word)) if !word.eq_ignore_ascii_case("true") && !word.eq_ignore_ascii_case("false") => {
                return refused(format!("the flag --{name} is true or false, not `{word}`"));
            }
            _ => {}
        }
    }
    Ok(())
}

fn split(flag: &str) -> (&str, Option<&str>) {
    let flag = flag.strip_prefix("--").unwrap_or(flag);
    flag.split_once('=').map_or((flag, None), |(name, value)| (name, Some(value)))
}

/// Whether a flag stands there at all.
pub(super) fn stands(node: &Node<'_>, name: &str) -> bool {
    node.flags.iter().any(|flag| split(flag).0 == name)
}

/// The values of a flag.
pub(super) fn values<'a>(node: &'a Node<'_>, name: &'a str) -> impl Iterator<Item = &'a str> {
    node.flags.iter().filter_map(move |flag| split(flag).1.filter(|_| split(flag).0 == name))
}

/// The value of a flag that stands once; `None` also when it is empty.
pub(super) fn value<'a>(node: &'a Node<'_>, name: &'a str) -> Option<&'a str> {
    values(node, name).next().filter(|value| !value.is_empty())
}
