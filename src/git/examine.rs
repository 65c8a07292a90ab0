//! Looks at the program, the repository and our rights on it without changing anything, for `doctor`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use git2::Oid;
use jiff::Timestamp;

use super::checkout::{head_branch, tip, upstream};
use super::command::{GitProgram, transfer_fault};
use super::mirror::Mirror;
use super::move_branch::dirt;
use super::objects::commit_id;
use super::remote::Remote;
use super::{RepositoryOptions, local_checkout};
use crate::base::{Class, Fault};
use crate::model::branch::BranchName;
use crate::model::remote_url::RemoteUrl;
use crate::ports::Proposal;

/// What a look at the repository found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// The repository as it may be shown.
    pub location: String,
    /// It is a checkout on this machine.
    pub checkout: bool,
    /// The branch that config is read from; nothing when HEAD is detached.
    pub branch: Option<String>,
    /// Whether that branch has a commit.
    pub branch_exists: bool,
    /// The branch that the record goes to.
    pub record_branch: Option<String>,
    /// Whether that one has a commit.
    pub record_exists: bool,
    /// A changed path in the work tree, which keeps the branch from being moved.
    pub dirty: Option<String>,
}

/// The version that `git --version` tells.
///
/// # Errors
/// [`Class::Local`] when git does not start.
pub async fn version(program: &GitProgram, directory: &Path) -> Result<String, Fault> {
    let answered = program.run(directory, &["--version"], None).await?;
    let text = String::from_utf8_lossy(&answered.stdout).into_owned();
    let version = text.trim().strip_prefix("git version ").map(|rest| rest.split_whitespace().next().unwrap_or(rest).to_owned());
    version.ok_or_else(|| Fault::new(Class::Malformed, "git does not say its version"))
}

/// Looks at the repository: whether it answers, and whether its branches are there.
///
/// # Errors
/// When it does not answer, or is none.
pub async fn examine(options: RepositoryOptions) -> Result<Examined, Fault> {
    if let Some(git) = local_checkout(&options)? {
        let head = head_branch(&git);
        let branch = options.branch.clone().or_else(|| head.clone());
        let record = options.record_branch.clone().or_else(|| branch.clone());
        let exists = |branch: &Option<BranchName>| Ok::<_, Fault>(branch.as_ref().map(|branch| tip(&git, branch)).transpose()?.flatten());
        let config = exists(&branch)?;
        let dirty = match (config, record == head) {
            (Some(config), true) => dirt(&git, &nothing(config)?)?,
            _ => None,
        };
        return Ok(Examined {
            location: options.location.clone(),
            checkout: true,
            branch_exists: config.is_some(),
            record_exists: exists(&record)?.is_some(),
            branch: branch.as_ref().map(ToString::to_string),
            record_branch: record.as_ref().map(ToString::to_string),
            dirty,
        });
    }
    let remote = remote(options)?;
    let (config, record, heads) = remote.look().await?;
    let exists = |branch: &BranchName| heads.iter().any(|(name, _)| *name == branch.full());
    Ok(Examined {
        location: remote.url.to_string(),
        checkout: false,
        branch_exists: exists(&config),
        record_exists: exists(&record),
        branch: Some(config.to_string()),
        record_branch: Some(record.to_string()),
        dirty: None,
    })
}

/// Asks whether the account may push to the record branch, by a push that sends nothing. Rules of single branches show
/// only at a real one. With a checkout, its upstream is asked when `push` is set.
///
/// # Errors
/// [`Class::Denied`] or [`Class::Refused`] when it may not; others when nobody answers.
pub async fn may_push(options: RepositoryOptions) -> Result<String, Fault> {
    let Some(git) = local_checkout(&options)? else {
        let remote = remote(options)?;
        let snapshot = remote.snapshot().await?;
        let (_, record, _) = remote.look().await?;
        let commit = snapshot.record.unwrap_or(snapshot.config);
        dry_push(&remote.git, &remote.mirror, &remote.url, &record, commit.as_str()).await?;
        return Ok(format!("the account may push to {}", remote.url));
    };
    if !options.push {
        tempfile::tempfile_in(git.path()).map_err(|error| {
            Fault::new(Class::Local, format!("{}: {error}", git.path().display()))
                .hint("the user must be able to write the checkout's .git")
        })?;
        return Ok("the checkout can be written".to_owned());
    }
    let branch = options.record_branch.clone().or_else(|| options.branch.clone()).or_else(|| head_branch(&git));
    let upstream = branch.as_ref().and_then(|branch| upstream(&git, branch));
    drop(git);
    let Some((url, branch, extra)) = upstream else {
        return Err(Fault::new(Class::Missing, "the branch has no upstream to push to").hint("git push --set-upstream origin BRANCH"));
    };
    let mirror = Mirror::open(&options.cache, &url)?;
    let mut program = GitProgram { extra, ..options.program };
    program.protocols.insert(url.protocol());
    mirror.fetch(&program, &url, &[branch.full()], &[]).await?;
    let heads = mirror.ls_remote(&program, &url, &[branch.full()]).await?;
    let head = heads.iter().find(|(name, _)| *name == branch.full()).map(|(_, id)| id.clone());
    let head = head.ok_or_else(|| Fault::new(Class::Missing, format!("{url}: there is no branch {branch}")))?;
    dry_push(&program, &mirror, &url, &branch, &head).await?;
    Ok(format!("the account may push to {url}"))
}

fn remote(options: RepositoryOptions) -> Result<Remote, Fault> {
    let url = super::remote_location(&options)?;
    let mirror = Mirror::open(&options.cache, &url)?;
    let RepositoryOptions { branch, record_branch, signing_key, mut program, .. } = options;
    program.protocols.insert(url.protocol());
    Ok(Remote { url, branch, record_branch, git: program, mirror, signing_key, seen: Mutex::default() })
}

async fn dry_push(git: &GitProgram, mirror: &Mirror, url: &RemoteUrl, branch: &BranchName, commit: &str) -> Result<(), Fault> {
    let refspec = format!("{commit}:{}", branch.full());
    let arguments = ["push", "--dry-run", "--porcelain", "--no-verify", "--end-of-options", url.as_str(), &refspec];
    let answered = git.run(mirror.directory(), &arguments, None).await?;
    if answered.success { Ok(()) } else { Err(transfer_fault(url, &answered.said)) }
}

/// A proposal that changes nothing: what stands in its way is what stands in the way of all.
fn nothing(config: Oid) -> Result<Proposal, Fault> {
    Ok(Proposal {
        parent: None,
        config: commit_id(config)?,
        files: BTreeMap::new(),
        author: String::new(),
        email: String::new(),
        when: Timestamp::UNIX_EPOCH,
        message: String::new(),
    })
}
