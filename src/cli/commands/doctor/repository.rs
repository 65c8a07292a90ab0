//! git: the program, the cache, the repository, the rights on it, and what it says.

use std::collections::BTreeSet;

use super::super::super::settings;
use super::super::super::world::{self, Owned};
use super::super::{Context, looking};
use super::Finding;
use crate::base::{Class, Fault};
use crate::git::{self, Examined};
use crate::model::{Entry, Trigger};
use crate::reconcile::{Options, pass};

/// The oldest git whose fetches and leases are relied on.
const OLDEST: [u32; 2] = [2, 31];

/// Is git there, and new enough?
pub(super) async fn program(context: &Context) -> Vec<Finding> {
    let program = match settings::git_program(&context.operator) {
        Ok(program) => program,
        Err(fault) => return vec![Finding::of("git", &fault, "correct the option")],
    };
    vec![match git::version(&program, &std::env::temp_dir()).await {
        Ok(version) if numbers(&version) >= OLDEST => Finding::ok("git", version),
        Ok(version) => Finding::fail("git", format!("{version} is too old"), "install git 2.31 or newer"),
        Err(fault) => Finding::of("git", &fault, "install git 2.31 or newer"),
    }]
}

/// The first two numbers of a version; what can't be read counts as old.
fn numbers(version: &str) -> [u32; 2] {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    [parts.next().unwrap_or(0), parts.next().unwrap_or(0)]
}

/// Can mirrors be kept?
pub(super) fn cache(context: &Context) -> Vec<Finding> {
    let directory = match settings::cache_dir(&context.operator) {
        Ok(directory) => directory,
        Err(fault) => return vec![Finding::of("cache", &fault, "name a directory with --cache-dir")],
    };
    let tried = std::fs::create_dir_all(&directory).and_then(|()| tempfile::tempfile_in(&directory)).and_then(|mut file| {
        use std::io::Write;
        file.write_all(&[0; 4096])
    });
    vec![match tried {
        Ok(()) => Finding::ok("cache", format!("{} can be written", directory.display())),
        Err(error) => Finding::fail(
            "cache",
            format!("{}: {error}", directory.display()),
            "make it writable and free some space, or name another place with --cache-dir",
        ),
    }]
}

/// Does the repository answer, are its branches there, and may we write?
pub(super) async fn look(context: &Context) -> Vec<Finding> {
    let options = match world::repository_options(&context.operator) {
        Ok(options) => options,
        Err(fault) => return vec![Finding::of("repository", &fault, "correct the option")],
    };
    let on_this_machine = git::shown(&context.operator.repo).is_none();
    if context.operator.offline && !on_this_machine {
        return vec![Finding::not_asked("repository"), Finding::not_asked("rights")];
    }
    let examined = match git::examine(options.clone()).await {
        Ok(examined) => examined,
        Err(fault) => return vec![Finding::of("repository", &fault, "check the address, the network and the proxy")],
    };
    let mut findings = vec![Finding::ok("repository", format!("{} answers", examined.location))];
    findings.extend(branches(&examined));
    if !examined.branch_exists {
        return findings;
    }
    if options.push && context.operator.offline {
        findings.push(Finding::not_asked("rights"));
        return findings;
    }
    findings.push(match git::may_push(options).await {
        Ok(text) => Finding::ok("rights", text),
        Err(fault) if matches!(fault.class, Class::Denied | Class::Refused) => {
            let next = fault.hint.clone().unwrap_or_default();
            let next = format!(
                "{next}{}give the account write access, or keep the record on a branch it may write: --record-branch",
                if next.is_empty() { "" } else { "; " }
            );
            Finding::fail("rights", fault.text, next)
        }
        Err(fault) => Finding::of("rights", &fault, "run it again; if it stays, check the network"),
    });
    findings
}

fn branches(examined: &Examined) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Some(branch) = &examined.branch else {
        findings.push(Finding::fail(
            "branch",
            "HEAD is detached, so there is no branch to write to",
            "check a branch out, or name one with --branch",
        ));
        return findings;
    };
    if !examined.branch_exists {
        findings.push(Finding::fail("branch", format!("{branch} has no commit"), "commit and push, or name another with --branch"));
        return findings;
    }
    let record = examined.record_branch.as_ref().filter(|record| *record != branch);
    findings.push(Finding::ok(
        "branch",
        match (record, examined.record_exists) {
            (None, _) => format!("{branch} holds config and record"),
            (Some(record), true) => format!("{branch} holds config, {record} the record"),
            (Some(record), false) => format!("{branch} holds config; {record} begins with the first pass"),
        },
    ));
    if let Some(path) = &examined.dirty {
        findings.push(Finding::warn(
            "branch",
            format!("the work tree has changes of its own ({path}), so a pass does not move the branch"),
            "commit or stash them",
        ));
    }
    findings
}

/// What the config repository needs from outside.
#[derive(Debug, Default)]
pub(super) struct Needs {
    /// Registries of its images and of their bases.
    pub(super) registries: BTreeSet<String>,
    /// How many images an engine beside Plimsoll builds.
    pub(super) builds: usize,
}

/// Can the config be used? Gives the registries that it, and the record, name.
pub(super) async fn config(context: &Context, findings: &mut Vec<Finding>) -> Needs {
    let opened = if context.operator.offline { Owned::open_last(&context.operator) } else { Owned::open(&context.operator) };
    let drafted = match opened {
        Ok(owned) => pass::drafted(&owned.unasked(), &Options::default()).await,
        Err(fault) => Err(fault),
    };
    let drafted = match drafted {
        Ok(drafted) => drafted,
        Err(fault) => {
            findings.push(unread(&fault));
            return Needs::default();
        }
    };
    let images = drafted.desired.entries.len();
    findings.push(match looking::errors(&drafted) {
        _ if drafted.invalid => Finding::fail("config", "plimsoll.yaml can't be used", "plimsoll validate names the place"),
        0 if images == 0 => Finding::warn("config", "no image is enrolled", "plimsoll init writes a first images.yaml"),
        0 => Finding::ok("config", format!("{images} enrolled, no errors")),
        errors => Finding::warn("config", format!("{images} enrolled, {errors} errors"), "plimsoll validate names the places"),
    });
    let entries = &drafted.desired.entries;
    let registries = entries.values().map(|entry| entry.registry.clone());
    let registries = registries.chain(drafted.plan.bases.values().map(|state| state.image.registry.clone())).collect();
    let built_here = |entry: &Entry| entry.build().is_some_and(|build| build.rebuilt_by() == Trigger::Docker);
    Needs { registries, builds: entries.values().filter(|entry| built_here(entry)).count() }
}

fn unread(fault: &Fault) -> Finding {
    if super::by_choice(fault) || fault.class == Class::Missing {
        Finding::warn(
            "config",
            format!("not read: {}", fault.text),
            fault.hint.clone().unwrap_or_else(|| "see the repository above".to_owned()),
        )
    } else {
        Finding::of("config", fault, "see the repository above")
    }
}
