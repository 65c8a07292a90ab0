//! Pull requests: opened once, kept up to date, left alone when people closed them.

use std::collections::BTreeMap;

use plimsoll::forge::Forges;
use plimsoll::model::Provider;
use plimsoll::ports::forge::{Forge, PullRequest};

use crate::support::forge::{options, told, wait};
use crate::support::github::{FakeGithub, Trouble};

const BRANCH: &str = "plimsoll/pins";

struct World {
    github: FakeGithub,
    forges: Forges,
    _cache: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let (github, cache) = (FakeGithub::start(), tempfile::tempdir().unwrap());
        github.commit("acme/portal", "main", &[("Dockerfile", "FROM node:22\n"), ("b/Dockerfile", "FROM alpine\n"), ("README", "x")]);
        let forges = Forges::new(&options(&github.api(), cache.path()));
        Self { github, forges, _cache: cache }
    }

    fn propose(&self, title: &str, files: &[(&str, &str)]) -> String {
        let files: BTreeMap<String, Vec<u8>> = files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect();
        let request = PullRequest {
            provider: Provider::Github,
            repo: "acme/portal".into(),
            base: None,
            branch: BRANCH.into(),
            title: title.into(),
            body: "Digests of base images.".into(),
            files,
        };
        match wait(self.forges.propose(&request)) {
            Ok(url) => url,
            Err(fault) => told(&fault),
        }
    }

    /// Requests since the last call that were not answered 304.
    fn counted(&self) -> Vec<String> {
        self.github
            .take_lines()
            .into_iter()
            .filter(|line| !line.ends_with("304"))
            .map(|line| line.split(' ').next().unwrap().to_owned())
            .collect()
    }
}

const PINNED: &str = "FROM node:22@sha256:aa\n";
const FIRST: &str = "https://github.example/acme/portal/pull/1";

#[test]
fn it_is_opened_once_and_nothing_changed_costs_nothing() {
    let world = World::new();
    assert_eq!(world.propose("Pin", &[("Dockerfile", PINNED)]), FIRST);
    assert_eq!(world.github.file("acme/portal", BRANCH, "Dockerfile").as_deref(), Some(PINNED));
    assert_eq!(world.github.file("acme/portal", BRANCH, "README").as_deref(), Some("x"));
    assert_eq!(world.github.file("acme/portal", "main", "Dockerfile").as_deref(), Some("FROM node:22\n"));
    let pull = &world.github.pulls()[0];
    assert_eq!((pull.base.as_str(), pull.title.as_str(), pull.body.as_str()), ("main", "Pin", "Digests of base images."));

    // The second look learns what the first one made; the third asks for nothing that is counted.
    assert_eq!(world.propose("Pin", &[("Dockerfile", PINNED)]), FIRST);
    world.counted();
    assert_eq!(world.propose("Pin", &[("Dockerfile", PINNED)]), FIRST);
    assert_eq!(world.counted(), Vec::<String>::new());

    // Another title is written, another content is one more commit.
    let head = world.github.head("acme/portal", BRANCH);
    world.propose("Pin both", &[("Dockerfile", PINNED)]);
    assert_eq!((world.github.pulls()[0].title.as_str(), world.github.head("acme/portal", BRANCH)), ("Pin both", head));
    world.propose("Pin both", &[("Dockerfile", PINNED), ("b/Dockerfile", "FROM alpine@sha256:bb\n")]);
    assert_eq!(world.github.file("acme/portal", BRANCH, "b/Dockerfile").as_deref(), Some("FROM alpine@sha256:bb\n"));
    assert_eq!(world.github.pulls().len(), 1);
}

#[test]
fn commits_of_people_on_the_branch_stay() {
    let world = World::new();
    world.propose("Pin", &[("Dockerfile", PINNED)]);
    world.github.commit("acme/portal", BRANCH, &[("README", "people were here")]);
    assert_eq!(world.propose("Pin", &[("Dockerfile", "FROM node:22@sha256:cc\n")]), FIRST);
    assert_eq!(world.github.file("acme/portal", BRANCH, "README").as_deref(), Some("people were here"));
    assert_eq!(world.github.file("acme/portal", BRANCH, "Dockerfile").as_deref(), Some("FROM node:22@sha256:cc\n"));
}

