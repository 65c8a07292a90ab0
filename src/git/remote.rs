//! A config repository behind a URL: read from a mirror, written by a leased push.

use std::sync::Mutex;

use git2::{Oid, Repository as Git};

use super::command::GitProgram;
use super::mirror::Mirror;
use super::objects::{self, Own, commit_id, descends, oid, trailer};
use super::opened::Opened;
use super::push::push;
use super::sign::{self, SigningKey};
use crate::base::{Class, Fault};
use crate::model::branch::BranchName;
use crate::model::remote_url::RemoteUrl;
use crate::model::{CommitId, Snapshot};
use crate::ports::{Answer, Hydrated, Note, Proposal, Publication};

/// Where the record head that was last seen is remembered.
pub(super) const LAST_SEEN: &str = "plimsoll-last-seen";

/// How often a branch may move between being looked at and being fetched.
const LOOKS: usize = 5;

/// A repository behind a URL.
pub(super) struct Remote {
    pub(super) url: RemoteUrl,
    pub(super) branch: Option<BranchName>,
    pub(super) record_branch: Option<BranchName>,
    pub(super) git: GitProgram,
    pub(super) mirror: Mirror,
    pub(super) signing_key: Option<SigningKey>,
    /// What the last look found; opening a repository for each blob would cost more than reading it.
    pub(super) seen: Mutex<Seen>,
}

/// What the last look found.
#[derive(Default)]
pub(super) struct Seen {
    repository: Option<Git>,
    record: Option<BranchName>,
    heads: Option<Heads>,
}

/// Heads that were looked at, and what that gave.
struct Heads {
    config: Oid,
    record: Option<Oid>,
    snapshot: Snapshot,
}

impl Remote {
    /// The branches' names, and the heads: the remote's default branch when none was given.
    pub(super) async fn look(&self) -> Result<(BranchName, BranchName, Vec<(String, String)>), Fault> {
        let mut refs: Vec<String> = [&self.branch, &self.record_branch].into_iter().flatten().map(BranchName::full).collect();
        if self.branch.is_none() {
            refs.push("HEAD".to_owned());
        }
        let mut heads = self.mirror.ls_remote(&self.git, &self.url, &refs).await?;
        let config = if let Some(branch) = &self.branch {
            branch.clone()
        } else {
            let named = heads
                .iter()
                .find(|(name, _)| name == "HEAD@")
                .and_then(|(_, target)| target.strip_prefix("refs/heads/"))
                .map(BranchName::parse);
            let Some(Ok(branch)) = named else {
                return Err(Fault::new(Class::Missing, format!("{}: the repository has no default branch", self.url))
                    .hint("push a first commit, or name the branch with --branch"));
            };
            if let Some((_, id)) = heads.iter().find(|(name, _)| name == "HEAD").cloned() {
                heads.push((branch.full(), id));
            }
            branch
        };
        let record = self.record_branch.clone().unwrap_or_else(|| config.clone());
        Ok((config, record, heads))
    }

    pub(super) async fn snapshot(&self) -> Result<Snapshot, Fault> {
        for _ in 0..LOOKS {
            if let Some(snapshot) = self.look_and_fetch().await? {
                return Ok(snapshot);
            }
        }
        Err(Fault::new(Class::Transient, format!("{}: the branch moved at each of {LOOKS} looks", self.url)))
    }

    /// Nothing when the branch moved between being looked at and being fetched.
    async fn look_and_fetch(&self) -> Result<Option<Snapshot>, Fault> {
        let (config_branch, record_branch, heads) = self.look().await?;
        let head = |branch: &BranchName| heads.iter().find(|(name, _)| *name == branch.full()).map(|(_, id)| oid(id)).transpose();
        let config = head(&config_branch)?.ok_or_else(|| {
            Fault::new(Class::Missing, format!("{}: there is no branch {config_branch}", self.url))
                .hint("push it, or name another with --branch")
        })?;
        let record = head(&record_branch)?;
        if !self.mirror.has(config) || record.is_some_and(|record| !self.mirror.has(record)) {
            let mut branches = vec![config_branch.full()];
            if record.is_some() && record_branch != config_branch {
                branches.push(record_branch.full());
            }
            self.mirror.fetch(&self.git, &self.url, &branches, &[]).await?;
            self.forget();
            if !self.mirror.has(config) || record.is_some_and(|record| !self.mirror.has(record)) {
                return Ok(None);
            }
        }
        if let Some(snapshot) = self.unmoved(config, record, &record_branch) {
            return Ok(Some(snapshot));
        }
        let mut both = vec![config_branch.full()];
        both.extend(Some(record_branch.full()).filter(|_| record_branch != config_branch));
        let ours = self.last_own(record, &both).await?;
        let rewritten = self.with(|repository| Ok(self.was_rewritten(repository, record)))?;
        let snapshot = Snapshot { config: commit_id(config)?, record: record.map(commit_id).transpose()?, rewritten, ours };
        if let Ok(mut seen) = self.seen.lock() {
            seen.record = Some(record_branch);
            seen.heads = Some(Heads { config, record, snapshot: snapshot.clone() });
        }
        Ok(Some(snapshot))
    }

