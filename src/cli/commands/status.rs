//! `status`: what is recorded, without asking a registry.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::args::Format;
use super::super::output::style::{Style, printable};
use super::super::output::{self, document, table, text};
use super::super::world::{self, Owned};
use super::{Context, looking};
use crate::base::Fault;
use crate::format::state_file::written;
use crate::model::ledger::Ledger;
use crate::model::state::Discovery;
use crate::model::{CommitId, Digest, Subject};
use crate::ports::{CommitFacts, Repository};
use crate::reconcile::Drafted;

/// How far back the last commit by Plimsoll is looked for.
const HISTORY: usize = 1_000;

/// Shows what is recorded.
pub(super) fn status(context: &Context) -> Result<u8, Fault> {
    let (owned, drafted) = looking::read(context)?;
    if let Some(code) = looking::refused(context, &drafted) {
        return Ok(code);
    }
    let world = owned.world();
    let now = world.clock.now();
    let status = Status::of(&owned, &drafted, world::shown_url(&context.operator).unwrap_or_else(|| context.operator.repo.clone()));
    match context.operator.output {
        Format::Json | Format::Yaml => output::structured(&status.document(&drafted), context.operator.output),
        _ => {
            text::diagnostics(&drafted.diagnostics, context.err);
            output::print(&status.words(&drafted, now, context.out));
        }
    }
    Ok(0)
}

/// A commit, and what is known of it.
struct Told {
    commit: CommitId,
    facts: Option<CommitFacts>,
}

/// One line of the table.
struct Row {
    name: String,
    kind: &'static str,
    state: &'static str,
    reference: String,
    digest: Option<Digest>,
    since: Option<Timestamp>,
    bases: Vec<String>,
}

struct Status {
    repository: String,
    config: Option<Told>,
    record: Option<Told>,
    /// The last commit that Plimsoll made.
    own: Option<Told>,
    rows: Vec<Row>,
}

impl Status {
    fn of(owned: &Owned, drafted: &Drafted, repository: String) -> Self {
        let git = owned.world().repository;
        let told = |commit: &CommitId| Told { commit: commit.clone(), facts: git.facts(commit).ok() };
        let snapshot = drafted.snapshot.as_ref();
        let record = snapshot.and_then(|snapshot| snapshot.record.as_ref());
        Self {
            repository,
            config: snapshot.map(|snapshot| told(&snapshot.config)),
            record: record.map(told),
            own: record.and_then(|record| own(git, record)),
            rows: rows(drafted),
        }
    }

    fn counts(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for row in &self.rows {
            *counts.entry(row.kind).or_insert(0) += 1;
        }
        counts
    }

    fn document(&self, drafted: &Drafted) -> Value {
        let commit = |told: &Option<Told>| {
            told.as_ref().map(|told| {
                let facts = told.facts.as_ref();
                json!({"commit": told.commit.as_str(), "when": facts.map(|facts| written(facts.when)), "subject": facts.map(|facts| facts.subject.as_str())})
            })
        };
        let row = |row: &Row| {
            json!({
                "name": row.name,
                "kind": row.kind,
                "state": row.state,
                "reference": row.reference,
                "digest": row.digest.as_ref().map(Digest::as_str),
                "since": row.since.map(written),
                "bases": row.bases,
            })
        };
        json!({
            "repository": self.repository,
            "config": commit(&self.config),
            "record": commit(&self.record),
            "lastOwnCommit": commit(&self.own),
            "counts": self.counts(),
            "images": self.rows.iter().map(row).collect::<Vec<_>>(),
            "pendingFiles": drafted.changes.len(),
            "held": drafted.held.iter().map(|held| json!({"what": held.what, "why": held.why, "approve": held.approve})).collect::<Vec<_>>(),
            "errors": looking::errors(drafted),
            "diagnostics": document::diagnostics(&drafted.diagnostics),
        })
    }

    fn words(&self, drafted: &Drafted, now: Timestamp, style: Style) -> String {
        let mut out = format!("repository  {}\n", printable(&self.repository));
        let commit = |told: &Option<Told>| match told {
            None => "nothing yet".to_owned(),
            Some(Told { commit, facts: None }) => commit.short().to_owned(),
            Some(Told { commit, facts: Some(facts) }) => {
                format!("{}, {}: {}", style.strong(commit.short()), ago(now, facts.when), printable(&facts.subject))
            }
        };
        let _ = writeln!(out, "config      {}", commit(&self.config));
        let _ = writeln!(out, "record      {}", commit(&self.record));
        let _ = writeln!(out, "by Plimsoll {}", commit(&self.own));
        let counts: Vec<String> = self.counts().iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        let _ = writeln!(out, "images      {}", if counts.is_empty() { "none".to_owned() } else { counts.join(", ") });
        let odd = self.rows.iter().filter(|row| row.state != "recorded").count();
        if odd > 0 {
            let _ = writeln!(
                out,
                "            {}",
                style.odd(&format!("{odd} of them {} not simply recorded: see STATE", if odd == 1 { "is" } else { "are" }))
            );
        }
        match drafted.changes.len() {
            0 => out.push_str("pending     nothing, as far as can be told without asking registries\n"),
            count => {
                let _ = writeln!(out, "pending     {}", style.odd(&format!("a pass would change {count} files, whatever registries say")));
            }
        }
        for held in &drafted.held {
            let _ = writeln!(out, "held        {}: {}", printable(&held.what), printable(&held.why));
        }
        if self.rows.is_empty() {
            return out;
        }
        let (shown, more) = style.shown(&self.rows);
        let cells: Vec<Vec<String>> = shown
            .iter()
            .map(|row| {
                vec![
                    row.name.clone(),
                    row.kind.to_owned(),
                    row.state.to_owned(),
                    row.digest.as_ref().map_or("-", Digest::short).to_owned(),
                    row.since.map_or_else(|| "-".to_owned(), |since| ago(now, since)),
                    row.bases.join(", "),
                ]
            })
            .collect();
        out.push('\n');
        out.push_str(&table::table(&["NAME", "KIND", "STATE", "DIGEST", "SINCE", "BUILDS ON"], &cells, style));
        out.push_str(&style.left_out(more, "images"));
        out
    }
}

