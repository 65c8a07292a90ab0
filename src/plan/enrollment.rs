//! The entry as it is taken into state: what people wrote, with defaults, and keys of others kept.

use crate::model::Value;
use crate::model::entry::{Build, Entry, EntryKind};

/// Merges the entry into what was recorded of it.
pub(super) fn enrollment(entry: &Entry, recorded: &Value) -> Value {
    let mut wanted = vec![pair("registry", entry.registry.as_str()), pair("repository", entry.repository.as_str())];
    let mut ours = vec!["registry", "repository", "source", "rebuildDelay", "autoRebuild", "platforms", "trigger", "hold"];
    if let EntryKind::Managed(build) = &entry.kind {
        wanted.push(pair("source", source(build, recorded)));
        wanted.push(pair("rebuildDelay", build.rebuild_delay.to_string()));
        wanted.push(pair("autoRebuild", build.auto_rebuild));
        if !build.platforms.is_empty() {
            wanted.push(pair("platforms", texts(&build.platforms)));
        }
        if let Some(trigger) = &build.trigger {
            wanted.push(pair("trigger", trigger.as_str()));
        }
    }
    if let Some(hold) = &entry.hold {
        wanted.push(pair("hold", hold.as_str()));
    }
    for key in ["owner", "system", "lifecycle", "description", "title"] {
        ours.push(key);
        if let Some(text) = entry.catalog.get(key) {
            wanted.push(pair(key, text.as_str()));
        }
    }
    ours.push("tags");
    if !entry.tags.is_empty() {
        wanted.push(pair("tags", texts(&entry.tags)));
    }
    merged(wanted, recorded, &ours)
}

fn source(build: &Build, recorded: &Value) -> Value {
    let source = &build.source;
    let mut wanted = vec![pair("provider", source.provider.word())];
    for (key, text) in [
        ("repo", source.repo.as_deref()),
        ("branch", source.branch.as_deref()),
        ("dockerfile", Some(source.dockerfile.as_str())),
        ("context", source.context.as_ref().map(crate::model::RepoPath::as_str)),
        ("workflow", source.workflow.as_deref()),
        ("target", source.target.as_deref()),
    ] {
        if let Some(text) = text {
            wanted.push(pair(key, text));
        }
    }
    if !source.build_args.is_empty() {
        wanted.push(pair("buildArgs", Value::Map(source.build_args.iter().map(|(name, value)| pair(name, value.as_str())).collect())));
    }
    let before = recorded.entries().iter().find(|(key, _)| key == "source").map_or(&Value::Null, |(_, value)| value);
    merged(wanted, before, &["provider", "repo", "branch", "dockerfile", "context", "workflow", "target", "buildArgs"])
}

/// `wanted`, then the recorded keys that are none of `ours`, in their order.
fn merged(mut wanted: Vec<(String, Value)>, recorded: &Value, ours: &[&str]) -> Value {
    wanted.extend(recorded.entries().iter().filter(|(key, _)| !ours.contains(&key.as_str())).cloned());
    Value::Map(wanted)
}

fn pair(key: &str, value: impl Into<Value>) -> (String, Value) {
    (key.to_owned(), value.into())
}

fn texts(items: &[String]) -> Value {
    Value::List(items.iter().map(|item| item.as_str().into()).collect())
}
