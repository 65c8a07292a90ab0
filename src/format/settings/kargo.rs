//! The section `kargo`.

use schemars::JsonSchema;

use super::names::{is_dns_name, is_namespace};
use crate::format::fields::Fields;
use crate::format::schema::Delay;
use crate::model::settings::{Analysis, Dispatch, KargoMode, KargoSettings, KargoVersion, Receiver};

const KEYS: [&str; 10] =
    ["enabled", "mode", "version", "project", "interval", "baseInterval", "cacheByTag", "webhookReceivers", "analysis", "dispatch"];
const RECEIVER_KEYS: [&str; 3] = ["name", "type", "secret"];
const ANALYSIS_KEYS: [&str; 2] = ["image", "secret"];
const DISPATCH_KEYS: [&str; 2] = ["secret", "inputs"];

const MODES: [(&str, KargoMode); 3] = [("watch", KargoMode::Watch), ("freight", KargoMode::Freight), ("off", KargoMode::Off)];
const VERSIONS: [(&str, KargoVersion); 3] = [("1.9", KargoVersion::V1_9), ("1.10", KargoVersion::V1_10), ("1.11", KargoVersion::V1_11)];

/// What Kargo gets.
#[derive(JsonSchema)]
#[schemars(rename = "Kargo")]
#[serde(rename_all = "camelCase")]
#[allow(dead_code, reason = "only its schema is used")]
pub(in crate::format) struct KargoSchema {
    /// Whether anything is rendered for Kargo [true]. `mode: off` says the same as `false`.
    enabled: Option<bool>,
    /// Who looks at registries [watch].
    mode: Option<ModeSchema>,
    /// The oldest Kargo that must accept the manifests: "1.9", "1.10" or "1.11" [1.9].
    version: Option<String>,
    /// Kargo project, which is also the namespace [plimsoll].
    project: Option<String>,
    /// How often Kargo looks at enrolled images [15m].
    interval: Option<Delay>,
    /// How often Kargo looks at base images [24h].
    base_interval: Option<Delay>,
    /// Whether Kargo may keep what it learned of a tag, where it chooses among tags. Right only where tags never move [false].
    cache_by_tag: Option<bool>,
    /// Webhook receivers of the project.
    webhook_receivers: Option<Vec<ReceiverSchema>>,
    /// A pass for one image in the cluster after each new Freight; none without this.
    analysis: Option<AnalysisSchema>,
    /// How images with `trigger: kargo` are rebuilt.
    dispatch: Option<DispatchSchema>,
}

/// Who looks at registries.
#[derive(JsonSchema)]
#[schemars(rename = "KargoMode")]
#[serde(rename_all = "lowercase")]
#[allow(dead_code, reason = "only its schema is used")]
enum ModeSchema {
    /// Kargo polls and makes Freight.
    Watch,
    /// Plimsoll polls and makes Freight; Kargo promotes it.
    Freight,
    /// Nothing is rendered for Kargo.
    Off,
}

/// A webhook receiver.
#[derive(JsonSchema)]
#[schemars(rename = "WebhookReceiver")]
#[allow(dead_code, reason = "only its schema is used")]
struct ReceiverSchema {
    /// Its name, unique in the project.
    name: String,
    /// Whose webhooks it takes: artifactory, azure, bitbucket, dockerhub, generic, gitea, github, gitlab, harbor or quay.
    r#type: String,
    /// The Secret with its key `secret`.
    secret: String,
}

/// A pass for one image after each new Freight.
#[derive(JsonSchema)]
#[schemars(rename = "Analysis")]
#[allow(dead_code, reason = "only its schema is used")]
struct AnalysisSchema {
    /// The image that holds `plimsoll`, with a tag or digest.
    image: String,
    /// The Secret with the key `token` for the config repository's git host.
    secret: Option<String>,
}

/// How a rebuild Stage starts a workflow.
#[derive(JsonSchema)]
#[schemars(rename = "Dispatch")]
#[allow(dead_code, reason = "only its schema is used")]
struct DispatchSchema {
    /// The Secret with the key `token` for the forge [plimsoll-dispatch].
    secret: Option<String>,
    /// Those of `base_image`, `base_digest` and `plimsoll_key` that the workflows declare [none].
    inputs: Option<Vec<String>>,
}