    /// The snapshot of these heads, when the last look found the same ones. What was read of them is not read again then,
    /// so the repository is closed: it keeps what it unpacked for as long as it is open.
    fn unmoved(&self, config: Oid, record: Option<Oid>, branch: &BranchName) -> Option<Snapshot> {
        let mut seen = self.seen.lock().ok()?;
        let heads = seen.heads.as_ref().filter(|heads| (heads.config, heads.record) == (config, record))?;
        // A head that was rewritten has been told of.
        let snapshot = Snapshot { rewritten: false, ..heads.snapshot.clone() };
        seen.repository = None;
        seen.record = Some(branch.clone());
        Some(snapshot)
    }

    /// Our last commit before `record`, when others committed since. A first fetch takes one commit only, so more
    /// history is fetched, once, when somebody wrote states and none of ours is in sight.
    async fn last_own(&self, record: Option<Oid>, branches: &[String]) -> Result<Option<CommitId>, Fault> {
        let Some(record) = record else { return Ok(None) };
        let look = || {
            self.with(|repository| {
                Ok((objects::last_own(repository, record), repository.is_shallow() && objects::has_states(repository, record)))
            })
        };
        let own = match look()? {
            (Own::NotHere, true) => {
                self.mirror.fetch(&self.git, &self.url, branches, &["--depth=1000"]).await?;
                self.forget();
                look()?.0
            }
            (own, _) => own,
        };
        match own {
            Own::Before(id) => commit_id(id).map(Some),
            Own::Tip | Own::NotHere => Ok(None),
        }
    }

    /// Whether the record head no longer descends from the one last seen; then remembers the new one.
    fn was_rewritten(&self, repository: &Git, record: Option<Oid>) -> bool {
        let Some(record) = record else { return false };
        let last = self.mirror.remembered(LAST_SEEN).and_then(|text| Oid::from_str(text.trim()).ok());
        if last != Some(record) {
            self.mirror.remember(LAST_SEEN, &record.to_string());
        }
        last.is_some_and(|last| repository.find_commit(last).is_ok() && !descends(repository, record, last))
    }

    pub(super) fn forget(&self) {
        if let Ok(mut seen) = self.seen.lock() {
            seen.repository = None;
        }
    }

    async fn publish(&self, proposal: &Proposal) -> Result<Publication, Fault> {
        let branch = self
            .seen
            .lock()
            .ok()
            .and_then(|seen| seen.record.clone())
            .ok_or_else(|| Fault::new(Class::Internal, "nothing was looked at before publishing"))?;
        let expected = proposal.parent.as_ref().map(|id| oid(id.as_str())).transpose()?;
        let config = oid(proposal.config.as_str())?;
        let draft = self.with(|repository| {
            if is_stale(repository, expected, config) {
                return Ok(None);
            }
            Ok(Some((objects::draft(repository, proposal)?, objects::directory(repository))))
        })?;
        let Some((draft, objects)) = draft else { return Ok(Publication::Moved) };
        let signature = sign::optional(self.signing_key.as_ref(), &draft).await?;
        let commit = draft.write(&objects, signature.as_deref())?;
        let publication = push(&self.git, &self.mirror, &self.url, &branch.full(), expected, commit).await?;
        if let Publication::Published(id) = &publication {
            self.mirror.remember(LAST_SEEN, id.as_str());
        }
        Ok(publication)
    }
}

/// Whether the record tip was made from a newer config than ours: a replica answered, or a slow pass woke up.
fn is_stale(repository: &Git, tip: Option<Oid>, config: Oid) -> bool {
    let made_from = tip.and_then(|tip| trailer(repository, tip, "Plimsoll-Snapshot")).and_then(|id| Oid::from_str(&id).ok());
    made_from.is_some_and(|newer| newer != config && descends(repository, newer, config))
}

impl Hydrated for Remote {
    fn note<'a>(&'a self, note: &'a Note) -> Answer<'a, Result<Publication, Fault>> {
        Box::pin(self.note(note))
    }
}

impl Opened for Remote {
    fn with<T>(&self, use_it: impl FnOnce(&Git) -> Result<T, Fault>) -> Result<T, Fault> {
        let mut seen = self.seen.lock().map_err(|_| Fault::new(Class::Internal, "an earlier read panicked"))?;
        if seen.repository.is_none() {
            seen.repository = Some(self.mirror.repository()?);
        }
        match &seen.repository {
            Some(repository) => use_it(repository),
            None => Err(Fault::new(Class::Internal, "the mirror is not open")),
        }
    }

    fn seen(&self) -> Answer<'_, Result<Snapshot, Fault>> {
        Box::pin(self.snapshot())
    }

    fn put<'a>(&'a self, proposal: &'a Proposal) -> Answer<'a, Result<Publication, Fault>> {
        Box::pin(self.publish(proposal))
    }
}
