//! The pipelines of `examples/ci`: their own scripts, run on a checkout as a runner leaves it.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::program::Plimsoll;
use crate::support::remote::{Remote, git};

fn pipeline(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ci").join(name);
    serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Runs scripts one after the other in a detached checkout of a proposed change; gives their exit codes.
fn run(scripts: &[&str], images: &str) -> (Vec<i32>, String, String) {
    let remote = Remote::new(&[("images.yaml", "[]\n"), ("Dockerfile", "FROM docker.io/library/node:22-slim\n")]);
    remote.commit("Propose", &[("images.yaml", images)]);
    let work = remote.work();
    git(&work, &["checkout", "--quiet", "--detach", "HEAD"]);
    let plimsoll = Plimsoll::new();
    let program = Path::new(env!("CARGO_BIN_EXE_plimsoll")).parent().unwrap().display().to_string();
    let path = format!("{program}:{}", std::env::var("PATH").unwrap());
    let mut said = String::new();
    let codes = scripts.iter().map(|script| {
        let mut command = Command::new("sh");
        command.args(["-e", "-c", script]).current_dir(&work).env_clear().env("PATH", &path).env("HOME", plimsoll.home());
        let output = command.output().unwrap();
        said.push_str(&String::from_utf8_lossy(&output.stdout));
        said.push_str(&String::from_utf8_lossy(&output.stderr));
        output.status.code().unwrap()
    });
    let codes = codes.collect();
    let plan = std::fs::read_to_string(work.join("plan.md")).unwrap_or_default();
    (codes, plan, said)
}

const GOOD: &str = "- name: portal\n  registry: ghcr.io\n  repository: acme/portal\n  source: {provider: local, dockerfile: Dockerfile}\n";

fn scripts(name: &str) -> Vec<String> {
    let pipeline = pipeline(name);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    if name.starts_with("github") {
        let steps = pipeline["jobs"]["plan"]["steps"].as_array().unwrap().clone();
        // The last one talks to the forge.
        steps.iter().filter(|step| step["name"] == "Check" || step["name"] == "Plan").map(|step| text(&step["run"])).collect()
    } else {
        pipeline["plan"]["script"].as_array().unwrap().iter().map(text).collect()
    }
}

#[test]
fn a_proposed_change_is_planned() {
    for name in ["github-actions.yml", "gitlab-ci.yml"] {
        let scripts = scripts(name);
        let scripts: Vec<&str> = scripts.iter().map(String::as_str).collect();
        assert_eq!(scripts.len(), 2, "{name}");
        let (codes, plan, said) = run(&scripts, GOOD);
        assert_eq!(codes, [0, 0], "{name}: {said}");
        assert!(plan.contains("portal"), "{name}: {plan}");

        let (codes, _, said) = run(&scripts, "- name: portal\n  registry: ghcr.io\n");
        assert_eq!(codes[0], 3, "{name}: {said}");
        if name.starts_with("github") {
            assert!(said.contains("::error file=images.yaml,line=1"), "{said}");
        }
    }
}

#[test]
fn a_pipeline_has_no_more_rights_than_it_needs() {
    let pipeline = pipeline("github-actions.yml");
    assert_eq!(pipeline["permissions"], serde_json::json!({}));
    let rights = serde_json::json!({"contents": "read", "pull-requests": "write"});
    assert_eq!(pipeline["jobs"]["plan"]["permissions"], rights);
    // What others may write never becomes part of a script.
    for step in pipeline["jobs"]["plan"]["steps"].as_array().unwrap() {
        assert!(!step["run"].as_str().unwrap_or_default().contains("${{"));
    }
}
