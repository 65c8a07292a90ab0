//! Pull requests: a branch with what is wanted, and one request a branch that says so.
//!
//! Steps are blobs, tree, commit, reference, request. A crash leaves objects that nothing names, or a branch without
//! its request: the next call finds the branch as it should be and opens the request.

use std::collections::BTreeMap;

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::Github;
use crate::base::{Class, Fault, fault};
use crate::forge::address::{number, repo as checked, segment, segments};
use crate::forge::kept_files::paths;
use crate::forge::listed::Listed;
use crate::forge::object::blob_id;
use crate::model::CommitId;
use crate::model::branch::BranchName;
use crate::ports::forge::PullRequest;

#[derive(Deserialize)]
struct Pull {
    number: u64,
    state: String,
    merged_at: Option<String>,
    title: String,
    body: Option<String>,
    html_url: String,
    head: Head,
}

#[derive(Deserialize)]
struct Head {
    sha: Option<String>,
}

#[derive(Deserialize)]
struct Object {
    sha: String,
}

#[derive(Deserialize)]
struct Commit {
    tree: Object,
}

/// Where the branch is continued.
struct Start {
    commit: CommitId,
    /// The branch is there already.
    exists: bool,
    /// What it holds was merged: it may begin anew.
    merged: bool,
}

impl Github {
    pub(in crate::forge) async fn propose(&self, request: &PullRequest) -> Result<String, Fault> {
        let repo = checked(&request.repo, false)?;
        let branch = branch(&request.branch)?;
        let base = match &request.base {
            Some(base) => self::branch(base)?.to_owned(),
            None => self.default_branch(repo).await?,
        };
        if branch == base {
            return Err(Fault::new(Class::Config, format!("{repo}: a pull request needs a branch of its own, not {base}")));
        }
        let owner = repo.split('/').next().unwrap_or_default();
        let query = format!(
            "head={}&base={}&state=all&sort=created&direction=desc&per_page=10",
            segment(&format!("{owner}:{branch}")),
            segment(&base)
        );
        let pulls: Vec<Pull> = self.look(repo, &format!("/repos/{repo}/pulls?{query}")).await?;
        let latest = pulls.into_iter().next();
        if let Some(closed) = latest.as_ref().filter(|pull| pull.state != "open" && pull.merged_at.is_none()) {
            return Err(Fault::new(Class::Refused, format!("{repo}: people closed the pull request #{} of {branch}", closed.number))
                .hint("reopen it, or delete it and its branch, to have it again"));
        }
        let open = latest.as_ref().filter(|pull| pull.state == "open");
        let merged_head = latest.as_ref().filter(|pull| pull.merged_at.is_some()).and_then(|pull| pull.head.sha.as_deref());
        let base_head = self.head(repo, Some(&base)).await?;
        let start = self.start(repo, branch, &base_head, merged_head).await?;
        let changed = self.changed(repo, &start, request).await?;
        if changed.is_empty() && open.is_none() && (!start.exists || start.merged || start.commit == base_head) {
            return Err(Fault::new(Class::Refused, format!("{repo}: {base} is so already; there is nothing to propose")));
        }
        if !changed.is_empty() {
            let commit = self.commit(repo, &start, &changed, &request.title).await?;
            self.point(repo, branch, &commit, &start).await?;
        }
        let text = json!({ "title": request.title, "body": request.body });
        if let Some(pull) = open {
            if pull.title != request.title || pull.body.as_deref().unwrap_or_default() != request.body {
                let path = format!("/repos/{repo}/pulls/{}", number(&pull.number.to_string())?);
                self.change::<Value>(repo, Method::PATCH, &path, &text).await?;
            }
            return Ok(fault::foreign(&pull.html_url));
        }
        let mut new = text;
        if let Some(map) = new.as_object_mut() {
            map.extend([("head".to_owned(), json!(branch)), ("base".to_owned(), json!(base))]);
        }
        let pull: Pull = self.change(repo, Method::POST, &format!("/repos/{repo}/pulls"), &new).await?;
        Ok(fault::foreign(&pull.html_url))
    }

