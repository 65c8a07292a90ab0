//! `doctor` against what can be wrong: each finding names the next step, and no secret.

use super::scene::Scene;
use crate::support::program::Plimsoll;
use crate::support::remote::{Remote, git};

/// The level and text of each finding of a check.
fn found(document: &serde_json::Value, check: &str) -> Vec<(String, String)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let findings = document["findings"].as_array().unwrap();
    for finding in findings {
        assert_eq!(finding["level"] != "ok", finding["next"].as_str().is_some_and(|next| !next.is_empty()), "{finding}");
    }
    findings.iter().filter(|finding| finding["check"] == check).map(|finding| (text(&finding["level"]), text(&finding["text"]))).collect()
}

fn level(document: &serde_json::Value, check: &str) -> String {
    found(document, check).into_iter().next().unwrap_or_default().0
}

#[test]
fn rights_are_looked_at_without_a_push() {
    let remote = Remote::new(&[("images.yaml", "[]\n")]);
    let plimsoll = Plimsoll::new();
    let doctor = |more: &[&str]| plimsoll.run(&[&["doctor", "-o", "json", "--repo", &remote.url()], more].concat());
    let before = remote.head("main");
    let fine = doctor(&[]).expect(0).json();
    for check in ["git", "cache", "repository", "branch", "rights"] {
        assert_eq!(level(&fine, check), "ok", "{fine}");
    }
    assert_eq!(remote.head("main"), before, "nothing was pushed");
    // A record branch that is not there yet begins with the first pass.
    let other = doctor(&["--record-branch", "plimsoll/record"]).expect(0).json();
    assert!(found(&other, "branch")[0].1.contains("plimsoll/record begins with the first pass"), "{other}");
    assert_eq!(level(&other, "rights"), "ok");
    let nowhere = doctor(&["--branch", "nowhere"]).expect(1).json();
    assert_eq!(level(&nowhere, "branch"), "fail", "{nowhere}");
}

#[test]
fn offline_says_what_was_not_asked() {
    let plimsoll = Plimsoll::new();
    let document = plimsoll.run(&["doctor", "-o", "json", "--offline", "--repo", "https://git.invalid/config.git"]).expect(0).json();
    for check in ["repository", "rights", "registries", "clock"] {
        assert_eq!(found(&document, check), [("ok".to_owned(), "not asked: offline".to_owned())], "{document}");
    }
    assert_eq!(level(&document, "config"), "warn", "it was never fetched: {document}");
}

#[test]
fn what_is_broken_is_named() {
    let scene = Scene::new();
    scene.write("images.d/broken.yaml", "registry: ghcr.io\n");
    scene.commit();
    scene.write("images.yaml", "[]\n");
    std::fs::create_dir_all(scene.checkout().join("docker")).unwrap();
    scene.write(
        "docker/config.json",
        r#"{"credHelpers": {"ghcr.io": "surely-not-installed"}, "auths": {"quay.io": {"auth": "dXNlcjpjYW5hcnk="}}}"#,
    );
    let mut command = scene.command(&["doctor", "-o", "json", "--offline"]);
    command
        .env("DOCKER_CONFIG", scene.checkout().join("docker"))
        .env("DOCKER_HOST", "unix:///nowhere/engine.sock")
        .env("XDG_CACHE_HOME", "/dev/null");
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    for (check, expected) in [("cache", "fail"), ("branch", "ok"), ("config", "warn"), ("engine", "warn")] {
        assert_eq!(level(&document, check), expected, "{check}: {text}");
    }
    assert!(found(&document, "branch").iter().any(|(level, text)| level == "warn" && text.contains("images.yaml")), "{text}");
    assert!(!text.contains("canary") && !text.contains("dXNlcjpjYW5hcnk"), "{text}");
}

#[test]
fn credentials_are_found_and_not_shown() {
    let scene = Scene::new();
    scene.write("images.d/quay.yaml", "registry: quay.io\nrepository: team/app\nallowTags: ^1$\n");
    scene.write("images.d/hub.yaml", "registry: docker.io\nrepository: team/app\nallowTags: ^1$\n");
    scene.commit();
    scene.write("../docker/config.json", r#"{"auths": {"quay.io": {"auth": "dXNlcjpjYW5hcnk="}}}"#);
    let directory = scene.checkout().with_file_name("docker");
    let output = scene.command(&["doctor", "-o", "json", "--offline"]).env("DOCKER_CONFIG", directory).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    let credentials = found(&document, "credentials");
    assert!(credentials.contains(&("ok".into(), "quay.io: a password or token is stored".into())), "{text}");
    assert!(credentials.iter().any(|(level, text)| level == "warn" && text.starts_with("docker.io: none")), "{text}");
    assert!(!text.contains("canary"));
    git(&scene.checkout(), &["status", "--porcelain"]);
}

#[test]
fn who_builds_here_needs_an_engine() {
    let scene = Scene::new();
    let source = "source: {provider: git, repo: 'https://git.invalid/app.git', branch: main, dockerfile: Dockerfile}";
    scene.write("images.d/built.yaml", &format!("registry: ghcr.io\nrepository: team/built\ntrigger: docker\n{source}\n"));
    scene.commit();
    let socket = format!("unix://{}", scene.socket().display());
    // options, level, words of the finding
    for (options, level, words) in [
        (&[][..], "warn", "API 1.47; 1 image with `trigger: docker` is not built from here"),
        (&["--engine", "here"], "ok", "API 1.47; it builds 1 image"),
        (&["--docker-host", &socket], "ok", "API 1.47; it builds 1 image"),
        (&["--docker-host", "unix:///nowhere/engine.sock"], "fail", "1 image with `trigger: docker` can't be built"),
        (&["--docker-host", "tcp://127.0.0.1:2375"], "fail", "is no socket of a Docker engine"),
    ] {
        let output = scene.command(&[&["doctor", "-o", "json", "--offline"], options].concat()).output().unwrap();
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let engine = &found(&document, "engine")[0];
        assert!(engine.0 == level && engine.1.contains(words), "{options:?}: {engine:?}");
        assert_eq!(output.status.code() == Some(1), level == "fail", "{options:?}: {document}");
    }
}
