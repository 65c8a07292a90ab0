//! What is ours is put right, what is not is never touched, and records of an earlier tool are taken over.

use crate::support::parts;
use crate::support::program::{Plimsoll, Ran};
use crate::support::remote::Remote;

const WAREHOUSE: &str = "rendered/kargo/images/portal.yaml";

fn entry(name: &str) -> String {
    format!(
        "- name: {name}\n  registry: ghcr.io\n  repository: acme/{name}\n  source:\n    provider: local\n    dockerfile: portal/Dockerfile\n"
    )
}

fn remote() -> Remote {
    Remote::new(&[("images.yaml", &entry("portal")), ("portal/Dockerfile", "FROM node:22-slim\n")])
}

fn pass(plimsoll: &Plimsoll, remote: &Remote, more: &[&str]) -> Ran {
    plimsoll.run(&[&["--repo", &remote.url(), "--once", "--offline", "-o", "json"], more].concat())
}

#[test]
fn an_edit_by_hand_is_put_right_and_named() {
    let (remote, plimsoll) = (remote(), Plimsoll::new());
    pass(&plimsoll, &remote, &[]).expect(0);
    for path in [WAREHOUSE, "rendered/kargo/base-images/node-22-slim.yaml"] {
        let right = remote.file("main", path).unwrap();
        for wrong in [format!("{right}# a note\n"), right.replace("kind: Warehouse", "kind: Storehouse")] {
            assert_ne!(right, wrong);
            remote.commit("By hand", &[(path, &wrong)]);
            let ran = pass(&plimsoll, &remote, &[]).expect(0).json();
            let changes = ran["changes"].as_array().unwrap();
            assert_eq!(changes.len(), 1, "{ran}");
            assert_eq!((&changes[0]["path"], &changes[0]["reason"]["code"]), (&path.into(), &"hand-edited".into()));
            assert_eq!(remote.file("main", path).unwrap(), right);
        }
        remote.commit("Deleted by hand", &[(path, "")]);
        pass(&plimsoll, &remote, &[]).expect(0);
        assert_eq!(remote.file("main", path).unwrap(), right);
    }
    assert_eq!(pass(&plimsoll, &remote, &[]).expect(0).json()["outcome"], "converged");
}

#[test]
fn files_of_others_stay() {
    let (remote, plimsoll) = (remote(), Plimsoll::new());
    let foreign = [
        ("rendered/kargo/images/by-hand.yaml", "kind: Warehouse\n"),
        ("rendered/README.md", "ours\n"),
        ("state/images/README.md", "ours\n"),
        ("state/notes/portal.yaml", "ours: true\n"),
    ];
    remote.commit("Notes", &foreign);
    pass(&plimsoll, &remote, &[]).expect(0);
    remote.commit("More", &[("rendered/kargo/project.txt", "more\n")]);
    assert_eq!(pass(&plimsoll, &remote, &[]).expect(0).json()["outcome"], "converged");
    for (path, content) in foreign {
        assert_eq!(remote.file("main", path).as_deref(), Some(content), "{path}");
    }
}

#[test]
fn a_file_of_others_where_ours_belongs_is_held_and_untouched() {
    let (remote, plimsoll) = (remote(), Plimsoll::new());
    remote.commit("By hand", &[(WAREHOUSE, "kind: Warehouse\n")]);
    let ran = pass(&plimsoll, &remote, &[]).expect(4).json();
    assert_eq!(ran["held"][0]["what"], WAREHOUSE);
    assert_eq!(remote.file("main", WAREHOUSE).as_deref(), Some("kind: Warehouse\n"));
    assert!(remote.file("main", "state/images/portal.yaml").is_some(), "everything else is done");
    let head = remote.head("main");
    let again = pass(&plimsoll, &remote, &[]).expect(4).json();
    assert_eq!((&again["outcome"], remote.head("main")), (&"held".into(), head));
    remote.commit("Moved away", &[(WAREHOUSE, "")]);
    pass(&plimsoll, &remote, &[]).expect(0);
    assert!(remote.file("main", WAREHOUSE).unwrap().starts_with("# Made by Plimsoll"));
}

