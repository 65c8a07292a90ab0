//! Opens the real outside for one command.

use std::path::Path;
use std::sync::Arc;

use notify::{RecursiveMode, Watcher};
use tokio::sync::Notify;

use super::args::OperatorArgs;
use super::clock::{FileClock, SystemClock};
use super::loopback::{self, LoopbackOnly};
use super::progress::Line;
use super::settings;
use crate::base::{Class, Fault};
use crate::docker::{DockerBuilder, DockerOptions};
use crate::forge::{ForgeSources, Forges};
use crate::git::{self, ConfigRepository, GitProgram, GitSources, RepositoryOptions, SigningKey};
use crate::model::branch::BranchName;
use crate::ports::images::Images;
use crate::ports::{Clock, Registry};
use crate::reconcile::builds::Workshop;
use crate::reconcile::{Outside, World};
use crate::registry::{DockerLogins, Offline, RegistryClient};

/// A client of registries under both of its ports.
trait Client: Registry + Images {
    fn registry(&self) -> &dyn Registry;
    fn images(&self) -> &dyn Images;
}

impl<T: Registry + Images> Client for T {
    fn registry(&self) -> &dyn Registry {
        self
    }

    fn images(&self) -> &dyn Images {
        self
    }
}

/// What builds images: an engine, and contexts from source repositories with full blobs.
struct Engine {
    builder: DockerBuilder,
    contexts: GitSources,
}

/// Everything a [`World`] borrows.
pub(super) struct Owned {
    repository: Box<dyn ConfigRepository>,
    sources: Option<ForgeSources>,
    forges: Option<Forges>,
    client: Option<Arc<dyn Client>>,
    holder: String,
    clock: Box<dyn Clock>,
    progress: Arc<Line>,
    silence: Line,
    engine: Option<Engine>,
}

impl Owned {
    /// Opens repository, sources and registries as the operator says.
    pub(super) fn open(operator: &OperatorArgs) -> Result<Self, Fault> {
        let repository = git::open(repository_options(operator)?)?;
        let test_clock = FileClock::from_environment();
        if test_clock.is_some() {
            loopback::check(&operator.repo)?;
            loopback::check(&operator.forges.github_api)?;
        }
        let client: Option<Arc<dyn Client>> = match (operator.offline, RegistryClient::new(settings::registry(operator)?)?) {
            (true, _) => None,
            (false, client) if test_clock.is_some() => Some(Arc::new(LoopbackOnly(client))),
            (false, client) => Some(Arc::new(client)),
        };
        let clock: Box<dyn Clock> = match test_clock {
            Some(clock) => Box::new(clock),
            None => Box::new(SystemClock::new()),
        };
        // Their options are checked even when nobody is asked.
        let cache = settings::cache_dir(operator)?;
        let forges = Forges::new(&settings::forges(operator, &cache)?);
        let program = settings::git_program(operator)?;
        let sources = (!operator.offline).then(|| forges.sources(Box::new(GitSources::new(program.clone(), &cache))));
        let forges = Some(forges).filter(|forges| !operator.offline && forges.any());
        let (progress, silence) = (Arc::new(Line::new(operator.quiet)), Line::new(true));
        let engine = settings::engine(operator, &cache)?
            .zip(client.clone())
            .map(|(options, client)| Engine { builder: builder(options, client, &progress), contexts: GitSources::new(program, &cache) });
        Ok(Self { repository, sources, forges, client, holder: holder(), clock, progress, silence, engine })
    }

    /// Opens the repository as it was last fetched; nobody is asked for anything.
    pub(super) fn open_last(operator: &OperatorArgs) -> Result<Self, Fault> {
        let repository = git::open_last(repository_options(operator)?)?;
        let (progress, silence) = (Arc::new(Line::new(operator.quiet)), Line::new(true));
        let clock = Box::new(SystemClock::new());
        Ok(Self { repository, sources: None, forges: None, client: None, holder: holder(), clock, progress, silence, engine: None })
    }

    /// The same repository in a world whose registries and source repositories are not asked.
    pub(super) fn unasked(&self) -> World<'_> {
        World { sources: None, forge: None, registry: &Offline, outside: None, workshop: None, progress: &self.silence, ..self.world() }
    }

    /// As one pass sees it.
    pub(super) fn world(&self) -> World<'_> {
        World {
            repository: self.repository.as_ref(),
            sources: self.sources.as_ref().map(|sources| sources as _),
            forge: self.forges.as_ref().map(|forges| forges as _),
            registry: self.client.as_ref().map_or(&Offline as _, |client| client.registry()),
            clock: self.clock.as_ref(),
            progress: self.progress.as_ref(),
            outside: self.client.as_ref().map(|client| Outside { images: client.images(), holder: &self.holder }),
            workshop: self.engine.as_ref().map(|engine| Workshop {
                sources: Some(&engine.contexts),
                own: self.repository.as_ref(),
                builder: &engine.builder,
            }),
        }
    }
}

fn builder(options: DockerOptions, client: Arc<dyn Client>, progress: &Arc<Line>) -> DockerBuilder {
    let progress = Arc::clone(progress);
    DockerBuilder::new(options, client, Arc::new(DockerLogins::new(None)), progress)
}

/// A name for this process that no other has: claims are made under it. The standard library's hash keys come from
/// the system's random numbers.
fn holder() -> String {
    use std::hash::BuildHasher;
    let hash = |part: u8| std::hash::RandomState::new().hash_one(part);
    format!("{:016x}{:016x}", hash(0), hash(1))
}

/// How the config repository is opened, as the operator says.
pub(super) fn repository_options(operator: &OperatorArgs) -> Result<RepositoryOptions, Fault> {
    let branch = |name: &Option<String>, option: &str| {
        name.as_deref()
            .map(|name| BranchName::parse(name).map_err(|message| Fault::new(Class::Config, format!("{option}: {message}"))))
            .transpose()
    };
    Ok(RepositoryOptions {
        location: operator.repo.clone(),
        branch: branch(&operator.branch, "--branch")?,
        record_branch: branch(&operator.record_branch, "--record-branch")?,
        cache: settings::cache_dir(operator)?,
        push: operator.push,
        signing_key: operator.signing_key.as_deref().map(SigningKey::parse).transpose()?,
        program: GitProgram { credentials: settings::git_credentials(operator)?, ..settings::git_program(operator)? },
    })
}

/// The repository's address as it may be shown: a path, or a URL without user and query.
pub(super) fn shown_url(operator: &OperatorArgs) -> Option<String> {
    git::shown(&operator.repo)
}

/// Watches a local repository: any event under its refs is a hint to look. Losing the watch loses nothing
/// but time, so a failure is only told.
pub(super) fn watch(operator: &OperatorArgs, look: &Arc<Notify>) -> Option<notify::RecommendedWatcher> {
    let root = operator.repo.strip_prefix("file://").unwrap_or(&operator.repo);
    let git = [Path::new(root).join(".git"), Path::new(root).to_owned()].into_iter().find(|path| path.join("refs").is_dir())?;
    let look = Arc::clone(look);
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| !event.kind.is_access()) {
            look.notify_one();
        }
    })
    .map_err(|error| tracing::warn!(%error, "the local repository is not watched; passes follow the interval"))
    .ok()?;
    // Directories, not files: git replaces refs by renaming, and a watched file is gone after that.
    for (path, mode) in [(git.join("refs/heads"), RecursiveMode::Recursive), (git, RecursiveMode::NonRecursive)] {
        if let Err(error) = watcher.watch(&path, mode) {
            tracing::warn!(%error, "the local repository is not watched; passes follow the interval");
            return None;
        }
    }
    Some(watcher)
}
