//! Pipelines: started with variables, found by the variable that holds their key.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::Gitlab;
use crate::base::{Fault, fault};
use crate::forge::address::{number, segment};
use crate::format::workflow_file::KEY_INPUT;
use crate::ports::forge::{Dispatch, Found, Run, RunStatus, Sent, Workflow, WorkflowFacts};

/// How long after it was asked for a pipeline may be missing from the list. It is written before the answer is sent;
/// a replica of the database may be behind, GitLab's own alarms go at a minute.
const LAG: Duration = Duration::from_secs(120);

/// How far our clock and GitLab's may differ, in seconds.
const SKEW: i64 = 300;

/// Pipelines a page, the most GitLab gives.
const PAGE: usize = 100;

/// Pipelines whose variables are read in one search.
const LOOKS: usize = 200;

#[derive(Deserialize)]
struct Pipeline {
    id: u64,
    #[serde(default)]
    status: String,
    #[serde(default)]
    web_url: Option<String>,
}

#[derive(Deserialize)]
struct Variable {
    key: String,
    value: Option<String>,
}

impl Pipeline {
    fn run(self) -> Run {
        let status = match self.status.as_str() {
            "success" => RunStatus::Succeeded,
            "failed" | "canceled" | "skipped" => RunStatus::Failed(self.status),
            // `manual` waits for people, `scheduled` for its time: neither has ended.
            _ => RunStatus::Running,
        };
        Run { id: self.id.to_string(), url: self.web_url.map(|url| fault::foreign(&url)), status }
    }
}

impl Gitlab {
    /// Pipelines take any variable, and keep them: there is nothing to declare, and each is found by its key.
    pub(in crate::forge) fn workflow(workflow: &Workflow) -> Result<WorkflowFacts, Fault> {
        Self::project(&workflow.repo)?;
        Ok(WorkflowFacts { prints_key: true, ..WorkflowFacts::default() })
    }

    pub(in crate::forge) async fn dispatch(&self, dispatch: &Dispatch) -> Result<Sent, Fault> {
        let workflow = &dispatch.workflow;
        let project = Self::project(&workflow.repo)?;
        // Nothing was sent while this fails, so its faults may not be taken for an unknown outcome.
        let branch = self.exchange.preparing(self.branch(&project, workflow)).await?;
        let mut inputs = dispatch.inputs.clone();
        inputs.insert(KEY_INPUT.to_owned(), dispatch.key.clone());
        let variables: Vec<Value> = inputs.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
        let body = json!({ "ref": branch, "variables": variables });
        let path = format!("{project}/pipeline");
        let sending = async { self.send(Method::POST, &path, Some(&body)).await.map_err(|trouble| trouble.of_dispatch(&workflow.repo)) };
        let answered = self.exchange.sending(sending).await?;
        if !answered.status.is_success() {
            return Err(self.refusal(&answered).of(&workflow.repo));
        }
        let made = serde_json::from_slice::<Pipeline>(&answered.body).ok();
        Ok(made.map_or(Sent::Accepted, |pipeline| Sent::Run(pipeline.id.to_string())))
    }

    pub(in crate::forge) async fn find(&self, workflow: &Workflow, key: &str, since: Timestamp) -> Result<Found, Fault> {
        let project = Self::project(&workflow.repo)?;
        let branch = self.branch(&project, workflow).await?;
        let from = Timestamp::from_second(since.as_second() - SKEW).unwrap_or(since);
        let query = format!(
            "ref={}&source=api&created_after={}&order_by=id&sort=desc&per_page={PAGE}",
            segment(&branch),
            segment(&from.to_string())
        );
        let mut looked = 0;
        for page in 1.. {
            let listed: Vec<Pipeline> = self.get(&format!("{project}/pipelines?{query}&page={page}")).await?;
            let count = listed.len();
            for pipeline in listed {
                looked += 1;
                if looked > LOOKS {
                    return Ok(Found::Inconclusive(format!("there are more than {LOOKS} pipelines since then")));
                }
                let variables: Vec<Variable> = self.get(&format!("{project}/pipelines/{}/variables", pipeline.id)).await?;
                if variables.iter().any(|variable| variable.key == KEY_INPUT && variable.value.as_deref() == Some(key)) {
                    return Ok(Found::Run(pipeline.run()));
                }
            }
            if count < PAGE {
                break;
            }
        }
        let age = Timestamp::now().as_second().saturating_sub(since.as_second());
        if age < i64::try_from(LAG.as_secs()).unwrap_or(i64::MAX) {
            return Ok(Found::Inconclusive(format!("GitLab may list a pipeline up to {} s late", LAG.as_secs())));
        }
        Ok(Found::Absent)
    }

    pub(in crate::forge) async fn run(&self, workflow: &Workflow, id: &str) -> Result<Run, Fault> {
        let project = Self::project(&workflow.repo)?;
        let pipeline: Pipeline = self
            .get(&format!("{project}/pipelines/{}", number(id)?))
            .await
            .map_err(|fault| fault.of(&format!("{}: pipeline {id}", workflow.repo)))?;
        Ok(pipeline.run())
    }

    async fn branch(&self, project: &str, workflow: &Workflow) -> Result<String, Fault> {
        match &workflow.branch {
            Some(branch) => Ok(branch.clone()),
            None => self.default_branch(project).await,
        }
    }
}
