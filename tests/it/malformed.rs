//! Thirty kinds of malformed entry among a thousand good ones: each is named, and none takes anything away.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::program::Plimsoll;
use crate::support::remote::{Remote, git};

const GOOD: usize = 1_000;

fn entry(name: &str) -> String {
    format!(
        "- name: {name}\n  registry: reg.example\n  repository: team/{name}\n  source:\n    provider: local\n    dockerfile: df/{name}\n"
    )
}

fn one(name: &str) -> String {
    entry(name).lines().fold(String::new(), |text, line| text + line.get(2..).unwrap_or_default() + "\n")
}

/// Replacements in an entry that stays in `images.yaml`: what it is called, what is replaced, and by what.
const IN_LIST: [(&str, &str, &str); 19] = [
    ("registry-is-a-map", "registry: reg.example", "registry: {host: reg.example}"),
    ("repository-is-a-list", "repository: team/", "repository:\n    - team/"),
    ("no-registry", "  registry: reg.example\n", ""),
    ("no-repository", "  repository: ", "  repositories: "),
    ("unknown-provider", "provider: local", "provider: svn"),
    ("no-provider", "    provider: local\n", ""),
    ("no-dockerfile", "    dockerfile: ", "    dokerfile: "),
    ("path-with-parent", "dockerfile: df/", "dockerfile: ../df/"),
    ("absolute-path", "dockerfile: df/", "dockerfile: /df/"),
    ("bad-reference", "registry: reg.example", "registry: not a host"),
    ("uppercase-repository", "repository: team/", "repository: Team/"),
    ("tag-in-repository", "repository: team/", "repository: team/x:1."),
    ("unquoted-branch", "    provider: local", "    provider: git\n    repo: https://git.example/a.git\n    branch: 1.10"),
    ("bad-branch", "    provider: local", "    provider: git\n    repo: https://git.example/a.git\n    branch: a..b"),
    ("bad-url", "    provider: local", "    provider: git\n    repo: \"ext::sh -c id\""),
    ("bad-duration", "  source:", "  rebuildDelay: soon\n  source:"),
    ("bad-flag", "  source:", "  autoRebuild: perhaps\n  source:"),
    ("source-is-text", "  source:\n    provider: local\n    dockerfile: ", "  source: "),
    ("managed-and-watched", "  source:", "  allowTags: \"^1$\"\n  source:"),
];

/// Whole files of `images.d/`, some of which can't be read at all.
fn files_of_their_own() -> Vec<(&'static str, Vec<u8>)> {
    let with = |name: &str, from: &str, to: &str| one(name).replace(from, to).into_bytes();
    vec![
        ("bad-regex", b"name: bad-regex\nregistry: reg.example\nrepository: team/x\nallowTags: \"[\"\n".to_vec()),
        ("unquoted-version", b"name: unquoted-version\nregistry: reg.example\nrepository: team/x\nconstraint: 3.10\n".to_vec()),
        ("bad-name", with("bad-name", "name: bad-name", "name: Bad Name")),
        ("an-alias", with("an-alias", "registry: reg.example", "registry: &r reg.example\nowner: *r")),
        ("tab-indentation", with("tab-indentation", "  provider", "\tprovider")),
        ("not-utf-8", [one("not-utf-8").into_bytes(), b"owner: \xff\xfe\n".to_vec()].concat()),
        ("second-document", with("second-document", "registry:", "---\nregistry:")),
        ("a-text", b"just words\n".to_vec()),
        ("duplicate-key", with("duplicate-key", "registry: reg.example", "registry: reg.example\nregistry: reg.example")),
    ]
}

/// Dockerfiles that can't be used; `None` is one that is not there.
const DOCKERFILES: [(&str, Option<&str>); 2] = [("dockerfile-is-missing", None), ("dockerfile-is-wrong", Some("FORM upstream:1\n"))];

fn ill() -> Vec<&'static str> {
    IN_LIST
        .iter()
        .map(|(name, ..)| *name)
        .chain(files_of_their_own().iter().map(|(name, _)| *name))
        .chain(DOCKERFILES.iter().map(|(name, _)| *name))
        .collect()
}

