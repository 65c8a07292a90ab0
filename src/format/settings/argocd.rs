//! The section `argocd`.

use schemars::JsonSchema;

use super::names::{is_dns_name, is_namespace, is_plain_https};
use crate::format::fields::Fields;
use crate::model::settings::ArgocdSettings;

const KEYS: [&str; 6] = ["namespace", "project", "server", "applicationSet", "repositories", "authorizedStage"];

/// What Argo CD gets; nothing is rendered for it without this section.
#[derive(JsonSchema)]
#[schemars(rename = "Argocd")]
#[serde(rename_all = "camelCase")]
#[allow(dead_code, reason = "only its schema is used")]
pub(in crate::format) struct ArgocdSchema {
    /// The namespace Argo CD runs in [argocd].
    namespace: Option<String>,
    /// The `AppProject`, and the first part of the names of Applications [plimsoll].
    project: Option<String>,
    /// The API server that is deployed to [the cluster Argo CD runs in].
    server: Option<String>,
    /// One `ApplicationSet` instead of an Application a system [false].
    application_set: Option<bool>,
    /// Config repositories beside this one that the `ApplicationSet` covers, as `https://` addresses.
    repositories: Option<Vec<String>>,
    /// The Kargo Stage whose promotions may update the Applications, as `project:stage` [none].
    authorized_stage: Option<String>,
}

pub(super) fn read(fields: &mut Fields<'_>) -> Option<ArgocdSettings> {
    let (map, at) = fields.map("argocd")?;
    let mut settings = ArgocdSettings::default();
    let mut child = fields.child(at, map);
    child.unknown_keys(&KEYS);
    // Names of Applications are `<project>-<system>`, and 63 characters are all they may have.
    for (key, target, longest) in [("namespace", &mut settings.namespace, 63), ("project", &mut settings.project, 40)] {
        let Some(text) = child.text(key) else { continue };
        if is_namespace(text) && text.len() <= longest {
            text.clone_into(target);
        } else {
            let at = child.place(key);
            child.error("bad-name", at, format!("`{key}` is lower-case letters, digits and `-`, at most {longest}"), None);
        }
    }
    if let Some(server) = child.text("server") {
        if is_plain_https(server) {
            server.clone_into(&mut settings.server);
        } else {
            let at = child.place("server");
            child.error("bad-url", at, "`server` is an https:// address", None);
        }
    }
    settings.application_set = child.flag("applicationSet").unwrap_or(false);
    for (text, at) in child.texts("repositories") {
        if is_plain_https(text) {
            settings.more_repositories.push(text.to_owned());
        } else {
            child.error("bad-url", at, "a repository is an https:// address without credentials", None);
        }
    }
    if let Some(stage) = child.text("authorizedStage") {
        if stage.split_once(':').is_some_and(|(project, stage)| is_namespace(project) && is_dns_name(stage)) {
            settings.authorized_stage = Some(stage.to_owned());
        } else {
            let at = child.place("authorizedStage");
            let hint = Some("Kargo reads no patterns in it, and older releases no list".to_owned());
            child.error("bad-name", at, "`authorizedStage` is one Stage, as project:stage", hint);
        }
    }
    let failed = child.failed;
    fields.failed |= failed;
    Some(settings).filter(|_| !failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::schema::keys;

    #[test]
    fn the_schema_names_exactly_the_keys_that_are_read() {
        assert_eq!(keys::<ArgocdSchema>(), KEYS.map(str::to_owned).into());
    }
}
