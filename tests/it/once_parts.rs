//! One pass with real counterparts: `git http-backend` behind a web server, and the real `docker-registry`.

use crate::support::http_git::{self, HttpGit};
use crate::support::parts::are_there;
use crate::support::program::Plimsoll;
use crate::support::registry::{self, Access, RealRegistry, USER};
use crate::support::remote::Remote;

const IMAGES: &str =
    "- name: portal\n  registry: HOST\n  repository: acme/portal\n  source:\n    provider: local\n    dockerfile: portal/Dockerfile\n";

/// How the config repository is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    File,
    Http,
    HttpWithToken,
}

#[test]
fn each_way_to_git_with_each_kind_of_registry() {
    if !are_there(&http_git::PARTS) || !are_there(&registry::PARTS) {
        return;
    }
    for access in Access::ALL {
        let registry = RealRegistry::start(access, USER);
        registry.push("acme/portal", "latest", "portal");
        for (index, way) in [Way::File, Way::Http, Way::HttpWithToken].into_iter().enumerate() {
            follows_the_tag(&registry, &format!("library/base{index}"), way, &format!("{access:?} {way:?}"));
        }
    }
}

fn follows_the_tag(registry: &RealRegistry, base: &str, way: Way, row: &str) {
    let dockerfile = format!("FROM {}/{base}:1\n", registry.host());
    let remote = Remote::new(&[("images.yaml", &IMAGES.replace("HOST", &registry.host())), ("portal/Dockerfile", &dockerfile)]);
    let web = match way {
        Way::File => None,
        Way::Http => Some(HttpGit::serve(&remote, None)),
        Way::HttpWithToken => Some(HttpGit::serve(&remote, Some(("robot", "git-secret")))),
    };
    let url = web.as_ref().map_or_else(|| remote.url(), HttpGit::url);
    let plimsoll = Plimsoll::new();
    let docker = plimsoll.home().join("docker");
    registry.write_docker_config(&docker);
    let mut plimsoll = plimsoll.with("DOCKER_CONFIG", docker.to_str().unwrap());
    let mut arguments = vec!["--repo", &url, "--once", "-o", "json"];
    if way == Way::HttpWithToken {
        plimsoll = plimsoll.with("PLIMSOLL_GIT_TOKEN", "git-secret");
        arguments.extend(["--git-username", "robot"]);
    }
    let converged = |commits: usize| {
        let ran = plimsoll.run(&arguments).expect(0).json();
        assert_eq!((&ran["outcome"], &ran["commit"]), (&"converged".into(), &serde_json::Value::Null), "{row}");
        assert_eq!(remote.commits("main"), commits, "{row}");
    };

    let one = registry.push(base, "1", "one");
    let first = plimsoll.run(&arguments).expect(0).json();
    assert_eq!((&first["outcome"], &first["commit"]), (&"published".into(), &remote.head("main").into()), "{row}");
    let tree = remote.tree("main");
    let state = tree.keys().find(|path| path.starts_with("state/base-images/")).unwrap().clone();
    for path in ["state/images/portal.yaml", "rendered/kargo/images/portal.yaml"] {
        assert!(tree.contains_key(path), "{row}: {path} is not in {:?}", tree.keys());
    }
    assert_eq!(tree.len(), first["changes"].as_array().unwrap().len() + 2, "{row}: each change is in the one commit");
    assert!(remote.file("main", &state).unwrap().contains(&one), "{row}");
    converged(2);

    let two = registry.push(base, "1", "two");
    let third = plimsoll.run(&arguments).expect(0).json();
    assert_eq!(third["outcome"], "published", "{row}");
    assert_eq!(remote.commits("main"), 3, "{row}");
    let text = remote.file("main", &state).unwrap();
    let history = text.split_once("updateHistory:").unwrap().1;
    let newest_first = history.find(&two).unwrap() < history.find(&one).unwrap();
    assert!(newest_first && text.contains(&format!("currentDigest: {two}")), "{row}:\n{text}");
    converged(3);
    remote.fsck();
}

#[test]
fn a_token_service_on_another_host_needs_the_operators_leave() {
    if !are_there(&registry::PARTS) {
        return;
    }
    let registry = RealRegistry::start(Access::TokenElsewhere, USER);
    registry.push("acme/portal", "latest", "portal");
    let remote = Remote::new(&[("images.yaml", &IMAGES.replace("HOST", &registry.host())), ("portal/Dockerfile", "FROM scratch\n")]);
    let plimsoll = Plimsoll::new();
    let docker = plimsoll.home().join("docker");
    registry.write_docker_config(&docker);
    let plimsoll = plimsoll.with("DOCKER_CONFIG", docker.to_str().unwrap());
    let url = remote.url();
    let refused = plimsoll.run(&["--repo", &url, "--once", "-o", "json"]).expect(4).json();
    assert_eq!(refused["unknown"][0]["class"], "denied");
    let leave = format!("{}={}", registry.host(), registry.token_host().unwrap());
    assert!(refused["unknown"][0]["hint"].as_str().unwrap().contains(&format!("--token-realm {leave}")), "{refused}");
    let ran = plimsoll.run(&["--repo", &url, "--once", "-o", "json", "--token-realm", &leave]).expect(0).json();
    assert_eq!(ran["outcome"], "published");
    assert!(remote.file("main", "state/images/portal.yaml").unwrap().contains("currentDigest: sha256:"));
}

#[test]
fn a_source_repository_by_file_needs_the_operators_leave() {
    let source = Remote::new(&[("Dockerfile", "FROM node:22-slim\n")]);
    let images = format!(
        "- name: portal\n  registry: 127.0.0.1:1\n  repository: acme/portal\n  source:\n    provider: git\n    repo: {}\n    dockerfile: Dockerfile\n",
        source.url()
    );
    let remote = Remote::new(&[("images.yaml", &images)]);
    let plimsoll = Plimsoll::new();
    let pass = |more: &[&str]| plimsoll.run(&[&["--repo", &remote.url(), "--once", "-o", "json"], more].concat());

    let refused = pass(&[]).expect(4).json();
    let unknown = refused["unknown"].as_array().unwrap();
    let dockerfile = unknown.iter().find(|unknown| unknown["what"] == "Dockerfile of portal").unwrap();
    assert_eq!(dockerfile["class"], "config");
    assert!(dockerfile["hint"].as_str().unwrap().contains("--allow-protocol"), "{dockerfile}");
    assert!(!remote.tree("main").keys().any(|path| path.starts_with("state/base-images/")));

    // No registry is there to ask, so the pass stays partly done.
    pass(&["--allow-protocol", "file"]).expect(4);
    assert!(remote.file("main", "state/base-images/node-22-slim.yaml").is_some());
    let state = remote.file("main", "state/images/portal.yaml").unwrap();
    assert!(state.contains("- node-22-slim"), "{state}");

    // The leave taken back: what is recorded stays.
    let before = remote.head("main");
    pass(&[]).expect(4);
    assert_eq!(remote.head("main"), before);
}
