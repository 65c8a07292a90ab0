//! The commit message: what changed and why for people, trailers for tools.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::outcome::{Action, Change};
use crate::format::state_file::written;
use crate::model::{RepoSettings, Snapshot, Subject};
use crate::ports::CommitFacts;

/// Most changes that are told one by one.
const TOLD: usize = 20;

/// The whole message. Argo CD shows the trailers `Argocd-reference-commit-*`, as does the GitOps
/// promoter, as the source of a change.
pub fn message(
    settings: &RepoSettings,
    snapshot: &Snapshot,
    plan_id: &str,
    changes: &[Change],
    source: Option<&CommitFacts>,
    repo_url: Option<&str>,
) -> String {
    let mut out = settings.subject.replace("{summary}", &summary(changes));
    out.push_str("\n\n");
    let facts: Vec<&Change> = changes.iter().filter(|change| Subject::of_state_path(&change.path).is_some()).collect();
    let told = if facts.is_empty() { changes.iter().collect() } else { facts };
    for change in told.iter().take(TOLD) {
        let name = Subject::of_state_path(&change.path).map_or_else(|| change.path.clone(), |subject| subject.to_string());
        let _ = writeln!(out, "- {name}: {}", change.reason.text);
    }
    if told.len() > TOLD {
        let _ = writeln!(out, "- and {} more", told.len() - TOLD);
    }
    let _ = write!(out, "\nPlimsoll-Plan: {plan_id}\n");
    trailers(&mut out, snapshot, source, repo_url);
    out
}

/// The message of a commit of manifests.
pub(super) fn hydrated(snapshot: &Snapshot, changed: usize, source: Option<&CommitFacts>, repo_url: Option<&str>) -> String {
    let files = if changed == 1 { "1 file".to_owned() } else { format!("{changed} files") };
    let mut out = format!("plimsoll: hydrate {}\n\n{files} changed\n\n", snapshot.config.short());
    trailers(&mut out, snapshot, source, repo_url);
    out
}

/// What tools read: which commit this was made from.
fn trailers(out: &mut String, snapshot: &Snapshot, source: Option<&CommitFacts>, repo_url: Option<&str>) {
    let _ = writeln!(out, "Plimsoll-Snapshot: {}", snapshot.config);
    if let Some(source) = source {
        let _ = writeln!(out, "Argocd-reference-commit-sha: {}", snapshot.config);
        let _ = writeln!(out, "Argocd-reference-commit-author: {}", one_line(&source.author));
        let _ = writeln!(out, "Argocd-reference-commit-date: {}", written(source.when));
        let _ = writeln!(out, "Argocd-reference-commit-subject: {}", one_line(&source.subject));
        if let Some(url) = repo_url {
            let _ = writeln!(out, "Argocd-reference-commit-repourl: {}", one_line(url));
        }
    }
}

/// `3 enrolled, 2 base-found`, or the number of files when only renders changed.
pub fn summary(changes: &[Change]) -> String {
    let mut codes: BTreeMap<&str, usize> = BTreeMap::new();
    for change in changes.iter().filter(|change| Subject::of_state_path(&change.path).is_some()) {
        *codes.entry(change.reason.code).or_insert(0) += 1;
    }
    if codes.is_empty() {
        let deleted = changes.iter().filter(|change| change.action == Action::Delete).count();
        return match changes.len() - deleted {
            0 => format!("{deleted} rendered removed"),
            written => format!("{written} rendered"),
        };
    }
    codes.iter().map(|(code, count)| format!("{count} {code}")).collect::<Vec<_>>().join(", ")
}

/// A person's text on one line: a trailer must not be able to start another.
fn one_line(text: &str) -> String {
    crate::base::fault::foreign(text)
}
