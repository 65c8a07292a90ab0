//! Locks of a checkout that a kill can't leave behind for people to clean up.
//!
//! git's protocol is a file `index.lock`, made before and renamed after: a kill in between leaves it, and
//! nobody can tell whose it is. Here whatever becomes a lock lies on a *desk* first, a directory of ours in
//! the git directory, and the lock is a hard link to it. A desk whose owner is gone (the kernel dropped its
//! `flock`) proves that a lock which is the same file was ours, so the next look takes it away.

use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use git2::Repository as Git;

use crate::base::{Class, Fault};

/// Where desks stand, in the git directory.
const DESKS: &str = "plimsoll-desks";
/// The file on a desk that its living owner has locked.
const ALIVE: &str = "alive";
/// The file on a desk that says where its locks are, a path a line.
const LOCKS: &str = "locks";
/// How a desk is called until its owner has locked it.
const FRESH: &str = "fresh-";

/// How old a desk without a locked file must be to be nobody's.
const ABANDONED: std::time::Duration = std::time::Duration::from_secs(60);

/// A place to prepare files that replace others under git's locks.
pub(super) struct Desk {
    directory: PathBuf,
    alive: File,
}

/// A lock that is held; given back when dropped.
pub(super) struct Lock<'a> {
    desk: &'a Desk,
    target: PathBuf,
    path: PathBuf,
}

fn local(path: &Path, error: &std::io::Error) -> Fault {
    Fault::new(Class::Local, format!("{}: {error}", path.display()))
}

impl Desk {
    /// Puts up a desk.
    pub(super) fn put_up(git: &Git) -> Result<Self, Fault> {
        let root = git.path().join(DESKS);
        let name = format!("{:016x}", fastrand::u64(..));
        let (fresh, directory) = (root.join(format!("{FRESH}{name}")), root.join(name));
        fs::create_dir_all(&fresh).map_err(|error| local(&fresh, &error))?;
        let alive = File::create(fresh.join(ALIVE)).map_err(|error| local(&fresh, &error))?;
        alive.lock().and_then(|()| fs::rename(&fresh, &directory)).map_err(|error| local(&directory, &error))?;
        Ok(Self { directory, alive })
    }

    /// A new file on the desk, in full.
    pub(super) fn lay(&self, name: &str, content: &[u8]) -> Result<PathBuf, Fault> {
        let path = self.directory.join(name);
        let written = File::create(&path).and_then(|mut file| match content {
            [] => Ok(()),
            content => file.write_all(content).and_then(|()| file.sync_data()),
        });
        written.map_err(|error| local(&path, &error))?;
        Ok(path)
    }

    /// Takes the lock of `target`; `None` when somebody else has it.
    pub(super) fn lock(&self, target: PathBuf) -> Result<Option<Lock<'_>>, Fault> {
        let mut name = target.clone().into_os_string();
        name.push(".lock");
        let lock = PathBuf::from(name);
        let noted = self.directory.join(LOCKS);
        // Noted before it is there: a lock nobody noted would stay.
        let note = File::options()
            .create(true)
            .append(true)
            .open(&noted)
            .and_then(|mut file| file.write_all(format!("{}\n", lock.display()).as_bytes()));
        note.map_err(|error| local(&noted, &error))?;
        let placeholder = self.lay(&format!("{}.held", file_name(&target)), b"")?;
        if let Some(parent) = lock.parent() {
            fs::create_dir_all(parent).map_err(|error| local(parent, &error))?;
        }
        match fs::hard_link(&placeholder, &lock) {
            Ok(()) => Ok(Some(Lock { desk: self, target, path: lock })),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(None),
            Err(error) => Err(local(&lock, &error)),
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.directory) {
            tracing::debug!(%error, "a desk stays; the next look takes it away");
        }
        // Only now may another process take it for abandoned.
        let _unlocked = self.alive.unlock();
    }
}

impl Lock<'_> {
    /// Puts a file of the desk in the place of what is locked, in one step, and gives the lock back.
    pub(super) fn replace(self, prepared: &Path) -> Result<(), Fault> {
        // The second name proves whose the lock is while the first one has become it.
        let proof = self.desk.directory.join(format!("{}.proof", file_name(&self.target)));
        let done = fs::hard_link(prepared, &proof)
            .and_then(|()| fs::rename(prepared, &self.path))
            .and_then(|()| fs::rename(&self.path, &self.target));
        done.map_err(|error| local(&self.target, &error))
    }
}