#[test]
fn a_closed_one_is_a_decision_and_a_merged_one_is_done() {
    let world = World::new();
    world.propose("Pin", &[("Dockerfile", PINNED)]);
    world.github.close(1, false);
    let got = world.propose("Pin", &[("Dockerfile", "FROM node:22@sha256:cc\n")]);
    assert_eq!(got, format!("refused: acme/portal: people closed the pull request #1 of {BRANCH}"));
    assert_eq!(world.github.file("acme/portal", BRANCH, "Dockerfile").as_deref(), Some(PINNED));

    let world = World::new();
    world.propose("Pin", &[("Dockerfile", PINNED)]);
    world.github.close(1, true);
    world.github.commit("acme/portal", "main", &[("README", "later")]);
    assert_eq!(world.propose("Pin", &[("Dockerfile", PINNED)]), "refused: acme/portal: main is so already; there is nothing to propose");
    let second = "https://github.example/acme/portal/pull/2";
    assert_eq!(world.propose("Pin", &[("Dockerfile", "FROM node:22@sha256:cc\n")]), second);
    // The branch begins anew from main.
    assert_eq!(world.github.file("acme/portal", BRANCH, "README").as_deref(), Some("later"));
}

#[test]
fn modes_stay_and_what_is_no_file_is_left_alone() {
    let world = World::new();
    world.github.mode("acme/portal", "main", "Dockerfile", "100755");
    world.propose("Pin", &[("Dockerfile", PINNED), ("new/Dockerfile", "FROM a\n")]);
    let mode = |path: &str| world.github.mode_of("acme/portal", BRANCH, path).unwrap();
    assert_eq!((mode("Dockerfile"), mode("new/Dockerfile"), mode("README")), ("100755".into(), "100644".into(), "100644".into()));

    let world = World::new();
    world.github.mode("acme/portal", "main", "b/Dockerfile", "120000");
    let got = world.propose("Pin", &[("b/Dockerfile", PINNED)]);
    assert_eq!(got, "refused: acme/portal: b/Dockerfile is no regular file and stays as it is");
    assert!(world.propose("Pin", &[("../x", PINNED)]).starts_with("config: `../x` is no path"));
    assert!(world.github.pulls().is_empty() && world.github.head("acme/portal", BRANCH).is_none());
}

#[test]
fn a_step_that_fails_is_taken_up_where_it_stopped() {
    for (step, status) in [("git/blobs", 500), ("git/trees", 500), ("git/commits", 500), ("git/refs", 500), ("pulls", 500), ("pulls", 403)]
    {
        let world = World::new();
        world.github.trouble(&format!("POST /repos/acme/portal/{step}"), 1, Trouble::status(status));
        let first = world.propose("Pin", &[("Dockerfile", PINNED)]);
        assert!(first.starts_with(if status == 403 { "denied:" } else { "transient:" }), "{step}: {first}");
        assert_eq!(world.propose("Pin", &[("Dockerfile", PINNED)]), FIRST, "{step}");
        assert_eq!((world.github.pulls().len(), world.github.file("acme/portal", BRANCH, "Dockerfile").as_deref()), (1, Some(PINNED)));
    }
    // Answers that are lost after the work was done.
    for step in ["git/refs", "pulls"] {
        let world = World::new();
        world.github.trouble(&format!("POST /repos/acme/portal/{step}"), 1, Trouble::LostReply);
        assert!(world.propose("Pin", &[("Dockerfile", PINNED)]).starts_with("transient:"));
        assert_eq!(world.propose("Pin", &[("Dockerfile", PINNED)]), FIRST, "{step}");
        assert_eq!(world.github.pulls().len(), 1);
    }
}
