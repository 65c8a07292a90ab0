//! Answers kept with their validators, in memory and under the cache directory. Losing them costs requests only.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::Fingerprint;
use crate::base::fingerprint::hex;

/// Largest body kept in memory, in bytes; larger ones are read from disk again.
const IN_MEMORY: usize = 256 * 1024;

/// Largest sum of bodies in memory, in bytes.
const ALL_IN_MEMORY: usize = 16 << 20;

/// What is kept under one slot.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    /// An entity tag, or the id of an object whose content never changes.
    pub(super) tag: String,
    /// The body.
    pub(super) body: Arc<[u8]>,
}

/// The store. A slot is named by who asks and for what; a newer answer takes the place of an older one, so that
/// the store grows with the config and not with time.
#[derive(Debug)]
pub(super) struct Store {
    directory: PathBuf,
    memory: Mutex<(usize, HashMap<String, Kept>)>,
}

impl Store {
    /// A store under `directory`, which is made at the first write.
    pub(super) fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), memory: Mutex::default() }
    }

    /// What is kept, if it is whole.
    pub(super) fn get(&self, slot: &str) -> Option<Kept> {
        if let Some(kept) = self.memory.lock().unwrap_or_else(PoisonError::into_inner).1.get(slot) {
            return Some(kept.clone());
        }
        let kept = unpack(slot, &std::fs::read(self.path(slot)).ok()?)?;
        self.remember(slot, &kept);
        Some(kept)
    }

    /// Keeps an answer. What can't be written is asked for again.
    pub(super) fn put(&self, slot: &str, tag: &str, body: &[u8]) -> Kept {
        let kept = Kept { tag: tag.to_owned(), body: body.into() };
        self.remember(slot, &kept);
        if let Err(error) = self.write(slot, &kept) {
            tracing::debug!(%error, "an answer of the forge can't be kept");
        }
        kept
    }

    fn remember(&self, slot: &str, kept: &Kept) {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let old = memory.1.remove(slot).map_or(0, |old| old.body.len());
        memory.0 -= old;
        if kept.body.len() <= IN_MEMORY && memory.0 + kept.body.len() <= ALL_IN_MEMORY {
            memory.0 += kept.body.len();
            memory.1.insert(slot.to_owned(), kept.clone());
        }
    }

    fn path(&self, slot: &str) -> PathBuf {
        let name = Fingerprint::of(slot).hex(16);
        self.directory.join(name.get(..2).unwrap_or_default()).join(&name)
    }

    /// Written beside and renamed: a crash leaves the old answer, or a temporary file in a directory that may be deleted.
    fn write(&self, slot: &str, kept: &Kept) -> std::io::Result<()> {
        let path = self.path(slot);
        let directory = path.parent().unwrap_or(&self.directory);
        std::fs::create_dir_all(directory)?;
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        file.write_all(&pack(slot, kept))?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }
}

/// A line with the sum of the rest, the slot, the tag, then the body.
fn pack(slot: &str, kept: &Kept) -> Vec<u8> {
    let head = format!("{slot}\n{}\n", kept.tag);
    [format!("{}\n", sum(&head, &kept.body)).as_bytes(), head.as_bytes(), &kept.body].concat()
}

fn unpack(slot: &str, bytes: &[u8]) -> Option<Kept> {
    let mut parts = bytes.splitn(4, |byte| *byte == b'\n');
    let mut line = || std::str::from_utf8(parts.next()?).ok();
    let (stated, named, tag) = (line()?, line()?, line()?);
    let body = parts.next()?;
    let whole = named == slot && stated == sum(&format!("{named}\n{tag}\n"), body);
    whole.then(|| Kept { tag: tag.to_owned(), body: body.into() })
}

fn sum(head: &str, body: &[u8]) -> String {
    use sha2::{Digest as _, Sha256};
    let digest = Sha256::new_with_prefix(head).chain_update(body).finalize();
    hex(&digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_survives_the_program_and_is_believed_only_whole() {
        let directory = tempfile::tempdir().unwrap();
        let slot = "github https://api.github.com GET /x";
        Store::new(directory.path()).put(slot, "W/\"1\"", b"a\n\nb\n");
        let store = Store::new(directory.path());
        let kept = store.get(slot).unwrap();
        assert_eq!((kept.tag.as_str(), &*kept.body), ("W/\"1\"", b"a\n\nb\n".as_slice()));
        assert!(store.get("another").is_none());
        let file = store.path(slot);
        let whole = std::fs::read(&file).unwrap();
        for cut in 0..whole.len() {
            std::fs::write(&file, &whole[..cut]).unwrap();
            assert!(Store::new(directory.path()).get(slot).is_none(), "cut at {cut}");
        }
        for place in 0..whole.len() {
            let mut wrong = whole.clone();
            wrong[place] ^= 1;
            std::fs::write(&file, &wrong).unwrap();
            assert!(Store::new(directory.path()).get(slot).is_none(), "flipped at {place}");
        }
        // A place that can't be written costs nothing but the next request.
        std::fs::write(directory.path().join("file"), "").unwrap();
        let stuck = Store::new(&directory.path().join("file"));
        stuck.put(slot, "1", b"x");
        assert_eq!(&*stuck.get(slot).unwrap().body, b"x");
    }
}
