//! A bare mirror in the cache directory. Deleting it at any moment loses nothing.
//!
//! Fetches write refs under `refs/plimsoll/<number>/`, a new number each time, so that a lock left by a kill
//! is never met again. One process uses a mirror at a time; a second one takes the next slot.

use std::fs;
use std::path::{Path, PathBuf};

use git2::{Oid, Repository};

use super::command::{GitProgram, transfer_fault};
use super::objects::fault;
use crate::base::fault::foreign;
use crate::base::{Class, Fault, Fingerprint};
use crate::model::remote_url::RemoteUrl;

/// How many processes may have a mirror of one repository at once.
const SLOTS: usize = 64;

/// The directory of mirrors in the cache.
const BELOW: &str = "git";

/// What the mirrors of one repository are named by.
fn named(url: &RemoteUrl) -> String {
    Fingerprint::of(url.as_str()).hex(10)
}

/// The mirrors of `url` that are there, to be read only: whoever uses one may be fetching into it.
pub(super) fn existing(cache: &Path, url: &RemoteUrl) -> Vec<PathBuf> {
    let hash = named(url);
    (0..SLOTS).map(|slot| cache.join(BELOW).join(format!("{hash}.{slot}.git"))).filter(|path| path.is_dir()).collect()
}

/// The mirror of one repository.
pub(super) struct Mirror {
    directory: PathBuf,
    /// Objects of a remote on this machine, read where they are instead of being copied.
    borrowed: Option<PathBuf>,
    /// Held while the mirror is ours; the kernel lets go of it when the process ends, however it ends.
    lock: fs::File,
}

impl Drop for Mirror {
    /// Gives the lock back by name. Closing the file is not enough: a git process that another task begins at that moment
    /// has it open too until it has become git, and the mirror would look taken meanwhile.
    fn drop(&mut self) {
        // Should that fail, closing is left.
        let _ = self.lock.unlock();
    }
}

fn local(path: &Path, error: &dyn std::fmt::Display) -> Fault {
    Fault::new(Class::Local, format!("{}: {}", path.display(), foreign(&error.to_string())))
        .hint("mirrors are kept in --cache-dir; it must be writable and have space")
}

impl Mirror {
    /// Opens or makes the mirror of `url` under `cache`.
    pub(super) fn open(cache: &Path, url: &RemoteUrl) -> Result<Self, Fault> {
        let hash = named(url);
        let root = cache.join(BELOW);
        make_private(&root)?;
        for slot in 0..SLOTS {
            let lock_path = root.join(format!("{hash}.{slot}.lock"));
            let lock =
                fs::File::options().create(true).truncate(false).write(true).open(&lock_path).map_err(|error| local(&lock_path, &error))?;
            match lock.try_lock() {
                Ok(()) => {
                    let mirror = Self { directory: root.join(format!("{hash}.{slot}.git")), borrowed: objects_of(url), lock };
                    mirror.ready()?;
                    return Ok(mirror);
                }
                Err(fs::TryLockError::WouldBlock) => {}
                Err(fs::TryLockError::Error(error)) => return Err(local(&lock_path, &error)),
            }
        }
        Err(Fault::new(Class::Local, format!("{SLOTS} processes are using mirrors of this repository")))
    }

    /// Makes sure there is a repository without leftovers of a fetch that was killed.
    fn ready(&self) -> Result<(), Fault> {
        let broken = leftovers(&self.directory) || garbled(&self.directory) || Repository::open_bare(&self.directory).is_err();
        if broken && self.directory.exists() {
            self.discard()?;
        }
        if !self.directory.exists() {
            // Complete under another name first: a kill never leaves half a mirror under its own.
            let fresh = self.directory.with_extension("new");
            if fresh.exists() {
                fs::remove_dir_all(&fresh).map_err(|error| local(&fresh, &error))?;
            }
            let mut options = git2::RepositoryInitOptions::new();
            options.bare(true).external_template(false).initial_head("plimsoll-mirror");
            Repository::init_opts(&fresh, &options).map_err(|error| local(&fresh, &error.message()))?;
            if let Some(objects) = &self.borrowed {
                let list = fresh.join("objects/info/alternates");
                let written =
                    fs::create_dir_all(fresh.join("objects/info")).and_then(|()| fs::write(&list, format!("{}\n", objects.display())));
                written.map_err(|error| local(&list, &error))?;
            }
            fs::rename(&fresh, &self.directory).map_err(|error| local(&fresh, &error))?;
        }
        Ok(())
    }

    /// Throws the mirror away; the next use makes a new one.
    pub(super) fn discard(&self) -> Result<(), Fault> {
        let gone = self.directory.with_extension("old");
        // Renaming first: a kill in the middle of deleting leaves nothing under the mirror's name.
        let removed = remove(&gone).and_then(|()| fs::rename(&self.directory, &gone)).and_then(|()| remove(&gone));
        removed.map_err(|error| local(&self.directory, &error))
    }

