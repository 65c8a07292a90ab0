//! What is rendered, whatever people write.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::format::yaml::{self, Limits, Node};
use crate::format::{head, images_yaml};
use crate::model::settings::{ConfigRepository, EntityKinds};
use crate::model::{BaseState, Digest, ImageName, ImageReference, ImageState, RepoSettings, Tenure, Value};
use crate::render::{self, Rendered};

const MANAGED: &str = "
- name: portal
  registry: ghcr.io
  repository: acme/portal
  source: {provider: github, repo: acme/portal, branch: main, dockerfile: apps/portal/Dockerfile, workflow: image.yml}
  owner: group:default/web
  tags: [node:22]
- name: node-22
  registry: docker.io
  repository: library/node
  allowTags: ^22$
";

fn settings(kinds: EntityKinds) -> RepoSettings {
    RepoSettings {
        repository: Some(ConfigRepository { url: "https://github.com/acme/images.git".into(), branch: "main".into() }),
        backstage: Some(BackstageSettings { kinds, ..BackstageSettings::default() }),
        ..RepoSettings::default()
    }
}

fn name(text: &str) -> ImageName {
    ImageName::parse(text).unwrap()
}

fn digest(letter: char) -> Digest {
    Digest::parse(&format!("sha256:{}", letter.to_string().repeat(64))).unwrap()
}

/// Renders for Backstage what a text of `images.yaml` enrols; `portal` builds on the base image `node-22`.
fn rendered(images: &str, settings: &RepoSettings, base: char) -> BTreeMap<String, String> {
    let Rendered { documents, refused, warnings, .. } = all(images, settings, base);
    assert_eq!(refused, []);
    let meets = settings.backstage.is_some() && images.contains("name: node-22");
    assert_eq!(warnings.len(), usize::from(meets), "{warnings:?}");
    let ours = documents.into_iter().filter(|(path, _)| path.starts_with("rendered/backstage/"));
    ours.map(|(path, document)| (path, document.body)).collect()
}

fn all(images: &str, settings: &RepoSettings, base: char) -> Rendered {
    with(images, settings, base, &BTreeMap::new())
}

fn with(images: &str, settings: &RepoSettings, base: char, templates: &BTreeMap<String, String>) -> Rendered {
    let at = Timestamp::from_second(1_760_000_000).unwrap();
    let read = images_yaml::read("images.yaml", images.as_bytes());
    assert!(read.broken.is_empty() && !read.frozen, "{:?}", read.diagnostics);
    let entries: BTreeMap<_, _> = read.entries.into_iter().map(|entry| (entry.name.clone(), entry)).collect();
    let mut states = BTreeMap::new();
    for name in entries.keys() {
        let mut state = ImageState::enrolled(name.clone(), at);
        state.base_images = if name.as_str() == "portal" { vec!["node-22".into()] } else { Vec::new() };
        states.insert(name.clone(), state.into());
    }
    let mut node = BaseState::found(name("node-22"), ImageReference::parse("node:22").unwrap(), at);
    node.ledger.current = Some(digest(base));
    node.ledger.history = vec![Tenure { digest: digest(base), seen_at: at }];
    let bases = BTreeMap::from([(name("node-22"), node)]);
    let kept = BTreeSet::new();
    let view = View { settings, entries: &entries, images: &states, bases: &bases, kept: &kept, templates, applied_only: false };
    render::render(view)
}

fn node(text: &str) -> Node {
    yaml::read(text.as_bytes(), Limits::FILE).unwrap().unwrap()
}

fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, key| value.entries().iter().find(|(name, _)| name == key).map(|(_, value)| value))
}

