//! The plan as a comment on a pull request: short, safe whatever people wrote, and no longer than a forge takes.

use std::fmt::Write as _;

use super::style::printable;
use super::text::unified;
use crate::model::Severity;
use crate::reconcile::{Action, Change, Outcome, Status};

/// Longest comment that GitHub takes; others take more.
const LONGEST: usize = 65_536;

/// What the lists may take of it, so that there is room for diffs.
const LISTS: usize = 24_000;

/// The comment, at most 65,536 bytes long.
pub(in super::super) fn comment(outcome: &Outcome, diffs: bool) -> String {
    let mut out = format!("### Plimsoll: {}\n\n", headline(outcome));
    if let Some(snapshot) = &outcome.snapshot {
        let record = snapshot.record.as_ref().map_or_else(|| "no record yet".to_owned(), |commit| format!("record `{}`", commit.short()));
        let _ = writeln!(out, "Plan `{}` from config `{}`, {record}.", outcome.id, snapshot.config.short());
    }
    trouble(&mut out, outcome);
    if !outcome.changes.is_empty() {
        out.push_str("\n| | File | Why |\n|---|---|---|\n");
        let rows = outcome.changes.iter().map(row);
        let left = append(&mut out, rows, LISTS);
        if left > 0 {
            let _ = writeln!(out, "\n… and {left} more files.");
        }
    }
    if diffs && !outcome.changes.is_empty() {
        details(&mut out, &outcome.changes);
    }
    out
}

fn headline(outcome: &Outcome) -> String {
    if outcome.status == Status::Failed {
        return "the plan failed".to_owned();
    }
    if outcome.changes.is_empty() {
        return "nothing to change".to_owned();
    }
    let count = |action| outcome.changes.iter().filter(|change| change.action == action).count();
    format!("{} to create, {} to update, {} to delete", count(Action::Create), count(Action::Update), count(Action::Delete))
}

/// Appends lines while `out` stays within `limit` bytes; how many did not fit.
fn append(out: &mut String, lines: impl Iterator<Item = String>, limit: usize) -> usize {
    let mut left = 0;
    for line in lines {
        if left == 0 && out.len() + line.len() <= limit {
            out.push_str(&line);
        } else {
            left += 1;
        }
    }
    left
}

fn row(change: &Change) -> String {
    let sign = match change.action {
        Action::Create => "+",
        Action::Update => "~",
        Action::Delete => "−",
    };
    format!("| {sign} | {} | {} |\n", code(&change.path), inline(&change.reason.text))
}

/// What is held, unknown or wrong, with the next step.
fn trouble(out: &mut String, outcome: &Outcome) {
    let held = outcome.held.iter().map(|held| {
        let hint = held.approve.as_ref().map_or_else(String::new, |id| format!(" (released by {})", code(&format!("--approve {id}"))));
        format!("- **held** {}: {}{hint}\n", inline(&held.what), inline(&held.why))
    });
    let unknown = outcome.unknown.iter().map(|unknown| format!("- **unknown** {}: {}\n", inline(&unknown.what), inline(&unknown.why.text)));
    let findings = outcome.diagnostics.iter().map(|finding| {
        let word = if finding.severity == Severity::Error { "error" } else { "warning" };
        let place = match (finding.place.file.as_str(), finding.place.line) {
            ("", _) => String::new(),
            (file, 0) => format!(" {}", code(file)),
            (file, line) => format!(" {}", code(&format!("{file}:{line}:{}", finding.place.column))),
        };
        let hint = finding.hint.as_ref().map_or_else(String::new, |hint| format!(" — {}", inline(hint)));
        format!("- **{word}**{place} {}{hint}\n", inline(&finding.message))
    });
    let lines: Vec<String> = held.chain(unknown).chain(findings).collect();
    if lines.is_empty() {
        return;
    }
    out.push('\n');
    let left = append(out, lines.into_iter(), LISTS / 2);
    if left > 0 {
        let _ = writeln!(out, "- … and {left} more");
    }
}

/// The diffs, collapsed: whole files while there is room, then a count.
fn details(out: &mut String, changes: &[Change]) {
    const END: &str = "\n</details>\n";
    /// Room for the line that counts what was left out.
    const COUNT: usize = 80;
    out.push_str("\n<details><summary>Diffs</summary>\n");
    let mut left = 0;
    for change in changes {
        let block = fenced(&unified(change));
        if out.len() + block.len() + END.len() + COUNT <= LONGEST {
            out.push_str(&block);
        } else {
            left += 1;
        }
    }
    if left > 0 {
        let _ = writeln!(out, "\n… and {left} more diffs; `plimsoll plan` shows all.");
    }
    out.push_str(END);
}

