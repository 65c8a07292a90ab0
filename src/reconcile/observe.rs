//! Looks: Dockerfiles from this commit and from source repositories, digests from registries.
//!
//! A look that fails is one `Unknown`; it never stops the others.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt};

use super::memory::Memory;
use super::parsed::{self, Parsed};
use crate::base::{Class, Fault};
use crate::format::dockerfile;
use crate::model::entry::{Build, Entry, Provider};
use crate::model::remote_url::RemoteUrl;
use crate::model::{BlobId, CommitId, Digest, ImageName, ImageReference, RepoPath};
use crate::plan::observed::DockerfileFact;
use crate::plan::{Desired, Observation};
use crate::ports::{ForgeRepo, Progress, Registry, Repository, SourceBranch, SourceFile, Sources};

/// Largest Dockerfile, in bytes.
const DOCKERFILE_LIMIT: u64 = 1 << 20;

/// How many source branches are read at once. Those by git are a process each.
const BRANCHES: usize = 8;

/// A file of a source repository.
pub type SourceKey = (SourceBranch, RepoPath);

/// What a look at one gave.
pub type SourceLook = Result<SourceFile, Fault>;

/// The entries whose Dockerfiles are looked at.
pub(super) fn selected<'a>(
    entries: &'a BTreeMap<ImageName, Entry>,
    only: &'a BTreeSet<ImageName>,
) -> impl Iterator<Item = (&'a ImageName, &'a Build)> {
    entries.iter().filter(move |(name, _)| only.is_empty() || only.contains(*name)).filter_map(|(name, entry)| Some((name, entry.build()?)))
}

/// The branch a build's source is on; `None` for the config repository itself.
pub(super) fn source_branch(build: &Build) -> Result<Option<SourceBranch>, Fault> {
    let repo = build.source.repo.as_deref().unwrap_or_default();
    let url = match build.source.provider {
        Provider::Local => return Ok(None),
        Provider::Github => format!("https://github.com/{repo}.git"),
        Provider::Gitlab => format!("https://gitlab.com/{repo}.git"),
        Provider::Git => repo.to_owned(),
    };
    RemoteUrl::parse(&url)?;
    let provider = build.source.provider;
    let forge = matches!(provider, Provider::Github | Provider::Gitlab).then(|| ForgeRepo { provider, repo: repo.to_owned() });
    Ok(Some(SourceBranch { url, branch: build.source.branch.clone(), forge }))
}

/// Whether the Dockerfile of `name` is in a source repository.
pub(super) fn has_source_branch(desired: &Desired, name: &ImageName) -> bool {
    let build = desired.entries.get(name).and_then(Entry::build);
    build.is_some_and(|build| matches!(source_branch(build), Ok(Some(_))))
}

/// The files of source repositories that builds need.
pub(super) fn wanted_files<'a>(builds: impl Iterator<Item = (&'a ImageName, &'a Build)>) -> BTreeSet<SourceKey> {
    builds.filter_map(|(_, build)| Some((source_branch(build).ok()??, build.source.dockerfile.clone()))).collect()
}

/// Reads source files, one look per branch, several branches at once.
pub(super) async fn source_files(
    wanted: BTreeSet<SourceKey>,
    sources: Option<&dyn Sources>,
    progress: &dyn Progress,
) -> Vec<(SourceKey, SourceLook)> {
    let mut by_branch: BTreeMap<SourceBranch, Vec<RepoPath>> = BTreeMap::new();
    for (branch, path) in wanted {
        by_branch.entry(branch).or_default().push(path);
    }
    if by_branch.is_empty() {
        return Vec::new();
    }
    progress.begin("reading source repositories", Some(by_branch.len() as u64));
    let read = stream::iter(by_branch).map(|(branch, paths)| async move {
        let mut answer = match sources {
            Some(sources) => sources.read(&branch, &paths).await,
            None => Err(Fault::new(Class::Offline, "not asked: offline")),
        };
        progress.advance();
        let file = |path: RepoPath| {
            let file = match &mut answer {
                Ok(files) => files.remove(&path).unwrap_or_else(|| Err(Fault::new(Class::Missing, format!("{path} is not there")))),
                Err(fault) => Err(fault.clone()),
            };
            ((branch.clone(), path), file)
        };
        paths.into_iter().map(file).collect::<Vec<_>>()
    });
    read.buffer_unordered(BRANCHES).collect::<Vec<_>>().await.concat()
}