#[test]
fn kinds_files_and_their_paths() {
    for (kinds, words) in [
        (EntityKinds::Standard, &["component", "resource"][..]),
        (EntityKinds::Custom, &["baseimage", "managedimage"]),
        (EntityKinds::Both, &["baseimage", "component", "managedimage", "resource"]),
    ] {
        let files = rendered(MANAGED, &settings(kinds), 'a');
        let found: BTreeSet<&str> = files
            .keys()
            .filter_map(|path| path.strip_prefix("rendered/backstage/catalog/")?.split_once('/'))
            .map(|(word, _)| word)
            .collect();
        assert_eq!(found, words.iter().copied().chain(["system"]).collect(), "{kinds:?}");
    }
    assert!(rendered(MANAGED, &RepoSettings { backstage: None, ..settings(EntityKinds::Both) }, 'a').is_empty());
    let files = rendered(MANAGED, &settings(EntityKinds::Both), 'a');
    for (subject, count) in
        [(Subject::image(&name("portal")), 5), (Subject::image(&name("node-22")), 5), (Subject::base(&name("node-22")), 5)]
    {
        let paths = Backstage.paths(&subject);
        assert_eq!(paths.iter().filter(|path| files.contains_key(*path)).count(), count, "{paths:?}");
    }
}

#[test]
fn an_image_and_a_base_image_of_one_name_are_two_entities() {
    let files = rendered(MANAGED, &settings(EntityKinds::Standard), 'a');
    let component = node(&files["rendered/backstage/catalog/component/portal.yaml"]).to_value();
    let base = node(&files["rendered/backstage/catalog/resource/base-node-22.yaml"]).to_value();
    let image = node(&files["rendered/backstage/catalog/resource/node-22.yaml"]).to_value();
    assert_eq!(at(&image, &["metadata", "name"]), Some(&"node-22".into()));
    assert_eq!(at(&base, &["metadata", "name"]), Some(&"node-22-5abf0e8c".into()));
    assert_eq!(at(&component, &["spec", "dependsOn"]), Some(&Value::List(vec!["resource:default/node-22-5abf0e8c".into()])));
    assert_eq!(at(&base, &["spec", "dependencyOf"]), Some(&Value::List(vec!["component:default/portal".into()])));
}

#[test]
fn a_digest_of_a_base_touches_the_files_of_that_base_only() {
    let (before, after) = (rendered(MANAGED, &settings(EntityKinds::Both), 'a'), rendered(MANAGED, &settings(EntityKinds::Both), 'b'));
    let changed: Vec<&str> = before.iter().filter(|(path, body)| after[*path] != **body).map(|(path, _)| path.as_str()).collect();
    assert_eq!(
        changed,
        [
            "rendered/backstage/catalog/baseimage/base-node-22.yaml",
            "rendered/backstage/catalog/resource/base-node-22.yaml",
            "rendered/backstage/configmaps/base-node-22.yaml",
            "rendered/backstage/techdocs/base-node-22/docs/index.md",
        ]
    );
}

#[test]
fn without_an_address_of_the_repository_there_is_no_form_and_no_link_into_it() {
    let files = rendered(MANAGED, &RepoSettings { repository: None, ..settings(EntityKinds::Standard) }, 'a');
    assert!(!files.keys().any(|path| path.contains("/templates/")));
    let component = node(&files["rendered/backstage/catalog/component/portal.yaml"]).to_value();
    let annotations = at(&component, &["metadata", "annotations"]).unwrap();
    let keys: Vec<&str> = annotations.entries().iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "image-factory.io/registry",
            "image-factory.io/repository",
            "github.com/project-slug",
            "github.com/workflows",
            "backstage.io/source-location"
        ]
    );
    assert_eq!(
        at(annotations, &["backstage.io/source-location"]),
        Some(&"url:https://github.com/acme/portal/tree/main/apps/portal/".into())
    );
}

#[test]
fn a_branch_that_is_an_expression_gets_no_form() {
    let mut settings = settings(EntityKinds::Standard);
    settings.backstage = Some(BackstageSettings { branch: Some("x${{ secrets.token }}".into()), ..BackstageSettings::default() });
    let Rendered { documents, refused, .. } = all(MANAGED, &settings, 'a');
    let paths: Vec<&str> = refused.iter().map(|refusal| refusal.path.as_str()).collect();
    assert_eq!(paths, ["rendered/backstage/templates/enrol-image/template.yaml"]);
    assert!(!documents.keys().any(|path| path.contains("enrol-image")));
    assert!(documents.contains_key("rendered/backstage/catalog/component/portal.yaml"));
}

