//! Backstage's own packages, in Node, take what is rendered: catalog-model's validators, a catalog, a scaffolder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::parts;
use crate::support::program::Plimsoll;

/// The oldest Node that the packages run on.
const NODE: u32 = 20;

/// Files of the test that Node runs.
const FILES: [&str; 6] = ["package.json", "package-lock.json", "backend.js", "rendered.js", "catalog.test.js", "template.test.js"];

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

#[test]
fn backstage_takes_what_is_rendered() {
    if !parts::are_there(&["node", "npm"]) || !node_is_new_enough() {
        return;
    }
    let Some(place) = installed() else { return };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let plimsoll = Plimsoll::new();
    let rendered = plimsoll.home().join("rendered");
    let example = root.join("examples/full").display().to_string();
    plimsoll.run(&["render", &example, "--system", "backstage", "--out", rendered.to_str().unwrap()]).expect(0);
    let ran = Command::new("npm")
        .args(["test", "--silent"])
        .current_dir(place)
        .env("RENDERED", &rendered)
        .env("EXAMPLE", root.join("examples/backstage"))
        .env("PLIMSOLL", env!("CARGO_BIN_EXE_plimsoll"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{told}\n{}", String::from_utf8_lossy(&ran.stderr));
    // A runner that finds no test succeeds too.
    assert!(told.lines().any(|line| line == "# pass 9") && told.lines().any(|line| line == "# fail 0"), "{told}");
}
