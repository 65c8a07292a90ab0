//! Moves a branch of a checkout, and brings its files along.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use git2::{Index, IndexEntry, IndexTime, Oid, Repository as Git, StatusOptions, Tree, build::CheckoutBuilder};

use super::checkout::{Destination, tip};
use super::desk::{Desk, Lock};
use super::objects::{commit_id, fault, oid};
use super::unfinished;
use crate::base::{Class, Fault};
use crate::model::branch::BranchName;
use crate::ports::{Proposal, Publication};

/// Moves the branch by compare-and-swap, and brings a clean work tree along as `git merge --ff-only` would.
pub(super) fn move_branch(git: &Git, destination: &Destination, proposal: &Proposal, commit: Oid) -> Result<Publication, Fault> {
    let Some(branch) = &destination.branch else {
        return Ok(Publication::Declined("HEAD is detached; name a branch with --branch".to_owned()));
    };
    let expected = proposal.parent.as_ref().map(|id| oid(id.as_str())).transpose()?;
    if tip(git, branch)? != expected {
        return Ok(Publication::Moved);
    }
    let desk = Desk::put_up(git)?;
    let mut index = None;
    if destination.checked_out && !git.is_bare() {
        index = desk.lock(git.path().join("index"))?;
        if index.is_none() {
            return Ok(Publication::Moved);
        }
        if let Some(path) = dirt(git, proposal)? {
            return Ok(Publication::Declined(format!("the work tree has changes of its own ({path}); commit or stash them")));
        }
        unfinished::begin(git, commit)?;
    }
    if !swap(git, &desk, branch, expected, commit, proposal)? {
        return Ok(Publication::Moved);
    }
    if let Some(index) = index {
        bring_along(git, &desk, index, &proposal.files.keys().collect())?;
        unfinished::end(git);
    }
    Ok(Publication::Published(commit_id(commit)?))
}

/// Sets the branch to `commit` if it is at `expected` (nothing: it does not exist) once its lock is held.
fn swap(git: &Git, desk: &Desk, branch: &BranchName, expected: Option<Oid>, commit: Oid, proposal: &Proposal) -> Result<bool, Fault> {
    let full = branch.full();
    if expected.is_none() && stands_in_the_way(git, &full)? {
        return Err(Fault::new(Class::Config, format!("{branch}: a branch of another name stands where this one would be"))
            .hint("git keeps branches as files: `a` and `a/b` can't both be; choose another --record-branch"));
    }
    let Some(lock) = desk.lock(git.commondir().join(&full))? else { return Ok(false) };
    if tip(git, branch)? != expected {
        return Ok(false);
    }
    let prepared = desk.lay("branch", format!("{commit}\n").as_bytes())?;
    lock.replace(&prepared)?;
    let logs = [(git.commondir().join("logs").join(&full), true), (git.path().join("logs/HEAD"), is_head(git, &full))];
    let before = expected.unwrap_or(Oid::ZERO_SHA1);
    let when = proposal.when.as_second();
    let line = format!("{before} {commit} {} <{}> {when} +0000\tplimsoll: record\n", proposal.author, proposal.email);
    for (path, _) in logs.iter().filter(|(path, wanted)| *wanted && (path.exists() || !git.is_bare())) {
        let parent = path.parent().map_or(Ok(()), fs::create_dir_all);
        let written = parent.and_then(|()| fs::File::options().create(true).append(true).open(path)?.write_all(line.as_bytes()));
        if let Err(error) = written {
            tracing::debug!(%error, "the move is not in the branch's log");
        }
    }
    Ok(true)
}

fn is_head(git: &Git, full: &str) -> bool {
    git.find_reference("HEAD")
        .ok()
        .and_then(|head| head.symbolic_target().ok().flatten().map(str::to_owned))
        .is_some_and(|target| target == full)
}

/// Whether a branch's file would be another's directory, or the other way round.
fn stands_in_the_way(git: &Git, full: &str) -> Result<bool, Fault> {
    let references = git.references().map_err(|error| fault(&error))?;
    let clash = |name: &str| {
        name.strip_prefix(full).is_some_and(|rest| rest.starts_with('/'))
            || full.strip_prefix(name).is_some_and(|rest| rest.starts_with('/'))
    };
    Ok(references.filter_map(Result::ok).any(|reference| reference.name().is_ok_and(clash)))
}