/// The last commit by Plimsoll at or before `tip`, along first parents, as far as history is here.
fn own(git: &dyn Repository, tip: &CommitId) -> Option<Told> {
    let mut commit = tip.clone();
    for _ in 0..HISTORY {
        let facts = git.facts(&commit).ok()?;
        if facts.body.lines().any(|line| line.starts_with("Plimsoll-Plan: ")) {
            return Some(Told { commit, facts: Some(facts) });
        }
        commit = facts.parent?;
    }
    None
}

fn rows(drafted: &Drafted) -> Vec<Row> {
    let mut rows = Vec::new();
    for (name, entry) in &drafted.desired.entries {
        let recorded = drafted.recorded.images.get(name);
        let (digest, since) = standing(recorded.map(|state| &state.ledger));
        let state = if drafted.recorded.unreadable.contains(&Subject::image(name)) {
            "unreadable"
        } else if entry.hold.is_some() {
            "held"
        } else {
            match recorded.map(|state| (state.discovery, &state.ledger)) {
                None => "new",
                Some((Discovery::Failed, _)) => "failed",
                Some((Discovery::Pending, _)) => "pending",
                Some((_, ledger)) => word(ledger),
            }
        };
        rows.push(Row {
            name: name.to_string(),
            kind: if entry.build().is_some() { "managed" } else { "external" },
            state,
            reference: entry.repo_url(),
            digest,
            since,
            bases: drafted.plan.images.get(name).map(|state| state.base_images.clone()).unwrap_or_default(),
        });
    }
    for (name, state) in &drafted.recorded.images {
        if !drafted.desired.entries.contains_key(name) {
            let (digest, since) = standing(Some(&state.ledger));
            let kind = if state.watch.is_some() { "external" } else { "managed" };
            let word = if drafted.plan.prunes.contains_key(&Subject::image(name)) { "leaving" } else { "kept" };
            rows.push(Row {
                name: name.to_string(),
                kind,
                state: word,
                reference: String::new(),
                digest,
                since,
                bases: state.base_images.clone(),
            });
        }
    }
    let bases: BTreeMap<_, _> = drafted.plan.bases.iter().chain(&drafted.recorded.bases).collect();
    for (name, state) in bases {
        let recorded = drafted.recorded.bases.get(name);
        let (digest, since) = standing(recorded.map(|state| &state.ledger));
        let word = match recorded {
            None => "new",
            Some(_) if drafted.plan.prunes.contains_key(&Subject::base(name)) => "leaving",
            Some(state) if state.image.tag.is_none() => "pinned",
            Some(state) => word(&state.ledger),
        };
        rows.push(Row {
            name: name.to_string(),
            kind: "base",
            state: word,
            reference: state.image.familiar(),
            digest,
            since,
            bases: Vec::new(),
        });
    }
    rows
}

fn word(ledger: &Ledger) -> &'static str {
    match (&ledger.current, &ledger.returning) {
        (None, _) => "unseen",
        (Some(_), Some(_)) => "returning",
        (Some(_), None) => "recorded",
    }
}

/// The digest that counts, and since when.
fn standing(ledger: Option<&Ledger>) -> (Option<Digest>, Option<Timestamp>) {
    let Some(ledger) = ledger else { return (None, None) };
    let since = ledger.moved_at().or_else(|| ledger.history.first().map(|tenure| tenure.seen_at));
    (ledger.current.clone(), since)
}

/// A time as people say it. What is to come, by a clock that differs, is now.
fn ago(now: Timestamp, then: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(then.as_second()).max(0);
    match seconds {
        0..60 => "just now".to_owned(),
        60..3_600 => format!("{} min ago", seconds / 60),
        3_600..86_400 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages() {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        for (seconds, expected) in
            [(-5, "just now"), (59, "just now"), (61, "1 min ago"), (7_200, "2 h ago"), (86_399, "23 h ago"), (200_000, "2 d ago")]
        {
            assert_eq!(ago(at(1_000_000 + seconds), at(1_000_000)), expected);
        }
    }
}
