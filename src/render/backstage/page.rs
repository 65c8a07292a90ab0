//! Documentation pages as an mkdocs tree. Texts of people stand in Markdown here, so each is made inert.

use std::fmt::Write as _;

use serde::Serialize;

use super::things::Catalog;
use crate::format::yaml;
use crate::model::{Digest, Ledger, Subject, Value};
use crate::render::inert::{one_line, text as inert};

/// What a thing's page says beside the graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) title: String,
    pub(super) description: Option<String>,
    pub(super) facts: Vec<Row>,
    pub(super) policy: Vec<Row>,
    /// The digests of its tag.
    pub(super) ledger: Ledger,
}

/// A row of a table of two columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Row {
    label: String,
    value: String,
    /// The value is code rather than prose.
    code: bool,
}

impl Row {
    /// A value that is prose.
    pub(super) fn text(label: &str, value: &str) -> Self {
        Self { label: label.to_owned(), value: value.to_owned(), code: false }
    }

    /// A value that is code.
    pub(super) fn code(label: &str, value: &str) -> Self {
        Self { label: label.to_owned(), value: value.to_owned(), code: true }
    }
}

/// What a template of the config repository gets for a page. Every key is always there.
#[derive(Serialize)]
pub(super) struct PageValues<'a> {
    name: &'a str,
    title: String,
    description: &'a str,
    facts: &'a [Row],
    policy: &'a [Row],
    digest: &'a str,
    history: Vec<Tenure<'a>>,
    bases: Vec<&'a str>,
    dependents: Vec<&'a str>,
}

#[derive(Serialize)]
struct Tenure<'a> {
    digest: &'a str,
    seen_at: String,
}

/// What is said of a thing, for a template.
pub(super) fn values<'a>(page: &'a Page, subject: &'a Subject, catalog: &'a Catalog) -> PageValues<'a> {
    let history = page.ledger.history.iter();
    PageValues {
        name: catalog.names.of(subject).unwrap_or_default(),
        title: one_line(&page.title),
        description: page.description.as_deref().unwrap_or_default(),
        facts: &page.facts,
        policy: &page.policy,
        digest: page.ledger.current.as_ref().map(Digest::as_str).unwrap_or_default(),
        history: history.map(|tenure| Tenure { digest: tenure.digest.as_str(), seen_at: tenure.seen_at.to_string() }).collect(),
        bases: catalog.bases(subject).filter_map(|base| catalog.names.of(base)).collect(),
        dependents: catalog.dependents(subject).filter_map(|dependent| catalog.names.of(dependent)).collect(),
    }
}

/// `mkdocs.yml`.
pub(super) fn mkdocs(page: &Page) -> String {
    let text = |key: &str, text: &str| (key.to_owned(), Value::from(text));
    let home = Value::Map(vec![text("Overview", "index.md")]);
    yaml::write(&Value::Map(vec![
        text("site_name", &one_line(&page.title)),
        ("nav".to_owned(), Value::List(vec![home])),
        ("plugins".to_owned(), Value::List(vec!["techdocs-core".into()])),
    ]))
}

/// `docs/index.md`.
pub(super) fn index(page: &Page, subject: &Subject, catalog: &Catalog) -> String {
    // The comment at the head would take a heading on the next line into itself.
    let mut out = format!("\n# {}\n", inert(&page.title));
    if let Some(description) = &page.description {
        let _ = write!(out, "\n{}\n", inert(description));
    }
    table(&mut out, ["Fact", "Value"], &page.facts);
    graph(&mut out, subject, catalog);
    out.push_str("\n## Policy\n");
    table(&mut out, ["Rule", "Value"], &page.policy);
    out.push_str("\n## History\n");
    match &page.ledger.current {
        // A record that an earlier tool wrote knows its digest and no history.
        Some(current) if page.ledger.history.is_empty() => {
            let _ = write!(out, "\nThe digest is {}; when it was first seen is not recorded.\n", code(current.as_str()));
        }
        None => out.push_str("\nNo digest has been seen yet.\n"),
        Some(_) => {
            let tenures = page.ledger.history.iter();
            out.push_str("\n| Digest | First seen |\n|---|---|\n");
            for tenure in tenures {
                let _ = writeln!(out, "| {} | {} |", code(tenure.digest.as_str()), code(&tenure.seen_at.to_string()));
            }
        }
    }
    out
}

fn table(out: &mut String, [first, second]: [&str; 2], rows: &[Row]) {
    let _ = write!(out, "\n| {first} | {second} |\n|---|---|\n");
    for row in rows {
        let value = if row.code { code(&row.value) } else { inert(&row.value) };
        let _ = writeln!(out, "| {} | {value} |", inert(&row.label));
    }
}

/// What it builds on and what builds on it: for readers with a Mermaid add-on a picture, for all others a list.
fn graph(out: &mut String, subject: &Subject, catalog: &Catalog) {
    let name = |subject: &Subject| catalog.names.of(subject).unwrap_or_default().to_owned();
    let bases: Vec<String> = catalog.bases(subject).map(name).collect();
    let dependents: Vec<String> = catalog.dependents(subject).map(name).collect();
    out.push_str("\n## Graph\n");
    if bases.is_empty() && dependents.is_empty() {
        out.push_str("\nIt builds on no image that is known here, and none builds on it.\n");
        return;
    }
    // Names of entities hold letters, digits and `-_.` only.
    out.push_str("\n```mermaid\ngraph LR\n");
    let own = name(subject);
    let _ = writeln!(out, "  self[\"{own}\"]");
    for (at, base) in bases.iter().enumerate() {
        let _ = writeln!(out, "  base{at}[\"{base}\"] --> self");
    }
    for (at, dependent) in dependents.iter().enumerate() {
        let _ = writeln!(out, "  self --> dependent{at}[\"{dependent}\"]");
    }
    out.push_str("```\n");
    for (what, names) in [("Builds on", &bases), ("Built on by", &dependents)] {
        if !names.is_empty() {
            let _ = write!(out, "\n{what}:\n\n");
            for name in names {
                let _ = writeln!(out, "- `{name}`");
            }
        }
    }
}

/// Text as code. A code span reads no character references, so an element does it.
fn code(text: &str) -> String {
    format!("<code>{}</code>", inert(text))
}
