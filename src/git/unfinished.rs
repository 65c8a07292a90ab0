//! Finishes what a kill cut off between moving a checkout's branch and bringing its files along.
//!
//! Without this the work tree would seem to revert our commit, and people's next `git commit -a` would do so.
//! A note in the git directory names the commit; files are only touched when they are still what we left.

use std::path::Path;

use git2::{Delta, Oid, Repository as Git};

use super::objects::fault;
use crate::base::{Class, Fault};

/// The note's name in the git directory.
const NOTE: &str = "plimsoll-unfinished";

/// Notes that the branch is about to move to `commit`.
pub(super) fn begin(git: &Git, commit: Oid) -> Result<(), Fault> {
    let path = git.path().join(NOTE);
    let local = |error: std::io::Error| Fault::new(Class::Local, format!("{}: {error}", path.display()));
    // Whole or not at all: what is half written is not read.
    let fresh = path.with_extension("new");
    std::fs::write(&fresh, commit.to_string()).and_then(|()| std::fs::rename(&fresh, &path)).map_err(local)
}

/// Everything is brought along.
pub(super) fn end(git: &Git) {
    if let Err(error) = std::fs::remove_file(git.path().join(NOTE)) {
        tracing::debug!(%error, "the note of an unfinished checkout stays; the next look reads it");
    }
}

/// The paths that a killed run still has to bring along, when the checked-out branch is still at its commit.
pub(super) fn paths(git: &Git) -> Result<Vec<String>, Fault> {
    let noted = std::fs::read_to_string(git.path().join(NOTE)).ok().and_then(|text| Oid::from_str(text.trim()).ok());
    let Some(noted) = noted else { return Ok(Vec::new()) };
    let head = git.head().and_then(|head| head.peel_to_commit()).map_err(|error| fault(&error))?;
    let (Some(root), true) = (git.workdir(), head.id() == noted) else { return Ok(Vec::new()) };
    let before = match head.parent(0) {
        Ok(parent) => Some(parent.tree().map_err(|error| fault(&error))?),
        Err(_) => None,
    };
    let after = head.tree().map_err(|error| fault(&error))?;
    let difference = git.diff_tree_to_tree(before.as_ref(), Some(&after), None).map_err(|error| fault(&error))?;
    let mut index = git.index().map_err(|error| fault(&error))?;
    index.read(true).map_err(|error| fault(&error))?;
    let mut out = Vec::new();
    for delta in difference.deltas() {
        let (old, new) = (delta.old_file(), delta.new_file());
        let Some(path) = new.path().or_else(|| old.path()).and_then(Path::to_str) else { continue };
        let staged = index.get_path(Path::new(path), 0).map_or(Oid::ZERO_SHA1, |entry| entry.id);
        let is_ours = [old.id(), new.id()].contains(&staged);
        let written = match std::fs::read(root.join(path)) {
            Ok(content) => is_left(git, &content, old.id()) || is_left(git, &content, new.id()),
            // Not written yet, or removed already.
            Err(_) => matches!(delta.status(), Delta::Added | Delta::Deleted),
        };
        if is_ours && written {
            out.push(path.to_owned());
        } else {
            tracing::warn!(path, "a killed run did not bring this file along, and it was changed since; it stays as it is");
        }
    }
    Ok(out)
}

/// Whether `content` is the blob, or the beginning of it that a kill leaves.
fn is_left(git: &Git, content: &[u8], blob: Oid) -> bool {
    git.find_blob(blob).is_ok_and(|blob| blob.content().starts_with(content))
}
