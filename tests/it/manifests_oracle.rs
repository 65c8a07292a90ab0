//! What is rendered, read as an API server reads it: structure, unknown fields, defaults and rules of the CRDs by
//! Kubernetes' own code, subscriptions and steps by Kargo's own schemas.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::manifests_worlds::seeded;
use crate::support::parts;
use crate::support::program::Plimsoll;

/// How many generated config repositories are looked at.
const WORLDS: usize = 200;

/// The reader of CRDs, built once; `None` where Go or its modules are missing.
fn oracle() -> Option<&'static Path> {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let go = parts::program("go")?;
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("crds");
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/crds");
        let built = Command::new(go).current_dir(sources).args(["build", "-mod=readonly", "-o"]).arg(&out).arg(".").output().unwrap();
        built.status.success().then_some(out)
    });
    if built.is_none() {
        parts::ignored("Go and the modules of tests/crds (tests/install-parts fetches them)");
    }
    built.as_deref()
}

/// Documents of YAML files as JSON, read with another YAML reader than ours.
pub fn documents(text: &str) -> Vec<Value> {
    let texts = text.strip_prefix("---\n").unwrap_or(text).split("\n---\n");
    texts.filter(|text| !text.trim().is_empty()).map(|text| serde_saphyr::from_str(text).unwrap()).collect()
}

/// What an API server would say of each document: `None` for kinds that it has no definition of.
fn verdicts(shared: &Path, oracle: &Path, documents: &[Value]) -> Vec<Option<Vec<String>>> {
    let crds = std::fs::read_dir(shared.join("crds")).unwrap().map(|entry| entry.unwrap().path());
    let crds: Vec<PathBuf> = crds.filter(|path| path.extension().is_some_and(|extension| extension == "yaml")).collect();
    let mut child = Command::new(oracle).args(&crds).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let lines: Vec<String> = documents.iter().map(|document| format!("{document}\n")).collect();
    let writer = std::thread::spawn(move || lines.iter().for_each(|line| input.write_all(line.as_bytes()).unwrap()));
    let answers = BufReader::new(child.stdout.take().unwrap()).lines().map(|line| {
        let answer: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let problems = answer["problems"].as_array().unwrap().iter().map(|problem| problem.as_str().unwrap().to_owned()).collect();
        answer["known"].as_bool().unwrap().then_some(problems)
    });
    let answers: Vec<_> = answers.collect();
    writer.join().unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(answers.len(), documents.len());
    answers
}

/// The same, where the parts are there.
pub fn verdicts_of(documents: &[Value]) -> Option<Vec<Option<Vec<String>>>> {
    Some(verdicts(&parts::shared()?, oracle()?, documents))
}

/// Everything that is looked at: the full example as the program renders it, and the generated repositories.
fn everything() -> &'static [Value] {
    static ALL: OnceLock<Vec<Value>> = OnceLock::new();
    ALL.get_or_init(rendered)
}

fn rendered() -> Vec<Value> {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/full").display().to_string();
    let mut out = documents(&Plimsoll::new().run(&["render", &example]).expect(0).stdout);
    for world in seeded(WORLDS) {
        out.extend(
            world
                .render()
                .documents
                .iter()
                .filter(|(path, _)| plimsoll::render::is_applied(path))
                .flat_map(|(_, file)| documents(&file.body)),
        );
    }
    out
}

#[test]
fn an_api_server_takes_everything_as_it_is() {
    let Some(shared) = parts::shared() else { return };
    let Some(oracle) = oracle() else { return };
    let all = everything();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (document, verdict) in all.iter().zip(verdicts(&shared, oracle, all)) {
        let kind = document["kind"].as_str().unwrap();
        let ours = ["kargo.akuity.io", "argoproj.io"].iter().any(|group| document["apiVersion"].as_str().unwrap().starts_with(group));
        assert_eq!(verdict.is_some(), ours, "{kind}");
        assert_eq!(verdict.unwrap_or_default(), Vec::<String>::new(), "{document:#}");
        *seen.entry(kind.to_owned()).or_default() += 1;
    }
    // That nothing is wrong says something only if everything came by.
    for (kind, least) in [
        ("Project", 200),
        ("ProjectConfig", 200),
        ("Warehouse", 600),
        ("Stage", 200),
        ("PromotionTask", 400),
        ("Freight", 100),
        ("AnalysisTemplate", 50),
        ("AppProject", 50),
        ("Application", 20),
        ("ApplicationSet", 20),
        ("Role", 50),
    ] {
        assert!(seen.get(kind).is_some_and(|count| *count >= least), "{kind}: {seen:?}");
    }
}

