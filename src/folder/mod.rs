//! Floor 4: a plain directory read as if it were one commit, for `render` and `validate`.
//!
//! No git, no network. Symlinks are listed as refused, like in a tree.

use std::collections::BTreeMap;
use std::fs::{self, FileType};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::base::{Class, Fault};
use crate::model::{BlobId, CommitId, Snapshot};
use crate::ports::{Answer, CommitFacts, File, Listing, Proposal, Publication, Repository};

/// Deepest directory that is listed below an asked-for path.
const DEEPEST: usize = 16;

/// Largest file that is kept in memory from the listing on. Entries and states are smaller.
const KEPT: usize = 64 << 10;

/// A directory.
pub struct Folder {
    root: PathBuf,
    blobs: Mutex<BTreeMap<BlobId, Blob>>,
}

/// A file that was listed.
#[derive(Clone)]
enum Blob {
    Content(Vec<u8>),
    Path(PathBuf),
}

impl Folder {
    /// Opens `root`.
    ///
    /// # Errors
    /// [`Class::Local`] when it is no directory.
    pub fn open(root: &Path) -> Result<Self, Fault> {
        if !root.is_dir() {
            return Err(Fault::new(Class::Local, format!("{} is no directory", root.display())));
        }
        Ok(Self { root: root.to_owned(), blobs: Mutex::new(BTreeMap::new()) })
    }

    fn walk(&self, relative: &str, depth: usize, listing: &mut Listing) -> Result<(), Fault> {
        match fs::symlink_metadata(self.root.join(relative)) {
            Ok(meta) => self.take(relative, meta.file_type(), depth, listing),
            Err(_) => Ok(()),
        }
    }

    /// Lists what is of a kind under a path.
    fn take(&self, relative: &str, kind: FileType, depth: usize, listing: &mut Listing) -> Result<(), Fault> {
        let path = self.root.join(relative);
        let local = |error: &std::io::Error| Fault::new(Class::Local, format!("{relative}: {error}"));
        if kind.is_symlink() {
            listing.refused.insert(relative.to_owned(), "a symlink is never followed");
        } else if kind.is_file() {
            let content = fs::read(&path).map_err(|error| local(&error))?;
            let (blob, size) = (id_of(&content)?, content.len() as u64);
            if let Ok(mut blobs) = self.blobs.lock() {
                blobs.insert(blob.clone(), if content.len() <= KEPT { Blob::Content(content) } else { Blob::Path(path) });
            }
            listing.files.insert(relative.to_owned(), File { blob, size: Some(size) });
        } else if kind.is_dir() && depth < DEEPEST {
            for entry in fs::read_dir(&path).map_err(|error| local(&error))? {
                let entry = entry.map_err(|error| local(&error))?;
                // The kind comes with the name; asking for each file would cost as much as reading it.
                let kind = entry.file_type().map_err(|error| local(&error))?;
                match entry.file_name().to_str() {
                    Some(".git") => {}
                    Some(name) => self.take(&format!("{relative}/{name}"), kind, depth + 1, listing)?,
                    None => {
                        listing.refused.insert(format!("{relative}/{}", entry.file_name().to_string_lossy()), "its name is no text");
                    }
                }
            }
        }
        Ok(())
    }
}

fn id_of(content: &[u8]) -> Result<BlobId, Fault> {
    git2::Oid::hash_object(git2::ObjectType::Blob, content)
        .ok()
        .and_then(|id| BlobId::parse(&id.to_string()))
        .ok_or_else(|| Fault::new(Class::Internal, "an object id could not be computed"))
}

impl Repository for Folder {
    fn snapshot(&self) -> Answer<'_, Result<Snapshot, Fault>> {
        Box::pin(async {
            let none = CommitId::parse(&"0".repeat(40)).ok_or_else(|| Fault::new(Class::Internal, "no such id"))?;
            Ok(Snapshot { config: none.clone(), record: Some(none), rewritten: false, ours: None })
        })
    }

    fn list(&self, _commit: &CommitId, paths: &[&str]) -> Result<Listing, Fault> {
        let mut listing = Listing::default();
        for path in paths {
            self.walk(path, 0, &mut listing)?;
        }
        Ok(listing)
    }

    fn read(&self, blob: &BlobId, limit: u64) -> Result<Vec<u8>, Fault> {
        let listed = self.blobs.lock().ok().and_then(|blobs| blobs.get(blob).cloned());
        let content = match listed.ok_or_else(|| Fault::new(Class::Internal, "a file was asked for that was never listed"))? {
            Blob::Content(content) => content,
            Blob::Path(path) => fs::read(&path).map_err(|error| Fault::new(Class::Local, format!("{}: {error}", path.display())))?,
        };
        if content.len() as u64 > limit {
            return Err(Fault::new(Class::Limit, format!("the file has {} bytes, more than the {limit} that are read", content.len())));
        }
        Ok(content)
    }

    fn facts(&self, _commit: &CommitId) -> Result<CommitFacts, Fault> {
        Err(Fault::new(Class::Missing, "a directory has no commits"))
    }

    fn blob_id(&self, content: &[u8]) -> Result<BlobId, Fault> {
        id_of(content)
    }

    fn publish<'a>(&'a self, _proposal: &'a Proposal) -> Answer<'a, Result<Publication, Fault>> {
        Box::pin(async { Ok(Publication::Declined("a directory is only read".to_owned())) })
    }
}