    /// Throws the mirror away and makes a new one.
    pub(super) fn renew(&self) -> Result<(), Fault> {
        if self.directory.exists() {
            self.discard()?;
        }
        self.ready()
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(super) fn repository(&self) -> Result<Repository, Fault> {
        Repository::open_bare(&self.directory).map_err(|error| fault(&error))
    }

    /// Whether a commit and its whole tree listing are here.
    pub(super) fn has(&self, commit: Oid) -> bool {
        Repository::open_bare(&self.directory).and_then(|repository| repository.find_commit(commit)?.tree().map(drop)).is_ok()
    }

    /// Heads of `refs` at the remote, by full name; `HEAD` gives what it points at as `HEAD` and, when it is
    /// a branch, its name under `HEAD@`.
    pub(super) async fn ls_remote(&self, git: &GitProgram, url: &RemoteUrl, refs: &[String]) -> Result<Vec<(String, String)>, Fault> {
        let mut arguments = vec!["ls-remote", "--symref", "--end-of-options", url.as_str()];
        arguments.extend(refs.iter().map(String::as_str));
        let answered = git.run(&self.directory, &arguments, None).await?;
        if !answered.success {
            return Err(transfer_fault(url, &answered.said));
        }
        let text = String::from_utf8_lossy(&answered.stdout).into_owned();
        let mut heads = Vec::new();
        for line in text.lines() {
            match line.split_once('\t') {
                Some((left, name)) => match left.strip_prefix("ref: ") {
                    Some(target) => heads.push((format!("{name}@"), target.to_owned())),
                    None => heads.push((name.to_owned(), left.to_owned())),
                },
                None => return Err(Fault::new(Class::Malformed, format!("{url}: the answer to ls-remote can't be read"))),
            }
        }
        Ok(heads)
    }

    /// Fetches branches. The first fetch takes one commit, later ones everything since, so that ancestry can
    /// be told. A mirror that a fetch can't use is made anew, once.
    pub(super) async fn fetch(&self, git: &GitProgram, url: &RemoteUrl, branches: &[String], more: &[&str]) -> Result<(), Fault> {
        match self.try_fetch(git, url, branches, more).await {
            Err(fault) if fault.class == Class::Transient || fault.class == Class::Malformed => {
                tracing::debug!(%fault, "the mirror is made anew");
                self.renew()?;
                self.try_fetch(git, url, branches, more).await
            }
            other => other,
        }
    }

    async fn try_fetch(&self, git: &GitProgram, url: &RemoteUrl, branches: &[String], more: &[&str]) -> Result<(), Fault> {
        let numbers = self.fetches();
        let next = numbers.iter().max().map_or(1, |number| number + 1);
        let refspecs: Vec<String> = branches
            .iter()
            .map(|branch| format!("+{branch}:refs/plimsoll/{next}/{}", branch.strip_prefix("refs/heads/").unwrap_or(branch)))
            .collect();
        let mut arguments =
            vec!["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-maintenance"];
        if numbers.is_empty() {
            arguments.push("--depth=1");
        }
        arguments.extend(more);
        arguments.extend(["--end-of-options", url.as_str()]);
        arguments.extend(refspecs.iter().map(String::as_str));
        let answered = git.run(&self.directory, &arguments, None).await?;
        if !answered.success {
            return Err(transfer_fault(url, &answered.said));
        }
        // What the one before fetched is kept: it is what the next fetch tells the server it has.
        for number in numbers.into_iter().filter(|number| number + 1 < next) {
            let old = self.directory.join(format!("refs/plimsoll/{number}"));
            if let Err(error) = fs::remove_dir_all(&old) {
                tracing::debug!(%error, "an old ref of the mirror stays");
            }
        }
        Ok(())
    }

    fn fetches(&self) -> Vec<u64> {
        let Ok(entries) = fs::read_dir(self.directory.join("refs/plimsoll")) else { return Vec::new() };
        entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
    }

    /// A small fact kept beside the mirror. Nothing depends on its being there.
    pub(super) fn remembered(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.directory.join(name)).ok()
    }

    /// Keeps a small fact, whole or not at all.
    pub(super) fn remember(&self, name: &str, text: &str) {
        let path = self.directory.join(name);
        let fresh = self.directory.join(format!("{name}.new"));
        if let Err(error) = fs::write(&fresh, text).and_then(|()| fs::rename(&fresh, &path)) {
            tracing::debug!(%error, "a fact about the mirror is not kept");
        }
    }
}

/// Where a repository on this machine keeps its objects.
fn objects_of(url: &RemoteUrl) -> Option<PathBuf> {
    let root = Path::new(url.as_str().strip_prefix("file://")?);
    [root.join("objects"), root.join(".git/objects")].into_iter().find(|path| path.is_dir())
}

fn remove(path: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Locks and half-written packs of a process that is gone: the mirror's lock is ours, so nobody works on them.
fn leftovers(directory: &Path) -> bool {
    ["shallow.lock", "HEAD.lock", "config.lock", "packed-refs.lock", "index.lock"].iter().any(|name| directory.join(name).exists())
}

/// Whether git could not read where the history ends; it would say so of every remote it is asked for.
fn garbled(directory: &Path) -> bool {
    let shallow = fs::read_to_string(directory.join("shallow"));
    shallow.is_ok_and(|text| text.lines().any(|line| Oid::from_str(line).is_err()))
}

fn make_private(path: &Path) -> Result<(), Fault> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| local(path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_is_free_as_soon_as_it_is_dropped() {
        let cache = tempfile::tempdir().unwrap();
        let url = RemoteUrl::parse("https://git.example/acme.git").unwrap();
        let slot = || Mirror::open(cache.path(), &url).unwrap();
        let first = slot();
        let directory = first.directory.clone();
        assert_ne!(slot().directory, directory, "two at once have one each");
        // As a child process has it between fork and exec.
        let inherited = first.lock.try_clone().unwrap();
        drop(first);
        assert_eq!(slot().directory, directory);
        drop(inherited);
    }
}
