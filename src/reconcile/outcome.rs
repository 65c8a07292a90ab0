//! How a pass ended.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::effects::Effect;
use crate::model::{CommitId, Diagnostic, ImageName, Severity, Snapshot};
use crate::plan::prune::Held;
use crate::plan::rebuild::Decision;
use crate::plan::{Reason, Unknown};

/// The pass in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Nothing to change.
    Converged,
    /// Changes were planned and, as asked, not made.
    Planned,
    /// One commit holds all changes.
    Published,
    /// Some items failed or are held; the rest is done.
    Partial,
    /// Nothing could be done until people act.
    Held,
    /// The pass failed.
    Failed,
}

impl Status {
    /// The word in JSON and logs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Converged => "converged",
            Self::Planned => "planned",
            Self::Published => "published",
            Self::Partial => "partial",
            Self::Held => "held",
            Self::Failed => "failed",
        }
    }
}

/// What happens to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It is new.
    Create,
    /// It gets other content.
    Update,
    /// It goes.
    Delete,
}

impl Action {
    /// The word in JSON and text.
    pub fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// One file that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its path from the top of the record branch.
    pub path: String,
    /// What happens to it.
    pub action: Action,
    /// Why.
    pub reason: Reason,
    /// Its content before; empty for a new file.
    pub before: Vec<u8>,
    /// Its content after; empty for one that goes.
    pub after: Vec<u8>,
}

/// What a pass saw, did and left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The plan's id; empty when there was no plan.
    pub id: String,
    /// The commits it looked at.
    pub snapshot: Option<Snapshot>,
    /// The pass in one word.
    pub status: Status,
    /// The commit that was published.
    pub commit: Option<CommitId>,
    /// Files that change.
    pub changes: Vec<Change>,
    /// What was done outside of git, or tried.
    pub effects: Vec<Effect>,
    /// What is decided about the rebuild of each managed image. Shared: a pass that rests gives the outcome of the one it
    /// rests on, and must not copy a decision for each image there is.
    pub decisions: Arc<BTreeMap<ImageName, Decision>>,
    /// What stays as it is although it was wanted otherwise.
    pub held: Vec<Held>,
    /// What could not be learned.
    pub unknown: Vec<Unknown>,
    /// Findings about files people wrote.
    pub diagnostics: Vec<Diagnostic>,
    /// The settings can't be used, so nothing could be planned.
    pub invalid: bool,
    /// When a claim that this process took over may be sent, if there is one that it has not sent.
    pub own_claim_at: Option<Timestamp>,
    /// The first moment at which the same world may give another plan, because something waits for time to pass.
    pub wake_at: Option<Timestamp>,
}

impl Outcome {
    /// A pass that could not even plan.
    pub fn failed(diagnostics: Vec<Diagnostic>, invalid: bool) -> Self {
        Self {
            id: String::new(),
            snapshot: None,
            status: Status::Failed,
            commit: None,
            changes: Vec::new(),
            effects: Vec::new(),
            decisions: Arc::default(),
            held: Vec::new(),
            unknown: Vec::new(),
            diagnostics,
            invalid,
            own_claim_at: None,
            wake_at: None,
        }
    }

    /// Whether some item failed or is held.
    pub fn is_partial(&self) -> bool {
        !self.held.is_empty()
            || self.effects.iter().any(|effect| effect.status.is_failure())
            || self.unknown.iter().any(Unknown::is_failure)
            || self.diagnostics.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// The exit code of `run` (design: 1 failed, 3 invalid, 4 partly done).
    pub fn run_code(&self) -> u8 {
        match self.status {
            Status::Failed if self.invalid => 3,
            Status::Failed => 1,
            _ if self.is_partial() => 4,
            _ => 0,
        }
    }

    /// The exit code of `plan`: 2 for pending changes comes before 4.
    pub fn plan_code(&self) -> u8 {
        match self.run_code() {
            code @ (1 | 3) => code,
            _ if !self.changes.is_empty() => 2,
            code => code,
        }
    }
}