    async fn start(&self, repo: &str, branch: &str, base_head: &CommitId, merged_head: Option<&str>) -> Result<Start, Fault> {
        match self.head(repo, Some(branch)).await {
            // Commits that people added since the merge are not thrown away.
            Ok(head) if merged_head == Some(head.as_str()) => Ok(Start { commit: base_head.clone(), exists: true, merged: true }),
            Ok(head) => Ok(Start { commit: head, exists: true, merged: false }),
            Err(fault) if fault.class == Class::Missing => Ok(Start { commit: base_head.clone(), exists: false, merged: false }),
            Err(fault) => Err(fault),
        }
    }

    /// The files that are not yet as they should be, with their modes.
    async fn changed<'a>(
        &self,
        repo: &str,
        start: &Start,
        request: &'a PullRequest,
    ) -> Result<BTreeMap<&'a str, (&'static str, &'a [u8])>, Fault> {
        let paths = paths(request.files.keys())?;
        let listing = self.listing(repo, &format!("proposed {repo} {}", request.branch), &start.commit, &paths).await?;
        let mut changed = BTreeMap::new();
        for (path, content) in &request.files {
            let mode = match listing.get(path) {
                Some(Listed::File { sha, .. }) if *sha == blob_id(content) => continue,
                Some(Listed::File { program: true, .. }) => "100755",
                Some(Listed::File { .. } | Listed::Absent) | None => "100644",
                Some(Listed::Symlink | Listed::Other) => {
                    return Err(Fault::new(Class::Refused, format!("{repo}: {path} is no regular file and stays as it is")));
                }
            };
            changed.insert(path.as_str(), (mode, content.as_slice()));
        }
        Ok(changed)
    }

    async fn commit(
        &self,
        repo: &str,
        start: &Start,
        changed: &BTreeMap<&str, (&'static str, &[u8])>,
        message: &str,
    ) -> Result<CommitId, Fault> {
        let parent: Commit = self.get(repo, &format!("/repos/{repo}/git/commits/{}", start.commit)).await?;
        let mut entries = Vec::new();
        for (path, (mode, content)) in changed {
            let blob: Object = {
                use base64::Engine as _;
                let content = base64::prelude::BASE64_STANDARD.encode(content);
                let body = json!({ "content": content, "encoding": "base64" });
                self.change(repo, Method::POST, &format!("/repos/{repo}/git/blobs"), &body).await?
            };
            if blob.sha != blob_id(content) {
                return Err(Fault::new(Class::Malformed, format!("{repo}: the blob of {path} is not what was sent")));
            }
            entries.push(json!({ "path": path, "mode": mode, "type": "blob", "sha": blob.sha }));
        }
        let tree = json!({ "base_tree": parent.tree.sha, "tree": entries });
        let tree: Object = self.change(repo, Method::POST, &format!("/repos/{repo}/git/trees"), &tree).await?;
        let commit = json!({ "message": message, "tree": tree.sha, "parents": [start.commit.as_str()] });
        let commit: Object = self.change(repo, Method::POST, &format!("/repos/{repo}/git/commits"), &commit).await?;
        CommitId::parse(&commit.sha).ok_or_else(|| Fault::new(Class::Malformed, format!("{repo}: the new commit has no object id")))
    }

    /// Moves the branch: never back or aside, unless all it holds was merged.
    async fn point(&self, repo: &str, branch: &str, commit: &CommitId, start: &Start) -> Result<(), Fault> {
        let (method, path, body) = if start.exists {
            let body = json!({ "sha": commit.as_str(), "force": start.merged });
            (Method::PATCH, format!("/repos/{repo}/git/refs/heads/{}", segments(branch)), body)
        } else {
            (Method::POST, format!("/repos/{repo}/git/refs"), json!({ "ref": format!("refs/heads/{branch}"), "sha": commit.as_str() }))
        };
        self.change::<Value>(repo, method, &path, &body).await.map(|_| ())
    }
}

fn branch(name: &str) -> Result<&str, Fault> {
    BranchName::parse(name).map_err(|why| Fault::new(Class::Config, why))?;
    Ok(name)
}
