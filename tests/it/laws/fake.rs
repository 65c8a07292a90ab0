//! In-memory ports with behaviour: a repository that compares and swaps, registries that can fail.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;
use plimsoll::base::{Class, Fault};
use plimsoll::model::{BlobId, CommitId, Digest, ImageReference, Snapshot};
use plimsoll::ports::{Answer, Clock, CommitFacts, File, Listing, Progress, Proposal, Publication, Registry, Repository};
use sha2::{Digest as _, Sha256};

pub type Tree = BTreeMap<String, Vec<u8>>;

/// A linear history of trees. Commit `n` is the `n`th one.
#[derive(Default)]
pub struct FakeRepository {
    pub history: Mutex<Vec<Tree>>,
    /// Commits that were published, by number.
    pub published: Mutex<Vec<usize>>,
    /// Trees that somebody else commits, one before each publish, until none is left.
    pub rivals: Mutex<Vec<(String, Vec<u8>)>>,
    blobs: Mutex<BTreeMap<BlobId, Vec<u8>>>,
}

fn commit_id(index: usize) -> CommitId {
    CommitId::parse(&format!("{index:040x}")).unwrap()
}

fn blob_id(content: &[u8]) -> BlobId {
    let hash: String = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
    BlobId::parse(&hash).unwrap()
}

impl FakeRepository {
    pub fn commit(&self, change: impl FnOnce(&mut Tree)) {
        let mut history = self.history.lock().unwrap();
        let mut tree = history.last().cloned().unwrap_or_default();
        change(&mut tree);
        history.push(tree);
    }

    pub fn tree(&self) -> Tree {
        self.history.lock().unwrap().last().cloned().unwrap_or_default()
    }

    pub fn commits(&self) -> usize {
        self.history.lock().unwrap().len()
    }
}

impl Repository for FakeRepository {
    fn snapshot(&self) -> Answer<'_, Result<Snapshot, Fault>> {
        let head = commit_id(self.commits() - 1);
        let last = self.commits() - 1;
        let ours = self.published.lock().unwrap().last().copied().filter(|ours| *ours != last).map(commit_id);
        Box::pin(async move { Ok(Snapshot { config: head.clone(), record: Some(head), rewritten: false, ours }) })
    }

    fn list(&self, commit: &CommitId, paths: &[&str]) -> Result<Listing, Fault> {
        let index = usize::from_str_radix(commit.as_str(), 16).unwrap();
        let mut listing = Listing::default();
        let mut blobs = self.blobs.lock().unwrap();
        for (path, content) in &self.history.lock().unwrap()[index] {
            if paths.iter().any(|wanted| path == wanted || path.starts_with(&format!("{wanted}/"))) {
                let blob = blob_id(content);
                blobs.insert(blob.clone(), content.clone());
                listing.files.insert(path.clone(), File { blob, size: None });
            }
        }
        Ok(listing)
    }

    fn read(&self, blob: &BlobId, _: u64) -> Result<Vec<u8>, Fault> {
        Ok(self.blobs.lock().unwrap()[blob].clone())
    }

    fn facts(&self, _: &CommitId) -> Result<CommitFacts, Fault> {
        Err(Fault::new(Class::Missing, "no facts"))
    }

    fn blob_id(&self, content: &[u8]) -> Result<BlobId, Fault> {
        Ok(blob_id(content))
    }

    fn publish<'a>(&'a self, proposal: &'a Proposal) -> Answer<'a, Result<Publication, Fault>> {
        if let Some((path, content)) = self.rivals.lock().unwrap().pop() {
            self.commit(|tree| {
                tree.insert(path, content);
            });
        }
        let head = commit_id(self.commits() - 1);
        Box::pin(async move {
            if proposal.parent.as_ref() != Some(&head) {
                return Ok(Publication::Moved);
            }
            self.commit(|tree| {
                for (path, content) in &proposal.files {
                    match content {
                        Some(content) => tree.insert(path.clone(), content.clone()),
                        None => tree.remove(path),
                    };
                }
            });
            self.published.lock().unwrap().push(self.commits() - 1);
            Ok(Publication::Published(commit_id(self.commits() - 1)))
        })
    }
}

/// Tags and their digests; what is not there is missing, what is in `failing` does not answer.
#[derive(Default)]
pub struct FakeRegistry {
    pub tags: BTreeMap<String, Digest>,
    pub failing: BTreeSet<String>,
    pub dead: bool,
    /// Answers come in another order, as they would from many workers.
    pub shuffled: bool,
}

impl Registry for FakeRegistry {
    fn digest<'a>(&'a self, reference: &'a ImageReference) -> Answer<'a, Result<Digest, Fault>> {
        let name = reference.canonical();
        Box::pin(async move {
            if self.shuffled {
                for _ in 0..name.bytes().map(usize::from).sum::<usize>() % 7 {
                    tokio::task::yield_now().await;
                }
            }
            if self.dead || self.failing.contains(&name) {
                return Err(Fault::new(Class::Transient, "no answer"));
            }
            self.tags.get(&name).cloned().ok_or_else(|| Fault::new(Class::Missing, "no such tag"))
        })
    }
}

/// A clock that stands where it is set.
pub struct FakeClock(pub Timestamp);

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        self.0
    }

    fn monotonic(&self) -> Duration {
        Duration::from_secs(self.0.as_second().unsigned_abs())
    }

    fn sleep(&self, _: Duration) -> Answer<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// Nobody watches.
pub struct Unseen;

impl Progress for Unseen {
    fn begin(&self, _: &str, _: Option<u64>) {}
    fn advance(&self) {}
    fn end(&self) {}
}
