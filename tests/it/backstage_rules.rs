//! Each rule for Backstage's entities, broken alone.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll::render::check::files;

/// The label by which a `ConfigMap` of the catalog is found.
const LABEL: &str = "eda.io/backstage-catalog";

/// An entity in which nothing is wrong.
const GOOD: &str = "\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: Portal_1.2
  title: Portal
  labels: {a: b}
  annotations:
    image-factory.io/digest: sha256:ab
    backstage.io/source-location: url:https://github.com/acme/portal/
    backstage.io/techdocs-ref: url:https://github.com/acme/portal/
    backstage.io/techdocs-entity: component:default/x
  tags: [node:22]
  links:
  - {url: \"https://acme.example\", title: Home}
spec:
  type: container-image
  lifecycle: production
  owner: group:default/web
  system: shop
  dependsOn: [component:default/a, resource:default/b]
";

/// What breaks which rule in it: a text, and what takes its place.
const BREAKS: &[(&str, &str, &str)] = &[
    ("spec:\n", "relations: []\nspec:\n", "B1"),
    ("  title: Portal", "  title: \"\"", "B2"),
    ("  title: Portal", "  description:", "B2"),
    ("  labels: {a: b}", "  labels:", "B2"),
    ("  title: Portal", "  namespace: A_b", "B2"),
    ("Portal_1.2", "library/node", "N1"),
    ("Portal_1.2", "\"\"", "N1"),
    ("image-factory.io/digest", "a/b/c", "B3"),
    ("sha256:ab", "3.19", "N2"),
    ("{a: b}", "{a: \"sha256:ab\"}", "B3"),
    ("{a: b}", "{A.b/c: d}", "B3"),
    ("source-location: url:https", "source-location: https", "B3"),
    ("techdocs-ref: url:", "techdocs-ref: ", "B3"),
    ("component:default/x", "x", "B3"),
    ("node:22", "Node", "B4"),
    ("node:22", "22", "B4"),
    ("node:22", "a--b", "B4"),
    ("https://acme.example", "javascript:alert(1)", "B5"),
    ("https://acme.example", "ghcr.io/x", "B5"),
    ("title: Home", "title: ''", "B5"),
    ("  lifecycle: production\n", "", "B6"),
    ("  owner: group:default/web\n", "", "B6"),
    ("  type: container-image\n", "  type: ''\n", "B6"),
    ("owner: group:default/web", "owner: Web Team", "B7"),
    ("system: shop", "system: a:b:c", "B7"),
    ("component:default/a, ", "a, ", "B7"),
    ("component:default/a, resource:default/b", "resource:default/b, component:default/a", "B7"),
    ("component:default/a, ", "{resource: a}, ", "B7"),
];

/// Documents, and the rule each breaks.
const DOCUMENTS: &[(&str, &str)] = &[
    ("apiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata: {name: a}\nspec: {}\n", "B6"),
    ("apiVersion: image-factory.io/v1\nkind: BaseImage\nmetadata: {name: a_b}\nspec: {type: x, lifecycle: y, owner: z}\n", "B6"),
    ("apiVersion: scaffolder.backstage.io/v1beta3\nkind: Template\nmetadata: {name: a}\nspec: {owner: a, type: b}\n", "B6"),
    (
        "apiVersion: scaffolder.backstage.io/v1beta3\nkind: Template\nmetadata: {name: a}\nspec: {owner: a, type: b, steps: [{action: \"roadiehq:utils:fs:append\"}]}\n",
        "B8",
    ),
];

/// Ids of the rules that a tree of one file breaks.
fn broken(text: &str) -> BTreeSet<&'static str> {
    let tree = BTreeMap::from([("tree.yaml".to_owned(), text.as_bytes().to_vec())]);
    files(&tree).iter().map(|found| found.finding.rule).collect()
}

/// The rules that are broken here.
pub fn tried() -> impl Iterator<Item = &'static str> {
    BREAKS.iter().map(|(_, _, rule)| *rule).chain(DOCUMENTS.iter().map(|(_, rule)| *rule)).chain(["B9"])
}

#[test]
fn each_rule_says_when_it_is_broken() {
    assert_eq!(broken(GOOD), BTreeSet::new());
    for (from, to, rule) in BREAKS {
        assert_eq!(GOOD.matches(from).count(), 1, "{from:?} must stand there once");
        let broken = broken(&GOOD.replacen(from, to, 1));
        assert!(broken.contains(rule), "{from} → {to}: {broken:?}");
    }
    for (text, rule) in DOCUMENTS {
        assert!(broken(text).contains(rule), "{text}");
    }
}

fn config_map(label: &str, catalog: &str) -> String {
    let text: String = catalog.lines().fold(String::new(), |text, line| text + "    " + line + "\n");
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  labels: {{{LABEL}: \"{label}\"}}\ndata:\n  catalog: |\n{text}")
}

#[test]
fn config_maps_that_carry_entities() {
    assert_eq!(broken(&config_map("true", GOOD)), BTreeSet::new());
    assert_eq!(broken(&config_map("true", &format!("{GOOD}---\n{GOOD}"))), BTreeSet::new());
    let other = config_map("true", "").replace(LABEL, "app");
    assert_eq!(broken(&other), BTreeSet::new(), "a ConfigMap without the label is none of ours");
    for (label, catalog) in [
        ("yes", GOOD.to_owned()),
        ("true", String::new()),
        ("true", "# nothing\n".to_owned()),
        ("true", "kind: ConfigMap\n".to_owned()),
        ("true", GOOD.replace("name: Portal_1.2", "name: a/b")),
        ("true", format!("{GOOD}---\nkind: [\n")),
    ] {
        assert!(broken(&config_map(label, &catalog)).contains("B9"), "{catalog}");
    }
    let large = format!("{GOOD}---\n{}", GOOD.replace("title: Portal", &format!("description: {}", "x".repeat(1 << 20))));
    assert!(broken(&config_map("true", &large)).contains("B9"));
}

#[test]
fn names_that_differ_in_case_only_are_one() {
    assert!(broken(&format!("{GOOD}---\n{}", GOOD.replace("Portal_1.2", "portal_1.2"))).contains("Y4"));
    assert_eq!(broken(&format!("{GOOD}---\n{}", GOOD.replace("Portal_1.2", "portal_1.3"))), BTreeSet::new());
}
