//! Pushes one commit by compare-and-swap and reads what the server says of it.

use git2::Oid;

use super::command::{Answered, GitProgram, transfer_fault};
use super::mirror::Mirror;
use super::objects::{commit_id, descends};
use crate::base::{Class, Fault};
use crate::model::remote_url::RemoteUrl;
use crate::ports::Publication;

/// Words of git and its servers for "the branch is not where you think": plan again.
const MOVED: [&str; 9] = [
    "stale info",
    "non-fast-forward",
    "fetch first",
    "cannot lock ref",
    "incorrect old value",
    "reference already exists",
    "failed to update ref",
    "failed to lock",
    "needs force",
];

/// What the client learned.
enum Answer {
    Landed,
    Moved,
    Refused(String),
    /// No answer: it may have landed or not.
    Silence(Fault),
}

/// Pushes `commit` to the ref `full` if and only if that is at `expected` (nothing: it does not exist).
pub(super) async fn push(
    git: &GitProgram,
    mirror: &Mirror,
    url: &RemoteUrl,
    full: &str,
    expected: Option<Oid>,
    commit: Oid,
) -> Result<Publication, Fault> {
    let lease = format!("--force-with-lease={full}:{}", expected.map(|id| id.to_string()).unwrap_or_default());
    let refspec = format!("{commit}:{full}");
    let arguments = [
        "push",
        "--porcelain",
        "--no-verify",
        "--no-follow-tags",
        "--recurse-submodules=no",
        &lease,
        "--end-of-options",
        url.as_str(),
        &refspec,
    ];
    let answer = match git.run(mirror.directory(), &arguments, None).await {
        Ok(answered) => read(url, full, &answered),
        Err(fault) if fault.class == Class::Transient => Answer::Silence(fault),
        Err(fault) => return Err(fault),
    };
    match answer {
        Answer::Landed => Ok(Publication::Published(commit_id(commit)?)),
        Answer::Moved => Ok(Publication::Moved),
        Answer::Refused(why) => Ok(Publication::Refused(why)),
        Answer::Silence(fault) => confirm(git, mirror, url, full, expected, commit, fault).await,
    }
}

fn read(url: &RemoteUrl, full: &str, answered: &Answered) -> Answer {
    let text = String::from_utf8_lossy(&answered.stdout).into_owned();
    let line = text.lines().find(|line| line.contains(full) && line.matches('\t').count() >= 2);
    let Some(line) = line else {
        let said = &answered.said;
        let fault = transfer_fault(url, said);
        // An account without rights is told so before any ref is looked at.
        let rights = fault.class == Class::Denied
            && ["403", "denied to", "not allowed to", "access denied", "Permission to"].iter().any(|word| said.contains(word));
        return if rights { Answer::Refused(said.clone()) } else { Answer::Silence(fault) };
    };
    let summary = line.rsplit('\t').next().unwrap_or_default();
    match line.chars().next() {
        Some('!') if summary.contains("[remote failure]") => Answer::Silence(transfer_fault(url, summary)),
        Some('!') if MOVED.iter().any(|word| summary.contains(word)) => Answer::Moved,
        Some('!') => {
            // What a hook prints tells people what to do; the summary alone says only that it declined.
            let told: Vec<&str> = answered
                .said
                .split("remote: ")
                .skip(1)
                .map(|part| part.split(" To ").next().unwrap_or(part).trim())
                .filter(|part| !part.is_empty())
                .collect();
            let told = told.join(" ");
            let summary = crate::base::fault::foreign(summary);
            Answer::Refused(if told.is_empty() { summary } else { format!("{summary}: {}", crate::base::fault::foreign(&told)) })
        }
        _ => Answer::Landed,
    }
}

/// After silence: our commit landed if and only if it is the remote head or an ancestor of it.
async fn confirm(
    git: &GitProgram,
    mirror: &Mirror,
    url: &RemoteUrl,
    full: &str,
    expected: Option<Oid>,
    commit: Oid,
    silence: Fault,
) -> Result<Publication, Fault> {
    if silence.class == Class::Denied {
        return Err(silence);
    }
    let unconfirmed = |fault: Fault| {
        Fault::new(fault.class, format!("whether the push arrived is not known: {}", fault.text))
            .hint("the next pass finds out; nothing is sent twice")
    };
    let heads = mirror.ls_remote(git, url, &[full.to_owned()]).await.map_err(unconfirmed)?;
    let head = heads.iter().find(|(name, _)| name == full).and_then(|(_, id)| Oid::from_str(id).ok());
    if head == Some(commit) {
        return Ok(Publication::Published(commit_id(commit)?));
    }
    if head == expected {
        return Err(silence);
    }
    mirror.fetch(git, url, &[full.to_owned()], &[]).await.map_err(unconfirmed)?;
    match head {
        Some(head) if descends(&mirror.repository()?, head, commit) => Ok(Publication::Published(commit_id(commit)?)),
        _ => Ok(Publication::Moved),
    }
}
