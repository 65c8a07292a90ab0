//! What a build is made from: the files of one directory at one commit.

use std::collections::BTreeMap;

use super::{Answer, SourceBranch};
use crate::base::Fault;
use crate::model::{BlobId, CommitId, RepoPath};

/// Where a build's files are in a repository.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ContextPath {
    /// The directory that is sent to the engine; `None` is the whole repository.
    pub directory: Option<RepoPath>,
    /// The Dockerfile, from the top of the repository. It may stand outside the directory.
    pub dockerfile: RepoPath,
}

/// What stands under one path of a context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A regular file.
    File {
        /// Its bytes.
        bytes: Vec<u8>,
        /// Whether its owner may execute it.
        executable: bool,
    },
    /// A symbolic link that stays inside the context. It is sent as a link and never followed here.
    Link(String),
}

/// One file of a context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextFile {
    /// Its content's object id.
    pub blob: BlobId,
    /// Its content.
    pub content: Content,
}

/// A build's files, with what `.dockerignore` leaves out left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// The commit they were read from.
    pub commit: CommitId,
    /// Files by path from the top of the context.
    pub files: BTreeMap<String, ContextFile>,
    /// The Dockerfile among them.
    pub dockerfile: RepoPath,
}

/// Source repositories whose images are built here.
pub trait Contexts: Send + Sync {
    /// Reads a context from the head of a branch.
    ///
    /// # Errors
    /// `Missing` when directory or Dockerfile are not there, `Limit` above the size that is sent, `Config` for a
    /// link that leads out of the context.
    fn context<'a>(&'a self, branch: &'a SourceBranch, path: &'a ContextPath) -> Answer<'a, Result<Context, Fault>>;
}

/// The config repository, for entries whose provider is `local`.
pub trait OwnContexts: Send + Sync {
    /// Reads a context from one commit.
    ///
    /// # Errors
    /// As [`Contexts::context`].
    fn own_context(&self, commit: &CommitId, path: &ContextPath) -> Result<Context, Fault>;
}