/// Text that means something to YAML, Markdown, Nunjucks, Go templates, or to nobody.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[-#:{}\\[\\]&*!|>'\"%@` \n]{0,12}",
        Just("${{ parameters.name }}".to_owned()),
        Just("{{ x }} {% y %} {# z #} $(a)".to_owned()),
        Just("a\n---\nkind: Group\nmetadata: {name: evil}\n".to_owned()),
        Just("\"\n  owner: user:default/evil\n".to_owned()),
        Just("\u{85}\u{2028}\u{feff}\u{7f}\u{0}".to_owned()),
        Just("1.10".to_owned()),
        Just("null".to_owned()),
    ]
}

proptest! {
    // Each case renders two repositories.
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 4, ..ProptestConfig::default() })]
    #[test]
    fn texts_of_people_stay_the_values_they_are(
        title in text(), description in text(), owner in text(), system in text(), lifecycle in text(), hold in text(),
        workflow in text(), link in text(), tags in proptest::collection::vec(text(), 0..3),
    ) {
        let pair = |key: &str, text: &str| (key.to_owned(), Value::from(text));
        let mut entry = vec![pair("name", "portal"), pair("registry", "ghcr.io"), pair("repository", "acme/portal")];
        let source = [("provider", "github"), ("repo", "acme/portal"), ("dockerfile", "Dockerfile"), ("workflow", workflow.as_str())];
        entry.push(("source".into(), Value::Map(source.map(|(key, text)| pair(key, text)).into())));
        for (key, text) in [("title", &title), ("description", &description), ("owner", &owner), ("system", &system), ("lifecycle", &lifecycle), ("hold", &hold)] {
            entry.push(pair(key, text));
        }
        entry.push(("tags".into(), Value::List(tags.iter().map(|tag| tag.as_str().into()).collect())));
        entry.push(("links".into(), Value::List(vec![Value::Map(vec![pair("url", "https://acme.example/?a=b"), pair("title", &link)])])));
        let settings = settings(EntityKinds::Both);
        let wild = rendered(&yaml::write(&Value::List(vec![Value::Map(entry)])), &settings, 'a');
        let tame = "- {name: portal, registry: ghcr.io, repository: acme/portal, source: {provider: github, repo: acme/portal, dockerfile: Dockerfile}}";
        let tame = rendered(tame, &settings, 'a');

        // The same files, and those that do not speak of the image are the same to the byte.
        prop_assert_eq!(wild.keys().collect::<Vec<_>>(), tame.keys().collect::<Vec<_>>());
        for (path, body) in wild.iter().filter(|(path, _)| !path.contains("/portal")) {
            prop_assert_eq!(body, &tame[path]);
        }
        let kept = |text: &str| Some(text.trim()).filter(|text| !text.is_empty()).map(|text| Value::from(text.chars().take(200).collect::<String>()));
        for (kind, word) in [("ManagedImage", "managedimage"), ("Component", "component")] {
            let entity = node(&wild[&format!("rendered/backstage/catalog/{word}/portal.yaml")]).to_value();
            let keys: Vec<&str> = entity.entries().iter().map(|(key, _)| key.as_str()).collect();
            prop_assert_eq!(keys, ["apiVersion", "kind", "metadata", "spec"]);
            prop_assert_eq!(at(&entity, &["kind"]), Some(&kind.into()));
            prop_assert_eq!(at(&entity, &["metadata", "name"]), Some(&"portal".into()));
            if title.chars().count() <= 200 {
                prop_assert_eq!(at(&entity, &["metadata", "title"]).cloned(), kept(&title));
            }
            if description.chars().count() <= 200 {
                prop_assert_eq!(at(&entity, &["metadata", "description"]).cloned(), kept(&description));
            }
            let lifecycle = kept(&lifecycle).unwrap_or_else(|| "production".into());
            prop_assert_eq!(at(&entity, &["spec", "lifecycle"]), Some(&lifecycle));
            prop_assert_eq!(at(&entity, &["spec", "owner"]), Some(&name::reference(&owner).unwrap_or_else(|| "group:default/platform".into()).into()));
            let annotation = at(&entity, &["metadata", "annotations", "github.com/workflows"]);
            prop_assert_eq!(annotation.cloned(), Some(workflow.as_str()).filter(|text| !text.is_empty()).map(Value::from));
        }
        // The ConfigMap holds the two entities of the tree, and nothing more.
        let map = node(&wild["rendered/backstage/configmaps/portal.yaml"]).to_value();
        let [managed, component] = ["managedimage", "component"].map(|word| &wild[&format!("rendered/backstage/catalog/{word}/portal.yaml")]);
        prop_assert_eq!(at(&map, &["data", "catalog"]), Some(&format!("{managed}---\n{component}").into()));
        prop_assert_eq!(at(&map, &["data"]).unwrap().entries().len(), 1);
        // Pages keep their lines.
        let page = "rendered/backstage/techdocs/portal/docs/index.md";
        let shape = |body: &str| body.lines().filter(|line| line.starts_with(['#', '`', '-'])).filter(|line| !line.starts_with("# ")).map(str::to_owned).collect::<Vec<_>>();
        prop_assert_eq!(shape(&wild[page]), shape(&tame[page]));
        node(&wild["rendered/backstage/techdocs/portal/mkdocs.yml"]);
        for (path, body) in &wild {
            let file = head::styled(head::Style::of_path(path), "images/portal", "x", body);
            prop_assert!(head::read(file.as_bytes()).is_some_and(|head| head.intact));
        }
    }
}