pub(super) fn read(fields: &mut Fields<'_>, settings: &mut KargoSettings) {
    let Some((map, at)) = fields.map("kargo") else { return };
    let mut child = fields.child(at, map);
    child.unknown_keys(&KEYS);
    if child.flag("enabled") == Some(false) {
        settings.mode = KargoMode::Off;
    }
    if let Some(mode) = child.word("mode", &MODES) {
        settings.mode = mode;
    }
    if child.version_text("version").is_some()
        && let Some(version) = child.word("version", &VERSIONS)
    {
        settings.version = version;
    }
    if let Some(project) = child.text("project") {
        if is_namespace(project) {
            project.clone_into(&mut settings.project);
        } else {
            let at = child.place("project");
            child.error("bad-name", at, "a Kargo project is a namespace: lower-case letters, digits and `-`, at most 63", None);
        }
    }
    for (key, target) in [("interval", &mut settings.interval), ("baseInterval", &mut settings.base_interval)] {
        if let Some(delay) = child.delay(key) {
            if delay.seconds() < 60 {
                let at = child.place(key);
                child.error("bad-duration", at, format!("`{key}` is at least one minute"), None);
            } else {
                *target = delay;
            }
        }
    }
    settings.cache_by_tag = child.flag("cacheByTag").unwrap_or(false);
    receivers(&mut child, &mut settings.receivers);
    analysis(&mut child, &mut settings.analysis);
    dispatch(&mut child, &mut settings.dispatch);
    fields.failed |= child.failed;
}

fn receivers(fields: &mut Fields<'_>, receivers: &mut Vec<Receiver>) {
    for (map, at) in fields.maps("webhookReceivers") {
        let mut child = fields.child(at, map);
        child.unknown_keys(&RECEIVER_KEYS);
        let name = child.required("name", "each receiver has a name of its own").map(str::to_owned);
        let kinds = Receiver::KINDS.map(|kind| (kind, kind));
        let kind = child.word("type", &kinds);
        let secret = secret(&mut child, true);
        if let Some(name) = &name
            && (!is_dns_name(name) || receivers.iter().any(|other| other.name == *name))
        {
            let at = child.place("name");
            child.error("bad-name", at, "a receiver's name is lower-case letters, digits, `-` and `.`, and unique", None);
        }
        if kind.is_none() && !child.failed {
            child.error("missing-key", at, "`type` is missing", Some(format!("one of {}", Receiver::KINDS.join(", "))));
        }
        if let (Some(name), Some(kind), Some(secret), false) = (name, kind, secret, child.failed) {
            receivers.push(Receiver { name, kind, secret });
        }
        fields.failed |= child.failed;
    }
}

fn analysis(fields: &mut Fields<'_>, analysis: &mut Option<Analysis>) {
    let Some((map, at)) = fields.map("analysis") else { return };
    let mut child = fields.child(at, map);
    child.unknown_keys(&ANALYSIS_KEYS);
    let image = child.required("image", "the image that holds `plimsoll`, such as ghcr.io/acme/plimsoll:1.0.0").map(str::to_owned);
    let secret = secret(&mut child, false);
    if let Some(image) = &image {
        let good = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
        if image.is_empty() || image.len() > 500 || !image.chars().all(good) {
            let at = child.place("image");
            child.error("bad-reference", at, "`image` is an image reference", None);
        }
    }
    if let (Some(image), false) = (image, child.failed) {
        *analysis = Some(Analysis { image, secret });
    }
    fields.failed |= child.failed;
}

fn dispatch(fields: &mut Fields<'_>, dispatch: &mut Dispatch) {
    let Some((map, at)) = fields.map("dispatch") else { return };
    let mut child = fields.child(at, map);
    child.unknown_keys(&DISPATCH_KEYS);
    if let Some(name) = secret(&mut child, false) {
        dispatch.secret = name;
    }
    for (text, at) in child.texts("inputs") {
        match Dispatch::INPUTS.into_iter().find(|known| *known == text) {
            Some(known) if !dispatch.inputs.contains(&known) => dispatch.inputs.push(known),
            Some(_) => {}
            None => child.error("unknown-word", at, format!("an input is one of {}", Dispatch::INPUTS.join(", ")), None),
        }
    }
    fields.failed |= child.failed;
}

/// The name of a Secret. Only names ever stand in the config repository.
fn secret(fields: &mut Fields<'_>, needed: bool) -> Option<String> {
    let name =
        if needed { fields.required("secret", "the name of a Secret in the project's namespace")? } else { fields.text("secret")? };
    if is_dns_name(name) {
        return Some(name.to_owned());
    }
    let at = fields.place("secret");
    fields.error("bad-name", at, "`secret` is the name of a Secret: lower-case letters, digits, `-` and `.`", None);
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::schema::keys;

    #[test]
    fn the_schema_names_exactly_the_keys_that_are_read() {
        let sorted = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<std::collections::BTreeSet<_>>();
        assert_eq!(keys::<KargoSchema>(), sorted(&KEYS));
        assert_eq!(keys::<ReceiverSchema>(), sorted(&RECEIVER_KEYS));
        assert_eq!(keys::<AnalysisSchema>(), sorted(&ANALYSIS_KEYS));
        assert_eq!(keys::<DispatchSchema>(), sorted(&DISPATCH_KEYS));
    }
}
