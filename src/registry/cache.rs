//! What registries said, kept between runs. Disposable: delete any of it at any moment and only requests are lost.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;

use super::evict;
use super::manifest::hash_like;
use crate::base::Fingerprint;
use crate::model::Digest;

/// Largest file read back, in bytes: a tag list of ten thousand long tags with its pages fits.
const LARGEST: u64 = 8 << 20;

/// A file that was used is marked so at most this often.
const MARKED: Duration = Duration::from_secs(24 * 3600);

/// What a note is about. Each kind is a directory.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// A tag that only `GET` can tell.
    Tag,
    /// One page of a tag list.
    List,
    /// How long a host wants quiet.
    Wait,
}

impl Kind {
    fn directory(self) -> &'static str {
        match self {
            Self::Tag => "tags",
            Self::List => "lists",
            Self::Wait => "waits",
        }
    }
}

/// A directory of content by digest, and of notes by key.
///
/// Files are written beside their place and renamed, so that several processes may share it and a kill leaves at most a
/// temporary file, which is removed after an hour. Content is verified when it is read; what can't be used is removed and
/// counts as not there.
#[derive(Debug)]
pub(super) struct Cache {
    root: PathBuf,
    most: u64,
    /// Bytes written since the directory was last measured; it is measured at the first write.
    written: AtomicU64,
    measured: AtomicBool,
    told: AtomicBool,
}

/// A note on disk. The key is in it because a file's name is only a hash of it.
#[derive(Serialize, Deserialize)]
struct Note<K, T> {
    key: K,
    value: T,
}

impl Cache {
    /// A cache under `root` of at most about `most` bytes. Nothing is read or made yet.
    pub(super) fn new(root: &Path, most: u64) -> Self {
        let (written, measured, told) = (AtomicU64::new(0), AtomicBool::new(false), AtomicBool::new(false));
        Self { root: root.to_path_buf(), most, written, measured, told }
    }

    /// The content that `digest` names, if it is kept.
    pub(super) async fn content(self: &Arc<Self>, digest: &Digest) -> Option<Vec<u8>> {
        let (cache, digest) = (Arc::clone(self), digest.clone());
        spawn_blocking(move || {
            let path = cache.place(&digest);
            let bytes = read(&path)?;
            let right = hash_like(&digest, &bytes).is_ok_and(|own| own == digest);
            if !right {
                discard(&path);
            }
            right.then_some(bytes)
        })
        .await
        .ok()
        .flatten()
    }

    /// Keeps `bytes`, which must be what `digest` names.
    pub(super) async fn keep(self: &Arc<Self>, digest: &Digest, bytes: Vec<u8>) {
        let (cache, path) = (Arc::clone(self), self.place(digest));
        // A lost write is a lost request later, and no more.
        let _done = spawn_blocking(move || cache.write(&path, &bytes)).await;
    }

    /// The note of this kind and key, if there is one that can be read.
    pub(super) async fn note<T: DeserializeOwned + Send + 'static>(self: &Arc<Self>, kind: Kind, key: &str) -> Option<T> {
        let (cache, key) = (Arc::clone(self), key.to_owned());
        spawn_blocking(move || cache.note_now(kind, &key)).await.ok().flatten()
    }

    /// The same, blocking.
    pub(super) fn note_now<T: DeserializeOwned>(&self, kind: Kind, key: &str) -> Option<T> {
        let path = self.noted(kind, key);
        let bytes = read(&path)?;
        match serde_json::from_slice::<Note<String, T>>(&bytes) {
            Ok(note) if note.key == key => Some(note.value),
            _ => {
                discard(&path);
                None
            }
        }
    }

    /// Writes a note, in place of one with the same key.
    pub(super) async fn keep_note<T: Serialize>(self: &Arc<Self>, kind: Kind, key: &str, value: &T) {
        let Ok(bytes) = serde_json::to_vec(&Note { key, value }) else { return };
        let (cache, path) = (Arc::clone(self), self.noted(kind, key));
        let _done = spawn_blocking(move || cache.write(&path, &bytes)).await;
    }

    /// The same, blocking.
    pub(super) fn keep_note_now<T: Serialize>(&self, kind: Kind, key: &str, value: &T) {
        if let Ok(bytes) = serde_json::to_vec(&Note { key, value }) {
            self.write(&self.noted(kind, key), &bytes);
        }
    }

    fn place(&self, digest: &Digest) -> PathBuf {
        let (algorithm, hex) = digest.as_str().split_once(':').unwrap_or_default();
        self.root.join("content").join(algorithm).join(hex.get(..2).unwrap_or_default()).join(hex)
    }

    fn noted(&self, kind: Kind, key: &str) -> PathBuf {
        self.root.join(kind.directory()).join(format!("{}.json", Fingerprint::of(key).hex(16)))
    }

    fn write(&self, path: &Path, bytes: &[u8]) {
        if let Err(error) = whole(path, bytes)
            && !self.told.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(directory = %self.root.display(), %error, "answers of registries can't be kept; they are asked for anew");
        }
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let since = self.written.fetch_add(length, Ordering::Relaxed).saturating_add(length);
        if !self.measured.swap(true, Ordering::Relaxed) || since > self.most / 16 {
            self.written.store(0, Ordering::Relaxed);
            evict::down_to(&self.root, self.most, SystemTime::now());
        }
    }
}

