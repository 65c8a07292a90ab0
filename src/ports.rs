//! Floor 3: what a pass needs from the outside, as narrow traits. Everything that does IO implements one of these.

pub mod builder;
pub mod context;
pub mod forge;
pub mod images;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use jiff::Timestamp;

use crate::base::Fault;
use crate::model::{BlobId, CommitId, Digest, ImageReference, Provider, RepoPath, Snapshot};

/// A boxed future, so that the traits stay object-safe.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One regular file of a tree. Symlinks and submodules are never listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its content's object id.
    pub blob: BlobId,
    /// Its size in bytes, when the listing knows it for free.
    pub size: Option<u64>,
}

/// The files under some directories of one commit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Regular files by path from the top of the tree.
    pub files: BTreeMap<String, File>,
    /// Paths that are there but can't be used: symlinks, submodules, names that are no text.
    pub refused: BTreeMap<String, &'static str>,
}

/// A commit to be made: what to write onto which parent.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// The record commit that the changes were planned against. `None` starts the branch.
    pub parent: Option<CommitId>,
    /// The config commit that the plan was made from.
    pub config: CommitId,
    /// New content by path; `None` deletes the file.
    pub files: BTreeMap<String, Option<Vec<u8>>>,
    /// Author and committer name.
    pub author: String,
    /// Author and committer address.
    pub email: String,
    /// When the commit says it was made.
    pub when: Timestamp,
    /// Subject line, body and trailers.
    pub message: String,
}

/// How a publish ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Publication {
    /// The branch now holds this commit, or a descendant of it.
    Published(CommitId),
    /// The branch is no longer where the plan saw it: plan again from its new tip.
    Moved,
    /// The remote understood and said no; the text is its own, made printable.
    Refused(String),
    /// Published nowhere by choice: a local checkout with changes of its own, or a detached head.
    Declined(String),
}

/// Facts about a commit that people may want to read beside ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitFacts {
    /// `Name <address>`.
    pub author: String,
    /// When it was authored.
    pub when: Timestamp,
    /// First line of its message.
    pub subject: String,
    /// The rest of its message, without the trailing newline.
    pub body: String,
    /// Its first parent. A parent that was never fetched is named all the same.
    pub parent: Option<CommitId>,
}

/// The config repository: read by commit, written by compare-and-swap.
pub trait Repository: Send + Sync {
    /// Looks at the remote heads, fetches what is new, and names the two commits of this pass.
    fn snapshot(&self) -> Answer<'_, Result<Snapshot, Fault>>;

    /// The regular files of `commit` at or under each of `paths`.
    fn list(&self, commit: &CommitId, paths: &[&str]) -> Result<Listing, Fault>;

    /// A blob's content; [`Class::Limit`](crate::base::Class::Limit) above `limit` bytes.
    fn read(&self, blob: &BlobId, limit: u64) -> Result<Vec<u8>, Fault>;

    /// Author, date and message of a commit.
    fn facts(&self, commit: &CommitId) -> Result<CommitFacts, Fault>;

    /// The object id that a file with this content has.
    fn blob_id(&self, content: &[u8]) -> Result<BlobId, Fault>;

    /// Writes the commit and moves the branch, if and only if it still is where the plan saw it.
    fn publish<'a>(&'a self, proposal: &'a Proposal) -> Answer<'a, Result<Publication, Fault>>;
}

/// A note about a commit.
#[derive(Debug, Clone)]
pub struct Note {
    /// The commit it is about.
    pub commit: CommitId,
    /// Its text.
    pub text: String,
    /// Author's name.
    pub author: String,
    /// Author's address.
    pub email: String,
    /// When it says it was made.
    pub when: Timestamp,
}

/// A branch of manifests that promotion by branches follows, with the notes beside it. Its record is that branch.
pub trait Hydrated: Repository {
    /// Makes this the note of its commit, if nobody noted something else in between. A commit that has this very note
    /// keeps it, and nothing is written.
    fn note<'a>(&'a self, note: &'a Note) -> Answer<'a, Result<Publication, Fault>>;
}

/// Where a Dockerfile lives outside the config repository.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceBranch {
    /// A URL that the `git` program speaks, already checked against the allow-list.
    pub url: String,
    /// The branch; `None` is the remote's default.
    pub branch: Option<String>,
    /// The forge that has it, which may be asked by API instead.
    pub forge: Option<ForgeRepo>,
}

/// A repository as its forge names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ForgeRepo {
    /// GitHub or GitLab.
    pub provider: Provider,
    /// `owner/name`; on GitLab with groups.
    pub repo: String,
}

/// A file read from a source repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// The commit it was read from.
    pub commit: CommitId,
    /// Its content.
    pub content: Vec<u8>,
}

/// Files by path, each read or not.
pub type SourceAnswer = BTreeMap<RepoPath, Result<SourceFile, Fault>>;

/// Source repositories of managed images.
pub trait Sources: Send + Sync {
    /// Reads `paths` from the head of one branch with at most one fetch. The outer error is about the
    /// branch, the inner ones about single files.
    fn read<'a>(&'a self, branch: &'a SourceBranch, paths: &'a [RepoPath]) -> Answer<'a, Result<SourceAnswer, Fault>>;
}

/// Registries.
pub trait Registry: Send + Sync {
    /// The digest that a tag points at now.
    ///
    /// Absence is a fault of class [`Missing`](crate::base::Class::Missing), never a default.
    fn digest<'a>(&'a self, reference: &'a ImageReference) -> Answer<'a, Result<Digest, Fault>>;
}

/// Time, so that tests own it.
pub trait Clock: Send + Sync {
    /// The wall clock, for facts that are written down.
    fn now(&self) -> Timestamp;

    /// Time since some fixed moment of this run. It never goes back and no wall clock moves it: intervals rest on it.
    fn monotonic(&self) -> Duration;

    /// Waits. Only the loop and retries wait.
    fn sleep(&self, time: Duration) -> Answer<'_, ()>;
}

/// Where a pass says how far it is. Only a terminal listens.
pub trait Progress: Send + Sync {
    /// A new step begins: `reading registries`, with the number of items when it is known.
    fn begin(&self, step: &str, items: Option<u64>);

    /// One more item of the step is done.
    fn advance(&self);

    /// The pass is over: whatever was drawn is cleared.
    fn end(&self);
}
