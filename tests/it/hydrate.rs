//! A hydrated branch on a real bare remote: what promotion by branches finds there.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::program::Plimsoll;
use crate::support::remote::{Remote, git, try_git};

const NEXT: &str = "environment/prod-next";
const NOTES: &str = "hydrator.metadata";

/// A remote whose `main` holds the full example and its record.
fn recorded() -> (Remote, Plimsoll) {
    let remote = Remote::new(&[]);
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/full");
    assert!(Command::new("cp").arg("-r").arg(format!("{}/.", example.display())).arg(remote.work()).status().unwrap().success());
    remote.commit("Enrol", &[]);
    let plimsoll = Plimsoll::new();
    plimsoll.run(&["--repo", &remote.url(), "--once", "--offline"]).expect(0);
    (remote, plimsoll)
}

fn hydrate(remote: &Remote, plimsoll: &Plimsoll, code: i32) -> Value {
    plimsoll.run(&["hydrate", "environment/prod", "--repo", &remote.url(), "--offline", "-o", "json"]).expect(code).json()
}

/// The note of the branch's head.
fn note(remote: &Remote) -> Value {
    serde_json::from_str(&git(&remote.bare(), &["notes", "--ref", NOTES, "show", &remote.head(NEXT)])).unwrap()
}

#[test]
fn a_branch_beside_the_active_one_holds_the_manifests() {
    let (remote, plimsoll) = recorded();
    let done = hydrate(&remote, &plimsoll, 0);
    let (dry, head) = (remote.head("main"), remote.head(NEXT));
    assert_eq!((&done["commit"], &done["drySha"], &done["branch"]), (&json!(head), &json!(dry), &json!(NEXT)));
    assert!(try_git(&remote.bare(), &["rev-parse", "--verify", "refs/heads/environment/prod"]).stdout.is_empty());

    // The same files as in the record, to the byte, and nothing of the config.
    let rendered: Vec<(String, String)> = remote.tree("main").into_iter().filter(|(path, _)| path.starts_with("rendered/")).collect();
    let next = remote.tree(NEXT);
    for (path, blob) in &rendered {
        assert_eq!(next.get(path.strip_prefix("rendered/").unwrap()), Some(blob), "{path}");
    }
    let beside: Vec<&str> =
        next.keys().map(String::as_str).filter(|path| !rendered.iter().any(|(own, _)| own == &format!("rendered/{path}"))).collect();
    assert!(
        ["README.md", ".gitattributes", "hydrator.metadata", "kargo/hydrator.metadata"].iter().all(|path| beside.contains(path)),
        "{beside:?}"
    );
    assert!(beside.iter().all(|path| path.ends_with("hydrator.metadata") || !path.contains('/')), "{beside:?}");
    let metadata: Value = serde_json::from_str(&remote.file(NEXT, "kargo/hydrator.metadata").unwrap()).unwrap();
    assert_eq!(metadata["drySha"], json!(dry));
    assert_eq!(metadata["subject"], json!(git(&remote.bare(), &["show", "--no-patch", "--format=%s", "main"])));
    let message = git(&remote.bare(), &["show", "--no-patch", "--format=%B", NEXT]);
    assert!(message.contains(&format!("Argocd-reference-commit-sha: {dry}\n")), "{message}");
    assert_eq!(note(&remote), json!({"drySha": dry}));
    remote.fsck();
}

#[test]
fn a_look_without_a_change_is_a_note_and_no_commit() {
    let (remote, plimsoll) = recorded();
    hydrate(&remote, &plimsoll, 0);
    let (head, notes) = (remote.head(NEXT), git(&remote.bare(), &["rev-parse", "refs/notes/hydrator.metadata"]));
    assert_eq!(hydrate(&remote, &plimsoll, 0)["changed"], json!(0));
    assert_eq!((remote.head(NEXT), git(&remote.bare(), &["rev-parse", "refs/notes/hydrator.metadata"])), (head.clone(), notes));

    let dry = remote.commit("Nothing that is rendered", &[("docs/notes.txt", "x\n")]);
    hydrate(&remote, &plimsoll, 0);
    assert_eq!((remote.head(NEXT), note(&remote)), (head, json!({"drySha": dry})));
}

#[test]
fn what_is_gone_goes_and_what_is_foreign_stays() {
    let (remote, plimsoll) = recorded();
    hydrate(&remote, &plimsoll, 0);
    // Somebody else writes beside it: a file, and a note in a directory as git spreads many.
    let work = remote.work().with_file_name("next");
    git(work.parent().unwrap(), &["clone", "--quiet", "--branch", NEXT, "config.git", "next"]);
    std::fs::write(work.join("kargo/foreign.yaml"), "kind: Foreign\n").unwrap();
    git(&work, &["add", "--all"]);
    git(&work, &["commit", "--quiet", "-m", "Foreign"]);
    git(&work, &["push", "--quiet", "origin", NEXT]);
    git(&work, &["fetch", "--quiet", "origin", "refs/notes/*:refs/notes/*"]);
    git(&work, &["notes", "--ref", NOTES, "add", "-m", "theirs", "HEAD~1", "--force"]);
    git(&work, &["push", "--quiet", "origin", "refs/notes/hydrator.metadata"]);
    let foreign = remote.head(NEXT);

    let images = std::fs::read_to_string(remote.work().join("images.yaml")).unwrap();
    let without = images.split("  # One mutable tag").next().unwrap().to_owned();
    assert!(remote.tree(NEXT).contains_key("kargo/images/redis.yaml"));
    remote.commit("Without redis", &[("images.yaml", &without)]);
    hydrate(&remote, &plimsoll, 0);
    let tree = remote.tree(NEXT);
    assert!(!tree.contains_key("kargo/images/redis.yaml") && tree.contains_key("kargo/foreign.yaml"));
    assert_eq!(git(&remote.bare(), &["rev-parse", &format!("{NEXT}^")]), foreign, "their commit stays an ancestor");
    assert_eq!(git(&remote.bare(), &["notes", "--ref", NOTES, "show", &format!("{foreign}^")]), "theirs");
    assert_eq!(note(&remote), json!({"drySha": remote.head("main")}));
    remote.fsck();
}

#[test]
fn a_remote_that_refuses_and_a_config_with_errors_change_nothing() {
    let (remote, plimsoll) = recorded();
    remote.protect(NEXT, "not on a Friday");
    let refused = hydrate(&remote, &plimsoll, 4);
    assert!(refused["refused"].as_str().unwrap().contains("not on a Friday"), "{refused}");
    remote.unprotect();
    assert!(try_git(&remote.bare(), &["rev-parse", "--verify", &format!("refs/heads/{NEXT}")]).stdout.is_empty());

    remote.commit("Break", &[("images.yaml", "- name: [\n")]);
    let failed = plimsoll.run(&["hydrate", "environment/prod", "--repo", &remote.url(), "--offline"]).expect(1);
    assert!(failed.stderr.contains("nothing is hydrated while the config has errors"), "{}", failed.stderr);
    assert!(try_git(&remote.bare(), &["rev-parse", "--verify", &format!("refs/heads/{NEXT}")]).stdout.is_empty());
}
