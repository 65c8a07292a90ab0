//! Rules of the tree that no compiler checks.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(directory: &str) -> Vec<PathBuf> {
    let mut out = Vec::new();
    let mut open = vec![root().join(directory)];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { open.push(path) } else { out.push(path) }
        }
    }
    out.sort();
    out
}

fn sources() -> Vec<(String, String)> {
    let all = files("src").into_iter().chain(files("tests"));
    let rust = all.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    rust.map(|path| (path.strip_prefix(root()).unwrap().display().to_string(), fs::read_to_string(&path).unwrap())).collect()
}

/// The floor of a module; two modules of one floor do not know each other, but for the lowest.
fn floor(module: &str) -> Option<u8> {
    Some(match module {
        "base" | "model" => 0,
        "format" => 1,
        "plan" | "render" => 2,
        "ports" => 3,
        "git" | "registry" | "folder" | "forge" | "docker" => 4,
        "reconcile" => 5,
        "cli" => 7,
        _ => return None,
    })
}

/// Modules that `text` names as `crate::<module>`.
fn named(text: &str) -> BTreeSet<&str> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let words = code.flat_map(|line| line.split("crate::").skip(1));
    words
        .filter_map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next())
        .filter(|word| floor(word).is_some())
        .collect()
}

#[test]
fn imports_point_down() {
    let mut wrong = Vec::new();
    for (path, text) in sources().iter().filter(|(path, _)| path.starts_with("src/") && !path.contains("tests")) {
        let module = path.trim_start_matches("src/").split(['/', '.']).next().unwrap();
        let Some(own) = floor(module) else { continue };
        // Imports of a module's own tests may reach anywhere.
        let code = text.split("#[cfg(test)]").next().unwrap();
        for other in named(code).into_iter().filter(|other| *other != module) {
            let theirs = floor(other).unwrap();
            if theirs > own || (theirs == own && own != 0) || (module == "base") {
                wrong.push(format!("{path} uses {other}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn files_are_short_named_and_finished() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let lines = text.lines().count();
        if lines > 500 {
            wrong.push(format!("{path} has {lines} lines; more than one idea lives there"));
        }
        if !text.starts_with("//!") {
            wrong.push(format!("{path} does not say what it is about"));
        }
        let stem = Path::new(&path).file_stem().unwrap().to_str().unwrap();
        if ["util", "utils", "helper", "helpers", "manager", "common", "misc", "data", "info"].contains(&stem) {
            wrong.push(format!("{path} has a name that says nothing"));
        }
        // Spelt apart, so that this file does not find itself.
        for word in [["TO", "DO"], ["FIX", "ME"], ["todo", "!("], ["unimplemented", "!("], ["/ho", "me/"], ["/wo", "rk/"], ["/ro", "ot/"]] {
            if text.contains(&word.concat()) {
                wrong.push(format!("{path} contains {}", word.concat()));
            }
        }
        let wire_free = path.starts_with("src/model/") || path.starts_with("src/base/");
        if wire_free && ["Serialize", "Deserialize"].iter().any(|word| text.contains(word)) {
            wrong.push(format!("{path} knows a wire format"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_directory_is_in_the_architecture() {
    let page = fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap();
    let mut missing = BTreeSet::new();
    for path in files("src") {
        let directory = path.parent().unwrap().strip_prefix(root()).unwrap().display().to_string();
        if directory != "src" && !page.contains(&format!("`{directory}`")) {
            missing.insert(directory);
        }
    }
    for entry in fs::read_dir(root()).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_dir() && !name.starts_with('.') && name != "target" && !page.contains(&format!("`{name}")) {
            missing.insert(name);
        }
    }
    assert!(missing.is_empty(), "not named in docs/ARCHITECTURE.md: {missing:?}");
    assert!(page.lines().count() <= 200);
}

#[test]
fn every_test_file_is_run() {
    let main = fs::read_to_string(root().join("tests/it/main.rs")).unwrap();
    for entry in fs::read_dir(root().join("tests/it")).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap();
        assert!(
            ["main", "snapshots"].contains(&stem) || main.contains(&format!("mod {stem};")),
            "{} is not listed in tests/it/main.rs",
            path.display()
        );
    }
}

#[test]
fn the_changelog_has_a_place_for_what_comes() {
    assert!(fs::read_to_string(root().join("CHANGELOG.md")).unwrap().contains("\n## Unreleased\n"));
}
