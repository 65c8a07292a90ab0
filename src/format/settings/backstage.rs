//! The section `backstage`.

use schemars::JsonSchema;

use super::names::{is_dns_name, is_namespace};
use crate::format::fields::Fields;
use crate::model::branch::BranchName;
use crate::model::settings::{BackstageSettings, EntityKinds};

const KEYS: [&str; 7] = ["kinds", "group", "owner", "upstreamOwner", "system", "namespace", "branch"];

/// What Backstage gets; nothing is rendered for it without this section.
#[derive(JsonSchema)]
#[schemars(rename = "Backstage")]
#[serde(rename_all = "camelCase")]
#[allow(dead_code, reason = "only its schema is used")]
pub(in crate::format) struct BackstageSchema {
    /// Which kinds of entities [standard].
    kinds: Option<KindsSchema>,
    /// `group/version` of the custom kinds [backstage.io/v1alpha1].
    group: Option<String>,
    /// Owner of images that name none, as kind:namespace/name [group:default/platform].
    owner: Option<String>,
    /// Owner of base images, as kind:namespace/name [group:default/upstream].
    upstream_owner: Option<String>,
    /// System of images that name none; it is rendered too [image-factory].
    system: Option<String>,
    /// Namespace of the `ConfigMap`s [backstage].
    namespace: Option<String>,
    /// The branch that people's entries are on [that of `repository`].
    branch: Option<String>,
}

/// Which kinds of entities are rendered.
#[derive(JsonSchema)]
#[schemars(rename = "EntityKinds")]
#[serde(rename_all = "lowercase")]
#[allow(dead_code, reason = "only its schema is used")]
enum KindsSchema {
    /// `ManagedImage` and `BaseImage`, for catalogs that know them.
    Custom,
    /// `Component` and `Resource`.
    Standard,
    /// Each image as both.
    Both,
}

pub(super) fn read(fields: &mut Fields<'_>) -> Option<BackstageSettings> {
    let (map, at) = fields.map("backstage")?;
    let mut settings = BackstageSettings::default();
    let mut child = fields.child(at, map);
    child.unknown_keys(&KEYS);
    if let Some(kinds) = child.word("kinds", &EntityKinds::ALL.map(|kinds| (kinds.word(), kinds))) {
        settings.kinds = kinds;
    }
    let mut text = |key: &str, target: &mut String, good: fn(&str) -> bool, wanted: &str| {
        let Some(text) = child.text(key) else { return };
        if good(text) {
            text.clone_into(target);
        } else {
            let at = child.place(key);
            child.error("bad-name", at, format!("`{key}` is {wanted}"), None);
        }
    };
    text("group", &mut settings.group, is_group, "group/version, such as backstage.io/v1alpha1");
    for (key, target) in [("owner", &mut settings.owner), ("upstreamOwner", &mut settings.upstream_owner)] {
        text(key, target, is_owner, "a reference, such as group:default/platform");
    }
    text("system", &mut settings.system, is_name, "letters and digits, inside also `-`, `_` and `.`, at most 63");
    text("namespace", &mut settings.namespace, is_namespace, "lower-case letters, digits and `-`, at most 63");
    if child.version_text("branch").is_some() {
        let branch = child.parsed("branch", "bad-branch", BranchName::parse);
        settings.branch = branch.map(|branch| branch.as_str().to_owned());
    }
    let failed = child.failed;
    fields.failed |= failed;
    Some(settings).filter(|_| !failed)
}

fn is_group(text: &str) -> bool {
    let word = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    text.split_once('/').is_some_and(|(group, version)| is_dns_name(group) && group.contains('.') && word(version))
}

/// A group or user with its namespace: a default that leads nowhere would be everybody's owner.
fn is_owner(text: &str) -> bool {
    let parts = text.split_once(':').and_then(|(kind, rest)| Some((kind, rest.split_once('/')?)));
    parts.is_some_and(|(kind, (namespace, name))| matches!(kind, "group" | "user") && is_namespace(namespace) && is_name(name))
}

fn is_name(text: &str) -> bool {
    let edge = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_alphanumeric());
    let inner = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    text.len() <= 63 && inner && edge(text.bytes().next()) && edge(text.bytes().next_back())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::schema::keys;

    #[test]
    fn the_schema_names_exactly_the_keys_that_are_read() {
        assert_eq!(keys::<BackstageSchema>(), KEYS.map(str::to_owned).into());
    }

    #[test]
    fn forms() {
        for (text, good) in
            [("group:default/web", true), ("user:ops/Ann", true), ("web", false), ("group:web", false), ("group:A/web", false)]
        {
            assert_eq!(is_owner(text), good, "{text}");
        }
        for (text, good) in
            [("backstage.io/v1alpha1", true), ("image-factory.io/v1", true), ("v1", false), ("a/b/c", false), ("backstage/v1", false)]
        {
            assert_eq!(is_group(text), good, "{text}");
        }
        for (text, good) in [("image-factory", true), ("Shop_2", true), ("", false), ("-a", false), ("${{ x }}", false)] {
            assert_eq!(is_name(text), good, "{text}");
        }
    }
}
