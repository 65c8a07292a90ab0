//! Forges: workflows that rebuild images, and pull requests.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::Answer;
use crate::base::Fault;
use crate::model::Provider;

/// A workflow or pipeline that rebuilds an image.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Workflow {
    /// The forge: GitHub or GitLab.
    pub provider: Provider,
    /// `owner/name`; on GitLab with groups.
    pub repo: String,
    /// GitHub: the workflow's file name or id. GitLab: not used.
    pub name: String,
    /// The branch it runs on; `None` is the repository's default.
    pub branch: Option<String>,
}

/// What a workflow file says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkflowFacts {
    /// Inputs that it declares. GitHub refuses a dispatch that sends any other.
    pub inputs: BTreeSet<String>,
    /// It declares `plimsoll_key` and prints it in `run-name`, so that a run can be found by its key.
    pub prints_key: bool,
}

/// A request to run a workflow once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispatch {
    /// Which.
    pub workflow: Workflow,
    /// What makes this request one and the same, however often it is looked at.
    pub key: String,
    /// Inputs, `plimsoll_key` among them. Only declared ones are sent.
    pub inputs: BTreeMap<String, String>,
}

/// What the forge answered to a dispatch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// It runs under this id.
    Run(String),
    /// Accepted, without a word of the run.
    Accepted,
}

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunStatus {
    /// Queued or running.
    Running,
    /// It ended well.
    Succeeded,
    /// It ended otherwise; the forge's word for it: `failure`, `cancelled`, `timed_out`.
    Failed(String),
}

/// A run of a workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The forge's id.
    pub id: String,
    /// Where people look at it.
    pub url: Option<String>,
    /// How far it is.
    pub status: RunStatus,
}

/// What a search for a run by its key found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// There it is.
    Run(Run),
    /// There is none, and there would be if it had been sent: the workflow prints keys, and all runs since
    /// then were looked at.
    Absent,
    /// It can't be told, and why.
    Inconclusive(String),
}

/// A change of files that people decide on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequest {
    /// The forge.
    pub provider: Provider,
    /// `owner/name`.
    pub repo: String,
    /// The branch it is for; `None` is the default.
    pub base: Option<String>,
    /// The branch that carries it. One that is there already is brought up to date.
    pub branch: String,
    /// One line.
    pub title: String,
    /// Markdown.
    pub body: String,
    /// New content by path.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// Forges.
pub trait Forge: Send + Sync {
    /// Reads the workflow's file on its branch.
    fn workflow<'a>(&'a self, workflow: &'a Workflow) -> Answer<'a, Result<WorkflowFacts, Fault>>;

    /// Sends a dispatch, once, and never again by itself.
    ///
    /// # Errors
    /// A fault of class `Transient` means that it is not known whether the forge took it.
    fn dispatch<'a>(&'a self, dispatch: &'a Dispatch) -> Answer<'a, Result<Sent, Fault>>;

    /// Looks for the run of a key among the runs since a time.
    fn find<'a>(&'a self, workflow: &'a Workflow, key: &'a str, since: Timestamp) -> Answer<'a, Result<Found, Fault>>;

    /// Looks at a run.
    fn run<'a>(&'a self, workflow: &'a Workflow, id: &'a str) -> Answer<'a, Result<Run, Fault>>;

    /// Opens a pull request, or brings the open one of its branch up to date. Gives its address. A branch whose
    /// pull request people closed is left alone: a fault of class `Refused`.
    fn propose<'a>(&'a self, request: &'a PullRequest) -> Answer<'a, Result<String, Fault>>;
}
