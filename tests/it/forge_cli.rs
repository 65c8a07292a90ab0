//! The real program with a forge: sources by API, options, and secrets that stay where they are.

use std::collections::BTreeMap;
use std::path::Path;

use plimsoll::registry::LoopbackRegistry;

use crate::support::forge::wait;
use crate::support::github::{FakeGithub, TOKEN, Trouble};
use crate::support::gitlab::{self, FakeGitlab};
use crate::support::parts::base64;
use crate::support::program::Plimsoll;
use crate::support::remote::Remote;

struct World {
    registry: LoopbackRegistry,
    remote: Remote,
    github: FakeGithub,
    gitlab: FakeGitlab,
}

fn entry(provider: &str, name: &str, host: &str, dockerfile: &str) -> String {
    format!(
        "- name: {name}\n  registry: {host}\n  repository: acme/{name}\n  source: {{provider: {provider}, repo: acme/portal, branch: main, dockerfile: {dockerfile}}}\n"
    )
}

impl World {
    fn new() -> Self {
        let registry = wait(LoopbackRegistry::start()).unwrap();
        let host = registry.host();
        for (repository, tag) in
            [("acme/a", "latest"), ("acme/b", "latest"), ("acme/c", "latest"), ("library/base", "1"), ("library/base", "2")]
        {
            registry.push(repository, tag, &BTreeMap::new(), repository.as_bytes()).unwrap();
        }
        let from = |tag: &str| format!("FROM {host}/library/base:{tag}\n");
        let github = FakeGithub::start();
        github.commit("acme/portal", "main", &[("a/Dockerfile", &from("1")), ("b/Dockerfile", &from("2"))]);
        let gitlab = FakeGitlab::start("acme/portal", &[("Dockerfile", &from("1"))]);
        let images = [
            entry("github", "a", &host, "a/Dockerfile"),
            entry("github", "b", &host, "b/Dockerfile"),
            entry("gitlab", "c", &host, "Dockerfile"),
        ];
        Self { remote: Remote::new(&[("images.yaml", &images.concat())]), registry, github, gitlab }
    }

    fn apis(&self) -> [String; 2] {
        [self.github.api(), self.gitlab.api()]
    }

    fn state(&self, name: &str) -> String {
        self.remote.file("main", &format!("state/images/{name}.yaml")).unwrap()
    }
}

fn arguments<'a>(apis: &'a [String; 2], more: &[&'a str]) -> Vec<&'a str> {
    [more, &["--github-api", &apis[0], "--gitlab-api", &apis[1]]].concat()
}

fn look_in_files(directory: &Path, look: &dyn Fn(&str, &[u8])) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { look_in_files(&path, look) } else { look(&path.display().to_string(), &std::fs::read(&path).unwrap()) }
    }
}

#[test]
fn dockerfiles_are_read_by_api_and_a_second_pass_asks_only_whether_anything_moved() {
    let world = World::new();
    let plimsoll = Plimsoll::new().with("PLIMSOLL_GITHUB_TOKEN", TOKEN).with("PLIMSOLL_GITLAB_TOKEN", gitlab::TOKEN);
    let (apis, url) = (world.apis(), world.remote.url());
    let once = arguments(&apis, &["--repo", &url, "--once", "-o", "json"]);
    let plan = arguments(&apis, &["plan", "--repo", &url, "-o", "json"]);
    assert_eq!(plimsoll.run(&plan).expect(2).json()["outcome"], "planned");
    assert_eq!(plimsoll.run(&once).expect(0).json()["outcome"], "published");
    let base = |tag: &str| format!("baseImages:\n- base-{tag}\n");
    assert!(world.state("a").contains(&base("1")) && world.state("b").contains(&base("2")) && world.state("c").contains(&base("1")));
    world.github.take_lines();
    world.gitlab.take_lines();
    assert_eq!(plimsoll.run(&once).expect(0).json()["outcome"], "converged");
    assert_eq!(world.github.take_lines(), ["GET /repos/acme/portal/commits/heads/main 304"], "one look for two images");
    assert_eq!(world.gitlab.take_lines(), ["GET /repository/branches/main 304"]);

    world.github.commit("acme/portal", "main", &[("b/Dockerfile", &format!("FROM {}/library/base:1\n", world.registry.host()))]);
    assert_eq!(plimsoll.run(&once).expect(0).json()["outcome"], "published");
    assert!(world.state("b").contains(&base("1")));

    // A forge that is away, or where access was lost, takes nothing back.
    for trouble in [Trouble::status(404), Trouble::status(401), Trouble::status(500), Trouble::Unheard, Trouble::secondary(None)] {
        world.github.trouble("GET", 1, trouble);
        let before = world.remote.head("main");
        let ran = plimsoll.run(&once).expect(4).json();
        assert_eq!((world.remote.head("main"), ran["commit"].is_null()), (before, true), "{ran}");
    }
}

