//! `render --hydrator-dry-sha`: a directory as a source hydrator leaves it, for promotion by branches.
//!
//! The directory is a checkout of the branch `<active>-next`. Files that are no longer rendered go; foreign files
//! stay. When no manifest changed, nothing is written at all, so that no commit follows from a look alone.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::json;

use super::super::output::text;
use crate::base::{Class, Fault};
use crate::format::head;
use crate::model::{CommitId, Owner};
use crate::render::{self, Document};

/// Deepest directory that is looked into for files of ours.
const DEEPEST: usize = 16;

/// Makes `out` hold exactly `documents` and the metadata of `sha`.
pub(super) fn hydrate(out: &Path, sha: &str, documents: &[(&String, &Document)]) -> Result<u8, Fault> {
    let Some(commit) = CommitId::parse(sha) else {
        return Err(Fault::new(Class::Config, "--hydrator-dry-sha takes a whole commit id: 40 or 64 hexadecimal digits"));
    };
    let mut wanted = BTreeSet::new();
    let mut changed = 0;
    for (path, document) in documents {
        let relative = path.strip_prefix("rendered/").unwrap_or(path);
        wanted.insert(relative.to_owned());
        changed += usize::from(write(&out.join(relative), &render::file(path, document))?);
    }
    let systems: BTreeSet<&str> = wanted.iter().filter_map(|path| path.split('/').next()).collect();
    let mut ours = Vec::new();
    for target in render::TARGETS {
        walk(out, target.name(), 0, &mut ours)?;
    }
    for path in ours.iter().filter(|path| !wanted.contains(*path)) {
        fs::remove_file(out.join(path)).map_err(|error| local(&out.join(path), &error))?;
        changed += 1;
    }
    if changed == 0 && out.join("hydrator.metadata").exists() {
        text::say("nothing changed; no file was touched");
        return Ok(0);
    }
    let metadata = format!("{:#}\n", json!({"drySha": commit.as_str()}));
    for directory in [""].into_iter().chain(systems) {
        write(&out.join(directory).join("hydrator.metadata"), &metadata)?;
    }
    write(&out.join("README.md"), &readme(&commit))?;
    write(&out.join(".gitattributes"), "* linguist-generated=true\n")?;
    text::say(&format!("{} files, {changed} of them changed, for {}", wanted.len(), commit.short()));
    Ok(0)
}

fn readme(commit: &CommitId) -> String {
    format!(
        "# Rendered manifests\n\nMade by Plimsoll from commit {commit} of the config repository. To make them again there:\n\n```sh\ngit checkout {commit}\nplimsoll render --out DIRECTORY\n```\n"
    )
}

/// Whether the file had to be written.
fn write(path: &Path, content: &str) -> Result<bool, Fault> {
    if fs::read(path).is_ok_and(|before| before == content.as_bytes()) {
        return Ok(false);
    }
    let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(path, content));
    written.map(|()| true).map_err(|error| local(path, &error))
}

/// Files of ours below a directory, by their heads.
fn walk(root: &Path, relative: &str, depth: usize, ours: &mut Vec<String>) -> Result<(), Fault> {
    let Ok(entries) = fs::read_dir(root.join(relative)) else { return Ok(()) };
    for entry in entries {
        let entry = entry.map_err(|error| local(root, &error))?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let own = format!("{relative}/{name}");
        let kind = entry.file_type().map_err(|error| local(&entry.path(), &error))?;
        if kind.is_dir() && depth < DEEPEST {
            walk(root, &own, depth + 1, ours)?;
        } else if kind.is_file() {
            let content = fs::read(entry.path()).map_err(|error| local(&entry.path(), &error))?;
            if head::read(&content).is_some_and(|head| Owner::parse(head.subject).is_some()) {
                ours.push(own);
            }
        }
    }
    Ok(())
}

fn local(path: &Path, error: &std::io::Error) -> Fault {
    Fault::new(Class::Local, format!("{}: {error}", path.display()))
}
