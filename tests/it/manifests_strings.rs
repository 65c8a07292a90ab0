//! No text of a user adds a key, a document or an expression: whatever stands in a field stands in the same field
//! of what is rendered, or the file is refused.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll::model::policy::Strategy as Selection;
use plimsoll::model::settings::{Analysis, ArgocdSettings, ConfigRepository, KargoMode, Receiver};
use plimsoll::model::{Provider, RepoSettings};
use proptest::prelude::*;
use serde_json::Value;

use crate::manifests_oracle::documents;
use crate::manifests_worlds::{Drawn, World, base, digest, enrol, name};

/// How many fields are filled.
const FIELDS: usize = 12;

/// A template of a config repository that writes every field it is given.
const TEMPLATE: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ image.object ~ '-facts' }}\n  namespace: acme\ndata:\n  description: {{ image.description }}\n  repo: {{ image.source.repo }}\n  branch: {{ image.source.branch }}\n  workflow: {{ image.source.workflow }}\n  list: {{ image.tags }}\n";

/// A world with one text in each free field.
fn world(texts: &[String]) -> World {
    let text = |index: usize| texts[index].clone();
    let mut settings = RepoSettings::default();
    settings.kargo.project = "acme".into();
    settings.kargo.mode = KargoMode::Watch;
    settings.kargo.analysis = Some(Analysis { image: text(0), secret: Some(text(1)) });
    settings.kargo.dispatch.secret = text(2);
    settings.kargo.receivers = vec![Receiver { name: "github".into(), kind: "github", secret: text(3) }];
    settings.repository = Some(ConfigRepository { url: text(4), branch: "main".into() });
    settings.argocd = Some(ArgocdSettings { server: text(5), application_set: true, ..ArgocdSettings::default() });
    let mut world = World { settings, ..World::default() };
    let node = base("library/node", "22", Some(digest(1)));
    world.bases.insert(node.name.clone(), node.clone());
    let drawn = Drawn {
        registry: "ghcr.io".into(),
        repository: "acme/portal".into(),
        provider: Some(Provider::Local),
        repo: String::new(),
        branch: Some(text(6)),
        workflow: Some(text(7)),
        trigger: None,
        constraint: String::new(),
        strategy: Selection::Digest,
        bases: vec![0],
        digest: Some(2),
        version: None,
        eligible: true,
        hold: Some(text(8)),
        description: text(9),
    };
    enrol(&mut world, &name("portal"), &drawn, &[node.name]);
    world.entries.get_mut(&name("portal")).unwrap().tags = vec![text(10), text(11)];
    world.templates.insert("extra/image/facts.yaml".into(), TEMPLATE.into());
    world
}

/// `value` with every token replaced by the text it stands for.
fn filled(value: &Value, texts: &BTreeMap<String, String>) -> Value {
    match value {
        Value::String(text) => Value::String(texts.get(text).unwrap_or(text).clone()),
        Value::Array(items) => items.iter().map(|item| filled(item, texts)).collect(),
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), filled(value, texts))).collect(),
        other => other.clone(),
    }
}

fn hostile() -> impl Strategy<Value = String> {
    let pieces = [
        "\n---\nkind: Secret\n",
        "\"",
        "'",
        "\\",
        ": ",
        " #",
        "- a",
        "\n  key: value",
        "{a: b}",
        "[",
        "!tag",
        "&a",
        "*a",
        "%YAML",
        "\t",
        "\r\n",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "\u{0}",
        "\u{1b}[2J",
        "\u{202e}",
        "🎉",
        "true",
        "1e3",
        "~",
        "{%",
        "{{ x }}",
        "${{ secret('a').b }}",
        "${% x %}",
        "$(id)",
        "{# x #}",
        "text",
        "}}",
    ];
    prop_oneof![
        any::<String>(),
        proptest::collection::vec(proptest::sample::select(pieces.to_vec()), 1..4).prop_map(|pieces| pieces.concat()),
        "[ -~]{1,20}",
        "[a-z./:-]{1,20}",
    ]
}

fn is_evaluated(text: &str) -> bool {
    ["${{", "${%", "{{", "{%", "{#", "$("].iter().any(|mark| text.contains(mark))
}

/// A quarter of the usual cases: each is two renderings of everything.
fn config() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig { cases: usual.cases / 4, ..usual }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_text_stays_in_its_field(texts in proptest::collection::vec(hostile(), FIELDS)) {
        let tokens: Vec<String> = (0..FIELDS).map(|index| format!("token-{index}")).collect();
        let expected = world(&tokens).render();
        prop_assert_eq!(&expected.refused, &[]);
        let rendered = world(&texts).render();
        let paths: BTreeSet<&String> = rendered.documents.keys().chain(rendered.refused.iter().map(|refusal| &refusal.path)).collect();
        prop_assert_eq!(paths, expected.documents.keys().collect::<BTreeSet<_>>());
        let texts: BTreeMap<String, String> = tokens.into_iter().zip(texts).collect();
        for (path, file) in &rendered.documents {
            let wanted: Vec<Value> = documents(&expected.documents[path].body).iter().map(|value| filled(value, &texts)).collect();
            prop_assert_eq!(documents(&file.body), wanted, "{}", path);
            prop_assert!(!file.body.chars().any(|c| c.is_control() && c != '\n'), "{}", path);
        }
        // What is refused has a reason in the texts, and in nothing else.
        for refusal in &rendered.refused {
            let reason = texts.values().any(|text| is_evaluated(text) || text.is_empty());
            prop_assert!(reason, "{}: {}", refusal.path, refusal.fault.text);
        }
        let hidden: Vec<&String> = texts.values().filter(|text| is_evaluated(text)).collect();
        let all: String = rendered.documents.values().flat_map(|file| documents(&file.body)).map(|value| value.to_string()).collect();
        for text in hidden {
            let quoted = Value::String(text.clone()).to_string();
            prop_assert!(!all.contains(&quoted), "{} would be evaluated", quoted);
        }
    }
}

#[test]
fn a_value_that_does_not_come_back_is_refused() {
    for (template, rule) in [
        // A value in a comment, in other quotes, in a text of the template: Y3, or no YAML at all.
        ("# {{ image.description }}\nKIND", "Y3"),
        ("KIND  a: '{{ image.description }}'\n", "Y3"),
        ("KIND  a: x{{ image.description }}\n", "Y3"),
        ("KIND  {{ image.description }}: b\n", "Y3"),
        ("KIND  a: \"{{ image.description }}\"\n", "Y1"),
        ("KIND---\nkind: Second\n", "Y1"),
        ("kind: ConfigMap\n", "Y2"),
    ] {
        let mut texts: Vec<String> = (0..FIELDS).map(|index| format!("token-{index}")).collect();
        texts[9] = "plain".into();
        let mut world = world(&texts);
        let kind = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  namespace: acme\ndata:\n";
        world.templates = BTreeMap::from([("extra/image/facts.yaml".to_owned(), template.replace("KIND", kind))]);
        let rendered = world.render();
        let said: Vec<&str> = rendered.refused.iter().map(|refusal| refusal.fault.text.as_str()).collect();
        assert!(matches!(said.as_slice(), [text] if text.contains(rule)), "{template}: {said:?}");
    }
}
