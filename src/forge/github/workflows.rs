//! Workflows: what they take, sending them, finding and following their runs.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{Github, RAW, said};
use crate::base::{Class, Fault, fault};
use crate::forge::address::{number, repo as checked, segment, segments};
use crate::format::workflow_file::{self, KEY_INPUT, WorkflowFile};
use crate::model::CommitId;
use crate::ports::forge::{Dispatch, Found, Run, RunStatus, Sent, Workflow, WorkflowFacts};

/// How long after a dispatch its run may be missing from the list. GitHub names no figure; runs are seen within
/// seconds, under load within a minute, and design §3 waits two.
const LAG: Duration = Duration::from_secs(120);

/// How far our clock and GitHub's may differ, in seconds: runs from so long before are looked at too.
const SKEW: i64 = 300;

/// Runs a page, the most GitHub gives.
const PAGE: usize = 100;

/// Pages looked at. GitHub's filtered list ends after 1,000 runs.
const PAGES: usize = 10;

/// Commits whose workflow file is read to see whether their runs would print a key.
const COMMITS: usize = 10;

#[derive(Deserialize)]
struct RunFacts {
    id: u64,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    display_title: Option<String>,
    #[serde(default)]
    head_sha: String,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    conclusion: Option<String>,
    #[serde(default)]
    html_url: Option<String>,
}

#[derive(Deserialize)]
struct RunPage {
    total_count: usize,
    #[serde(default)]
    workflow_runs: Vec<RunFacts>,
}

/// The answer to a dispatch with `return_run_details`.
#[derive(Deserialize)]
struct Details {
    workflow_run_id: u64,
}

impl RunFacts {
    fn run(self) -> Result<Run, Fault> {
        let status = match (self.status.as_deref(), self.conclusion.as_deref()) {
            (Some("completed"), Some("success")) => RunStatus::Succeeded,
            (Some("completed"), Some(word)) => RunStatus::Failed(fault::foreign(word)),
            (Some("completed"), None) => {
                return Err(Fault::new(Class::Malformed, format!("the run {} ended without a conclusion", self.id)));
            }
            // Whatever is not completed goes on: queued, in_progress, requested, waiting, pending.
            _ => RunStatus::Running,
        };
        Ok(Run { id: self.id.to_string(), url: self.html_url.map(|url| fault::foreign(&url)), status })
    }

    /// Whether the key stands in the run's title, as a word of its own.
    fn shows(&self, key: &str) -> bool {
        [&self.display_title, &self.name].into_iter().flatten().any(|title| {
            let edge = |c: Option<char>| c.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '-' && c != '_');
            title.match_indices(key).any(|(at, _)| {
                let (before, after) = (title.get(..at).unwrap_or_default(), title.get(at + key.len()..).unwrap_or_default());
                edge(before.chars().next_back()) && edge(after.chars().next())
            })
        })
    }
}

impl Github {
    pub(in crate::forge) async fn workflow(&self, workflow: &Workflow) -> Result<WorkflowFacts, Fault> {
        let file = self.workflow_file(workflow, workflow.branch.as_deref()).await?;
        Ok(WorkflowFacts { inputs: file.inputs, prints_key: file.prints_key })
    }

    /// The workflow's file at a branch or commit.
    async fn workflow_file(&self, workflow: &Workflow, reference: Option<&str>) -> Result<WorkflowFile, Fault> {
        #[derive(Deserialize)]
        struct Path {
            path: String,
        }
        let repo = checked(&workflow.repo, false)?;
        let named = name(workflow)?;
        let path = if number(named).is_ok() {
            self.look::<Path>(repo, &format!("/repos/{repo}/actions/workflows/{named}")).await?.path
        } else {
            format!(".github/workflows/{named}")
        };
        let shown = format!("{repo}/{path}");
        let query = reference.map(|reference| format!("?ref={}", segment(reference))).unwrap_or_default();
        let url = format!("/repos/{repo}/contents/{}{query}", segments(&path));
        let body = if reference.is_some_and(|reference| CommitId::parse(reference).is_some()) {
            // Of a commit: asked once, and not worth keeping.
            let answered = self.send_as(repo, Method::GET, &url, RAW, None).await?;
            if answered.status != StatusCode::OK {
                return Err(self.refusal(&answered, "read").of(&shown));
            }
            answered.body.into()
        } else {
            self.conditional(repo, &url, RAW).await.map_err(|fault| fault.of(&shown))?.body
        };
        workflow_file::read(&body)
            .map_err(|error| Fault::new(Class::Config, format!("{shown}:{}:{}: {}", error.at.line, error.at.column, error.message)))
    }