/// Writes a file so that readers see the old one or the new one. Directories that are made are nobody else's.
fn whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let mut file = tempfile::Builder::new().prefix(evict::UNFINISHED).tempfile_in(directory)?;
    file.write_all(bytes)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

fn read(path: &Path) -> Option<Vec<u8>> {
    let file = File::open(path).ok()?;
    let mut bytes = Vec::new();
    (&file).take(LARGEST).read_to_end(&mut bytes).ok()?;
    let now = SystemTime::now();
    let modified = file.metadata().and_then(|found| found.modified()).ok()?;
    if now.duration_since(modified).is_ok_and(|age| age > MARKED) {
        // Without the mark it only goes sooner than it should.
        let _marked = file.set_modified(now);
    }
    Some(bytes)
}

/// Removes what can't be used. Another process may have been faster, or have put a good one there: then that is lost,
/// which costs one request.
fn discard(path: &Path) {
    tracing::debug!(file = %path.display(), "a kept answer can't be used and is removed");
    let _gone = fs::remove_file(path);
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::manifest::sha256;
    use super::*;

    fn cache() -> (Arc<Cache>, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        (Arc::new(Cache::new(&directory.path().join("registry"), 1 << 20)), directory)
    }

    #[tokio::test]
    async fn content_is_verified_and_nobody_elses() {
        let (cache, directory) = cache();
        let digest = sha256(b"content").unwrap();
        assert_eq!(cache.content(&digest).await, None);
        cache.keep(&digest, b"content".to_vec()).await;
        assert_eq!(cache.content(&digest).await.as_deref(), Some(&b"content"[..]));
        let mode = fs::metadata(directory.path().join("registry")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);

        fs::write(cache.place(&digest), "tampered").unwrap();
        assert_eq!(cache.content(&digest).await, None);
        assert!(!cache.place(&digest).exists());
    }

    #[tokio::test]
    async fn notes_are_found_by_their_key_or_discarded() {
        let (cache, _directory) = cache();
        cache.keep_note(Kind::Tag, "key", &7_u32).await;
        assert_eq!(cache.note::<u32>(Kind::Tag, "key").await, Some(7));
        assert_eq!(cache.note::<u32>(Kind::List, "key").await, None);
        for bad in ["", "{", r#"{"key":"other","value":7}"#, r#"{"key":"key","value":"seven"}"#] {
            cache.keep_note(Kind::Tag, "key", &7_u32).await;
            fs::write(cache.noted(Kind::Tag, "key"), bad).unwrap();
            assert_eq!(cache.note::<u32>(Kind::Tag, "key").await, None, "{bad}");
            assert!(!cache.noted(Kind::Tag, "key").exists(), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_place_that_can_not_be_written_is_no_failure() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let cache = Arc::new(Cache::new(file.path(), 1 << 20));
        let digest = sha256(b"content").unwrap();
        cache.keep(&digest, b"content".to_vec()).await;
        assert_eq!(cache.content(&digest).await, None);
    }
}
