//! A config repository that is a checkout on this machine.
//!
//! Everything goes through libgit2, which runs no hooks, filters or file-system monitors, so that nothing the
//! repository's own configuration names can be started. Only `--push` runs git, and that in the mirror.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use git2::{ErrorCode, Oid, Repository as Git};

use super::command::GitProgram;
use super::desk;
use super::mirror::Mirror;
use super::move_branch::{finish, move_branch};
use super::objects::{self, commit_id, fault, oid};
use super::opened::Opened;
use super::push::push;
use super::sign::{self, SigningKey};
use crate::base::{Class, Fault};
use crate::model::Snapshot;
use crate::model::branch::BranchName;
use crate::model::remote_url::RemoteUrl;
use crate::ports::{Answer, Proposal, Publication};

/// Keys of the repository's own configuration that are honoured when its upstream is spoken to.
const HONOURED: [&str; 3] = ["credential.", "http.", "url."];

/// A checkout.
pub(super) struct Checkout {
    pub(super) git: Mutex<Git>,
    pub(super) branch: Option<BranchName>,
    pub(super) record_branch: Option<BranchName>,
    pub(super) push: bool,
    pub(super) signing_key: Option<SigningKey>,
    pub(super) program: GitProgram,
    pub(super) cache: PathBuf,
}

/// Where the record goes.
pub(super) struct Destination {
    /// `None`: HEAD is detached and no branch was named.
    pub(super) branch: Option<BranchName>,
    /// The branch is the one that is checked out.
    pub(super) checked_out: bool,
}

impl Checkout {
    pub(super) fn open(path: &Path) -> Result<Git, Fault> {
        Git::open(path).map_err(|error| {
            let text = format!("{}: {}", path.display(), crate::base::fault::foreign(error.message()));
            match error.code() {
                ErrorCode::NotFound => {
                    Fault::new(Class::Missing, format!("{}: there is no git repository", path.display())).hint("name one with --repo")
                }
                ErrorCode::Owner => {
                    Fault::new(Class::Denied, text).hint("the repository belongs to another user; run as that user, or use its URL")
                }
                _ => Fault::new(Class::Local, text),
            }
        })
    }

    fn destination(&self, git: &Git) -> Destination {
        let head = head_branch(git);
        let branch = self.record_branch.clone().or_else(|| self.branch.clone()).or_else(|| head.clone());
        Destination { checked_out: branch.is_some() && branch == head, branch }
    }

    fn look(&self, git: &Git) -> Result<Snapshot, Fault> {
        desk::clear(git);
        if let Err(fault) = finish(git) {
            tracing::warn!(%fault, "a killed run did not bring its files along, and they can't be brought along now");
        }
        let config = match self.branch.clone().or_else(|| head_branch(git)) {
            Some(branch) => tip(git, &branch)?.ok_or_else(|| {
                Fault::new(Class::Missing, format!("there is no branch {branch} with a commit"))
                    .hint("make a first commit, or name another with --branch")
            })?,
            None => git.head().and_then(|head| head.peel_to_commit()).map_err(|error| fault(&error))?.id(),
        };
        let record = match self.destination(git).branch {
            Some(branch) => tip(git, &branch)?,
            None => Some(config),
        };
        let ours = match record.map(|record| objects::last_own(git, record)) {
            Some(objects::Own::Before(id)) => Some(commit_id(id)?),
            _ => None,
        };
        Ok(Snapshot { config: commit_id(config)?, record: record.map(commit_id).transpose()?, rewritten: false, ours })
    }

    async fn publish(&self, proposal: &Proposal) -> Result<Publication, Fault> {
        let (draft, directory) = self.with(|git| Ok((objects::draft(git, proposal)?, objects::directory(git))))?;
        let signature = sign::optional(self.signing_key.as_ref(), &draft).await?;
        let commit = draft.write(&directory, signature.as_deref())?;
        let (publication, upstream) = self.with(|git| {
            let destination = self.destination(git);
            let upstream = destination.branch.as_ref().filter(|_| self.push).and_then(|branch| upstream(git, branch));
            Ok((move_branch(git, &destination, proposal, commit)?, upstream))
        })?;
        if !self.push || matches!(publication, Publication::Moved) {
            return Ok(publication);
        }
        let Some((url, branch, extra)) = upstream else {
            return Ok(Publication::Refused("the branch has no upstream to push to".to_owned()));
        };
        let pushed = self.push_upstream(proposal, (commit, signature.as_deref()), (&url, &branch, extra)).await?;
        Ok(match (publication, pushed) {
            // The upstream has it, which is what was asked for; why the branch stayed is told beside it.
            (Publication::Declined(why), Publication::Published(id)) => {
                tracing::warn!("pushed to the upstream; the local branch was not moved: {why}");
                Publication::Published(id)
            }
            (_, pushed) => pushed,
        })
    }

