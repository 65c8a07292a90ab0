//! Merge requests: one commit that holds what is wanted, and one request a branch.

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::Gitlab;
use crate::base::{Class, Fault, fault};
use crate::forge::address::segment;
use crate::forge::kept_files::paths;
use crate::forge::listed::Listed;
use crate::forge::object::blob_id;
use crate::model::branch::BranchName;
use crate::ports::forge::PullRequest;

#[derive(Deserialize)]
struct MergeRequest {
    iid: u64,
    state: String,
    title: String,
    description: Option<String>,
    web_url: String,
    sha: Option<String>,
}

impl Gitlab {
    pub(in crate::forge) async fn propose(&self, request: &PullRequest) -> Result<String, Fault> {
        let (project, repo, branch) = (Self::project(&request.repo)?, &request.repo, &request.branch);
        let base = match &request.base {
            Some(base) => base.clone(),
            None => self.default_branch(&project).await?,
        };
        for name in [branch, &base] {
            BranchName::parse(name).map_err(|why| Fault::new(Class::Config, why))?;
        }
        if *branch == base {
            return Err(Fault::new(Class::Config, format!("{repo}: a merge request needs a branch of its own, not {base}")));
        }
        let query = format!(
            "source_branch={}&target_branch={}&state=all&order_by=created_at&sort=desc&per_page=10",
            segment(branch),
            segment(&base)
        );
        let found: Vec<MergeRequest> = self.look(&format!("{project}/merge_requests?{query}")).await?;
        let latest = found.into_iter().next();
        if let Some(closed) = latest.as_ref().filter(|found| found.state == "closed") {
            return Err(Fault::new(Class::Refused, format!("{repo}: people closed the merge request !{} of {branch}", closed.iid))
                .hint("reopen it, or delete it and its branch, to have it again"));
        }
        let open = latest.as_ref().filter(|found| found.state != "merged");
        let merged_head = latest.as_ref().filter(|found| found.state == "merged").and_then(|found| found.sha.as_deref());
        let base_head = self.head(&project, &base).await?;
        let head = match self.head(&project, branch).await {
            Ok(head) => Some(head),
            Err(fault) if fault.class == Class::Missing => None,
            Err(fault) => return Err(fault),
        };
        // What was merged may begin anew; commits that people added since are not thrown away.
        let merged = head.as_ref().is_some_and(|head| merged_head == Some(head.as_str()));
        let start = head.as_ref().filter(|_| !merged).unwrap_or(&base_head);
        let paths = paths(request.files.keys())?;
        let listing = self.listing(&project, &format!("proposed {repo} {branch}"), start, &paths).await?;
        let mut actions = Vec::new();
        for (path, content) in &request.files {
            let action = match listing.get(path) {
                Some(Listed::File { sha, .. }) if *sha == blob_id(content) => continue,
                Some(Listed::File { .. }) => "update",
                Some(Listed::Absent) | None => "create",
                Some(_) => return Err(Fault::new(Class::Refused, format!("{repo}: {path} is no regular file and stays as it is"))),
            };
            actions.push(json!({ "action": action, "file_path": path, "content": encoded(content), "encoding": "base64" }));
        }
        if actions.is_empty() && open.is_none() && (merged || *start == base_head) {
            return Err(Fault::new(Class::Refused, format!("{repo}: {base} is so already; there is nothing to propose")));
        }
        if !actions.is_empty() {
            let mut commit = json!({ "branch": branch, "commit_message": request.title, "actions": actions, "force": merged });
            if let Some(map) = commit.as_object_mut().filter(|_| head.is_none() || merged) {
                map.insert("start_sha".to_owned(), json!(base_head.as_str()));
            }
            self.change::<Value>(Method::POST, &format!("{project}/repository/commits"), &commit).await?;
        }
        if let Some(found) = open {
            if found.title != request.title || found.description.as_deref().unwrap_or_default() != request.body {
                let text = json!({ "title": request.title, "description": request.body });
                self.change::<Value>(Method::PUT, &format!("{project}/merge_requests/{}", found.iid), &text).await?;
            }
            return Ok(fault::foreign(&found.web_url));
        }
        let new = json!({ "source_branch": branch, "target_branch": base, "title": request.title, "description": request.body });
        let made: MergeRequest = self.change(Method::POST, &format!("{project}/merge_requests"), &new).await?;
        Ok(fault::foreign(&made.web_url))
    }
}

fn encoded(content: &[u8]) -> String {
    use base64::Engine as _;
    base64::prelude::BASE64_STANDARD.encode(content)
}