    pub(in crate::forge) async fn dispatch(&self, dispatch: &Dispatch) -> Result<Sent, Fault> {
        let workflow = &dispatch.workflow;
        let repo = checked(&workflow.repo, false)?;
        let named = name(workflow)?;
        let shown = format!("{repo}: {named}");
        // Nothing was sent while these fail, so none of their faults may be taken for an unknown outcome.
        let reading = async {
            let file = self.workflow_file(workflow, workflow.branch.as_deref()).await?;
            let branch = match &workflow.branch {
                Some(branch) => branch.clone(),
                None => self.default_branch(repo).await?,
            };
            Ok((file, branch))
        };
        let (file, branch) = self.exchange.preparing(reading).await?;
        if !file.dispatchable {
            return Err(Fault::new(Class::Refused, format!("{shown}: the workflow has no `workflow_dispatch` trigger"))
                .hint("add it under `on:`; docs/reference/forges.md shows the lines"));
        }
        let declared = dispatch.inputs.iter().filter(|(name, _)| file.inputs.contains(*name));
        let inputs: serde_json::Map<String, Value> = declared.map(|(name, value)| (name.clone(), json!(value))).collect();
        let path = format!("/repos/{repo}/actions/workflows/{named}/dispatches");
        let body = json!({ "ref": branch, "inputs": inputs });
        self.exchange.sending(self.post(repo, &shown, &path, body)).await
    }

    async fn post(&self, repo: &str, shown: &str, path: &str, mut body: Value) -> Result<Sent, Fault> {
        let details = !self.older.load(Ordering::Relaxed);
        if let (true, Some(map)) = (details, body.as_object_mut()) {
            map.insert("return_run_details".to_owned(), json!(true));
        }
        let mut answered = self.send(repo, Method::POST, path, Some(&body)).await.map_err(|trouble| trouble.of_dispatch(shown))?;
        // An older server refuses the field before it does anything, so the next is the first that it takes.
        if details && matches!(answered.status.as_u16(), 400 | 422) && said(&answered.body).contains("return_run_details") {
            self.older.store(true, Ordering::Relaxed);
            if let Some(map) = body.as_object_mut() {
                map.remove("return_run_details");
            }
            answered = self.send(repo, Method::POST, path, Some(&body)).await.map_err(|trouble| trouble.of_dispatch(shown))?;
        }
        if !answered.status.is_success() {
            return Err(self.refusal(&answered, "dispatched").of(shown));
        }
        let details = serde_json::from_slice::<Details>(&answered.body).ok();
        Ok(details.map_or(Sent::Accepted, |details| Sent::Run(details.workflow_run_id.to_string())))
    }

