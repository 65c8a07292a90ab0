//! `pin`: the Dockerfiles of managed images, read as a pass reads them, and the pins that they should have.

use std::collections::{BTreeMap, BTreeSet};

use super::observe::{self, SourceKey, SourceLook};
use super::pass::World;
use super::read::{self, Unusable};
use crate::base::{Class, Fault};
use crate::model::entry::Provider;
use crate::model::{Diagnostic, Entry, ImageName, ImageReference, RepoPath};
use crate::plan::Unknown;
use crate::plan::pins::{self, FilePins, Text, Verdict};
use crate::ports::forge::{Forge, PullRequest};
use crate::ports::{Listing, SourceBranch};

/// Largest Dockerfile, in bytes.
const LARGEST: u64 = 1 << 20;

/// The branch that carries a pull request of pins.
const BRANCH: &str = "plimsoll/pins";

/// One Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinnedFile {
    /// Its source repository; `None` is the config repository.
    pub branch: Option<SourceBranch>,
    /// The forge of the repository and its name there, for pull requests.
    pub forge: Option<(Provider, String)>,
    /// Its path.
    pub path: RepoPath,
    /// The images that are built from it.
    pub images: Vec<ImageName>,
    /// Its content.
    pub before: String,
    /// What should be done to it.
    pub pins: FilePins,
}

/// What `pin` found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PinPlan {
    /// Every Dockerfile that was read, those without anything to do among them.
    pub files: Vec<PinnedFile>,
    /// What holds for each reference.
    pub verdicts: BTreeMap<ImageReference, Verdict>,
    /// Entries that people hold, with their words; their Dockerfiles are left alone.
    pub held: Vec<(ImageName, String)>,
    /// Dockerfiles that could not be read.
    pub unknown: Vec<Unknown>,
    /// Findings of the config files.
    pub diagnostics: Vec<Diagnostic>,
    /// The settings can't be used.
    pub invalid: bool,
}

impl PinPlan {
    /// Files with something to do.
    pub fn changed(&self) -> impl Iterator<Item = (&PinnedFile, &str)> {
        self.files.iter().filter_map(|file| Some((file, file.pins.after.as_deref()?)))
    }
}

/// Where a Dockerfile is.
type Place = (Option<SourceBranch>, RepoPath);

/// What is to be done to the files of one forge's branch, each with its new content.
type Changed<'a> = (Provider, Vec<(&'a PinnedFile, &'a str)>);

/// Plans pins for `only`, or for all managed images.
///
/// # Errors
/// When the config repository can't be read, or an image of `only` is not enrolled.
pub async fn plan(world: &World<'_>, only: &BTreeSet<ImageName>) -> Result<PinPlan, Fault> {
    let snapshot = world.repository.snapshot().await?;
    let desired = match read::desired(world.repository, &snapshot.config) {
        Ok(desired) => desired,
        Err(Unusable::Fault(fault)) => return Err(fault),
        Err(Unusable::Invalid(diagnostics)) => return Ok(PinPlan { diagnostics, invalid: true, ..PinPlan::default() }),
    };
    if let Some(stranger) = only.iter().find(|name| desired.entries.get(*name).and_then(Entry::build).is_none()) {
        return Err(Fault::new(Class::Config, format!("no managed image `{stranger}` is enrolled"))
            .hint("`pin` takes names of entries with a `source`"));
    }
    let listing = match &snapshot.record {
        Some(commit) => world.repository.list(commit, &["state"])?,
        None => Listing::default(),
    };
    let recorded = read::recorded(world.repository, &listing, false);
    let mut out = PinPlan { diagnostics: desired.diagnostics.iter().chain(&recorded.diagnostics).cloned().collect(), ..PinPlan::default() };
    let mut places: BTreeMap<Place, Vec<&Entry>> = BTreeMap::new();
    for (name, build) in observe::selected(&desired.entries, only) {
        let Some(entry) = desired.entries.get(name) else { continue };
        match (&entry.hold, observe::source_branch(build)) {
            (Some(why), _) => out.held.push((name.clone(), why.clone())),
            (None, Ok(branch)) => places.entry((branch, build.source.dockerfile.clone())).or_default().push(entry),
            (None, Err(why)) => out.unknown.push(Unknown { what: name.to_string(), why }),
        }
    }
    let chosen: BTreeSet<ImageName> = places.values().flatten().map(|entry| entry.name.clone()).collect();
    let mut files = BTreeMap::new();
    if !chosen.is_empty() {
        let wanted = observe::wanted_files(observe::selected(&desired.entries, &chosen));
        files.extend(observe::source_files(wanted, world.sources, world.progress).await);
    }
    let local: Vec<&str> = places.keys().filter(|(branch, _)| branch.is_none()).map(|(_, path)| path.as_str()).collect();
    let listing = world.repository.list(&snapshot.config, &local)?;
    let mut read = Vec::new();
    for (place, entries) in places {
        match content(world, &listing, &files, &place) {
            Ok(text) => read.push((place, entries, text)),
            Err(why) => out.unknown.push(Unknown { what: names(&entries), why }),
        }
    }
    world.progress.begin("planning", None);
    let texts: Vec<Text<'_>> = read.iter().map(|(_, entries, text)| Text { text, entries: entries.clone() }).collect();
    let planned = pins::pins(&texts, &desired, &recorded, world.clock.now());
    out.verdicts = planned.verdicts;
    for (((branch, path), entries, before), pins) in read.into_iter().zip(planned.files) {
        let source = entries.first().and_then(|entry| entry.build()).map(|build| &build.source);
        let forge = source.filter(|source| matches!(source.provider, Provider::Github | Provider::Gitlab));
        let forge = forge.and_then(|source| Some((source.provider, source.repo.clone()?)));
        let images = entries.iter().map(|entry| entry.name.clone()).collect();
        out.files.push(PinnedFile { branch, forge, path, images, before, pins });
    }
    world.progress.end();
    Ok(out)
}

