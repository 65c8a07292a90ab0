//! `pin`: digest pins of FROM lines, as a diff or written into a checkout.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::path::Path;

use serde_json::{Value, json};
use similar::TextDiff;

use super::super::args::{Format, PinArgs};
use super::super::output::style::printable;
use super::super::output::{self, document, text};
use super::super::world;
use super::{Context, runtime};
use crate::base::fault::foreign;
use crate::base::{Class, Fault};
use crate::format::state_file::written;
use crate::model::{Digest, ImageName, Severity};
use crate::plan::pins::Verdict;
use crate::reconcile::pins::{self, PinPlan, PinnedFile};

/// Plans pins, and writes them when told to.
pub(super) fn pin(context: &Context, args: &PinArgs) -> Result<u8, Fault> {
    let only = names(&args.images)?;
    let (plan, proposed) = runtime()?.block_on(async {
        let owned = world::Owned::open(&context.operator)?;
        let world = owned.world();
        let plan = pins::plan(&world, &only).await?;
        let proposed = match (args.pull_request, world.forge) {
            (false, _) => Vec::new(),
            (true, Some(forge)) => pins::propose(forge, &plan).await,
            (true, None) => return Err(Fault::new(Class::Config, "--pull-request needs a token or an App for a forge, and no --offline")),
        };
        Ok((plan, proposed))
    })?;
    let changed = plan.changed().count();
    let (mut done, mut failed) = (BTreeSet::new(), Vec::new());
    if args.write {
        for (index, (file, after)) in plan.changed().enumerate() {
            match write(&context.operator.repo, file, after) {
                Ok(()) => drop(done.insert(index)),
                Err(fault) => failed.push(fault),
            }
        }
    }
    let mut requests = Vec::new();
    for (repository, result) in proposed {
        match result {
            Ok(url) => requests.push((repository, url)),
            Err(fault) => failed.push(fault.of(&repository)),
        }
    }
    if args.pull_request {
        failed.extend(unproposed(&plan));
    }
    match context.operator.output {
        Format::Text => {
            told(context, &plan, args.write.then_some(&done), args.pull_request);
            for (repository, url) in &requests {
                output::print(&format!("proposed {repository}: {}\n", printable(url)));
            }
        }
        format => {
            let mut document = structured(&plan, args.write.then_some(&done));
            let requests: Vec<Value> = requests.iter().map(|(repository, url)| json!({"repository": repository, "url": url})).collect();
            document["pullRequests"] = requests.into();
            output::structured(&document, format);
        }
    }
    for fault in &failed {
        text::fault(fault, context.err);
    }
    let wrong = plan.diagnostics.iter().any(|finding| finding.severity == Severity::Error);
    let unknown = wrong || plan.unknown.iter().any(crate::plan::Unknown::is_failure);
    Ok(match (plan.invalid, args.write || args.pull_request) {
        (true, _) => 3,
        (false, false) if changed > 0 => 2,
        _ if unknown || !failed.is_empty() => 4,
        _ => 0,
    })
}

fn names(images: &[String]) -> Result<BTreeSet<ImageName>, Fault> {
    let parse =
        |name: &String| ImageName::parse(name).map_err(|message| Fault::new(Class::Config, format!("{}: {message}", foreign(name))));
    images.iter().map(parse).collect()
}

/// Writes one file of a checkout, if it still is what was planned from. Whole or not at all: a kill leaves at
/// most a `.plimsoll-new` beside it.
fn write(repo: &str, file: &PinnedFile, after: &str) -> Result<(), Fault> {
    let path = &file.path;
    if let Some(branch) = &file.branch {
        let shown = crate::git::shown(&branch.url).unwrap_or_else(|| foreign(&branch.url));
        return Err(Fault::new(Class::Config, format!("{path} is in {shown}, not in this checkout"))
            .hint("apply the diff there: `plimsoll pin IMAGE | git apply`"));
    }
    let root = Path::new(repo.strip_prefix("file://").unwrap_or(repo));
    if !root.join(".git").exists() {
        return Err(Fault::new(Class::Config, "--write needs a local checkout as --repo").hint("without it, the diff is printed"));
    }
    let target = root.join(path.as_str());
    let local = |error: &std::io::Error| Fault::new(Class::Local, format!("{path}: {error}"));
    let meta = std::fs::symlink_metadata(&target).map_err(|error| local(&error))?;
    let inside =
        target.canonicalize().and_then(|real| Ok(real == root.canonicalize()?.join(path.as_str()))).map_err(|error| local(&error))?;
    if !meta.is_file() || !inside {
        return Err(Fault::new(Class::Refused, format!("{path}: a symlink is never written through")));
    }
    if std::fs::read(&target).map_err(|error| local(&error))? != file.before.as_bytes() {
        return Err(Fault::new(Class::Refused, format!("{path} has changes that are not committed")).hint("commit or stash them first"));
    }
    let fresh = target.with_file_name(format!("{}.plimsoll-new", target.file_name().unwrap_or_default().to_string_lossy()));
    let write = || {
        let mut out = std::fs::File::create(&fresh)?;
        out.write_all(after.as_bytes())?;
        out.set_permissions(meta.permissions())?;
        out.sync_all()?;
        std::fs::rename(&fresh, &target)
    };
    write().map_err(|error| local(&error))
}