    pub(in crate::forge) async fn find(&self, workflow: &Workflow, key: &str, since: Timestamp) -> Result<Found, Fault> {
        let repo = checked(&workflow.repo, false)?;
        let named = name(workflow)?;
        if key.len() < 8 || !key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_') {
            return Ok(Found::Inconclusive("the key is no word that could be told from others".to_owned()));
        }
        let branch = match &workflow.branch {
            Some(branch) => branch.clone(),
            None => self.default_branch(repo).await?,
        };
        let from = Timestamp::from_second(since.as_second() - SKEW).unwrap_or(since);
        let query =
            format!("event=workflow_dispatch&branch={}&created={}&per_page={PAGE}", segment(&branch), segment(&format!(">={from}")));
        let (mut seen, mut commits) = (BTreeSet::new(), BTreeSet::new());
        for page in 1..=PAGES {
            let listed: RunPage = self.get(repo, &format!("/repos/{repo}/actions/workflows/{named}/runs?{query}&page={page}")).await?;
            let count = listed.workflow_runs.len();
            for run in listed.workflow_runs {
                if run.shows(key) {
                    return Ok(Found::Run(run.run()?));
                }
                seen.insert(run.id);
                commits.insert(run.head_sha);
            }
            if count < PAGE {
                // A run that began meanwhile moves others to a later page, never out of the list.
                if seen.len() < listed.total_count {
                    return Ok(Found::Inconclusive(format!("GitHub listed {} of {} runs", seen.len(), listed.total_count)));
                }
                return self.absent(workflow, since, &commits).await;
            }
        }
        Ok(Found::Inconclusive(format!("there are more than {} runs since then", PAGE * PAGES)))
    }

    /// No listed run shows the key. That says something only if the run would show it, and would be listed.
    async fn absent(&self, workflow: &Workflow, since: Timestamp, commits: &BTreeSet<String>) -> Result<Found, Fault> {
        let age = Timestamp::now().as_second().saturating_sub(since.as_second());
        if age < i64::try_from(LAG.as_secs()).unwrap_or(i64::MAX) {
            return Ok(Found::Inconclusive(format!("GitHub may list a run up to {} s late", LAG.as_secs())));
        }
        let silent = |place: &str| Found::Inconclusive(format!("the workflow does not print `{KEY_INPUT}` in its run-name{place}"));
        if !self.workflow_file(workflow, workflow.branch.as_deref()).await?.prints_key {
            return Ok(silent(""));
        }
        // The file may have been another when the dispatch was sent: a run without the key may be the one.
        if commits.len() > COMMITS {
            return Ok(Found::Inconclusive(format!("runs of more than {COMMITS} commits would have to be looked at")));
        }
        for commit in commits {
            let known = CommitId::parse(commit).is_some();
            if !known || !self.workflow_file(workflow, Some(commit)).await.is_ok_and(|file| file.prints_key) {
                return Ok(silent(", or did not at a commit that ran since"));
            }
        }
        Ok(Found::Absent)
    }

    pub(in crate::forge) async fn run(&self, workflow: &Workflow, id: &str) -> Result<Run, Fault> {
        let repo = checked(&workflow.repo, false)?;
        let answered = self.send(repo, Method::GET, &format!("/repos/{repo}/actions/runs/{}", number(id)?), None).await?;
        if answered.status != StatusCode::OK {
            return Err(self.refusal(&answered, "read").of(&format!("{repo}: run {id}")));
        }
        self.parse::<RunFacts>(&answered.body)?.run()
    }
}

/// The workflow's file name or number.
fn name(workflow: &Workflow) -> Result<&str, Fault> {
    let name = workflow.name.strip_prefix(".github/workflows/").unwrap_or(&workflow.name);
    let good =
        !name.is_empty() && !name.starts_with('.') && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    good.then_some(name).ok_or_else(|| {
        Fault::new(
            Class::Config,
            format!("`{}` is no workflow: it is the file's name under .github/workflows", fault::foreign(&workflow.name)),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_as_a_word_only() {
        let shows = |title: &str| {
            RunFacts {
                id: 1,
                name: None,
                display_title: Some(title.to_owned()),
                head_sha: String::new(),
                status: None,
                conclusion: None,
                html_url: None,
            }
            .shows("a1b2c3d4")
        };
        for (title, expected) in [
            ("rebuild a1b2c3d4", true),
            ("a1b2c3d4", true),
            ("(a1b2c3d4)", true),
            ("rebuild a1b2c3d4e5", false),
            ("xa1b2c3d4", false),
            ("a1b2c3d4-2", false),
            ("xa1b2c3d4 a1b2c3d4", true),
            ("é a1b2c3d4é", true),
            ("", false),
        ] {
            assert_eq!(shows(title), expected, "{title}");
        }
    }
}
