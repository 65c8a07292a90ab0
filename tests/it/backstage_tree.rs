//! What Backstage gets of the full example: which entities, documents that load, and nothing else in a stream.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::parts;
use crate::support::program::Plimsoll;
use crate::support::remote::Remote;

fn example() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/full").display().to_string()
}

/// Documents of a stream, read with another YAML reader than ours. Only a `---` at the margin parts them: some
/// hold streams themselves.
fn documents(text: &str) -> Vec<Value> {
    let whole = format!("\n{text}");
    let parts = whole.split("\n---\n").filter(|text| text.lines().any(|line| !line.starts_with('#') && !line.is_empty()));
    parts.map(|text| serde_saphyr::from_str(text).unwrap()).collect()
}

fn identity(document: &Value) -> String {
    format!(
        "{} {} {}",
        document["apiVersion"].as_str().unwrap(),
        document["kind"].as_str().unwrap(),
        document["metadata"]["name"].as_str().unwrap()
    )
}

#[test]
fn kinds_groups_and_names() {
    let plimsoll = Plimsoll::new();
    let out = plimsoll.home().join("out");
    plimsoll.run(&["render", &example(), "--system", "backstage", "--out", out.to_str().unwrap()]).expect(0);
    let mut told = String::new();
    let mut open = vec![out.join("backstage")];
    let mut files = BTreeSet::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            files.insert(path);
        }
    }
    for path in files {
        let _ = writeln!(told, "{}", path.strip_prefix(&out).unwrap().display());
        if path.extension().is_some_and(|extension| extension == "yaml") {
            for document in documents(&fs::read_to_string(&path).unwrap()) {
                let _ = writeln!(told, "  {}", identity(&document));
            }
        }
    }
    insta::assert_snapshot!(told);
}

#[test]
fn a_stream_of_manifests_holds_the_config_maps_only() {
    let stream = Plimsoll::new().run(&["render", &example(), "--system", "backstage"]).expect(0).stdout;
    let documents = documents(&stream);
    assert!(documents.len() > 5);
    for document in documents {
        assert_eq!((&document["apiVersion"], &document["kind"]), (&"v1".into(), &"ConfigMap".into()));
        assert_eq!(document["metadata"]["labels"]["eda.io/backstage-catalog"], "true");
    }
}

#[test]
fn what_is_rendered_passes_the_rules_and_what_is_broken_does_not() {
    let plimsoll = Plimsoll::new();
    let out = plimsoll.home().join("out");
    plimsoll.run(&["render", &example(), "--system", "backstage", "--out", out.to_str().unwrap()]).expect(0);
    plimsoll.run(&["validate", "--rendered", out.to_str().unwrap()]).expect(0);
    let path = out.join("backstage/catalog/component/portal.yaml");
    let right = fs::read_to_string(&path).unwrap();
    for (from, to, rule) in [
        ("owner: \"group:default/web\"", "owner: \"Web Team\"", "B7"),
        ("- \"web\"", "- \"Web\"", "B4"),
        ("url:https", "https", "B3"),
        ("name: \"portal\"", "name: \"TOOLS\"", "Y4"),
    ] {
        assert!(right.contains(from), "{from}");
        fs::write(&path, right.replace(from, to)).unwrap();
        let told = plimsoll.run(&["validate", "--rendered", out.to_str().unwrap(), "-o", "json"]).expect(3).json();
        assert!(told["diagnostics"].as_array().unwrap().iter().any(|finding| finding["code"] == rule), "{to}: {told}");
    }
}

#[test]
fn entities_of_the_image_factory_pass_the_rules() {
    let Some(shared) = parts::shared() else { return };
    let plimsoll = Plimsoll::new();
    let tree = plimsoll.home().join("tree");
    fs::create_dir(&tree).unwrap();
    fs::copy(shared.join("compat/backstage/entities.yaml"), tree.join("entities.yaml")).unwrap();
    plimsoll.run(&["validate", "--rendered", tree.to_str().unwrap()]).expect(0);
}

const SETTINGS: &str = "repository: {url: \"https://github.com/acme/images\"}\nkargo: {mode: off}\nbackstage: {}\n";
const IMAGES: &str =
    "- name: portal\n  registry: ghcr.io\n  repository: acme/portal\n  source: {provider: local, dockerfile: portal/Dockerfile}\n";

fn pass(plimsoll: &Plimsoll, remote: &Remote) -> Value {
    plimsoll.run(&["--repo", &remote.url(), "--once", "--offline", "-o", "json"]).expect(0).json()
}

fn paths(outcome: &Value) -> BTreeSet<&str> {
    outcome["changes"].as_array().unwrap().iter().map(|change| change["path"].as_str().unwrap()).collect()
}

#[test]
fn pages_skeletons_and_entities_are_ours_and_go_with_the_section() {
    let plimsoll = Plimsoll::new();
    let remote = Remote::new(&[("plimsoll.yaml", SETTINGS), ("images.yaml", IMAGES), ("portal/Dockerfile", "FROM node:22-slim\n")]);
    let first = pass(&plimsoll, &remote);
    let rendered: BTreeSet<String> =
        paths(&first).iter().filter(|path| path.starts_with("rendered/")).map(|path| (*path).to_owned()).collect();
    assert!(rendered.iter().all(|path| path.starts_with("rendered/backstage/")) && rendered.len() > 8, "{rendered:?}");
    assert_eq!(pass(&plimsoll, &remote)["outcome"], "converged");

    // An edit by hand is put right in each format.
    for path in [
        "rendered/backstage/techdocs/portal/docs/index.md",
        "rendered/backstage/techdocs/portal/mkdocs.yml",
        "rendered/backstage/templates/enrol-image/skeleton.yaml.njk",
        "rendered/backstage/catalog/standard.yaml",
    ] {
        let right = remote.file("main", path).unwrap();
        remote.commit("By hand", &[(path, &format!("{right}more\n"))]);
        let outcome = pass(&plimsoll, &remote);
        assert_eq!(paths(&outcome), BTreeSet::from([path]));
        assert_eq!(outcome["changes"][0]["reason"]["code"], "hand-edited");
        assert_eq!(remote.file("main", path).unwrap(), right);
    }

    // A page that people wrote beside ours stays; without the section everything of ours goes.
    let own = "rendered/backstage/techdocs/portal/docs/more.md";
    remote.commit("Without the section", &[("plimsoll.yaml", &SETTINGS.replace("backstage: {}\n", "")), (own, "# More\n")]);
    let gone = pass(&plimsoll, &remote);
    assert_eq!(paths(&gone), rendered.iter().map(String::as_str).collect());
    assert!(gone["changes"].as_array().unwrap().iter().all(|change| change["action"] == "delete"), "{gone}");
    assert_eq!(remote.file("main", own).unwrap(), "# More\n");
}
