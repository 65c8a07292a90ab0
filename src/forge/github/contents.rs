//! Files of a repository by API: one look at the branch, then only what is new.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::client::{Github, RAW, SHA};
use crate::base::{Class, Fault};
use crate::forge::address::{repo as checked, segments};
use crate::forge::kept_files::LARGEST;
use crate::forge::listed::{Listed, file_fault};
use crate::model::{CommitId, RepoPath};
use crate::ports::{ForgeRepo, SourceAnswer, SourceBranch, SourceFile};

/// Deepest path that is walked when a tree is too large to be listed at once.
const DEEPEST: usize = 64;

/// A tree as GitHub lists it.
#[derive(Deserialize)]
struct Tree {
    #[serde(default)]
    tree: Vec<Entry>,
    #[serde(default)]
    truncated: bool,
}

/// One of its entries.
#[derive(Deserialize)]
struct Entry {
    path: String,
    mode: String,
    sha: String,
    size: Option<u64>,
}

impl Github {
    /// Reads `paths` from the head of a branch. An unmoved head costs one request that GitHub does not count; a moved
    /// one a listing, and each file whose content changed one more.
    pub(in crate::forge) async fn read_branch(
        &self,
        source: &SourceBranch,
        forge: &ForgeRepo,
        paths: &[RepoPath],
    ) -> Result<SourceAnswer, Fault> {
        let repo = checked(&forge.repo, false)?;
        let shown = format!("{}/{repo}", self.exchange.host());
        let commit = self.head(repo, source.branch.as_deref()).await.map_err(|fault| fault.of(&shown))?;
        let name = format!("tree {repo} {}", source.branch.as_deref().unwrap_or_default());
        let listing = self.listing(repo, &name, &commit, paths).await.map_err(|fault| fault.of(&shown))?;
        let mut answer = SourceAnswer::new();
        for path in paths {
            let read = match listing.get(path.as_str()) {
                Some(Listed::File { sha, size, .. }) if size.is_none_or(|size| size <= LARGEST as u64) => {
                    let content = self.blob(repo, path, sha).await.map_err(|fault| fault.of(path.as_str()));
                    content.map(|content| SourceFile { commit: commit.clone(), content })
                }
                other => Err(file_fault(path, other, &shown)),
            };
            answer.insert(path.clone(), read);
        }
        Ok(answer)
    }

    /// The commit at the head of a branch.
    pub(super) async fn head(&self, repo: &str, branch: Option<&str>) -> Result<CommitId, Fault> {
        let reference = branch.map_or_else(|| "HEAD".to_owned(), |branch| format!("heads/{}", segments(branch)));
        let kept = self.conditional(repo, &format!("/repos/{repo}/commits/{reference}"), SHA).await.map_err(|fault| {
            // 422 and 409 are how GitHub says that there is no such branch, and no commit at all.
            match fault.class {
                Class::Refused => {
                    let what = branch.map_or("default branch".to_owned(), |branch| format!("branch {branch}"));
                    Fault::new(Class::Missing, format!("there is no {what}"))
                }
                // 404 is about the repository, and also what GitHub answers when access was lost: not known to be gone.
                Class::Missing => Fault { class: Class::Denied, ..fault },
                _ => fault,
            }
        })?;
        let text = String::from_utf8_lossy(&kept.body);
        CommitId::parse(text.trim()).ok_or_else(|| Fault::new(Class::Malformed, "the head of the branch is no object id"))
    }

    /// What `paths` are at `commit`. A commit's tree never changes, so what was listed once is not asked for again.
    pub(super) async fn listing(
        &self,
        repo: &str,
        name: &str,
        commit: &CommitId,
        paths: &[RepoPath],
    ) -> Result<BTreeMap<String, Listed>, Fault> {
        if let Some(listing) = self.exchange.kept_listing(name, commit, paths) {
            return Ok(listing);
        }
        let tree: Tree = self.get(repo, &format!("/repos/{repo}/git/trees/{commit}?recursive=1")).await?;
        let mut listing = BTreeMap::new();
        if tree.truncated {
            let mut walked = BTreeMap::new();
            for path in paths {
                let found = self.walk(repo, commit.as_str(), path, &mut walked).await?;
                listing.insert(path.as_str().to_owned(), found);
            }
        } else {
            let entries: BTreeMap<&str, &Entry> = tree.tree.iter().map(|entry| (entry.path.as_str(), entry)).collect();
            for path in paths {
                let found = entries.get(path.as_str()).map_or(Listed::Absent, |entry| listed_as(entry));
                listing.insert(path.as_str().to_owned(), found);
            }
        }
        self.exchange.keep_listing(name, commit, &listing);
        Ok(listing)
    }

    /// Finds one path tree by tree, for repositories whose listing GitHub cuts off.
    async fn walk(&self, repo: &str, root: &str, path: &RepoPath, walked: &mut BTreeMap<String, Tree>) -> Result<Listed, Fault> {
        let mut at = root.to_owned();
        let parts: Vec<&str> = path.as_str().split('/').collect();
        if parts.len() > DEEPEST {
            return Err(Fault::new(Class::Limit, format!("{path} is deeper than {DEEPEST} directories")));
        }
        for (place, part) in parts.iter().enumerate() {
            if !walked.contains_key(&at) {
                let tree: Tree = self.get(repo, &format!("/repos/{repo}/git/trees/{at}")).await?;
                if tree.truncated {
                    return Err(Fault::new(Class::Limit, format!("a directory of {path} has more entries than GitHub lists")));
                }
                walked.insert(at.clone(), tree);
            }
            let entry = walked.get(&at).and_then(|tree| tree.tree.iter().find(|entry| entry.path == *part));
            let Some(entry) = entry else { return Ok(Listed::Absent) };
            if place + 1 == parts.len() {
                return Ok(listed_as(entry));
            }
            if entry.mode != "040000" {
                return Ok(Listed::Absent);
            }
            if CommitId::parse(&entry.sha).is_none() {
                return Err(Fault::new(Class::Malformed, "a tree of the repository has no object id"));
            }
            at = entry.sha.clone();
        }
        Ok(Listed::Absent)
    }

    /// A file's content: what is kept when it is that very blob, else asked for and checked against its id.
    async fn blob(&self, repo: &str, path: &RepoPath, sha: &str) -> Result<Vec<u8>, Fault> {
        let name = format!("blob {repo} {path}");
        if let Some(content) = self.exchange.kept_blob(&name, sha) {
            return Ok(content);
        }
        let answered = self.send_as(repo, reqwest::Method::GET, &format!("/repos/{repo}/git/blobs/{sha}"), RAW, None).await?;
        if answered.status != reqwest::StatusCode::OK {
            return Err(self.refusal(&answered, "read"));
        }
        self.exchange.sent_blob(&name, sha, answered.body)
    }
}

fn listed_as(entry: &Entry) -> Listed {
    match entry.mode.as_str() {
        "100644" | "100755" | "100664" if CommitId::parse(&entry.sha).is_some() => {
            Listed::File { sha: entry.sha.clone(), size: entry.size, program: entry.mode == "100755" }
        }
        "120000" => Listed::Symlink,
        _ => Listed::Other,
    }
}