    /// Pushes from a mirror, so that git never runs inside the checkout.
    async fn push_upstream(
        &self,
        proposal: &Proposal,
        (commit, signature): (Oid, Option<&str>),
        (url, branch, extra): (&RemoteUrl, &BranchName, Vec<(String, String)>),
    ) -> Result<Publication, Fault> {
        let mirror = Mirror::open(&self.cache, url)?;
        let program = GitProgram { extra, ..self.program.clone() };
        let heads = mirror.ls_remote(&program, url, &[branch.full()]).await?;
        let head = heads.iter().find(|(name, _)| *name == branch.full()).map(|(_, id)| oid(id)).transpose()?;
        let expected = proposal.parent.as_ref().map(|id| oid(id.as_str())).transpose()?;
        if head != expected {
            return Ok(Publication::Refused(format!("the upstream's {branch} is not at the commit this was planned from; pull first")));
        }
        if head.is_some() {
            mirror.fetch(&program, url, &[branch.full()], &[]).await?;
        }
        let again = {
            let repository = mirror.repository()?;
            objects::draft(&repository, proposal)?.write(&objects::directory(&repository), signature)?
        };
        if again != commit {
            return Err(Fault::new(Class::Internal, "the same proposal gave two commits"));
        }
        push(&program, &mirror, url, &branch.full(), expected, commit).await
    }
}

pub(super) fn head_branch(git: &Git) -> Option<BranchName> {
    let head = git.find_reference("HEAD").ok()?;
    let target = head.symbolic_target().ok()??;
    BranchName::parse(target.strip_prefix("refs/heads/")?).ok()
}

pub(super) fn tip(git: &Git, branch: &BranchName) -> Result<Option<Oid>, Fault> {
    match git.find_reference(&branch.full()).and_then(|reference| reference.peel_to_commit()) {
        Ok(commit) => Ok(Some(commit.id())),
        Err(error) if error.code() == ErrorCode::NotFound || error.code() == ErrorCode::UnbornBranch => Ok(None),
        Err(error) => Err(fault(&error)),
    }
}

/// Where a branch is pushed to: its address, its name there, and the honoured part of the configuration.
pub(super) type Upstream = (RemoteUrl, BranchName, Vec<(String, String)>);

/// The upstream of a branch.
pub(super) fn upstream(git: &Git, branch: &BranchName) -> Option<Upstream> {
    let config = git.config().ok()?.snapshot().ok()?;
    let remote = config.get_string(&format!("branch.{branch}.remote")).unwrap_or_else(|_| "origin".to_owned());
    let merge = config.get_string(&format!("branch.{branch}.merge")).unwrap_or_else(|_| branch.full());
    let url =
        config.get_string(&format!("remote.{remote}.pushurl")).or_else(|_| config.get_string(&format!("remote.{remote}.url"))).ok()?;
    let local = config.open_level(git2::ConfigLevel::Local).ok()?;
    let mut extra = Vec::new();
    let mut entries = local.entries(None).ok()?;
    while let Some(Ok(entry)) = entries.next() {
        if let (Ok(name), Ok(value)) = (entry.name(), entry.value())
            && HONOURED.iter().any(|prefix| name.starts_with(prefix))
        {
            extra.push((name.to_owned(), value.to_owned()));
        }
    }
    let branch = BranchName::parse(merge.strip_prefix("refs/heads/")?).ok()?;
    Some((RemoteUrl::parse(&url).ok()?, branch, extra))
}

impl Opened for Checkout {
    fn with<T>(&self, use_it: impl FnOnce(&Git) -> Result<T, Fault>) -> Result<T, Fault> {
        let git = self.git.lock().map_err(|_| Fault::new(Class::Internal, "an earlier read panicked"))?;
        use_it(&git)
    }

    fn seen(&self) -> Answer<'_, Result<Snapshot, Fault>> {
        Box::pin(async { self.with(|git| self.look(git)) })
    }

    fn put<'a>(&'a self, proposal: &'a Proposal) -> Answer<'a, Result<Publication, Fault>> {
        Box::pin(self.publish(proposal))
    }
}
