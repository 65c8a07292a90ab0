//! Commands that only look: they find what the last pass left, also without a network, and change nothing.

use super::scene::Scene;
use crate::support::http_git::{self, HttpGit};
use crate::support::parts::are_there;
use crate::support::program::Plimsoll;
use crate::support::remote::{Remote, git};

const ENTRY: &str = "registry: reg.example\nrepository: team/portal\nsource:\n  provider: local\n  dockerfile: Dockerfile\n";

#[test]
fn a_remote_is_read_as_it_was_last_fetched() {
    if !are_there(&http_git::PARTS) {
        return;
    }
    for more in [&[][..], &["--record-branch", "plimsoll/record"]] {
        let remote = Remote::new(&[("images.d/portal.yaml", ENTRY), ("Dockerfile", "FROM upstream/base:1.0\n")]);
        let web = HttpGit::serve(&remote, None);
        let (plimsoll, url) = (Plimsoll::new(), web.url());
        let run = |words: &[&str]| plimsoll.run(&[words, &["--repo", &url, "-o", "json"], more].concat());
        let never = run(&["status", "--offline"]).expect(1);
        assert!(never.stderr.contains("it was never fetched to this machine"), "{}", never.stderr);
        run(&["--once", "--offline"]).expect(0);
        let fresh = run(&["status"]).expect(0).json();
        assert_eq!((fresh["images"].as_array().unwrap().len(), fresh["pendingFiles"].as_u64()), (2, Some(0)), "{fresh}");
        assert!(fresh["lastOwnCommit"]["subject"].as_str().unwrap().starts_with("plimsoll: "), "{fresh}");
        // The host is gone: the last fetch is still here, and says the same, asked for or not.
        drop(web);
        assert_eq!(run(&["status", "--offline"]).expect(0).json(), fresh, "{more:?}");
        let fallen_back = run(&["status"]).expect(0);
        assert_eq!(fallen_back.json(), fresh);
        assert!(fallen_back.stderr.contains("this is what was last fetched"), "{}", fallen_back.stderr);
        for command in [&["graph", "--offline"][..], &["explain", "portal", "--offline"], &["graph"]] {
            run(command).expect(0);
        }
    }
}

#[test]
fn looking_changes_nothing() {
    let scene = Scene::recorded();
    scene.moves();
    let (head, status) = (git(&scene.checkout(), &["rev-parse", "HEAD"]), git(&scene.checkout(), &["status", "--porcelain"]));
    for arguments in [
        &["status"][..],
        &["explain", "portal"],
        &["explain", "node-22-bookworm-slim"],
        &["graph"],
        &["doctor"],
        &["plan", "-o", "markdown"],
    ] {
        let ran = scene.run(arguments);
        assert!([0, 2].contains(&ran.code), "{arguments:?}: {}", ran.stderr);
    }
    assert_eq!(git(&scene.checkout(), &["rev-parse", "HEAD"]), head);
    assert_eq!(git(&scene.checkout(), &["status", "--porcelain"]), status);
}

/// What `explain` finds of the news that a registry has, and when it is not asked.
#[test]
fn explain_asks_for_one_image_alone() {
    let scene = Scene::recorded();
    scene.moves();
    scene.run(&["--once"]).expect(0);
    let of = |arguments: &[&str]| -> Vec<String> {
        let document = scene.run(&[&["explain", "-o", "json"], arguments].concat()).expect(0).json();
        document["facts"].as_array().unwrap().iter().map(|fact| fact["code"].as_str().unwrap().to_owned()).collect()
    };
    for (arguments, has, lacks) in [
        (
            &["node-22-bookworm-slim"][..],
            &["base", "watched", "digest", "used-by", "found", "moved", "nothing", "followers"][..],
            &["change", "unknown", "not-asked"][..],
        ),
        (&["node-22-bookworm-slim", "--offline"], &["digest", "not-asked"], &["unknown"]),
        (&["portal"], &["managed", "watched", "no-digest", "builds-on", "used-by", "enrolled", "eligible"], &["external"]),
        (&["postgres"], &["external", "watched", "digest", "baseline", "nothing"], &["builds-on", "used-by"]),
        (&["worker"], &["managed", "builds-on", "no-digest"], &["used-by", "eligible"]),
    ] {
        let codes = of(arguments);
        assert!(has.iter().all(|code| codes.iter().any(|found| found == code)), "{arguments:?}: {codes:?}");
        assert!(lacks.iter().all(|code| !codes.iter().any(|found| found == code)), "{arguments:?}: {codes:?}");
    }
}

#[test]
fn explain_names_what_did_not_answer() {
    let scene = Scene::recorded();
    // Nobody listens there.
    scene.write("images.d/lost.yaml", "registry: 127.0.0.1:1\nrepository: team/lost\nallowTags: ^1$\n");
    scene.commit();
    let before = scene.requests();
    let document = scene.run(&["explain", "lost", "-o", "json"]).expect(0).json();
    let unknown = document["facts"].as_array().unwrap().iter().find(|fact| fact["topic"] == "unknown").unwrap();
    assert_eq!(unknown["code"], "unknown");
    assert!(unknown["text"].as_str().unwrap().starts_with("127.0.0.1:1/team/lost:1: "), "{unknown}");
    assert_eq!(scene.requests(), before, "the other images are not asked for");
}

#[test]
fn explain_says_what_keeps_an_image_as_it_is() {
    let scene = Scene::recorded();
    let facts = |image: &str| {
        let document = scene.run(&["explain", image, "-o", "json", "--offline"]).expect(0).json();
        document["facts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|fact| format!("{}: {}", fact["code"].as_str().unwrap(), fact["text"].as_str().unwrap()))
            .collect::<Vec<_>>()
            .join("\n")
    };
    // (what people do, what it is about, what is said of it)
    for (path, content, image, said) in [
        ("apps/portal/Dockerfile", "FORM nothing\n", "portal", "finding: apps/portal/Dockerfile:1:1: "),
        ("state/images/portal.yaml", "enrollment: [\n", "portal", "unreadable-state: "),
        ("images.yaml", "- registry: ghcr.io\n", "postgres", "kept: what is recorded of it stays as it is"),
        ("images.yaml", "[]\n", "postgres", "held: prune of 2 of images"),
    ] {
        scene.write(path, content);
        scene.commit();
        let facts = facts(image);
        assert!(facts.contains(said), "{path}: {facts}");
    }
    // A held image says who held it.
    scene.write("images.yaml", "- name: postgres\n  registry: docker.io\n  repository: library/postgres\n  allowTags: ^17-bookworm$\n  hold: until the migration\n");
    scene.commit();
    assert!(facts("postgres").contains("hold: held by its entry: until the migration"), "{}", facts("postgres"));
}
