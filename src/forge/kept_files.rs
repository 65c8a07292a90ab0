//! Listings and file contents that are kept: each has an id of git's, so nobody need be asked whether it changed.

use std::collections::BTreeMap;

use super::exchange::Exchange;
use super::listed::{self, Listed};
use super::object::is_blob;
use crate::base::{Class, Fault, fault};
use crate::model::{CommitId, RepoPath};

/// Largest file that is read, in bytes.
pub(super) const LARGEST: usize = 1 << 20;

impl Exchange {
    /// What all of `paths` were at `commit`, when they were listed before.
    pub(super) fn kept_listing(&self, name: &str, commit: &CommitId, paths: &[RepoPath]) -> Option<BTreeMap<String, Listed>> {
        let kept = self.kept(name).filter(|kept| kept.tag == commit.as_str())?;
        listed::read(&kept.body).filter(|listing| paths.iter().all(|path| listing.contains_key(path.as_str())))
    }

    /// A listing to be found again.
    pub(super) fn keep_listing(&self, name: &str, commit: &CommitId, listing: &BTreeMap<String, Listed>) {
        self.keep(name, commit.as_str(), &listed::write(listing));
    }

    /// The content of a blob, when it was read before.
    pub(super) fn kept_blob(&self, name: &str, sha: &str) -> Option<Vec<u8>> {
        self.kept(name).filter(|kept| kept.tag == sha && is_blob(sha, &kept.body)).map(|kept| kept.body.to_vec())
    }

    /// The content of a blob as it was sent: believed when it has that id.
    pub(super) fn sent_blob(&self, name: &str, sha: &str, body: Vec<u8>) -> Result<Vec<u8>, Fault> {
        if body.len() > LARGEST {
            return Err(Fault::new(Class::Limit, format!("the file has {} bytes, more than the {LARGEST} that are read", body.len())));
        }
        if !is_blob(sha, &body) {
            return Err(Fault::new(Class::Malformed, format!("{} sent another content than that of {sha}", self.host())));
        }
        self.keep(name, sha, &body);
        Ok(body)
    }
}

/// Paths of files to be written, as they are.
pub(super) fn paths<'a>(files: impl Iterator<Item = &'a String>) -> Result<Vec<RepoPath>, Fault> {
    let path = |path: &String| RepoPath::parse(path).ok().filter(|parsed| parsed.as_str() == path);
    files.map(|text| path(text).ok_or_else(|| Fault::new(Class::Config, format!("`{}` is no path", fault::foreign(text))))).collect()
}
