//! What mirrors and checkouts answer alike: objects, read from a repository that is open.

use git2::Repository as Git;

use super::objects;
use crate::base::Fault;
use crate::model::{BlobId, CommitId, Snapshot};
use crate::ports::context::{Context, ContextPath, OwnContexts};
use crate::ports::{Answer, CommitFacts, Listing, Proposal, Publication, Repository};

/// A repository that is open, or opens when it is first read.
pub(super) trait Opened: Send + Sync {
    /// Runs `read` with the repository, one caller at a time.
    fn with<T>(&self, read: impl FnOnce(&Git) -> Result<T, Fault>) -> Result<T, Fault>;

    /// As [`Repository::snapshot`].
    fn seen(&self) -> Answer<'_, Result<Snapshot, Fault>>;

    /// As [`Repository::publish`].
    fn put<'a>(&'a self, proposal: &'a Proposal) -> Answer<'a, Result<Publication, Fault>>;
}

impl<R: Opened> Repository for R {
    fn snapshot(&self) -> Answer<'_, Result<Snapshot, Fault>> {
        self.seen()
    }

    fn list(&self, commit: &CommitId, paths: &[&str]) -> Result<Listing, Fault> {
        self.with(|git| objects::list(git, commit, paths))
    }

    fn read(&self, blob: &BlobId, limit: u64) -> Result<Vec<u8>, Fault> {
        self.with(|git| objects::read(git, blob, limit))
    }

    fn facts(&self, commit: &CommitId) -> Result<CommitFacts, Fault> {
        self.with(|git| objects::facts(git, commit))
    }

    fn blob_id(&self, content: &[u8]) -> Result<BlobId, Fault> {
        super::blob_id(content)
    }

    fn publish<'a>(&'a self, proposal: &'a Proposal) -> Answer<'a, Result<Publication, Fault>> {
        self.put(proposal)
    }
}

impl<R: Opened> OwnContexts for R {
    fn own_context(&self, commit: &CommitId, path: &ContextPath) -> Result<Context, Fault> {
        self.with(|git| super::context::read(git, commit, path))
    }
}
