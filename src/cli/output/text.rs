//! Results for people.

use std::fmt::Write as _;
use std::io::Write as _;

use similar::TextDiff;

use super::style::{Style, cut, printable};
use crate::base::Fault;
use crate::model::{Diagnostic, Severity};
use crate::reconcile::{Action, Change, Outcome, Status, message};

/// Writes a line to standard error.
pub(in super::super) fn say(line: &str) {
    let mut err = std::io::stderr().lock();
    let _closed = writeln!(err, "{line}");
}

/// Cause, then what to do.
pub(in super::super) fn fault(fault: &Fault, style: Style) {
    say(&format!("{}: {}", style.bad("error"), fault.text));
    if let Some(hint) = &fault.hint {
        say(&format!("  hint: {hint}"));
    }
}

/// Findings, each with its place, cause and next step.
pub(in super::super) fn diagnostics(findings: &[Diagnostic], style: Style) {
    let (shown, more) = style.shown(findings);
    for finding in shown {
        let word = match finding.severity {
            Severity::Error => style.bad("error"),
            Severity::Warning => style.odd("warning"),
        };
        let place = match (finding.place.file.as_str(), finding.place.line) {
            ("", _) => String::new(),
            (file, 0) => format!("{}: ", printable(file)),
            (file, line) => format!("{}:{line}:{}: ", printable(file), finding.place.column),
        };
        say(&format!("{place}{word}: {}", finding.message));
        if let Some(hint) = &finding.hint {
            say(&format!("  hint: {hint}"));
        }
    }
    say_more(style, more, "findings");
}

fn say_more(style: Style, count: usize, what: &str) {
    if count > 0 {
        say(style.left_out(count, what).trim_end());
    }
}

/// What could not be learned, and what is held: to standard error, with the next step.
pub(in super::super) fn trouble(outcome: &Outcome, style: Style) {
    diagnostics(&outcome.diagnostics, style);
    let (shown, more) = style.shown(&outcome.unknown);
    for unknown in shown {
        say(&format!("{}: {}: {}", style.odd("unknown"), unknown.what, unknown.why.text));
        if let Some(hint) = &unknown.why.hint {
            say(&format!("  hint: {hint}"));
        }
    }
    say_more(style, more, "unknown");
    for held in &outcome.held {
        say(&format!("{}: {}: {}", style.odd("held"), printable(&held.what), printable(&held.why)));
        if let Some(id) = &held.approve {
            say(&format!("  hint: if it is meant, run again with --approve {id}"));
        }
    }
}

/// The plan: each file with its reason, then the diffs.
pub(in super::super) fn plan(outcome: &Outcome, diffs: bool, style: Style) -> String {
    let mut out = String::new();
    if outcome.changes.is_empty() {
        if outcome.status != Status::Failed {
            out.push_str("nothing to change\n");
        }
        return out;
    }
    let (shown, more) = style.shown(&outcome.changes);
    let width = shown.iter().map(|change| change.path.len()).max().unwrap_or(0).min(64);
    for change in shown {
        let sign = match change.action {
            Action::Create => style.good("+"),
            Action::Update => style.odd("~"),
            Action::Delete => style.bad("-"),
        };
        let path = printable(&change.path);
        let reason = cut(&change.reason.text, style.width().saturating_sub(path.chars().count().max(width) + 4).max(16));
        let _ = writeln!(out, "{sign} {path:width$}  {}", style.faint(&reason));
    }
    out.push_str(&style.left_out(more, "files"));
    let count = |action| outcome.changes.iter().filter(|change| change.action == action).count();
    let _ =
        writeln!(out, "\n{} to create, {} to update, {} to delete", count(Action::Create), count(Action::Update), count(Action::Delete));
    if diffs {
        for change in shown {
            out.push('\n');
            out.push_str(&diff(change, style));
        }
        if more > 0 {
            out.push('\n');
            out.push_str(&style.left_out(more, "diffs"));
        }
    }
    out
}

/// A unified diff of one file, each line printable.
fn diff(change: &Change, style: Style) -> String {
    unified(change)
        .lines()
        .map(printable)
        .map(|line| match line.as_bytes().first() {
            Some(b'+') => style.good(&line),
            Some(b'-') => style.bad(&line),
            Some(b'@') => style.faint(&line),
            _ => line.into_owned(),
        })
        .fold(String::new(), |mut out, line| {
            let _ = writeln!(out, "{line}");
            out
        })
}

/// The same without colour, as it is.
pub(super) fn unified(change: &Change) -> String {
    let (before, after) = (String::from_utf8_lossy(&change.before), String::from_utf8_lossy(&change.after));
    let old = if change.action == Action::Create { "/dev/null".to_owned() } else { format!("a/{}", change.path) };
    let new = if change.action == Action::Delete { "/dev/null".to_owned() } else { format!("b/{}", change.path) };
    TextDiff::from_lines(before.as_ref(), after.as_ref()).unified_diff().header(&old, &new).to_string()
}

/// One line for a pass that ran.
pub(in super::super) fn ran(outcome: &Outcome, style: Style) -> String {
    let files = match outcome.changes.len() {
        1 => "1 file".to_owned(),
        count => format!("{count} files"),
    };
    match (outcome.status, &outcome.commit) {
        (Status::Converged, _) => format!("{}: nothing to change\n", style.good("converged")),
        (Status::Published, Some(commit)) => {
            format!("{} {}: {} ({files})\n", style.good("published"), style.strong(commit.short()), message::summary(&outcome.changes))
        }
        (Status::Partial, Some(commit)) => format!(
            "{}: published {}: {} ({files}); the rest is named above\n",
            style.odd("partly done"),
            style.strong(commit.short()),
            message::summary(&outcome.changes)
        ),
        (Status::Partial, None) => format!("{}: nothing to change besides what is named above\n", style.odd("partly done")),
        (Status::Held, _) => format!("{}: see above\n", style.odd("held")),
        (Status::Planned, _) => plan(outcome, false, style),
        (Status::Published | Status::Failed, _) => format!("{}\n", style.bad(outcome.status.word())),
    }
}