#[test]
fn no_token_of_a_forge_is_told_to_anybody() {
    let world = World::new();
    let (apis, url) = (world.apis(), world.remote.url());
    let needles: Vec<String> = [TOKEN, gitlab::TOKEN, "ghp_canaryWrong9d2e"]
        .iter()
        .flat_map(|token| [(*token).to_owned(), base64(token.as_bytes()).trim_end_matches('=').to_owned()])
        .collect();
    let look = |place: &str, bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        assert!(!needles.iter().any(|needle| text.contains(needle.as_str())), "{place}:\n{text}");
    };
    let planted = tempfile::tempdir().unwrap();
    let file = planted.path().join("token");
    std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
    let echo: &'static str = Box::leak(format!(r#"{{"message": "bad token {TOKEN}"}}"#).into_boxed_str());
    let echoing = Trouble::Answer { status: 403, headers: Vec::new(), body: echo };
    let rows: [(&str, &str, Option<Trouble>, i32); 4] = [
        ("PLIMSOLL_GITHUB_TOKEN", TOKEN, None, 0),
        ("PLIMSOLL_GITHUB_TOKEN_FILE", file.to_str().unwrap(), None, 0),
        ("PLIMSOLL_GITHUB_TOKEN", "ghp_canaryWrong9d2e", None, 4),
        ("PLIMSOLL_GITHUB_TOKEN", TOKEN, Some(echoing), 4),
    ];
    for (variable, value, trouble, code) in rows {
        let plimsoll = Plimsoll::new().with(variable, value).with("PLIMSOLL_GITLAB_TOKEN", gitlab::TOKEN).with("PLIMSOLL_LOG", "trace");
        if let Some(trouble) = trouble {
            world.github.trouble("GET", 1, trouble);
        }
        for format in ["text", "json"] {
            let ran = plimsoll.run(&arguments(&apis, &["--repo", &url, "--once", "-vv", "--log-format", format, "-o", format]));
            look("stdout", ran.stdout.as_bytes());
            look("stderr", ran.stderr.as_bytes());
            assert!(ran.code == code || ran.code == 0, "{}: {}", ran.code, ran.stderr);
        }
        look_in_files(plimsoll.home(), &look);
    }
    look_in_files(&world.remote.bare(), &look);
    assert!(world.github.requests().iter().any(|seen| seen.authorization.as_deref() == Some(&format!("Bearer {TOKEN}"))));
}

#[test]
fn options_that_make_no_sense_are_refused_with_their_name() {
    let planted = tempfile::tempdir().unwrap();
    let (empty, key) = (planted.path().join("empty"), planted.path().join("key.pem"));
    std::fs::write(&empty, "\n").unwrap();
    std::fs::write(&key, "-----BEGIN nothing-----\n").unwrap();
    let (empty, key) = (empty.to_str().unwrap(), key.to_str().unwrap());
    let remote = Remote::new(&[("images.yaml", "[]\n")]);
    let url = remote.url();
    for (arguments, expected) in [
        (&["--github-api", "http://github.example"][..], "--github-api: it is an https URL"),
        (&["--gitlab-api", "https://x:y@gitlab.example"], "--gitlab-api: the URL has a user"),
        (&["--github-token-file", empty], "the file is empty"),
        (&["--gitlab-token-file", "/nonexistent"], "--gitlab-token-file /nonexistent"),
        (&["--github-app-id", "1"], "a GitHub App needs both --github-app-id and --github-app-key"),
        (&["--github-app-id", "1", "--github-app-key", key], "--github-app-key: the App's key is no PEM private key"),
    ] {
        let ran = Plimsoll::new().run(&[&["plan", "--repo", &url], arguments].concat()).expect(1);
        assert!(ran.stderr.contains(expected), "{}", ran.stderr);
    }
}

#[test]
fn validate_tells_which_lines_a_local_workflow_lacks() {
    let entry =
        "- name: a\n  registry: ghcr.io\n  repository: acme/a\n  source: {provider: local, dockerfile: Dockerfile, workflow: build.yml}\n";
    let table: [(Option<&str>, &str); 5] = [
        (None, "images.yaml:1:1: warning: there is no workflow .github/workflows/build.yml"),
        (Some("name: x\non: push\n"), ".github/workflows/build.yml:2:1: warning: the workflow can't be dispatched"),
        (Some("on: workflow_dispatch\n"), ".github/workflows/build.yml:1:1: warning: the workflow does not take and print `plimsoll_key`"),
        (Some("on: [\n"), ".github/workflows/build.yml:"),
        (Some(plimsoll::format::workflow_file::KEY_LINES), ""),
    ];
    for (workflow, expected) in table {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(directory.path().join(".github/workflows")).unwrap();
        for (path, content) in
            [("images.yaml", Some(entry)), ("Dockerfile", Some("FROM scratch\n")), (".github/workflows/build.yml", workflow)]
        {
            if let Some(content) = content {
                std::fs::write(directory.path().join(path), content).unwrap();
            }
        }
        let ran = Plimsoll::new().run(&["validate", directory.path().to_str().unwrap()]).expect(0);
        assert!(ran.stderr.contains(expected) && (expected.is_empty() == ran.stderr.is_empty()), "{}", ran.stderr);
    }
}

#[test]
fn the_page_shows_the_lines_that_the_program_looks_for() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference/forges.md")).unwrap();
    assert!(page.contains(plimsoll::format::workflow_file::KEY_LINES));
}
