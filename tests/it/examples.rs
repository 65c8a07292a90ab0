//! Each folder of `examples/` validates, renders what Kargo accepts, and passes once and then never again.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::parts;
use crate::support::program::Plimsoll;
use crate::support::remote::{Remote, git};

fn examples() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut out: Vec<PathBuf> =
        std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.join("images.yaml").exists()).collect();
    out.sort();
    assert!(!out.is_empty());
    out
}

/// Documents of a YAML stream as JSON, read with another YAML reader than ours. Some hold streams themselves: only
/// a `---` at the margin parts them.
fn documents(stream: &str) -> Vec<Value> {
    format!("\n{stream}")
        .split("\n---\n")
        .filter(|text| !text.trim().is_empty())
        .map(|text| serde_saphyr::from_str(text).unwrap())
        .collect()
}

#[test]
fn they_validate_and_render() {
    for example in examples() {
        let plimsoll = Plimsoll::new();
        let path = example.display().to_string();
        plimsoll.run(&["validate", &path]).expect(0);
        let first = plimsoll.run(&["render", &path]).expect(0).stdout;
        assert!(!documents(&first).is_empty());
        assert_eq!(first, plimsoll.run(&["render", &path]).expect(0).stdout);
    }
}

#[test]
fn they_pass_once_and_then_have_nothing_to_do() {
    for example in examples() {
        let remote = Remote::new(&[]);
        git(&remote.work(), &["rm", "-rq", "--ignore-unmatch", "."]);
        let copied =
            std::process::Command::new("cp").arg("-r").arg(format!("{}/.", example.display())).arg(remote.work()).status().unwrap();
        assert!(copied.success());
        remote.commit("Enrol", &[]);
        let plimsoll = Plimsoll::new();
        let arguments = ["--repo", &remote.url(), "--once", "--offline", "-o", "json"];
        assert_eq!(plimsoll.run(&arguments).expect(0).json()["outcome"], "published", "{}", example.display());
        assert_eq!(plimsoll.run(&arguments).expect(0).json()["outcome"], "converged", "{}", example.display());
    }
}

#[test]
fn kargo_accepts_what_is_rendered() {
    let Some(shared) = parts::shared() else { return };
    let text = std::fs::read_to_string(shared.join("crds/kargo.akuity.io_warehouses.yaml")).unwrap();
    let crd: Value = serde_saphyr::from_str(&text).unwrap();
    let warehouse = jsonschema::validator_for(&crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]).unwrap();
    let subscription = |kind: &str| {
        let text = std::fs::read_to_string(shared.join(format!("schemas/kargo-subscriptions/{kind}.json"))).unwrap();
        serde_json::from_str::<Value>(&text).unwrap()
    };
    let kinds = ["image", "git"].map(|kind| (kind, subscription(kind)));
    for example in examples() {
        let stream = Plimsoll::new().run(&["render", &example.display().to_string()]).expect(0).stdout;
        let warehouses: Vec<Value> = documents(&stream).into_iter().filter(|document| document["kind"] == "Warehouse").collect();
        assert!(!warehouses.is_empty());
        for document in warehouses {
            let errors: Vec<String> = warehouse.iter_errors(&document).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{errors:?}\n{document:#}");
            assert!(document["metadata"]["name"].as_str().unwrap().len() <= 63);
            for entry in document["spec"]["subscriptions"].as_array().unwrap() {
                let (kind, value) = entry.as_object().unwrap().iter().next().unwrap();
                let (_, schema) = kinds.iter().find(|(name, _)| name == kind).unwrap();
                let known = schema["properties"].as_object().unwrap();
                for (key, _) in value.as_object().unwrap() {
                    assert!(known.contains_key(key), "Kargo ignores the key {key}");
                    assert!(!["allowTags", "ignoreTags"].contains(&key.as_str()), "Kargo 1.11 fails on {key}");
                }
                // What admission would add stands there already, or Argo CD shows drift for ever.
                for key in ["strictSemvers", "discoveryLimit"] {
                    assert!(!value[key].is_null(), "{kind} lacks {key}");
                }
                assert!(value["imageSelectionStrategy"] != "Digest" || value["constraint"].is_string());
            }
        }
    }
}