/// Writes files into the work tree without committing.
fn put(remote: &Remote, path: &str, content: &[u8]) {
    let path = remote.work().join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

/// A remote in which every entry is good and published.
fn healthy(plimsoll: &Plimsoll, good: usize, own_files: &[&str], listed: &[&str]) -> Remote {
    let remote = Remote::new(&[]);
    let mut images = String::new();
    for index in 0..good {
        images += &entry(&format!("good{index}"));
        put(&remote, &format!("df/good{index}"), format!("FROM upstream/base:1.{}\n", index % 20).as_bytes());
    }
    for name in listed {
        images += &entry(name);
    }
    for name in own_files {
        put(&remote, &format!("images.d/{name}.yaml"), one(name).as_bytes());
    }
    for name in listed.iter().chain(own_files) {
        put(&remote, &format!("df/{name}"), format!("FROM upstream/of-{name}:1\n").as_bytes());
    }
    put(&remote, "images.yaml", images.as_bytes());
    remote.commit("Everything is good", &[]);
    let outcome = once(plimsoll, &remote, 0);
    assert_eq!(outcome["outcome"], "published");
    assert_eq!(remote.commits("main"), 3);
    git(&remote.work(), &["pull", "--quiet", "--rebase", "origin", "main"]);
    remote
}

fn once(plimsoll: &Plimsoll, remote: &Remote, code: i32) -> Value {
    plimsoll.run(&["--repo", &remote.url(), "--once", "--offline", "-o", "json"]).expect(code).json()
}

/// State and rendered files with their blobs.
fn record(remote: &Remote) -> Vec<(String, String)> {
    remote.tree("main").into_iter().filter(|(path, _)| path.starts_with("state/") || path.starts_with("rendered/")).collect()
}

/// Blobs of the record, of which `images` may only have told their new trouble in their own state.
fn assert_kept(remote: &Remote, before: &[(String, String)], images: &BTreeSet<String>) {
    let now: std::collections::BTreeMap<_, _> = record(remote).into_iter().collect();
    for (path, blob) in before {
        if !images.contains(path) {
            assert_eq!(now.get(path), Some(blob), "{path}");
        }
        assert!(now.contains_key(path), "{path} was pruned");
    }
}

#[test]
fn thirty_malformed_entries_stop_only_themselves() {
    let plimsoll = Plimsoll::new();
    let own: Vec<(&str, Vec<u8>)> = files_of_their_own();
    let own_names: Vec<&str> = own.iter().map(|(name, _)| *name).collect();
    let listed: Vec<&str> = IN_LIST.iter().map(|(name, ..)| *name).chain(DOCKERFILES.iter().map(|(name, _)| *name)).collect();
    assert_eq!(ill().len(), 30);
    let remote = healthy(&plimsoll, GOOD, &own_names, &listed);
    let before = record(&remote);

    let mut images = std::fs::read_to_string(remote.work().join("images.yaml")).unwrap();
    for (name, from, to) in IN_LIST {
        let good = entry(name);
        let broken = good.replace(from, to);
        assert_ne!(good, broken, "{name}");
        images = images.replace(&good, &broken);
    }
    // A name that is taken: the first stands, the second is told.
    images += &entry("good7");
    put(&remote, "images.yaml", images.as_bytes());
    for (name, content) in &own {
        put(&remote, &format!("images.d/{name}.yaml"), content);
    }
    for (name, content) in DOCKERFILES {
        match content {
            Some(content) => put(&remote, &format!("df/{name}"), content.as_bytes()),
            None => std::fs::remove_file(remote.work().join(format!("df/{name}"))).unwrap(),
        }
    }
    // All good ones move to another base, so that each has something to record.
    for index in 0..GOOD {
        put(&remote, &format!("df/good{index}"), format!("FROM upstream/base:2.{}\n", index % 20).as_bytes());
    }
    remote.commit("Thirty are broken", &[]);
    let commits = remote.commits("main");
    let outcome = once(&plimsoll, &remote, 4);
    assert_eq!(outcome["outcome"], "partial", "{:#}", outcome["held"]);
    assert_eq!(remote.commits("main"), commits + 1, "one commit holds them all");

    let changed: BTreeSet<&str> = outcome["changes"].as_array().unwrap().iter().map(|change| change["path"].as_str().unwrap()).collect();
    for index in 0..GOOD {
        assert!(changed.contains(format!("state/images/good{index}.yaml").as_str()), "good{index} is not recorded");
    }
    let findings: Vec<&Value> =
        outcome["diagnostics"].as_array().unwrap().iter().filter(|finding| finding["severity"] == "error").collect();
    for finding in &findings {
        let placed =
            !finding["file"].as_str().unwrap().is_empty() && finding["line"].as_u64() > Some(0) && finding["column"].as_u64() > Some(0);
        assert!(placed, "{finding:#}");
    }
    for name in ill() {
        let first = images.lines().position(|line| line == format!("- name: {name}")).map_or(0, |line| line + 1) as u64;
        let last = first + entry(name).lines().count() as u64 + 4;
        let is_told = findings.iter().any(|finding| {
            let file = finding["file"].as_str().unwrap();
            let in_list = file == "images.yaml" && first > 0 && (first..last).contains(&finding["line"].as_u64().unwrap());
            file == format!("images.d/{name}.yaml") || file == format!("df/{name}") || in_list
        });
        assert!(is_told, "{name} is not told: {findings:#?}");
    }
    assert!(findings.iter().any(|finding| finding["code"] == "duplicate-name"));

    // What the broken own is as it was, but that a Dockerfile's trouble is told in its image's own state.
    let may_change: BTreeSet<String> = before
        .iter()
        .map(|(path, _)| path.clone())
        .filter(|path| {
            path.contains("/good")
                || path.contains("upstream-base-")
                || DOCKERFILES.iter().any(|(name, _)| *path == format!("state/images/{name}.yaml"))
        })
        .collect();
    let bases_left: Vec<_> = before.iter().filter(|(path, _)| !path.contains("upstream-base-")).cloned().collect();
    assert_kept(&remote, &bases_left, &may_change);
    remote.fsck();
    let settled = once(&plimsoll, &remote, 4);
    assert_eq!((&settled["commit"], &settled["changes"]), (&Value::Null, &Value::Array(Vec::new())), "the second pass has nothing to do");
}

#[test]
fn an_unparsable_list_freezes_its_own_entries() {
    let plimsoll = Plimsoll::new();
    let remote = healthy(&plimsoll, 5, &["alone"], &[]);
    let before = record(&remote);
    put(&remote, "df/new", b"FROM upstream/new:1\n");
    put(&remote, "images.d/new.yaml", one("new").as_bytes());
    remote.commit("Half a merge", &[("images.yaml", "<<<<<<< HEAD\n- name: good0\n=======\n")]);
    let outcome = once(&plimsoll, &remote, 4);
    assert!(remote.tree("main").contains_key("state/images/new.yaml"), "images.d goes on");
    assert_kept(&remote, &before, &BTreeSet::new());
    let told = outcome["diagnostics"]
        .as_array()
        .unwrap()
        .iter()
        .any(|finding| finding["file"] == "images.yaml" && finding["line"].as_u64() > Some(0));
    assert!(told, "{:#}", outcome["diagnostics"]);
}

#[test]
fn an_emptied_list_is_held_by_the_brake() {
    let plimsoll = Plimsoll::new();
    for emptied in ["# nothing\n", "[]\n", "images: []\n"] {
        let remote = healthy(&plimsoll, 5, &[], &[]);
        let before = record(&remote);
        remote.commit("Emptied", &[("images.yaml", emptied)]);
        let outcome = once(&plimsoll, &remote, 4);
        assert_eq!((&outcome["outcome"], &outcome["commit"]), (&"held".into(), &Value::Null), "{emptied:?}");
        let id = outcome["held"][0]["approve"].as_str().unwrap_or_else(|| panic!("{emptied:?}: {:#}", outcome["held"])).to_owned();
        assert_eq!(record(&remote), before);
        let repo = remote.url();
        plimsoll.run(&["--repo", &repo, "--once", "--offline", "--approve", &id, "-o", "json"]);
        assert!(!remote.tree("main").contains_key("state/images/good0.yaml"), "{emptied:?}: the ID releases it");
    }
}

#[test]
fn unusable_settings_stop_the_pass_before_anything_is_done() {
    let plimsoll = Plimsoll::new();
    let remote = healthy(&plimsoll, 3, &[], &[]);
    put(&remote, "df/new", b"FROM upstream/new:1\n");
    put(&remote, "images.d/new.yaml", one("new").as_bytes());
    for settings in ["a: [\n", "- a list\n", "a: b\n---\nc: d\n"] {
        let head = remote.commit("Settings", &[("plimsoll.yaml", settings)]);
        let outcome = once(&plimsoll, &remote, 3);
        let finding = &outcome["diagnostics"][0];
        assert_eq!(finding["file"], "plimsoll.yaml", "{settings:?}");
        assert!(finding["line"].as_u64() > Some(0) && finding["column"].as_u64() > Some(0), "{settings:?}: {finding:#}");
        assert_eq!(remote.head("main"), head);
    }
    remote.commit("Settings are gone", &[("plimsoll.yaml", "")]);
    once(&plimsoll, &remote, 0);
}

#[test]
fn a_symlinked_list_is_refused_and_freezes_its_entries() {
    let plimsoll = Plimsoll::new();
    let remote = healthy(&plimsoll, 5, &["alone"], &[]);
    let before = record(&remote);
    std::fs::rename(remote.work().join("images.yaml"), remote.work().join("elsewhere.yaml")).unwrap();
    std::os::unix::fs::symlink("elsewhere.yaml", remote.work().join("images.yaml")).unwrap();
    let head = remote.commit("A symlink", &[]);
    assert!(git(&remote.bare(), &["ls-tree", "main", "images.yaml"]).starts_with("120000"));
    let outcome = once(&plimsoll, &remote, 4);
    assert_eq!((record(&remote), remote.head("main")), (before, head));
    assert!(outcome["diagnostics"].as_array().unwrap().iter().any(|finding| finding["file"] == "images.yaml"));
}
