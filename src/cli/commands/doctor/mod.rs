//! `doctor`: everything a pass needs, looked at one by one, each finding with the next step.

mod engine;
mod registries;
mod repository;

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::super::args::Format;
use super::super::output;
use super::super::output::style::{Style, printable};
use super::{Context, looking};
use crate::base::{Class, Fault};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    /// As it should be.
    Ok,
    /// It works, or may not be needed.
    Warn,
    /// A pass would fail.
    Fail,
}

impl Level {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    check: &'static str,
    level: Level,
    text: String,
    next: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, text: impl Into<String>) -> Self {
        Self { check, level: Level::Ok, text: text.into(), next: None }
    }

    fn warn(check: &'static str, text: impl Into<String>, next: impl Into<String>) -> Self {
        Self { check, level: Level::Warn, text: text.into(), next: Some(next.into()) }
    }

    fn fail(check: &'static str, text: impl Into<String>, next: impl Into<String>) -> Self {
        Self { check, level: Level::Fail, text: text.into(), next: Some(next.into()) }
    }

    /// A fault with its own next step, or with this one.
    fn of(check: &'static str, fault: &Fault, next: &str) -> Self {
        Self::fail(check, fault.text.clone(), fault.hint.clone().unwrap_or_else(|| next.to_owned()))
    }

    fn not_asked(check: &'static str) -> Self {
        Self::ok(check, "not asked: offline")
    }
}

/// Looks at everything; exit 1 when something is broken.
pub(super) fn doctor(context: &Context) -> Result<u8, Fault> {
    let findings = looking::until_interrupted(async {
        let mut findings = vec![Finding::ok("plimsoll", env!("CARGO_PKG_VERSION"))];
        findings.extend(repository::program(context).await);
        findings.extend(repository::cache(context));
        findings.extend(repository::look(context).await);
        let needs = repository::config(context, &mut findings).await;
        findings.extend(registries::look(context, &needs.registries).await);
        findings.push(engine::look(context, needs.builds).await);
        Ok::<_, Fault>(findings)
    })?;
    let worst = findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Ok);
    match context.operator.output {
        Format::Json | Format::Yaml => output::structured(&document(&findings, worst), context.operator.output),
        _ => output::print(&words(&findings, context.out)),
    }
    Ok(u8::from(worst == Level::Fail))
}

fn document(findings: &[Finding], worst: Level) -> Value {
    let findings: Vec<Value> = findings
        .iter()
        .map(|finding| json!({"check": finding.check, "level": finding.level.word(), "text": finding.text, "next": finding.next}))
        .collect();
    json!({"level": worst.word(), "findings": findings})
}

fn words(findings: &[Finding], style: Style) -> String {
    let width = findings.iter().map(|finding| finding.check.len()).max().unwrap_or(0);
    let mut out = String::new();
    for finding in findings {
        let word = format!("{:4}", finding.level.word());
        let word = match finding.level {
            Level::Ok => style.good(&word),
            Level::Warn => style.odd(&word),
            Level::Fail => style.bad(&word),
        };
        let _ = writeln!(out, "{word}  {:width$}  {}", finding.check, printable(&finding.text));
        if let Some(next) = &finding.next {
            let _ = writeln!(out, "{:width$}  next: {}", "", printable(next), width = width + 6);
        }
    }
    let of = |level: Level| findings.iter().filter(|finding| finding.level == level).count();
    let _ = writeln!(out, "\n{} ok, {} to look at, {} broken", of(Level::Ok), of(Level::Warn), of(Level::Fail));
    out
}

/// Whether a fault is one of the user's own choice.
fn by_choice(fault: &Fault) -> bool {
    fault.class == Class::Offline
}
