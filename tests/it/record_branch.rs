//! The record on a branch of its own, on a branch that refuses it, and in a local checkout.

use std::path::Path;

use crate::support::program::{Plimsoll, Ran};
use crate::support::remote::{Remote, git};

const IMAGES: &str =
    "- name: portal\n  registry: ghcr.io\n  repository: acme/portal\n  source:\n    provider: local\n    dockerfile: portal/Dockerfile\n";
const STATE: &str = "state/images/portal.yaml";

fn remote() -> Remote {
    Remote::new(&[("images.yaml", IMAGES), ("portal/Dockerfile", "FROM node:22-slim\n")])
}

fn pass(plimsoll: &Plimsoll, repo: &str, more: &[&str]) -> Ran {
    plimsoll.run(&[&["--repo", repo, "--once", "--offline", "-o", "json"], more].concat())
}

#[test]
fn a_record_branch_stands_beside_a_protected_main() {
    let remote = remote();
    let main = remote.head("main");
    remote.protect("main", "main takes changes by pull request only");
    let (plimsoll, branch) = (Plimsoll::new(), ["--record-branch", "plimsoll/record"]);
    let first = pass(&plimsoll, &remote.url(), &branch).expect(0).json();
    assert_eq!(first["commit"], remote.head("plimsoll/record"));
    assert_eq!(remote.head("main"), main);
    let tree = remote.tree("plimsoll/record");
    assert!(tree.contains_key(STATE));
    assert!(tree.keys().all(|path| path.starts_with("state/") || path.starts_with("rendered/")), "{:?}", tree.keys());
    assert_eq!(pass(&plimsoll, &remote.url(), &branch).expect(0).json()["outcome"], "converged");
    remote.fsck();
}

#[test]
fn a_refused_push_is_held_in_the_servers_words_and_published_once_it_may() {
    let remote = remote();
    let before = remote.head("main");
    remote.protect("main", "GH006: main takes changes by pull request only");
    let plimsoll = Plimsoll::new();
    for _ in 0..2 {
        let ran = pass(&plimsoll, &remote.url(), &[]).expect(4).json();
        assert_eq!((&ran["outcome"], &ran["commit"]), (&"held".into(), &serde_json::Value::Null));
        let why = ran["held"][0]["why"].as_str().unwrap();
        assert!(why.contains("GH006: main takes changes by pull request only"), "{why}");
        assert_eq!(remote.head("main"), before);
    }
    remote.unprotect();
    let ran = pass(&plimsoll, &remote.url(), &[]).expect(0).json();
    assert_eq!((&ran["outcome"], &ran["commit"]), (&"published".into(), &remote.head("main").into()));
    assert_eq!(git(&remote.bare(), &["rev-parse", "main~1"]), before);
    remote.fsck();
}

#[test]
fn a_branch_that_people_rewrote_is_told_and_gone_on_from() {
    let remote = remote();
    let (plimsoll, branch) = (Plimsoll::new(), ["--record-branch", "plimsoll/record"]);
    pass(&plimsoll, &remote.url(), &branch).expect(0);
    let work = remote.work();
    git(&work, &["checkout", "--quiet", "--orphan", "other"]);
    git(&work, &["rm", "-r", "--quiet", "--cached", "."]);
    git(&work, &["commit", "--quiet", "--allow-empty", "-m", "Start anew"]);
    let anew = git(&work, &["rev-parse", "HEAD"]);
    git(&work, &["push", "--quiet", "--force", "origin", "HEAD:plimsoll/record"]);

    let ran = pass(&plimsoll, &remote.url(), &branch).expect(0).json();
    let codes: Vec<_> = ran["diagnostics"].as_array().unwrap().iter().map(|finding| finding["code"].as_str().unwrap()).collect();
    assert_eq!((codes, &ran["outcome"]), (vec!["branch-rewritten"], &"published".into()));
    assert_eq!(git(&remote.bare(), &["rev-parse", "plimsoll/record~1"]), anew);
    assert!(remote.file("plimsoll/record", STATE).is_some());
    let ran = pass(&plimsoll, &remote.url(), &branch).expect(0).json();
    assert_eq!((&ran["outcome"], ran["diagnostics"].as_array().unwrap().len()), (&"converged".into(), 0));
}

