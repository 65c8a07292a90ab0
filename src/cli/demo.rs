//! `demo`: the real pass on a temporary repository, with a registry inside the process.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use super::args::DemoArgs;
use super::clock::SystemClock;
use super::commands::{Context, runtime};
use super::output::{self, text};
use super::progress::Line;
use crate::base::{Class, Fault};
use crate::git::{self, GitProgram, RepositoryOptions};
use crate::model::branch::BranchName;
use crate::reconcile::{Memory, Options, Outcome, Status, World, pass};
use crate::registry::{LoopbackRegistry, RegistryClient, RegistryOptions};

/// The example that the demo is made from, by path.
const EXAMPLE: [(&str, &str); 4] = [
    ("plimsoll.yaml", include_str!("../../examples/minimal/plimsoll.yaml")),
    ("images.yaml", include_str!("../../examples/minimal/images.yaml")),
    ("apps/portal/Dockerfile", include_str!("../../examples/minimal/apps/portal/Dockerfile")),
    ("apps/worker/Dockerfile", include_str!("../../examples/minimal/apps/worker/Dockerfile")),
];

/// The registries that the example names; the demo's own stands in for both.
const REGISTRIES: [&str; 2] = ["docker.io", "ghcr.io"];

/// The images that its registry serves.
const IMAGES: [(&str, &str); 3] =
    [("library/node", "22-bookworm-slim"), ("library/python", "3.12-slim"), ("library/postgres", "17-bookworm")];

/// Shows three passes: the first enrols, the second sees a base image move, the third has nothing to do.
pub(super) fn demo(context: &Context, args: &DemoArgs) -> Result<u8, Fault> {
    let temporary;
    let root = if let Some(path) = &args.keep {
        fresh(path)?;
        path.clone()
    } else {
        temporary = tempfile::Builder::new()
            .prefix("plimsoll-demo-")
            .tempdir()
            .map_err(|error| Fault::new(Class::Local, format!("no temporary directory: {error}")))?;
        temporary.path().to_owned()
    };
    runtime()?.block_on(play(context, &root, args.keep.is_some()))
}

fn fresh(path: &Path) -> Result<(), Fault> {
    let local = |error: std::io::Error| Fault::new(Class::Local, format!("{}: {error}", path.display()));
    std::fs::create_dir_all(path).map_err(local)?;
    if std::fs::read_dir(path).map_err(local)?.next().is_some() {
        return Err(Fault::new(Class::Config, format!("{} is not empty", path.display())).hint("name a new directory with --keep"));
    }
    Ok(())
}

async fn play(context: &Context, root: &Path, kept: bool) -> Result<u8, Fault> {
    let registry = LoopbackRegistry::start().await?;
    for (repository, tag) in IMAGES {
        registry.push(repository, tag, &BTreeMap::new(), format!("{repository}:{tag}, first build").as_bytes())?;
    }
    let host = registry.host();
    let remote = root.join("config.git");
    let files = EXAMPLE
        .into_iter()
        .map(|(path, content)| (path, REGISTRIES.iter().fold(content.to_owned(), |text, registry| text.replace(registry, &host))))
        .collect();
    git::create(&remote, &BranchName::parse("main").map_err(|message| Fault::new(Class::Internal, message))?, &files)?;
    say(&format!("A config repository with three images, and a registry on {host}."));

    let repository = git::open(RepositoryOptions {
        location: remote.display().to_string(),
        branch: None,
        record_branch: None,
        cache: root.join("cache"),
        push: false,
        signing_key: None,
        program: GitProgram::new([]),
    })?;
    let client = RegistryClient::new(RegistryOptions::default())?;
    let clock = SystemClock::new();
    let world = World {
        repository: repository.as_ref(),
        sources: None,
        forge: None,
        registry: &client,
        clock: &clock,
        progress: &Line::new(true),
        outside: None,
        workshop: None,
    };

    heading(context, "1. plimsoll plan");
    let planned = pass(&world, &Options { dry_run: true, ..Options::default() }, &mut Memory::default()).await;
    output::print(&text::plan(&planned, false, context.out));
    let first = told_pass(context, &world, "2. plimsoll run --once").await?;
    show_file(&world, &first, "rendered/kargo/base-images/node-22-bookworm-slim.yaml")?;

    heading(context, "3. node:22-bookworm-slim is rebuilt upstream");
    let (repository_name, tag) = ("library/node", "22-bookworm-slim");
    let moved = registry.push(repository_name, tag, &BTreeMap::new(), b"library/node, second build")?;
    say(&format!("{tag} is {} now.", moved.short()));
    let second = told_pass(context, &world, "4. plimsoll run --once").await?;
    show_diff(context, &second);

    let third = told_pass(context, &world, "5. plimsoll run --once").await?;
    if kept {
        say(&format!("\nLook around: git -C {} log --stat", remote.display()));
    }
    Ok(u8::from((first.status, second.status, third.status) != (Status::Published, Status::Published, Status::Converged)))
}

async fn told_pass(context: &Context, world: &World<'_>, title: &str) -> Result<Outcome, Fault> {
    heading(context, title);
    let outcome = pass(world, &Options::default(), &mut Memory::default()).await;
    text::trouble(&outcome, context.err);
    output::print(&text::ran(&outcome, context.out));
    Ok(outcome)
}

fn show_file(world: &World<'_>, outcome: &Outcome, path: &str) -> Result<(), Fault> {
    let Some(commit) = &outcome.commit else { return Ok(()) };
    let listing = world.repository.list(commit, &[path])?;
    if let Some(file) = listing.files.get(path) {
        let content = world.repository.read(&file.blob, 1 << 20)?;
        say(&format!("\n{path}:\n{}", indented(&String::from_utf8_lossy(&content))));
    }
    Ok(())
}

fn show_diff(context: &Context, outcome: &Outcome) {
    let recorded = Outcome {
        changes: outcome.changes.iter().filter(|change| change.path.starts_with("state/base-images/")).cloned().collect(),
        ..outcome.clone()
    };
    let diff = text::plan(&recorded, true, context.out);
    say(&indented(diff.split_once("\n\n").map_or("", |(_, diff)| diff.split_once('\n').map_or("", |(_, diff)| diff))));
}

fn indented(text: &str) -> String {
    text.lines().fold(String::new(), |mut out, line| {
        let _ = writeln!(out, "  {line}");
        out
    })
}

fn heading(context: &Context, title: &str) {
    output::print(&format!("\n{}\n", context.out.heading(title)));
}

fn say(text: &str) {
    output::print(&format!("{}\n", text.trim_end()));
}
