//! The entry as it is taken into state: what people wrote, with defaults, and keys of others kept.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::model::Value;
use crate::model::entry::{Build, Entry, EntryKind};

/// What an entry says, before anything of it is copied: nearly all entries say what is recorded already.
pub(super) struct Enrollment<'a>(Vec<(&'a str, Said<'a>)>);

enum Said<'a> {
    Text(Cow<'a, str>),
    Flag(bool),
    Texts(&'a [String]),
    Named(&'a BTreeMap<String, String>),
    Map(Vec<(&'a str, Said<'a>)>),
    Recorded(&'a Value),
}

impl<'a> Enrollment<'a> {
    /// Merges the entry into what was recorded of it.
    pub(super) fn of(entry: &'a Entry, recorded: &'a Value) -> Self {
        let mut wanted = vec![("registry", text(&entry.registry)), ("repository", text(&entry.repository))];
        if let EntryKind::Managed(build) = &entry.kind {
            wanted.push(("source", source(build, recorded)));
            wanted.push(("rebuildDelay", Said::Text(build.rebuild_delay.to_string().into())));
            wanted.push(("autoRebuild", Said::Flag(build.auto_rebuild)));
            if !build.platforms.is_empty() {
                wanted.push(("platforms", Said::Texts(&build.platforms)));
            }
            wanted.extend(build.trigger.as_deref().map(|trigger| ("trigger", text(trigger))));
        }
        wanted.extend(entry.hold.as_deref().map(|hold| ("hold", text(hold))));
        wanted.extend(CATALOG.into_iter().filter_map(|key| Some((key, text(entry.catalog.get(key)?)))));
        if !entry.tags.is_empty() {
            wanted.push(("tags", Said::Texts(&entry.tags)));
        }
        Self(merged(wanted, recorded, |key| OURS.contains(&key) || CATALOG.contains(&key)))
    }

    /// Whether it is what is recorded.
    pub(super) fn is(&self, recorded: &Value) -> bool {
        matches!(recorded, Value::Map(entries) if are(&self.0, entries))
    }

    /// It as a state keeps it.
    pub(super) fn taken(&self) -> Value {
        map(&self.0)
    }
}

/// Keys that an entry decides on; what else is recorded stays.
const OURS: [&str; 9] = ["registry", "repository", "source", "rebuildDelay", "autoRebuild", "platforms", "trigger", "hold", "tags"];

/// Facts for catalogs that are taken into the state.
const CATALOG: [&str; 5] = ["owner", "system", "lifecycle", "description", "title"];

/// Keys of a source that an entry decides on.
const SOURCE: [&str; 8] = ["provider", "repo", "branch", "dockerfile", "context", "workflow", "target", "buildArgs"];

fn source<'a>(build: &'a Build, recorded: &'a Value) -> Said<'a> {
    let source = &build.source;
    let mut wanted = vec![("provider", text(source.provider.word()))];
    for (key, said) in [
        ("repo", source.repo.as_deref()),
        ("branch", source.branch.as_deref()),
        ("dockerfile", Some(source.dockerfile.as_str())),
        ("context", source.context.as_ref().map(crate::model::RepoPath::as_str)),
        ("workflow", source.workflow.as_deref()),
        ("target", source.target.as_deref()),
    ] {
        wanted.extend(said.map(|said| (key, text(said))));
    }
    if !source.build_args.is_empty() {
        wanted.push(("buildArgs", Said::Named(&source.build_args)));
    }
    let before = recorded.entries().iter().find(|(key, _)| key == "source").map_or(&Value::Null, |(_, value)| value);
    Said::Map(merged(wanted, before, |key| SOURCE.contains(&key)))
}

/// `wanted`, then the recorded keys that are none of ours, in their order.
fn merged<'a>(mut wanted: Vec<(&'a str, Said<'a>)>, recorded: &'a Value, ours: impl Fn(&str) -> bool) -> Vec<(&'a str, Said<'a>)> {
    wanted.extend(recorded.entries().iter().filter(|(key, _)| !ours(key)).map(|(key, value)| (key.as_str(), Said::Recorded(value))));
    wanted
}

fn text(text: &str) -> Said<'_> {
    Said::Text(text.into())
}

fn are(said: &[(&str, Said<'_>)], recorded: &[(String, Value)]) -> bool {
    said.len() == recorded.len() && said.iter().zip(recorded).all(|((key, said), (before, value))| key == before && said.is(value))
}

fn map(said: &[(&str, Said<'_>)]) -> Value {
    Value::Map(said.iter().map(|(key, said)| ((*key).to_owned(), said.value())).collect())
}

impl Said<'_> {
    fn is(&self, recorded: &Value) -> bool {
        match (self, recorded) {
            (Self::Recorded(value), recorded) => *value == recorded,
            (Self::Text(text), Value::Text(before)) => text == before,
            (Self::Flag(flag), Value::Bool(before)) => flag == before,
            (Self::Texts(texts), Value::List(before)) => {
                texts.len() == before.len()
                    && texts.iter().zip(before).all(|(text, value)| matches!(value, Value::Text(value) if value == text))
            }
            (Self::Named(named), Value::Map(before)) => {
                let same = |((key, text), (before, value)): ((&String, &String), &(String, Value))| {
                    key == before && matches!(value, Value::Text(value) if value == text)
                };
                named.len() == before.len() && named.iter().zip(before).all(same)
            }
            (Self::Map(said), Value::Map(before)) => are(said, before),
            _ => false,
        }
    }

    fn value(&self) -> Value {
        match self {
            Self::Text(text) => Value::Text(text.clone().into_owned()),
            Self::Flag(flag) => Value::Bool(*flag),
            Self::Texts(texts) => Value::List(texts.iter().map(|text| text.as_str().into()).collect()),
            Self::Named(named) => Value::Map(named.iter().map(|(key, text)| (key.clone(), text.as_str().into())).collect()),
            Self::Map(said) => map(said),
            Self::Recorded(value) => (*value).clone(),
        }
    }
}