/// A checkout's state in one line: its head and what is changed in it.
fn seen(work: &Path) -> (String, String) {
    (git(work, &["rev-parse", "HEAD"]), git(work, &["status", "--porcelain"]))
}

#[test]
fn a_clean_checkout_is_brought_along() {
    let remote = remote();
    let (plimsoll, work) = (Plimsoll::new(), remote.work());
    std::fs::write(work.join("notes.txt"), "mine\n").unwrap();
    let ran = pass(&plimsoll, work.to_str().unwrap(), &[]).expect(0).json();
    assert_eq!(ran["commit"], git(&work, &["rev-parse", "refs/heads/main"]));
    assert_eq!(git(&work, &["status", "--porcelain"]), "?? notes.txt", "an untracked file of others is no dirt");
    assert!(work.join(STATE).is_file());
    assert_eq!(remote.commits("main"), 1, "nothing is pushed unasked");
    std::fs::remove_file(work.join("notes.txt")).unwrap();
    assert_eq!(git(&work, &["status", "--porcelain"]), "");
    assert_eq!(pass(&plimsoll, work.to_str().unwrap(), &[]).expect(0).json()["outcome"], "converged");
}

#[test]
fn a_checkout_with_changes_or_without_a_branch_stays_as_it_is() {
    for (row, word) in [("edited", "changes of its own"), ("staged", "changes of its own"), ("in the way", STATE), ("detached", "detached")]
    {
        let remote = remote();
        let (plimsoll, work) = (Plimsoll::new(), remote.work());
        match row {
            "detached" => drop(git(&work, &["checkout", "--quiet", "--detach"])),
            "in the way" => {
                std::fs::create_dir_all(work.join("state/images")).unwrap();
                std::fs::write(work.join(STATE), "mine\n").unwrap();
            }
            _ => std::fs::write(work.join("portal/Dockerfile"), "FROM node:24-slim\n").unwrap(),
        }
        if row == "staged" {
            git(&work, &["add", "--all"]);
        }
        let before = (seen(&work), git(&work, &["rev-parse", "refs/heads/main"]));
        let ran = pass(&plimsoll, work.to_str().unwrap(), &[]).expect(4).json();
        assert_eq!(ran["outcome"], "held", "{row}");
        let why = ran["held"][0]["why"].as_str().unwrap();
        assert!(why.contains(word), "{row}: {why}");
        assert_eq!((seen(&work), git(&work, &["rev-parse", "refs/heads/main"])), before, "{row}");
        if row == "in the way" {
            assert_eq!(std::fs::read_to_string(work.join(STATE)).unwrap(), "mine\n");
        }
    }
}

#[test]
fn push_reaches_the_upstream_of_a_clean_and_of_a_dirty_checkout() {
    for dirty in [false, true] {
        let remote = remote();
        let (plimsoll, work) = (Plimsoll::new(), remote.work());
        git(&work, &["branch", "--quiet", "--set-upstream-to", "origin/main"]);
        if dirty {
            std::fs::write(work.join("portal/Dockerfile"), "FROM node:24-slim\n").unwrap();
        }
        let before = seen(&work);
        let ran = pass(&plimsoll, work.to_str().unwrap(), &["--push"]).expect(0).json();
        assert_eq!(ran["commit"], remote.head("main"), "dirty: {dirty}");
        assert_eq!(remote.commits("main"), 2);
        remote.fsck();
        if dirty {
            assert_eq!(seen(&work), before);
        } else {
            assert_eq!(seen(&work), (remote.head("main"), String::new()));
        }
    }
}