/// Files with something to do in repositories that no forge is known for.
fn unproposed(plan: &PinPlan) -> Vec<Fault> {
    let nowhere = plan.changed().filter(|(file, _)| file.forge.is_none());
    nowhere
        .map(|(file, _)| {
            Fault::new(Class::Config, format!("{}: pull requests are for providers github and gitlab", file.path))
                .hint("without --pull-request, the diff is printed")
        })
        .collect()
}

fn told(context: &Context, plan: &PinPlan, done: Option<&BTreeSet<usize>>, proposing: bool) {
    text::diagnostics(&plan.diagnostics, context.err);
    for unknown in &plan.unknown {
        text::say(&format!("unknown: {}: {}", unknown.what, unknown.why.text));
    }
    for (name, why) in &plan.held {
        text::say(&format!("held: {name}: {}", printable(why)));
    }
    for (image, verdict) in &plan.verdicts {
        match verdict {
            Verdict::Pin(_) => {}
            Verdict::Waits(until) => {
                text::say(&format!("waits: {} moved lately; its pins stay until {}", image.familiar(), written(*until)));
            }
            Verdict::Unrecorded => {
                text::say(&format!("unknown: {}: no digest is recorded; `plimsoll run --once` looks", image.familiar()));
            }
        }
    }
    for file in &plan.files {
        for other in &file.pins.skipped {
            text::say(&format!("not pinned: {}:{}: `{}`: {}", file.path, other.line, printable(&other.raw), printable(&other.why)));
        }
    }
    let mut out = String::new();
    for (index, (file, after)) in plan.changed().enumerate() {
        match done {
            Some(done) if done.contains(&index) => drop(writeln!(out, "wrote {}", file.path)),
            Some(_) => {}
            None if proposing => {}
            None => {
                if let Some(branch) = &file.branch {
                    let url = crate::git::shown(&branch.url).unwrap_or_else(|| foreign(&branch.url));
                    let _ = writeln!(out, "# {url} {}", branch.branch.as_deref().unwrap_or("(default branch)"));
                }
                out.push_str(&diff(file, after));
            }
        }
    }
    if plan.changed().next().is_none() && !plan.invalid {
        out.push_str("nothing to pin\n");
    }
    if std::io::stdout().is_terminal() {
        out = out.split_inclusive('\n').map(|line| printable(line.trim_end_matches(['\r', '\n'])).into_owned() + "\n").collect();
    }
    output::print(&out);
}

/// As `git apply` takes it.
fn diff(file: &PinnedFile, after: &str) -> String {
    let (old, new) = (format!("a/{}", file.path), format!("b/{}", file.path));
    TextDiff::from_lines(file.before.as_str(), after).unified_diff().header(&old, &new).to_string()
}

fn structured(plan: &PinPlan, done: Option<&BTreeSet<usize>>) -> Value {
    let files: Vec<Value> = plan
        .changed()
        .enumerate()
        .map(|(index, (file, after))| {
            let pins: Vec<Value> = file
                .pins
                .pins
                .iter()
                .map(|pin| json!({"line": pin.line, "image": pin.image.canonical(), "from": pin.from.as_ref().map(Digest::as_str), "to": pin.to.as_str()}))
                .collect();
            json!({
                "repository": file.branch.as_ref().map(|branch| crate::git::shown(&branch.url)),
                "branch": file.branch.as_ref().and_then(|branch| branch.branch.clone()),
                "path": file.path.as_str(),
                "images": file.images.iter().map(ImageName::as_str).collect::<Vec<_>>(),
                "pins": pins,
                "diff": diff(file, after),
                "written": done.map(|done| done.contains(&index)),
            })
        })
        .collect();
    let waiting: Vec<Value> = plan
        .verdicts
        .iter()
        .filter_map(|(image, verdict)| match verdict {
            Verdict::Waits(until) => Some(json!({"image": image.canonical(), "until": written(*until)})),
            Verdict::Pin(_) | Verdict::Unrecorded => None,
        })
        .collect();
    let unrecorded: Vec<String> =
        plan.verdicts.iter().filter(|(_, verdict)| **verdict == Verdict::Unrecorded).map(|(image, _)| image.canonical()).collect();
    let skipped = |file: &PinnedFile| {
        let path = file.path.to_string();
        file.pins
            .skipped
            .iter()
            .map(move |other| json!({"path": path, "line": other.line, "raw": other.raw, "why": other.why}))
            .collect::<Vec<_>>()
    };
    json!({
        "files": files,
        "waiting": waiting,
        "unrecorded": unrecorded,
        "skipped": plan.files.iter().flat_map(skipped).collect::<Vec<_>>(),
        "held": plan.held.iter().map(|(name, why)| json!({"what": name.as_str(), "why": why})).collect::<Vec<_>>(),
        "unknown": plan.unknown.iter().map(|unknown| json!({"what": unknown.what, "why": unknown.why.text, "class": unknown.why.class.word()})).collect::<Vec<_>>(),
        "diagnostics": document::diagnostics(&plan.diagnostics),
    })
}