#[test]
fn pages_may_have_templates_of_their_own() {
    let images = "- name: portal\n  registry: ghcr.io\n  repository: acme/portal\n  title: \"<b>: *x*\"\n  source: {provider: local, dockerfile: Dockerfile}\n";
    let made =
        |template: &str, text: &str| with(images, &settings(EntityKinds::Both), 'a', &BTreeMap::from([(template.into(), text.into())]));
    let (index, mkdocs) = ("rendered/backstage/techdocs/portal/docs/index.md", "rendered/backstage/techdocs/portal/mkdocs.yml");

    let page = "# {{ title }}\n{% for row in facts %}- {{ row.label }}: {{ row.value }}\n{% endfor %}{{ bases | length }}, {{ digest }}\n";
    let own = made("backstage/index.md", page);
    assert!(own.findings.is_empty(), "{:?}", own.findings);
    let body = &own.documents[index].body;
    assert!(body.starts_with("\n# &#60;b&#62;&#58; &#42;x&#42;\n- Image: ghcr.io/acme/portal\n"), "{body}");
    let own = made("backstage/mkdocs.yml", "site_name: {{ title }}\nplugins: [techdocs-core]\n");
    assert_eq!(own.documents[mkdocs].body, "site_name: \"<b>: *x*\"\nplugins: [techdocs-core]\n");

    // What does not pass is passed over, and the page is the one that would be there without it.
    let plain = with(images, &settings(EntityKinds::Both), 'a', &BTreeMap::new());
    for (template, text, expected) in [
        ("backstage/index.md", "{{ facts }}", "can't be shown"),
        ("backstage/index.md", "{{ other }}", "undefined"),
        ("backstage/mkdocs.yml", "site_name: [\n", "Y1"),
        ("backstage/mkdocs.yml", "theme: x\n", "Y2"),
        ("backstage/mkdocs.yml", "site_name: x\nsite_name: y\n", "Y1"),
        ("backstage/mkdocs.yml", "site_name: x # {{ title }}\n", "Y3"),
    ] {
        let own = made(template, text);
        assert!(!own.findings.is_empty() && own.findings.keys().all(|text| text.contains(expected)), "{text}: {:?}", own.findings);
        assert_eq!(own.documents, plain.documents, "{text}");
    }
}
