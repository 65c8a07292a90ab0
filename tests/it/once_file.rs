//! One pass over a `file://` remote, offline.

use crate::support::program::Plimsoll;
use crate::support::remote::Remote;

const IMAGES: &str =
    "- name: portal\n  registry: ghcr.io\n  repository: acme/portal\n  source:\n    provider: local\n    dockerfile: portal/Dockerfile\n";

#[test]
fn one_commit_holds_every_file_and_a_second_pass_none() {
    let remote = Remote::new(&[("images.yaml", IMAGES), ("portal/Dockerfile", "FROM node:22-slim\n")]);
    let plimsoll = Plimsoll::new();
    let first = plimsoll.run(&["--repo", &remote.url(), "--once", "--offline", "-o", "json"]).expect(0).json();
    assert_eq!(first["outcome"], "published");
    assert_eq!(first["commit"], remote.head("main"));
    assert_eq!(remote.commits("main"), 2);
    let tree = remote.tree("main");
    for path in [
        "state/images/portal.yaml",
        "state/base-images/node-22-slim.yaml",
        "rendered/kargo/images/portal.yaml",
        "rendered/kargo/base-images/node-22-slim.yaml",
    ] {
        assert!(tree.contains_key(path), "{path} is not in {:?}", tree.keys());
    }
    remote.fsck();
    let second = plimsoll.run(&["--repo", &remote.url(), "--once", "--offline", "-o", "json"]).expect(0).json();
    assert_eq!((&second["outcome"], &second["commit"]), (&"converged".into(), &serde_json::Value::Null));
    assert_eq!(remote.commits("main"), 2);
}

#[test]
fn plan_shows_the_same_changes_and_makes_none() {
    let remote = Remote::new(&[("images.yaml", IMAGES), ("portal/Dockerfile", "FROM node:22-slim\n")]);
    let plimsoll = Plimsoll::new();
    let planned = plimsoll.run(&["plan", "--repo", &remote.url(), "--offline", "-o", "json"]).expect(2).json();
    assert_eq!((remote.commits("main"), &planned["outcome"]), (1, &"planned".into()));
    let ran = plimsoll.run(&["--repo", &remote.url(), "--once", "--offline", "-o", "json"]).expect(0).json();
    assert_eq!(planned["changes"], ran["changes"]);
    plimsoll.run(&["plan", "--repo", &remote.url(), "--offline"]).expect(0);
}
