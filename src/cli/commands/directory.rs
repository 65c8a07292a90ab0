//! `validate`, `render` and `schema`: what needs a directory and nothing else.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::json;

use super::super::args::{Format, RenderArgs, SchemaArgs, ValidateArgs};
use super::super::clock::Standing;
use super::super::output::{self, annotations, document, text};
use super::super::progress::Line;
use super::{Context, hydrate, plugin, rendered, runtime};
use crate::base::{Class, Fault};
use crate::folder::Folder;
use crate::format::schema;
use crate::model::Severity;
use crate::reconcile::{Options, World, pass};
use crate::registry::Offline;
use crate::render::{self, TARGETS};

/// Checks config, Dockerfiles and recorded state.
pub(super) fn validate(context: &Context, args: &ValidateArgs) -> Result<u8, Fault> {
    if let Some(directory) = &args.rendered {
        return rendered::validate(context, directory);
    }
    let drafted = drafted(context, &args.directory, false)?;
    let (findings, images) = (&drafted.diagnostics, drafted.desired.entries.len());
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    match context.operator.output {
        Format::Text => {
            text::diagnostics(findings, context.err);
            let images = if images == 1 { "1 image".to_owned() } else { format!("{images} images") };
            match errors {
                0 => output::print(&format!("{images}, no errors\n")),
                1 => text::say(&format!("{images}, 1 error")),
                count => text::say(&format!("{images}, {count} errors")),
            }
        }
        Format::Sarif => output::structured(&annotations::sarif(findings, &from_here(&args.directory)), Format::Json),
        Format::Github => output::print(&annotations::github(findings, &from_here(&args.directory))),
        format => {
            output::structured(&json!({"images": images, "errors": errors, "diagnostics": document::diagnostics(findings)}), format);
        }
    }
    Ok(if errors > 0 { 3 } else { 0 })
}

/// What leads from where the program runs to the directory's files: tools that show findings know paths from there.
pub(super) fn from_here(directory: &Path) -> String {
    let here = std::env::current_dir().ok();
    let relative = here.and_then(|here| directory.canonicalize().ok()?.strip_prefix(here.canonicalize().ok()?).map(Path::to_owned).ok());
    match relative.as_deref().unwrap_or(directory).to_string_lossy().trim_end_matches('/') {
        "" | "." => String::new(),
        path => format!("{path}/"),
    }
}

fn drafted(context: &Context, directory: &Path, applied_only: bool) -> Result<pass::Drafted, Fault> {
    let folder = Folder::open(directory)?;
    let options = Options { allow_templates: context.operator.allow_templates, applied_only, ..Options::default() };
    let world = World {
        repository: &folder,
        sources: None,
        forge: None,
        registry: &Offline,
        clock: &Standing,
        progress: &Line::new(true),
        outside: None,
        workshop: None,
    };
    runtime()?.block_on(pass::rendered(&world, &options))
}

/// Prints the manifests as one stream, or writes them under a directory.
pub(super) fn render(context: &Context, args: &RenderArgs) -> Result<u8, Fault> {
    if args.announce {
        output::print(&format!("{}\n", plugin::announcement()));
        return Ok(0);
    }
    let system = args.system.clone().map_or_else(plugin::system, |system| Ok(Some(system)))?;
    let systems: BTreeSet<&str> = TARGETS.iter().map(|target| target.name()).collect();
    if let Some(system) = &system
        && !systems.contains(system.as_str())
    {
        let known: Vec<&str> = systems.into_iter().collect();
        return Err(Fault::new(Class::Config, format!("nothing is rendered for `{}`", crate::base::fault::foreign(system)))
            .hint(format!("systems: {}", known.join(", "))));
    }
    let is_stream = args.out.is_none();
    let drafted = drafted(context, &args.directory, is_stream)?;
    text::diagnostics(&drafted.diagnostics, context.err);
    if drafted.invalid || drafted.diagnostics.iter().any(|finding| finding.severity == Severity::Error) {
        // Half a tree applied with pruning on would delete the other half.
        return Err(Fault::new(Class::Config, "nothing is printed while the directory has errors").hint("correct what is named above"));
    }
    let prefix = system.as_ref().map_or_else(|| "rendered/".to_owned(), |system| format!("rendered/{system}/"));
    let documents: Vec<_> = drafted.documents.iter().filter(|(path, _)| path.starts_with(&prefix)).collect();
    // What is made for the repository as a whole is there without any image.
    let nothing = drafted.documents.values().all(|document| document.owner.subject().is_none());
    if nothing || !documents.iter().any(|(path, _)| !is_stream || render::is_applied(path)) {
        return Err(Fault::new(Class::Config, "there is nothing to render")
            .hint("an empty result would tell Argo CD to delete everything; enrol an image first"));
    }
    let Some(out) = &args.out else {
        let stream: Vec<&str> =
            documents.iter().filter(|(path, _)| render::is_applied(path)).map(|(_, document)| document.body.as_str()).collect();
        if context.operator.output == Format::Json {
            // One document that kubectl takes as well as the stream.
            output::structured(&json!({"apiVersion": "v1", "kind": "List", "items": items(&stream)?}), Format::Json);
        } else {
            let mut text = String::with_capacity(stream.iter().map(|body| body.len() + 4).sum());
            for body in &stream {
                text.push_str("---\n");
                text.push_str(body);
            }
            output::print(&text);
        }
        // The process ends here. Giving thousands of documents back one by one would take longer than printing them.
        std::mem::forget(drafted);
        return Ok(0);
    };
    if let Some(sha) = &args.hydrator_dry_sha {
        return hydrate::directory(out, sha, &documents);
    }
    for (path, document) in &documents {
        let target = out.join(path.strip_prefix("rendered/").unwrap_or(path));
        let written =
            target.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(&target, render::file(path, document)));
        written.map_err(|error| Fault::new(Class::Local, format!("{}: {error}", target.display())))?;
    }
    text::say(&format!("{} files written to {}", documents.len(), out.display()));
    Ok(0)
}

/// Rendered documents as values.
fn items(documents: &[&str]) -> Result<Vec<serde_json::Value>, Fault> {
    let mut out = Vec::new();
    for body in documents {
        let read: Vec<serde_json::Value> = serde_saphyr::from_multiple(body)
            .map_err(|error| Fault::new(Class::Internal, format!("a rendered document can't be read back: {error}")))?;
        out.extend(read);
    }
    Ok(out)
}

/// Prints or writes JSON Schemas.
pub(super) fn schema(context: &Context, args: &SchemaArgs) -> Result<u8, Fault> {
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
        let names: Vec<&str> = schemas.keys().map(|name| name.trim_end_matches(".schema.json")).collect();
        match context.operator.output {
            Format::Text => output::print(&format!("{}\n", names.join("\n"))),
            format => output::structured(&json!(names), format),
        }
        return Ok(0);
    };
    let found = schemas.iter().find(|(name, _)| name.trim_end_matches(".schema.json") == wanted.trim_end_matches(".yaml"));
    let Some((_, text)) = found else {
        return Err(Fault::new(Class::Config, format!("there is no schema `{}`", crate::base::fault::foreign(wanted)))
            .hint("`plimsoll schema` lists them"));
    };
    match (context.operator.output, serde_json::from_str::<serde_json::Value>(text)) {
        (Format::Yaml, Ok(schema)) => output::structured(&schema, Format::Yaml),
        _ => output::print(text),
    }
    Ok(0)
}