fn names(entries: &[&Entry]) -> String {
    entries.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>().join(", ")
}

fn content(world: &World<'_>, listing: &Listing, files: &BTreeMap<SourceKey, SourceLook>, (branch, path): &Place) -> Result<String, Fault> {
    let bytes = match branch {
        Some(branch) => match files.get(&(branch.clone(), path.clone())) {
            Some(Ok(file)) => file.content.clone(),
            Some(Err(fault)) => return Err(fault.clone()),
            None => return Err(Fault::new(Class::Internal, format!("{path} was not looked at"))),
        },
        None => match (listing.files.get(path.as_str()), listing.refused.get(path.as_str())) {
            (Some(file), _) => world.repository.read(&file.blob, LARGEST)?,
            (None, Some(why)) => return Err(Fault::new(Class::Missing, format!("{path}: {why}"))),
            (None, None) => return Err(Fault::new(Class::Missing, format!("there is no file {path}"))),
        },
    };
    String::from_utf8(bytes).map_err(|_| Fault::new(Class::Config, format!("{path} is not UTF-8 text")))
}

/// One pull request for each branch of a forge with something to do. Running it again brings the open one up to
/// date; one that people closed stays closed.
pub fn pull_requests(plan: &PinPlan) -> Vec<PullRequest> {
    let mut by_branch: BTreeMap<(&str, Option<&str>), Changed<'_>> = BTreeMap::new();
    for (file, after) in plan.changed() {
        let (Some((provider, repo)), Some(branch)) = (&file.forge, &file.branch) else { continue };
        by_branch.entry((repo, branch.branch.as_deref())).or_insert_with(|| (*provider, Vec::new())).1.push((file, after));
    }
    let request = |((repo, base), (provider, files)): ((&str, Option<&str>), Changed<'_>)| {
        let lines = |(file, _): &(&PinnedFile, &str)| file.pins.pins.iter().map(|pin| line(file, pin)).collect::<Vec<_>>();
        PullRequest {
            provider,
            repo: repo.to_owned(),
            base: base.map(str::to_owned),
            branch: base.map_or_else(|| BRANCH.to_owned(), |base| format!("{BRANCH}-{base}")),
            title: "Pin base images to digests".to_owned(),
            body: format!(
                "Each digest is the one that the tag has held for longer than the image's `rebuildDelay`.\n\n{}\n",
                files.iter().flat_map(lines).collect::<Vec<_>>().join("\n")
            ),
            files: files.into_iter().map(|(file, after)| (file.path.to_string(), after.as_bytes().to_vec())).collect(),
        }
    };
    by_branch.into_iter().map(request).collect()
}

fn line(file: &PinnedFile, pin: &pins::Pin) -> String {
    let from = pin.from.as_ref().map_or_else(|| "not pinned".to_owned(), |digest| format!("`{}`", digest.short()));
    format!("- `{}` line {}: `{}` {from} → `{}`", file.path, pin.line, pin.image.familiar(), pin.to.short())
}

/// Opens the pull requests, or brings them up to date: for each its repository and its address, or why not.
pub async fn propose(forge: &dyn Forge, plan: &PinPlan) -> Vec<(String, Result<String, Fault>)> {
    let mut out = Vec::new();
    for request in pull_requests(plan) {
        out.push((request.repo.clone(), forge.propose(&request).await));
    }
    out
}
