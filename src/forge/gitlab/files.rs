//! Files of a project by API: one look at the branch, then only what is new.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::client::Gitlab;
use crate::base::{Class, Fault};
use crate::forge::address::segment;
use crate::forge::listed::{Listed, file_fault};
use crate::model::{CommitId, RepoPath};
use crate::ports::{ForgeRepo, SourceAnswer, SourceBranch, SourceFile};

/// Entries a page, the most GitLab gives.
const PAGE: usize = 100;

/// Pages of one directory that are looked at.
const PAGES: usize = 100;

#[derive(Deserialize)]
struct Branch {
    commit: Head,
}

#[derive(Deserialize)]
struct Head {
    id: String,
}

#[derive(Deserialize)]
struct Entry {
    id: String,
    path: String,
    mode: String,
}

impl Gitlab {
    /// Reads `paths` from the head of a branch. An unmoved head costs one request; a moved one a listing of each
    /// directory, and each file whose content changed one more.
    pub(in crate::forge) async fn read_branch(
        &self,
        source: &SourceBranch,
        forge: &ForgeRepo,
        paths: &[RepoPath],
    ) -> Result<SourceAnswer, Fault> {
        let project = Self::project(&forge.repo)?;
        let shown = format!("{}/{}", self.exchange.host(), forge.repo);
        let named = |fault: Fault| fault.of(&shown);
        let branch = match &source.branch {
            Some(branch) => branch.clone(),
            None => self.default_branch(&project).await.map_err(named)?,
        };
        let commit = self.head(&project, &branch).await.map_err(named)?;
        let name = format!("tree {} {branch}", forge.repo);
        let listing = self.listing(&project, &name, &commit, paths).await.map_err(named)?;
        let mut answer = SourceAnswer::new();
        for path in paths {
            let read = match listing.get(path.as_str()) {
                Some(Listed::File { sha, .. }) => {
                    let content = self.blob(&project, path, sha).await.map_err(|fault| fault.of(path.as_str()));
                    content.map(|content| SourceFile { commit: commit.clone(), content })
                }
                other => Err(file_fault(path, other, &shown)),
            };
            answer.insert(path.clone(), read);
        }
        Ok(answer)
    }

    /// The commit at the head of a branch.
    pub(super) async fn head(&self, project: &str, branch: &str) -> Result<CommitId, Fault> {
        let found = self.look(&format!("{project}/repository/branches/{}", segment(branch))).await;
        let found: Branch = found.map_err(|fault| match fault.class {
            Class::Missing if fault.text.contains("Branch Not Found") => Fault::new(Class::Missing, format!("there is no branch {branch}")),
            // Of the project; GitLab also answers so when access was lost: not known to be gone.
            Class::Missing => Fault { class: Class::Denied, ..fault },
            _ => fault,
        })?;
        CommitId::parse(&found.commit.id).ok_or_else(|| Fault::new(Class::Malformed, "the head of the branch is no object id"))
    }

    /// What `paths` are at `commit`, directory by directory: only listings tell a file from a symlink.
    pub(super) async fn listing(
        &self,
        project: &str,
        name: &str,
        commit: &CommitId,
        paths: &[RepoPath],
    ) -> Result<BTreeMap<String, Listed>, Fault> {
        if let Some(listing) = self.exchange.kept_listing(name, commit, paths) {
            return Ok(listing);
        }
        let directories: BTreeSet<&str> =
            paths.iter().map(|path| path.as_str().rsplit_once('/').map_or("", |(directory, _)| directory)).collect();
        let mut entries: BTreeMap<String, Entry> = BTreeMap::new();
        for directory in directories {
            entries.extend(self.directory(project, commit, directory).await?.into_iter().map(|entry| (entry.path.clone(), entry)));
        }
        let listing: BTreeMap<String, Listed> =
            paths.iter().map(|path| (path.as_str().to_owned(), entries.get(path.as_str()).map_or(Listed::Absent, listed_as))).collect();
        self.exchange.keep_listing(name, commit, &listing);
        Ok(listing)
    }

    async fn directory(&self, project: &str, commit: &CommitId, directory: &str) -> Result<Vec<Entry>, Fault> {
        let mut entries: Vec<Entry> = Vec::new();
        for page in 1..=PAGES {
            let path = segment(directory);
            let listed = self.get(&format!("{project}/repository/tree?ref={commit}&path={path}&per_page={PAGE}&page={page}")).await;
            let mut listed: Vec<Entry> = match listed {
                Ok(listed) => listed,
                // The project is there, as its branch was: so it is the directory that is not.
                Err(Fault { class: Class::Missing, .. }) => return Ok(entries),
                Err(fault) => return Err(fault),
            };
            let count = listed.len();
            entries.append(&mut listed);
            if count < PAGE {
                return Ok(entries);
            }
        }
        Err(Fault::new(Class::Limit, format!("the directory `{directory}` has more than {} entries", PAGE * PAGES)))
    }

    /// A file's content: what is kept when it is that very blob, else asked for and checked against its id.
    async fn blob(&self, project: &str, path: &RepoPath, sha: &str) -> Result<Vec<u8>, Fault> {
        let name = format!("blob {project} {path}");
        if let Some(content) = self.exchange.kept_blob(&name, sha) {
            return Ok(content);
        }
        let answered = self.send(reqwest::Method::GET, &format!("{project}/repository/blobs/{sha}/raw"), None).await?;
        if answered.status != reqwest::StatusCode::OK {
            return Err(self.refusal(&answered));
        }
        self.exchange.sent_blob(&name, sha, answered.body)
    }
}

fn listed_as(entry: &Entry) -> Listed {
    match entry.mode.as_str() {
        "100644" | "100755" | "100664" if CommitId::parse(&entry.id).is_some() => {
            Listed::File { sha: entry.id.clone(), size: None, program: entry.mode == "100755" }
        }
        "120000" => Listed::Symlink,
        _ => Listed::Other,
    }
}
