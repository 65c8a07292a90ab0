//! Cases from `tests/oracle/cases`, whose README says how they are written.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use plimsoll::format::dockerfile::BuildOptions;
use serde_json::Value;

/// One Dockerfile and what it is built with.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) options: BuildOptions,
}

impl Case {
    pub(super) fn told(&self) -> String {
        format!("--- {} {:?}\n{:?}", self.name, self.options, self.text)
    }
}

fn files(directory: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/cases").join(directory);
    let mut out: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    out.sort();
    out
}

/// All Dockerfiles.
pub(super) fn dockerfiles() -> Vec<Case> {
    let mut out = Vec::new();
    for path in files("dockerfiles") {
        let text = fs::read_to_string(&path).unwrap();
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let text = text.strip_prefix("=== ").unwrap_or_else(|| panic!("{} begins with a case", path.display()));
        out.extend(text.split("\n=== ").map(|case| read(stem, case)));
    }
    out
}

fn read(stem: &str, case: &str) -> Case {
    let (head, text) = case.split_once('\n').unwrap_or((case, ""));
    let (name, options) = head.split_once(" | ").unwrap_or((head, ""));
    // The line feed before the next case belongs to the text; at the end of the file it is there already.
    let text = text.strip_suffix('\n').unwrap_or(text);
    let mut case = Case { name: format!("{stem}: {name}"), text: format!("{text}\n"), options: BuildOptions::default() };
    if text.is_empty() {
        case.text.clear();
    }
    let mut words = options.split_whitespace();
    while let Some(word) = words.next() {
        let mut value = || words.next().unwrap_or_else(|| panic!("{}: {word} needs a value", case.name)).to_owned();
        match word {
            "escaped" => case.text = unescaped(text),
            "--build-arg" => {
                let given = value();
                let (key, value) = given.split_once('=').unwrap();
                case.options.build_args.insert(key.to_owned(), value.to_owned());
            }
            "--target" => case.options.target = Some(value()),
            "--platform" => case.options.platform = Some(value()),
            "--build-platform" => case.options.build_platform = Some(value()),
            other => panic!("{}: {other} is no option of a case", case.name),
        }
    }
    case
}

fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next().unwrap() {
            'n' => out.push('\n'),
            'r' => out.push('\r'),
            't' => out.push('\t'),
            '\\' => out.push('\\'),
            'u' => {
                let hex: String = chars.by_ref().skip(1).take_while(|c| *c != '}').collect();
                out.push(u32::from_str_radix(&hex, 16).ok().and_then(char::from_u32).unwrap());
            }
            other => panic!("\\{other} means nothing in a case"),
        }
    }
    out
}

/// All references.
pub(super) fn references() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/cases/references.txt");
    fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

/// All scenarios of tags.
pub(super) fn scenarios() -> Vec<Value> {
    let read = |path: PathBuf| serde_json::from_str::<Vec<Value>>(&fs::read_to_string(path).unwrap()).unwrap();
    let all: Vec<Value> = files("tags").into_iter().flat_map(read).collect();
    let ids: BTreeMap<&str, usize> = all.iter().enumerate().map(|(index, case)| (case["id"].as_str().unwrap(), index)).collect();
    assert_eq!(ids.len(), all.len(), "two scenarios share an id");
    all
}