/// A path that stands in the way: a change of tracked files, or an untracked file where we would write.
pub(super) fn dirt(git: &Git, proposal: &Proposal) -> Result<Option<String>, Fault> {
    // A loop has the repository open while people stage and commit: the index it knows is of another time.
    git.index().and_then(|mut index| index.read(true)).map_err(|error| fault(&error))?;
    let mut options = StatusOptions::new();
    options.include_untracked(true).recurse_untracked_dirs(true).include_ignored(false).exclude_submodules(true).no_refresh(true);
    let statuses = git.statuses(Some(&mut options)).map_err(|error| fault(&error))?;
    for entry in statuses.iter() {
        let path = String::from_utf8_lossy(entry.path_bytes()).into_owned();
        if !entry.status().is_wt_new() || proposal.files.contains_key(&path) {
            return Ok(Some(crate::base::fault::foreign(&path)));
        }
    }
    // Ignored files are no change to git, and still somebody's.
    let root = git.workdir().map(Path::to_owned).unwrap_or_default();
    let index = git.index().map_err(|error| fault(&error))?;
    let blocked = proposal.files.iter().find(|(path, content)| {
        content.is_some() && index.get_path(Path::new(path), 0).is_none() && root.join(path).symlink_metadata().is_ok()
    });
    Ok(blocked.map(|(path, _)| path.clone()))
}

/// Brings along what a killed run left behind.
pub(super) fn finish(git: &Git) -> Result<(), Fault> {
    let paths = unfinished::paths(git)?;
    if !paths.is_empty() {
        let desk = Desk::put_up(git)?;
        let Some(index) = desk.lock(git.path().join("index"))? else {
            return Err(Fault::new(Class::Local, "the index is locked"));
        };
        bring_along(git, &desk, index, &paths.iter().collect())?;
        unfinished::end(git);
    }
    Ok(())
}

/// Writes exactly our paths into work tree and index.
fn bring_along(git: &Git, desk: &Desk, lock: Lock<'_>, paths: &BTreeSet<&String>) -> Result<(), Fault> {
    let head = git.head().and_then(|head| head.peel_to_tree()).map_err(|error| fault(&error))?;
    let mut checkout = CheckoutBuilder::new();
    checkout.force().disable_filters(true).remove_untracked(false).disable_pathspec_match(true).update_index(false);
    for path in paths {
        checkout.path(path);
    }
    git.checkout_tree(head.as_object(), Some(&mut checkout)).map_err(|error| fault(&error))?;
    let prepared = index_with(git, desk, &head, paths)?;
    lock.replace(&prepared)?;
    git.index().and_then(|mut index| index.read(true)).map_err(|error| fault(&error))
}

/// The index as it is, but for our paths, as a file on the desk.
fn index_with(git: &Git, desk: &Desk, head: &Tree<'_>, paths: &BTreeSet<&String>) -> Result<PathBuf, Fault> {
    let content = fs::read(git.path().join("index")).unwrap_or_default();
    let prepared = desk.lay("index.new", &content)?;
    if content.is_empty() {
        // An empty file is no index; none at all is an empty one.
        fs::remove_file(&prepared).map_err(|error| Fault::new(Class::Local, format!("{}: {error}", prepared.display())))?;
    }
    let root = git.workdir().map(Path::to_owned).unwrap_or_default();
    let mut index = Index::open(&prepared).map_err(|error| fault(&error))?;
    for path in paths {
        let changed = match head.get_path(Path::new(path)) {
            Ok(entry) => index.add(&staged(&root, path, entry.id(), entry.filemode())),
            Err(_) if index.get_path(Path::new(path), 0).is_some() => index.remove_path(Path::new(path)),
            Err(_) => Ok(()),
        };
        changed.map_err(|error| fault(&error))?;
    }
    index.write().map_err(|error| fault(&error))?;
    Ok(prepared)
}

/// An entry with what the file system says of the file, so that git need not read it again.
fn staged(root: &Path, path: &str, id: Oid, mode: i32) -> IndexEntry {
    let meta = fs::symlink_metadata(root.join(path)).ok();
    let of = |field: fn(&fs::Metadata) -> i64| meta.as_ref().map_or(0, field);
    let cut = |number: u64| u32::try_from(number & u64::from(u32::MAX)).unwrap_or_default();
    let time = |seconds: i64, nanoseconds: i64| {
        IndexTime::new(i32::try_from(seconds).unwrap_or_default(), u32::try_from(nanoseconds).unwrap_or_default())
    };
    IndexEntry {
        ctime: time(of(fs::Metadata::ctime), of(fs::Metadata::ctime_nsec)),
        mtime: time(of(fs::Metadata::mtime), of(fs::Metadata::mtime_nsec)),
        dev: meta.as_ref().map_or(0, |meta| cut(meta.dev())),
        ino: meta.as_ref().map_or(0, |meta| cut(meta.ino())),
        mode: u32::try_from(mode).unwrap_or_default(),
        uid: meta.as_ref().map_or(0, fs::Metadata::uid),
        gid: meta.as_ref().map_or(0, fs::Metadata::gid),
        file_size: meta.as_ref().map_or(0, |meta| cut(meta.size())),
        id,
        flags: 0,
        flags_extended: 0,
        path: path.as_bytes().to_vec(),
    }
}
