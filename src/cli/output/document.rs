//! The one document that `plan` and `run --once` share. Its keys are a promise to scripts.

use serde_json::{Value, json};

use crate::model::{CommitId, Diagnostic};
use crate::plan::rebuild::Decision;
use crate::reconcile::{Change, Effect, Outcome};

/// The outcome as JSON.
pub(in super::super) fn outcome(outcome: &Outcome) -> Value {
    json!({
        "id": outcome.id,
        "snapshot": {
            "config": outcome.snapshot.as_ref().map(|snapshot| snapshot.config.as_str()),
            "record": outcome.snapshot.as_ref().and_then(|snapshot| snapshot.record.as_ref()).map(CommitId::as_str),
        },
        "outcome": outcome.status.word(),
        "commit": outcome.commit.as_ref().map(CommitId::as_str),
        "changes": outcome.changes.iter().map(change).collect::<Vec<_>>(),
        "effects": outcome.effects.iter().map(effect).collect::<Vec<_>>(),
        "held": outcome.held.iter().map(|held| json!({"what": held.what, "why": held.why, "approve": held.approve})).collect::<Vec<_>>(),
        "unknown": outcome.unknown.iter().map(|unknown| json!({"what": unknown.what, "why": unknown.why.text, "class": unknown.why.class.word(), "hint": unknown.why.hint})).collect::<Vec<_>>(),
        "diagnostics": diagnostics(&outcome.diagnostics),
    })
}

/// A decision as JSON.
pub(in super::super) fn decision(decision: &Decision) -> Value {
    json!({
        "code": decision.code.word(),
        "meaning": decision.code.meaning(),
        "evidence": decision.evidence,
        "at": decision.at.map(crate::format::state_file::written),
        "change": decision.code.change(),
    })
}

fn effect(effect: &Effect) -> Value {
    json!({"key": effect.key, "kind": effect.kind, "target": effect.target, "status": effect.status.word(), "reason": effect.reason})
}

fn change(change: &Change) -> Value {
    json!({"path": change.path, "action": change.action.word(), "reason": {"code": change.reason.code, "text": change.reason.text}})
}

/// Findings as JSON.
pub(in super::super) fn diagnostics(findings: &[Diagnostic]) -> Value {
    findings
        .iter()
        .map(|finding| {
            json!({
                "severity": finding.severity.word(),
                "code": finding.code,
                "file": finding.place.file,
                "line": finding.place.line,
                "column": finding.place.column,
                "message": finding.message,
                "hint": finding.hint,
            })
        })
        .collect()
}
