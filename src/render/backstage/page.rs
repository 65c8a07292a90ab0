//! Documentation pages as an mkdocs tree. Texts of people stand in Markdown here, so each is made inert.

use std::fmt::Write as _;

use super::things::Catalog;
use crate::format::yaml;
use crate::model::{Ledger, Subject, Value};

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

/// A row of a table of two columns, its texts inert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    label: String,
    value: String,
}

impl Row {
    /// A value that is prose.
    pub(super) fn text(label: &str, value: &str) -> Self {
        Self { label: inert(label), value: inert(value) }
    }

    /// A value that is code.
    pub(super) fn code(label: &str, value: &str) -> Self {
        Self { label: inert(label), value: code(value) }
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
            let rows: Vec<Row> =
                tenures.map(|tenure| Row { label: code(tenure.digest.as_str()), value: code(&tenure.seen_at.to_string()) }).collect();
            table(&mut out, ["Digest", "First seen"], &rows);
        }
    }
    out
}

fn table(out: &mut String, [first, second]: [&str; 2], rows: &[Row]) {
    let _ = write!(out, "\n| {first} | {second} |\n|---|---|\n");
    for Row { label, value } in rows {
        let _ = writeln!(out, "| {label} | {value} |");
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

fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_control() || c.is_whitespace()).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Text that Markdown, HTML and Mermaid read as itself: one line, everything but letters, digits, blanks and a
/// few harmless signs as character references.
fn inert(text: &str) -> String {
    let line = one_line(text);
    let mut out = String::new();
    let mut chars = line.chars().peekable();
    let mut before = ' ';
    while let Some(c) = chars.next() {
        let within = before.is_ascii_alphanumeric() && chars.peek().is_some_and(char::is_ascii_alphanumeric);
        // A stop behind a digit and before a blank would make a list.
        let harmless = !c.is_ascii()
            || c.is_ascii_alphanumeric()
            || " ,;/()%".contains(c)
            || (within && ".-:".contains(c))
            || (c == '.' && before.is_ascii_alphabetic());
        if harmless {
            out.push(c);
        } else {
            let _ = write!(out, "&#{};", u32::from(c));
        }
        before = c;
    }
    out
}

/// Text as code. A code span reads no character references, so an element does it.
fn code(text: &str) -> String {
    format!("<code>{}</code>", inert(text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_are_inert() {
        for (text, expected) in [
            ("Customer portal", "Customer portal"),
            ("ghcr.io/acme/portal:1.2-slim", "ghcr.io/acme/portal:1.2-slim"),
            ("<b>|x|</b>", "&#60;b&#62;&#124;x&#124;&#60;/b&#62;"),
            ("a\n\n# b", "a &#35; b"),
            ("- a", "&#45; a"),
            ("1. a", "1&#46; a"),
            ("A stop. And on.", "A stop. And on."),
            ("[x](javascript:y)", "&#91;x&#93;(javascript:y)"),
            ("{{ x }} ${{ y }}", "&#123;&#123; x &#125;&#125; &#36;&#123;&#123; y &#125;&#125;"),
            ("`*_~", "&#96;&#42;&#95;&#126;"),
        ] {
            assert_eq!(inert(text), expected);
        }
    }

    proptest! {
        #[test]
        fn no_text_leaves_its_line(text in any::<String>()) {
            let inert = inert(&text);
            let is_active = inert.contains(['<', '>', '|', '`', '*', '_', '[', ']', '{', '}', '$', '\\', '"', '\'']);
            prop_assert!(!is_active, "{}", inert);
            prop_assert!(!inert.chars().any(char::is_control));
            prop_assert!(!inert.starts_with(['-', '+', '=', '.', ' ']));
        }
    }
}
