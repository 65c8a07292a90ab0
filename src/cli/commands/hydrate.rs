//! `hydrate`, and `render --hydrator-dry-sha`: manifests as a source hydrator leaves them, for promotion by branches.
//!
//! The directory of the latter is a checkout of the branch `<active>-next`. Files that are no longer rendered go; foreign files
//! stay. When no manifest changed, nothing is written at all, so that no commit follows from a look alone.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::json;

use super::super::args::{Format, HydrateArgs};
use super::super::output::{self, document, text};
use super::super::world::{Owned, repository_options, shown_url};
use super::Context;
use super::looking::{refused, until_interrupted};
use crate::base::{Class, Fault};
use crate::format::head;
use crate::git::{self, RepositoryOptions};
use crate::model::branch::BranchName;
use crate::model::{CommitId, Owner};
use crate::reconcile::hydrate::{METADATA, beside, metadata};
use crate::reconcile::{Options, hydrate as hydration};
use crate::render::{self, Document};

/// Deepest directory that is looked into for files of ours.
const DEEPEST: usize = 16;

/// Pushes the manifests to the branch beside `active`.
pub(super) fn branch(context: &Context, args: &HydrateArgs) -> Result<u8, Fault> {
    let next = BranchName::parse(&format!("{}-next", args.active))
        .map_err(|message| Fault::new(Class::Config, format!("{}-next: {message}", crate::base::fault::foreign(&args.active))))?;
    let done = until_interrupted(async {
        let owned = Owned::open(&context.operator)?;
        let onto = RepositoryOptions { record_branch: Some(next.clone()), ..repository_options(&context.operator)? };
        let onto = git::open_hydrated(onto)?;
        let allow_templates = context.operator.allow_templates;
        let options = Options { repo_url: shown_url(&context.operator), allow_templates, ..Options::default() };
        hydration::hydrate(&owned.unasked(), onto.as_ref(), &options).await
    })?;
    if let Some(code) = refused(context, &done.drafted) {
        return Ok(code);
    }
    text::diagnostics(&done.drafted.diagnostics, context.err);
    if done.head.is_none() && done.refused.is_none() {
        return Err(Fault::new(Class::Config, "nothing is hydrated while the config has errors").hint("correct what is named above"));
    }
    let dry = done.drafted.snapshot.as_ref().map(|snapshot| snapshot.config.clone());
    match (context.operator.output, &done.head, &dry) {
        (Format::Text, Some(head), Some(dry)) => {
            let changed = if done.changed == 0 { "nothing changed".to_owned() } else { format!("{} changed", done.changed) };
            output::print(&format!("{next} is at {}: {} manifests of {}, {changed}\n", head.short(), done.manifests, dry.short()));
        }
        (Format::Text, ..) => {}
        (format, head, dry) => output::structured(
            &json!({
                "branch": next.to_string(),
                "commit": head.as_ref().map(CommitId::as_str),
                "drySha": dry.as_ref().map(CommitId::as_str),
                "manifests": done.manifests,
                "changed": done.changed,
                "refused": done.refused,
                "diagnostics": document::diagnostics(&done.drafted.diagnostics),
            }),
            format,
        ),
    }
    match done.refused {
        None => Ok(0),
        Some(why) => {
            text::say(&format!("held: {next}: {why}"));
            Ok(4)
        }
    }
}

/// Makes `out` hold exactly `documents` and the metadata of `sha`.
pub(super) fn directory(out: &Path, sha: &str, documents: &[(&String, &Document)]) -> Result<u8, Fault> {
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
    if changed == 0 && out.join(METADATA).exists() {
        text::say("nothing changed; no file was touched");
        return Ok(0);
    }
    for (path, content) in beside(&commit, &metadata(&commit, None, None), systems) {
        write(&out.join(path), &content)?;
    }
    text::say(&format!("{} files, {changed} of them changed, for {}", wanted.len(), commit.short()));
    Ok(0)
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
