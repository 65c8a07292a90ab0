//! Each folder of `examples/` validates, renders what Kargo accepts, and passes once and then never again.

use std::path::{Path, PathBuf};

use serde_json::Value;

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
