//! Backstage's own packages, in Node, take what is rendered: catalog-model's validators, a catalog, a scaffolder.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use plimsoll::model::settings::{BackstageSettings, EntityKinds};

use crate::manifests_worlds::seeded;
use crate::support::parts;
use crate::support::program::Plimsoll;

/// The oldest Node that the packages run on.
const NODE: u32 = 20;

/// Files of the test that Node runs.
const FILES: [&str; 8] = [
    "package.json",
    "package-lock.json",
    "backend.js",
    "entities.js",
    "rendered.js",
    "catalog.test.js",
    "generated.test.js",
    "template.test.js",
];

/// How many generated config repositories are looked at.
const WORLDS: usize = 200;

fn node_is_new_enough() -> bool {
    let told = Command::new("node").arg("--version").output().unwrap().stdout;
    let version = String::from_utf8(told).unwrap();
    let major = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    major.is_some_and(|major| major >= NODE) || parts::ignored(&format!("Node {NODE} or newer is needed, this is {}", version.trim()))
}

/// A directory with the test's files and the packages that its lock names, installed once for each lock. Scripts of
/// packages do not run. An install that a kill cut short has no stamp, and is done again.
fn installed() -> Option<PathBuf> {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("backstage");
    fs::create_dir_all(&place).unwrap();
    for file in FILES {
        fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/backstage").join(file), place.join(file)).unwrap();
    }
    let (lock, stamp) = (fs::read(place.join("package-lock.json")).unwrap(), place.join("installed.lock"));
    if fs::read(&stamp).is_ok_and(|stamped| stamped == lock) {
        return Some(place);
    }
    let npm = Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--prefer-offline", "--cache"])
        .arg(place.join("cache"))
        .current_dir(&place)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    if !npm.status.success() {
        parts::ignored(&format!(
            "npm can't fetch the packages: {}",
            String::from_utf8_lossy(&npm.stderr).lines().next().unwrap_or_default()
        ));
        return None;
    }
    fs::write(stamp, lock).unwrap();
    Some(place)
}

/// Node and the packages, unless they are missing.
fn ready() -> Option<PathBuf> {
    (parts::are_there(&["node", "npm"]) && node_is_new_enough()).then(installed).flatten()
}

/// Renders `directory` and runs the tests of `files` on it; all `count` of them pass.
fn taken(place: &Path, plimsoll: &Plimsoll, directory: &Path, files: &[&str], count: usize) {
    let rendered = plimsoll.home().join("rendered");
    plimsoll.run(&["render", directory.to_str().unwrap(), "--system", "backstage", "--out", rendered.to_str().unwrap()]).expect(0);
    tested(place, &rendered, &rendered, files, count);
}

/// Runs the tests of `files`; all `count` of them pass.
fn tested(place: &Path, rendered: &Path, generated: &Path, files: &[&str], count: usize) {
    let ran = Command::new("node")
        .args(["--test", "--test-force-exit", "--test-concurrency=1", "--test-reporter=tap"])
        .args(files)
        .current_dir(place)
        .env("RENDERED", rendered)
        .env("GENERATED", generated)
        .env("EXAMPLE", Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/backstage"))
        .env("PLIMSOLL", env!("CARGO_BIN_EXE_plimsoll"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{told}\n{}", String::from_utf8_lossy(&ran.stderr));
    // A runner that finds no test succeeds too.
    assert!(told.lines().any(|line| line == format!("# pass {count}")), "{told}");
}

/// One test, because npm installs into one place.
#[test]
fn backstage_takes_what_is_rendered() {
    let Some(place) = ready() else { return };
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/full");
    taken(&place, &Plimsoll::new(), &example, &["catalog.test.js", "template.test.js"], 9);
    let home = tempfile::tempdir().unwrap();
    let trees = home.path().join("trees.json");
    fs::write(&trees, serde_json::to_vec(&generated()).unwrap()).unwrap();
    tested(&place, home.path(), &trees, &["generated.test.js"], 2);
    if let Some(shared) = parts::shared() {
        let plimsoll = Plimsoll::new();
        let directory = plimsoll.home().join("config");
        recorded(&shared, &directory);
        taken(&place, &plimsoll, &directory, &["catalog.test.js"], 4);
    }
}

/// What is rendered for Backstage from each generated repository, by path.
fn generated() -> Vec<BTreeMap<String, String>> {
    let rendered = seeded(WORLDS).into_iter().map(|mut world| {
        world.settings.backstage = Some(BackstageSettings { kinds: EntityKinds::Both, ..BackstageSettings::default() });
        let documents = world.render().documents.into_iter().filter(|(path, _)| path.starts_with("rendered/backstage/"));
        documents.map(|(path, document)| (path, document.body)).collect()
    });
    rendered.collect()
}

/// A repository of the image factory with what it recorded, and an entry whose texts mean something to somebody.
fn recorded(shared: &Path, directory: &Path) {
    let copied = Command::new("cp").arg("-r").arg(shared.join("compat/image-factory")).arg(directory).status().unwrap();
    assert!(copied.success());
    // A sample of what a file may hold; its name is not its image's.
    fs::remove_file(directory.join("state/base-images/legacy-escapes.yaml")).unwrap();
    let settings = "repository: {url: \"https://github.com/acme/images\"}\nkargo: {mode: off}\nbackstage: {kinds: both}\n";
    fs::write(directory.join("plimsoll.yaml"), settings).unwrap();
    fs::create_dir(directory.join("images.d")).unwrap();
    let wild = r#"
registry: docker.io
repository: library/redis
constraint: ">=7"
imageSelectionStrategy: SemVer
title: "\": - # &a *b ${{ parameters.x }} {{ y }}"
description: "a\n---\nkind: Group\n\u0085\u2028 <script>"
owner: group:default/web
lifecycle: "{% if x %}"
hold: "until: 1.10"
tags: [Node 22, "3.12", c++, "!"]
links:
- {url: "javascript:alert(1)", title: Run}
- {url: "https://acme.example/?a=b#c", title: "a: b"}
- {url: "https://acme.example"}
"#;
    fs::write(directory.join("images.d/wild.yaml"), wild).unwrap();
}
