//! The config repository as it was last fetched: read from the mirror, nobody asked.
//!
//! The mirror may be in use; it is only read, and what can't be read is a fault.

use std::path::Path;
use std::sync::Mutex;

use git2::{Oid, Repository as Git};

use super::RepositoryOptions;
use super::mirror;
use super::objects::{self, commit_id, fault};
use super::opened::Opened;
use super::remote::LAST_SEEN;
use crate::base::{Class, Fault};
use crate::model::Snapshot;
use crate::model::branch::BranchName;
use crate::model::remote_url::RemoteUrl;
use crate::ports::{Answer, Proposal, Publication};

/// The newest mirror of a repository.
pub(super) struct Last {
    git: Mutex<Git>,
    snapshot: Snapshot,
}

impl Last {
    /// Opens the newest mirror of `url`.
    pub(super) fn open(options: &RepositoryOptions, url: &RemoteUrl) -> Result<Self, Fault> {
        let never = || {
            Fault::new(Class::Missing, format!("{url}: it was never fetched to this machine"))
                .hint("run the command once without --offline")
        };
        let mirrors = mirror::existing(&options.cache, url);
        let changed = |path: &Path| path.join(LAST_SEEN).metadata().and_then(|meta| meta.modified()).ok();
        let newest = mirrors.into_iter().max_by_key(|path| changed(path)).ok_or_else(never)?;
        let git = Git::open_bare(&newest).map_err(|error| fault(&error))?;
        let snapshot = snapshot(&git, &newest, options).ok_or_else(never)?;
        Ok(Self { git: Mutex::new(git), snapshot })
    }
}

/// The commits of the last fetch. What was pushed since is newer than the refs, and remembered beside them.
fn snapshot(git: &Git, directory: &Path, options: &RepositoryOptions) -> Option<Snapshot> {
    let mut fetched: Vec<(u64, String, Oid)> = Vec::new();
    for reference in git.references_glob("refs/plimsoll/*").ok()?.flatten() {
        let (Ok(name), Some(target)) = (reference.name(), reference.target()) else { continue };
        let Some((number, branch)) = name.strip_prefix("refs/plimsoll/").and_then(|rest| rest.split_once('/')) else { continue };
        fetched.push((number.parse().ok()?, branch.to_owned(), target));
    }
    let newest = fetched.iter().map(|(number, ..)| *number).max()?;
    fetched.retain(|(number, ..)| *number == newest);
    let record_branch = options.record_branch.as_ref().map(BranchName::as_str);
    let (config_branch, config) = match &options.branch {
        Some(branch) => fetched.iter().find(|(_, name, _)| name == branch.as_str()),
        None => fetched.iter().find(|(_, name, _)| Some(name.as_str()) != record_branch).or(fetched.first()),
    }
    .map(|(_, name, id)| (name.as_str(), *id))?;
    let seen = std::fs::read_to_string(directory.join(LAST_SEEN)).ok().and_then(|text| Oid::from_str(text.trim()).ok());
    let seen = seen.filter(|id| git.find_commit(*id).is_ok());
    let same = record_branch.is_none_or(|record| record == config_branch);
    let record = seen.or_else(|| {
        let of_record = fetched.iter().find(|(_, name, _)| Some(name.as_str()) == record_branch);
        of_record.map(|(_, _, id)| *id).or(same.then_some(config))
    });
    let config = if same { record.unwrap_or(config) } else { config };
    let ours = match record.map(|record| objects::last_own(git, record)) {
        Some(objects::Own::Before(id)) => commit_id(id).ok(),
        _ => None,
    };
    let record = record.and_then(|id| commit_id(id).ok());
    Some(Snapshot { config: commit_id(config).ok()?, record, rewritten: false, ours })
}

impl Opened for Last {
    fn with<T>(&self, use_it: impl FnOnce(&Git) -> Result<T, Fault>) -> Result<T, Fault> {
        let git = self.git.lock().map_err(|_| Fault::new(Class::Internal, "an earlier read panicked"))?;
        use_it(&git)
    }

    fn seen(&self) -> Answer<'_, Result<Snapshot, Fault>> {
        Box::pin(async { Ok(self.snapshot.clone()) })
    }

    fn put<'a>(&'a self, _: &'a Proposal) -> Answer<'a, Result<Publication, Fault>> {
        Box::pin(async { Ok(Publication::Declined("the last fetch is only read".to_owned())) })
    }
}