impl Drop for Lock<'_> {
    fn drop(&mut self) {
        // Once it has replaced its target there is none, or somebody else's.
        if is_ours(&self.path, &self.desk.directory) {
            let _gone = fs::remove_file(&self.path);
        }
    }
}

/// Takes away desks whose owners are gone, and the locks that they prove to be ours.
pub(super) fn clear(git: &Git) {
    let Ok(desks) = fs::read_dir(git.path().join(DESKS)) else { return };
    for desk in desks.filter_map(Result::ok).map(|entry| entry.path()) {
        let Ok(alive) = File::options().write(true).open(desk.join(ALIVE)) else {
            // Its owner may be about to lock it; after a minute nobody is.
            let age = fs::metadata(&desk).and_then(|meta| meta.modified()).ok().and_then(|made| made.elapsed().ok());
            if age.is_some_and(|age| age > ABANDONED) {
                let _kept = fs::remove_dir(&desk);
            }
            continue;
        };
        match alive.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => continue,
        }
        for lock in fs::read_to_string(desk.join(LOCKS)).unwrap_or_default().lines().map(Path::new) {
            if is_ours(lock, &desk) {
                tracing::info!(lock = %lock.display(), "a killed run left this lock; it is taken away");
                let _gone = fs::remove_file(lock);
            }
        }
        let _gone = fs::remove_dir_all(&desk);
    }
}

/// Whether `lock` is the same file as one on the desk.
fn is_ours(lock: &Path, desk: &Path) -> bool {
    let identity = |path: &Path| fs::symlink_metadata(path).ok().map(|meta| (meta.dev(), meta.ino()));
    let Some(wanted) = identity(lock) else { return false };
    let Ok(files) = fs::read_dir(desk) else { return false };
    files.filter_map(Result::ok).any(|file| identity(&file.path()) == Some(wanted))
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository() -> (tempfile::TempDir, Git) {
        let home = tempfile::tempdir().unwrap();
        let git = Git::init(home.path()).unwrap();
        (home, git)
    }

    fn lock_of(git: &Git) -> PathBuf {
        git.path().join("index.lock")
    }

    #[test]
    fn a_lock_is_exclusive_and_given_back() {
        let (_home, git) = repository();
        let desk = Desk::put_up(&git).unwrap();
        let held = desk.lock(git.path().join("index")).unwrap();
        assert!(held.is_some() && lock_of(&git).exists());
        assert!(Desk::put_up(&git).unwrap().lock(git.path().join("index")).unwrap().is_none());
        assert!(lock_of(&git).exists(), "the lock of another is left alone");
        drop(held);
        assert!(!lock_of(&git).exists());
        drop(desk);
        assert_eq!(fs::read_dir(git.path().join(DESKS)).unwrap().count(), 0);
    }

    #[test]
    fn what_is_replaced_is_whole() {
        let (_home, git) = repository();
        let desk = Desk::put_up(&git).unwrap();
        let lock = desk.lock(git.path().join("index")).unwrap().unwrap();
        let prepared = desk.lay("index.new", b"content").unwrap();
        lock.replace(&prepared).unwrap();
        assert_eq!(fs::read(git.path().join("index")).unwrap(), b"content");
        assert!(!lock_of(&git).exists());
    }

    #[test]
    fn only_locks_of_abandoned_desks_are_taken_away() {
        let (_home, git) = repository();
        let index = git.path().join("index");
        for (abandoned, ours) in [(true, true), (true, false), (false, true)] {
            let desk = Desk::put_up(&git).unwrap();
            let lock = desk.lock(index.clone()).unwrap().unwrap();
            if !ours {
                // Somebody else's lock has taken the place.
                fs::remove_file(lock_of(&git)).unwrap();
                fs::write(lock_of(&git), "theirs").unwrap();
            }
            if abandoned {
                desk.alive.unlock().unwrap();
            }
            clear(&git);
            assert_eq!(lock_of(&git).exists(), !(abandoned && ours), "abandoned {abandoned}, ours {ours}");
            std::mem::forget(lock);
            drop(desk);
            let _left = fs::remove_file(lock_of(&git));
        }
    }
}