/// What each Dockerfile says.
pub(super) fn dockerfiles<'a>(
    builds: impl Iterator<Item = (&'a ImageName, &'a Build)> + Clone,
    repository: &dyn Repository,
    config: &CommitId,
    memory: &mut Memory,
) -> Result<BTreeMap<ImageName, Observation<DockerfileFact>>, Fault> {
    let local: BTreeSet<&str> = builds
        .clone()
        .filter(|(_, build)| build.source.provider == Provider::Local)
        .map(|(_, build)| build.source.dockerfile.as_str())
        .collect();
    let listing = repository.list(config, &local.into_iter().collect::<Vec<_>>())?;
    let (files, parsed) = (&memory.files, &mut memory.parsed);
    parsed.begin();
    let mut out = BTreeMap::new();
    for (name, build) in builds {
        let path = build.source.dockerfile.as_str();
        let fact = match source_branch(build) {
            Err(fault) => unread(fault),
            Ok(Some(branch)) => match files.get(&(branch, build.source.dockerfile.clone())) {
                Some(Ok(file)) => read(&file.content, build, parsed),
                Some(Err(fault)) => unread(fault.clone()),
                None => unread(Fault::new(Class::Internal, format!("{path} was not looked at"))),
            },
            Ok(None) => match (listing.files.get(path), listing.refused.get(path)) {
                (Some(file), _) => own(&file.blob, repository, build, parsed),
                (None, Some(why)) => unread(Fault::new(Class::Missing, format!("{path}: {why}"))),
                (None, None) => unread(Fault::new(Class::Missing, format!("there is no file {path}"))),
            },
        };
        out.insert(name.clone(), fact);
    }
    parsed.end();
    Ok(out)
}

/// A Dockerfile of the config repository. One that was parsed before is not even read.
fn own(blob: &BlobId, repository: &dyn Repository, build: &Build, parsed: &mut Parsed) -> Observation<DockerfileFact> {
    let key = parsed::key(blob.as_str(), &options(build));
    if let Some(fact) = parsed.get(&key) {
        return Observation::Known(fact);
    }
    match repository.read(blob, DOCKERFILE_LIMIT) {
        Ok(content) => {
            let fact = parse(&content, build);
            parsed.keep(key, &fact);
            Observation::Known(fact)
        }
        Err(fault) => unread(fault),
    }
}

/// A Dockerfile whose content is here.
fn read(content: &[u8], build: &Build, parsed: &mut Parsed) -> Observation<DockerfileFact> {
    let Ok(text) = std::str::from_utf8(content) else { return Observation::Known(parse(content, build)) };
    let key = parsed::key(text, &options(build));
    let fact = parsed.get(&key).unwrap_or_else(|| {
        let fact = parse(content, build);
        parsed.keep(key, &fact);
        fact
    });
    Observation::Known(fact)
}

/// What is not there was read as much as one that is wrong; an address that the operator does not allow was not
/// looked at.
fn unread(fault: Fault) -> Observation<DockerfileFact> {
    match fault.class {
        Class::Missing | Class::Limit => Observation::Known(DockerfileFact::Refused { line: 0, message: fault.text }),
        _ => Observation::Unknown(fault),
    }
}

fn options(build: &Build) -> dockerfile::BuildOptions {
    dockerfile::BuildOptions {
        build_args: build.source.build_args.clone(),
        platform: build.platforms.first().cloned(),
        build_platform: None,
        target: build.source.target.clone(),
    }
}

/// What one Dockerfile's content means.
fn parse(content: &[u8], build: &Build) -> DockerfileFact {
    let refused = |line, message| DockerfileFact::Refused { line, message };
    let Ok(text) = std::str::from_utf8(content) else { return refused(1, "the Dockerfile is not UTF-8 text".to_owned()) };
    match dockerfile::bases(text, &options(build)) {
        Ok(images) => DockerfileFact::Bases(images),
        Err(error) => refused(error.line, error.message),
    }
}

/// Asks registries for digests, all at once: the client bounds how many are on their way.
pub(super) async fn digests(
    wanted: Vec<ImageReference>,
    registry: &dyn Registry,
    progress: &dyn Progress,
) -> Vec<(ImageReference, Observation<Digest>)> {
    if wanted.is_empty() {
        return Vec::new();
    }
    progress.begin("asking registries", Some(wanted.len() as u64));
    let asked = wanted.into_iter().map(|reference| async move {
        let answer = registry.digest(&reference).await;
        progress.advance();
        (reference, Observation::from(answer))
    });
    join_all(asked).await
}

/// Waits for all futures, polling only those that were woken.
pub(super) async fn join_all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    futures.collect::<stream::FuturesUnordered<F>>().collect().await
}