/// A block that its content can't end: the fence is longer than any in it.
fn fenced(content: &str) -> String {
    let fence = "`".repeat(longest_run(content).max(2) + 1);
    let mut out = format!("\n{fence}diff\n");
    for line in content.lines() {
        let _ = writeln!(out, "{}", printable(line));
    }
    out.push_str(&fence);
    out.push('\n');
    out
}

/// Text as code in a line, also in a table.
fn code(text: &str) -> String {
    let text = crate::base::fault::foreign(text).replace('|', "\\|");
    let fence = "`".repeat(longest_run(&text) + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// Text in which nothing is markup, HTML, a mention, a reference to an issue or a link.
///
/// Forges look for mentions and links in the text that is shown, so an escape does not stop them; a space of no
/// width does.
fn inline(text: &str) -> String {
    const SPACE: &str = "&#8203;";
    let text = crate::base::fault::foreign(text);
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '@' | '#' => {
                out.push(c);
                out.push_str(SPACE);
            }
            ':' if rest.as_str().starts_with("//") => {
                out.push(c);
                out.push_str(SPACE);
            }
            '.' if out.ends_with("www") => {
                out.push_str(SPACE);
                out.push(c);
            }
            '\\' | '`' | '*' | '_' | '[' | ']' | '(' | ')' | '~' | '|' | '!' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::Reason;
    use crate::plan::prune::Held;

    fn change(path: &str, reason: &str, after: &str) -> Change {
        Change {
            path: path.to_owned(),
            action: Action::Create,
            reason: Reason::enrolled(reason),
            before: Vec::new(),
            after: after.as_bytes().to_vec(),
        }
    }

    fn outcome(changes: Vec<Change>) -> Outcome {
        Outcome { status: Status::Planned, changes, ..Outcome::failed(Vec::new(), false) }
    }

    #[test]
    fn what_people_wrote_stays_text() {
        for (text, expected) in [
            ("@team look", "@&#8203;team look"),
            ("<img src=x>", "&lt;img src=x&gt;"),
            ("fixes #12", "fixes #&#8203;12"),
            ("[a](https://evil.example)", "\\[a\\]\\(https:&#8203;//evil.example\\)"),
            ("a | b\n| c", "a \\| b \\| c"),
            ("www.evil.example", "www&#8203;.evil.example"),
            ("&lt;b&gt;", "&amp;lt;b&amp;gt;"),
        ] {
            assert_eq!(inline(text), expected);
        }
        assert_eq!(code("a|`b"), "``a\\|`b``");
        assert!(fenced("+````\n+</details>").contains("\n`````diff\n"));
    }

    #[test]
    fn a_long_plan_is_cut_with_a_count() {
        let changes: Vec<Change> =
            (0..2_000).map(|index| change(&format!("state/images/app{index}.yaml"), "enrolled", &"key: value\n".repeat(40))).collect();
        let text = comment(&outcome(changes), true);
        assert!(text.len() <= LONGEST && text.len() > LONGEST - 2_000, "{}", text.len());
        assert!(text.contains("2000 to create") && text.contains(" more files.") && text.contains(" more diffs;"), "{text}");
        assert!(text.ends_with("</details>\n"));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

        #[test]
        fn a_comment_is_never_too_long_and_its_fences_close(path in "\\PC{0,200}", reason in "\\PC{0,2000}", content in "[`~a<@\n]{0,3000}", copies in 1usize..30) {
            let held = Held { what: reason.clone(), why: reason.clone(), approve: None };
            let outcome = Outcome { held: vec![held; copies], ..outcome(vec![change(&path, &reason, &content); copies]) };
            let text = comment(&outcome, true);
            prop_assert!(text.len() <= LONGEST);
            // Outside of fences nothing is left that means something.
            let mut fence: Option<&str> = None;
            for line in text.lines() {
                match fence {
                    Some(open) if line == open => fence = None,
                    Some(_) => {}
                    None if line.ends_with("diff") && line.starts_with("```") => fence = line.strip_suffix("diff"),
                    None => prop_assert!(!line.replace("<details>", "").replace("</details>", "").replace("<summary>", "").replace("</summary>", "").contains('<') || line.contains('`'), "{}", line),
                }
            }
            prop_assert_eq!(fence, None);
        }
    }
}