#[test]
fn the_brake_holds_a_prune_until_its_id_is_approved() {
    let names: Vec<String> = (0..6).map(|index| format!("image-{index}")).collect();
    let all: String = names.iter().map(|name| entry(name)).collect();
    let (remote, plimsoll) = (Remote::new(&[("images.yaml", &all), ("portal/Dockerfile", "FROM node:22-slim\n")]), Plimsoll::new());
    pass(&plimsoll, &remote, &[]).expect(0);
    let full = remote.tree("main");

    // Two may go, four may not.
    remote.commit("Two fewer", &[("images.yaml", &all[..entry("image-0").len() * 4])]);
    pass(&plimsoll, &remote, &[]).expect(0);
    let left = |remote: &Remote| remote.tree("main").into_keys().filter(|path| path.contains("image-")).count();
    let each = full.keys().filter(|path| path.contains("image-0")).count();
    assert!(each >= 2);
    assert_eq!(left(&remote), each * 4);

    remote.commit("Only one", &[("images.yaml", &entry("image-0"))]);
    let ran = pass(&plimsoll, &remote, &[]).expect(4).json();
    let id = ran["held"][0]["approve"].as_str().unwrap().to_owned();
    assert!(ran["held"][0]["what"].as_str().unwrap().contains("image-1, image-2, image-3"), "{ran}");
    assert_eq!(left(&remote), each * 4);
    pass(&plimsoll, &remote, &["--approve", "0123456789ab"]).expect(4);
    assert_eq!(left(&remote), each * 4, "another ID releases nothing");
    let ran = pass(&plimsoll, &remote, &["--approve", &id]).expect(0).json();
    assert!(ran["changes"].as_array().unwrap().iter().filter(|change| change["action"] == "delete").count() >= each * 3);
    assert_eq!(left(&remote), each);
    assert_eq!(pass(&plimsoll, &remote, &[]).expect(0).json()["outcome"], "converged");
}

#[test]
fn records_of_the_image_factory_are_taken_over() {
    let Some(root) = parts::shared().map(|root| root.join("compat/image-factory")) else { return };
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let (portal, node, python) = (
        read("state/images/portal.yaml"),
        read("state/base-images/node-22-bookworm-slim.yaml"),
        read("state/base-images/legacy-escapes.yaml"),
    );
    let local = |name: &str| {
        format!(
            "- name: {name}\n  registry: ghcr.io\n  repository: acme/{name}\n  source: {{provider: local, dockerfile: {name}/Dockerfile}}\n"
        )
    };
    let remote = Remote::new(&[
        ("images.yaml", &[read("images.yaml"), local("site"), local("jobs")].concat()),
        ("site/Dockerfile", "FROM node:22-bookworm-slim\n"),
        ("jobs/Dockerfile", "FROM python:3.12-slim\n"),
        ("state/images/portal.yaml", &portal),
        ("state/base-images/node-22-bookworm-slim.yaml", &node),
        ("state/base-images/python-3.12-slim.yaml", &python),
    ]);
    let plimsoll = Plimsoll::new();
    let ran = pass(&plimsoll, &remote, &[]).expect(0).json();
    assert_eq!(ran["outcome"], "published");
    let reason = |path: &str| {
        let change = ran["changes"].as_array().unwrap().iter().find(|change| change["path"] == path);
        change.unwrap_or_else(|| panic!("{path} did not change: {ran}"))["reason"]["code"].clone()
    };
    assert_eq!(reason("state/base-images/python-3.12-slim.yaml"), "repaired");

    // Each fact that the earlier tool learned is there, under its key, with its value.
    let after = |path: &str| remote.file("main", path).unwrap();
    for (path, lines) in [
        (
            "state/images/portal.yaml",
            &[
                "enrolledAt: 2025-11-04T10:00:00Z",
                "currentVersion: 0.6.5",
                "currentDigest: sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945",
                "lastBuilt: 2025-11-03T12:00:00Z",
                "teamNote: a key of the team's own",
                "- node-22-bookworm-slim",
            ][..],
        ),
        (
            "state/base-images/node-22-bookworm-slim.yaml",
            &[
                "firstDiscovered: 2025-11-04T10:00:00Z",
                "allowTags: ^22-bookworm-slim$",
                "currentDigest: sha256:2c624232cdd221771294dfbb310aca000a0df6ac8b66b696d90ef06fdefb64a3",
            ],
        ),
        (
            "state/base-images/python-3.12-slim.yaml",
            &[
                r"allowTags: ^3\.12-slim$",
                "firstDiscovered: 2025-11-04T10:00:00Z",
                "currentDigest: sha256:19581e27de7ced00ff1ce50b2047e7a567c76b1cbaebabe5ef03f7c3017bb5b7",
                "previousDigest: sha256:4a44dc15364204a80fe80e9039455cc1608281820fe2b24f1e5233ade6af1dd5",
                "- digest: sha256:19581e27de7ced00ff1ce50b2047e7a567c76b1cbaebabe5ef03f7c3017bb5b7",
                "seenAt: 2025-11-06T08:00:00Z",
            ],
        ),
    ] {
        let text = after(path);
        for line in lines {
            // Quotes are the writer's choice.
            assert!(text.replace(['"', '\''], "").replace(r"\\", r"\").contains(&line.replace('\'', "")), "{path}: {line}\n{text}");
        }
    }
    assert_eq!(pass(&plimsoll, &remote, &[]).expect(0).json()["outcome"], "converged");
}