#[test]
fn an_api_server_would_have_said_so() {
    let Some(shared) = parts::shared() else { return };
    let Some(oracle) = oracle() else { return };
    let warehouse = |spec: Value| json!({"apiVersion": "kargo.akuity.io/v1alpha1", "kind": "Warehouse", "metadata": {"name": "a", "namespace": "b"}, "spec": spec});
    let stage = |step: Value| {
        json!({"apiVersion": "kargo.akuity.io/v1alpha1", "kind": "Stage", "metadata": {"name": "a", "namespace": "b"}, "spec": {
            "requestedFreight": [{"origin": {"kind": "Warehouse", "name": "w"}, "sources": {"direct": true}}],
            "promotionTemplate": {"spec": {"steps": [step]}}}})
    };
    let image = json!([{"image": {"repoURL": "a/b"}}]);
    for (document, expected) in [
        (warehouse(json!({"interval": "5m0s", "freightCreationPolicy": "Automatic", "subscriptions": image, "other": 1})), "no such field"),
        (warehouse(json!({"freightCreationPolicy": "Automatic", "subscriptions": image})), "defaulting"),
        (warehouse(json!({"interval": "7d", "freightCreationPolicy": "Automatic", "subscriptions": image})), "should match"),
        (warehouse(json!({"interval": "5m0s", "freightCreationPolicy": "Automatic", "subscriptions": []})), "at least 1"),
        (stage(json!({"uses": "http", "task": {"name": "t"}})), "exactly one of uses or task"),
    ] {
        let said = verdicts(&shared, oracle, &[document]).remove(0).unwrap().join("\n");
        assert!(said.contains(expected), "{expected}: {said}");
    }
}

/// Whether a value is only known once Kargo has evaluated it.
fn is_expression(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.contains("${{") || text.contains("${%"))
}

#[test]
fn kargos_own_schemas_take_subscriptions_and_steps() {
    let Some(shared) = parts::shared() else { return };
    let mut schemas = BTreeMap::new();
    for (directory, cut) in [("schemas/kargo-subscriptions", ".json"), ("schemas/kargo-steps", "-config.json")] {
        for entry in std::fs::read_dir(shared.join(directory)).unwrap() {
            let path = entry.unwrap().path();
            let Some(name) = path.file_name().unwrap().to_str().unwrap().strip_suffix(cut).map(str::to_owned) else { continue };
            let schema: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
            if let Ok(validator) = jsonschema::validator_for(&schema) {
                schemas.insert(name, validator);
            }
        }
    }
    let mut used = BTreeSet::new();
    let mut check = |name: &str, value: &Value, document: &Value| {
        let wrong: Vec<String> =
            schemas[name].iter_errors(value).filter(|error| !is_expression(error.instance())).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{name}: {wrong:?}\n{document:#}");
        used.insert(name.to_owned());
    };
    for document in everything() {
        for subscription in document["spec"]["subscriptions"].as_array().into_iter().flatten() {
            let (kind, value) = subscription.as_object().unwrap().iter().next().unwrap();
            check(kind, value, document);
        }
        let own = &document["spec"]["steps"];
        let steps = if own.is_array() { own } else { &document["spec"]["promotionTemplate"]["spec"]["steps"] };
        for step in steps.as_array().into_iter().flatten() {
            if let Some(uses) = step["uses"].as_str() {
                check(uses, &step["config"], document);
            }
        }
    }
    assert_eq!(used, BTreeSet::from(["compose-output", "git", "http", "image"].map(str::to_owned)));
}

#[test]
fn every_kind_and_name_of_the_full_example() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/full").display().to_string();
    let stream = Plimsoll::new().run(&["render", &example]).expect(0).stdout;
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let lines: Vec<String> = documents(&stream)
        .iter()
        .map(|document| {
            let metadata = &document["metadata"];
            format!(
                "{} {} {}/{}",
                text(&document["apiVersion"]),
                text(&document["kind"]),
                text(&metadata["namespace"]),
                text(&metadata["name"])
            )
        })
        .collect();
    insta::assert_snapshot!("full_example", lines.join("\n"));
}
