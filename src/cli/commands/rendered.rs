//! `validate --rendered`: any tree of manifests against the rules of `render::check`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::json;

use super::super::args::Format;
use super::super::output::{self, annotations, document, text};
use super::Context;
use super::directory::from_here;
use crate::base::{Class, Fault};
use crate::model::{Diagnostic, Place, Severity};
use crate::render::check;

/// Deepest directory that is looked into.
const DEEPEST: usize = 16;

/// Largest file that is read, in bytes.
const LARGEST: u64 = 16 << 20;

/// Checks all `.yaml` and `.yml` files under `directory`: exit 3 when a rule is broken.
pub(super) fn validate(context: &Context, directory: &Path) -> Result<u8, Fault> {
    let mut files = BTreeMap::new();
    walk(directory, "", 0, &mut files)?;
    if files.is_empty() {
        return Err(Fault::new(Class::Config, format!("{}: there are no YAML files", directory.display())));
    }
    let findings: Vec<Diagnostic> = check::files(&files).into_iter().map(diagnostic).collect();
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    match context.operator.output {
        Format::Text => {
            text::diagnostics(&findings, context.err);
            let count = |number: usize, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
            let of = format!("{}, {}", count(files.len(), "file"), count(errors, "error"));
            if errors == 0 { output::print(&format!("{of}\n")) } else { text::say(&of) }
        }
        Format::Sarif => output::structured(&annotations::sarif(&findings, &from_here(directory)), Format::Json),
        Format::Github => output::print(&annotations::github(&findings, &from_here(directory))),
        format => {
            output::structured(&json!({"files": files.len(), "errors": errors, "diagnostics": document::diagnostics(&findings)}), format);
        }
    }
    Ok(if errors > 0 { 3 } else { 0 })
}

fn walk(root: &Path, relative: &str, depth: usize, files: &mut BTreeMap<String, Vec<u8>>) -> Result<(), Fault> {
    let path = root.join(relative);
    let local = |error: &std::io::Error| Fault::new(Class::Local, format!("{}: {error}", path.display()));
    for entry in fs::read_dir(&path).map_err(|error| local(&error))? {
        let entry = entry.map_err(|error| local(&error))?;
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| *name != ".git") else { continue };
        let own = if relative.is_empty() { name.to_owned() } else { format!("{relative}/{name}") };
        // A symlink is neither: what it leads to is not part of the tree.
        let kind = entry.file_type().map_err(|error| local(&error))?;
        if kind.is_dir() && depth < DEEPEST {
            walk(root, &own, depth + 1, files)?;
        } else if kind.is_file() && matches!(name.rsplit_once('.'), Some((_, "yaml" | "yml"))) {
            if entry.metadata().map_err(|error| local(&error))?.len() > LARGEST {
                return Err(Fault::new(Class::Limit, format!("{own}: larger than the {LARGEST} bytes that are read")));
            }
            files.insert(own, fs::read(entry.path()).map_err(|error| local(&error))?);
        }
    }
    Ok(())
}

fn diagnostic(found: check::Elsewhere) -> Diagnostic {
    let check::Elsewhere { path, document, finding } = found;
    let check::Finding { rule, severity, at, message } = finding;
    let whose = if document == 0 { String::new() } else { format!("document {document}: ") };
    Diagnostic {
        severity,
        code: rule,
        place: Place { file: path, line: at.line, column: at.column },
        message: format!("{rule}: {whose}{message}"),
        hint: None,
    }
}
