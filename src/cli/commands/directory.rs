//! `validate`, `render` and `schema`: what needs a directory and nothing else.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::json;

use super::super::args::{DirectoryArgs, Format, RenderArgs, SchemaArgs};
use super::super::clock::Standing;
use super::super::output::{self, document, text};
use super::super::progress::Line;
use super::{Context, runtime};
use crate::base::{Class, Fault};
use crate::folder::Folder;
use crate::format::schema;
use crate::model::Severity;
use crate::reconcile::{Options, World, pass};
use crate::registry::Offline;
use crate::render::{self, TARGETS};

/// Checks config, Dockerfiles and recorded state.
pub(super) fn validate(context: &Context, args: &DirectoryArgs) -> Result<u8, Fault> {
    let drafted = drafted(&args.directory)?;
    let findings = drafted.diagnostics;
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    match context.operator.output {
        Format::Text => {
            text::diagnostics(&findings, context.err);
            let images = if drafted.images == 1 { "1 image".to_owned() } else { format!("{} images", drafted.images) };
            match errors {
                0 => output::print(&format!("{images}, no errors\n")),
                1 => text::say(&format!("{images}, 1 error")),
                count => text::say(&format!("{images}, {count} errors")),
            }
        }
        format => output::structured(
            &json!({"images": drafted.images, "errors": errors, "diagnostics": document::diagnostics(&findings)}),
            format,
        ),
    }
    Ok(if errors > 0 { 3 } else { 0 })
}

fn drafted(directory: &Path) -> Result<pass::Drafted, Fault> {
    let folder = Folder::open(directory)?;
    let world = World {
        repository: &folder,
        sources: None,
        forge: None,
        registry: &Offline,
        clock: &Standing,
        progress: &Line::new(true),
        outside: None,
    };
    runtime()?.block_on(pass::drafted(&world, &Options::default()))
}

/// Prints the manifests as one stream, or writes them under a directory.
pub(super) fn render(context: &Context, args: &RenderArgs) -> Result<u8, Fault> {
    let systems: BTreeSet<&str> = TARGETS.iter().map(|target| target.name()).collect();
    if let Some(system) = &args.system
        && !systems.contains(system.as_str())
    {
        let known: Vec<&str> = systems.into_iter().collect();
        return Err(Fault::new(Class::Config, format!("nothing is rendered for `{}`", crate::base::fault::foreign(system)))
            .hint(format!("systems: {}", known.join(", "))));
    }
    let drafted = drafted(&args.directory)?;
    text::diagnostics(&drafted.diagnostics, context.err);
    if drafted.invalid || drafted.diagnostics.iter().any(|finding| finding.severity == Severity::Error) {
        // Half a tree applied with pruning on would delete the other half.
        return Err(Fault::new(Class::Config, "nothing is printed while the directory has errors").hint("correct what is named above"));
    }
    let prefix = args.system.as_ref().map_or_else(|| "rendered/".to_owned(), |system| format!("rendered/{system}/"));
    let documents: Vec<_> = drafted.documents.iter().filter(|(path, _)| path.starts_with(&prefix)).collect();
    if documents.is_empty() {
        return Err(Fault::new(Class::Config, "there is nothing to render")
            .hint("an empty result would tell Argo CD to delete everything; enrol an image first"));
    }
    let Some(out) = &args.out else {
        let stream: Vec<&str> = documents.iter().map(|(_, document)| document.body.as_str()).collect();
        output::print(&format!("---\n{}", stream.join("---\n")));
        return Ok(0);
    };
    for (path, document) in &documents {
        let target = out.join(path.strip_prefix("rendered/").unwrap_or(path));
        let written =
            target.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(&target, render::file(document)));
        written.map_err(|error| Fault::new(Class::Local, format!("{}: {error}", target.display())))?;
    }
    text::say(&format!("{} files written to {}", documents.len(), out.display()));
    Ok(0)
}

/// Prints or writes JSON Schemas.
pub(super) fn schema(_: &Context, args: &SchemaArgs) -> Result<u8, Fault> {
    let schemas = schema::all();
    if let Some(out) = &args.out {
        for (name, text) in &schemas {
            let target = out.join(name);
            let written = std::fs::create_dir_all(out).and_then(|()| std::fs::write(&target, text));
            written.map_err(|error| Fault::new(Class::Local, format!("{}: {error}", target.display())))?;
        }
        return Ok(0);
    }
    let Some(wanted) = &args.name else {
        for name in schemas.keys() {
            output::print(&format!("{}\n", name.trim_end_matches(".schema.json")));
        }
        return Ok(0);
    };
    let found = schemas.iter().find(|(name, _)| name.trim_end_matches(".schema.json") == wanted.trim_end_matches(".yaml"));
    let Some((_, text)) = found else {
        return Err(Fault::new(Class::Config, format!("there is no schema `{}`", crate::base::fault::foreign(wanted)))
            .hint("`plimsoll schema` lists them"));
    };
    output::print(text);
    Ok(0)
}
