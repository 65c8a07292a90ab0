//! Floor 4: git. Transport by the user's own `git` program, objects by libgit2.

mod checkout;
mod command;
mod context;
mod create;
mod desk;
mod examine;
mod last;
mod mirror;
mod move_branch;
mod notes;
mod objects;
mod opened;
mod pack;
mod push;
mod remote;
mod sign;
mod sources;
mod turns;
mod unfinished;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use crate::base::{Class, Fault};
use crate::model::BlobId;
use crate::model::branch::BranchName;
use crate::model::remote_url::{Protocol, RemoteUrl};
use crate::ports::context::OwnContexts;
use crate::ports::{Hydrated, Repository};

pub use command::{GitCredentials, GitProgram};
pub use create::{begin, create};
pub use examine::{Examined, examine, may_push, version};
pub use sign::SigningKey;
pub use sources::GitSources;

use checkout::Checkout;
use mirror::Mirror;
use remote::Remote;

/// Longest time one git command may take.
const DEADLINE: Duration = Duration::from_secs(120);

/// How the config repository is opened.
#[derive(Debug, Clone)]
pub struct RepositoryOptions {
    /// A URL that git speaks, or the path of a checkout or bare repository.
    pub location: String,
    /// The branch that config is read from; `None` is the repository's own.
    pub branch: Option<BranchName>,
    /// The branch that the record is on; `None` is the config branch.
    pub record_branch: Option<BranchName>,
    /// Where mirrors are kept.
    pub cache: PathBuf,
    /// With a checkout: also push to the upstream.
    pub push: bool,
    /// Signs our commits.
    pub signing_key: Option<SigningKey>,
    /// How git is run.
    pub program: GitProgram,
}

impl GitProgram {
    /// git with the protocols that are always spoken.
    pub fn new(protocols: impl IntoIterator<Item = Protocol>) -> Self {
        let protocols: BTreeSet<Protocol> = protocols.into_iter().chain([Protocol::Https, Protocol::Ssh]).collect();
        Self { protocols, credentials: None, ssh_key: None, extra: Vec::new(), deadline: DEADLINE }
    }
}

/// The config repository, for reading records and build contexts alike.
pub trait ConfigRepository: Repository + OwnContexts {}

impl<T: Repository + OwnContexts> ConfigRepository for T {}

/// Opens the config repository. The operator named it, so any protocol that is safe may be spoken.
///
/// # Errors
/// When the location is none, or the mirror can't be made.
pub fn open(options: RepositoryOptions) -> Result<Box<dyn ConfigRepository>, Fault> {
    // What git fetched it has checked; hashing each object again at each read would cost more than parsing it.
    git2::opts::strict_hash_verification(false);
    if let Some(git) = local_checkout(&options)? {
        let RepositoryOptions { branch, record_branch, cache, push, signing_key, mut program, .. } = options;
        program.protocols.insert(Protocol::File);
        return Ok(Box::new(Checkout { git: Mutex::new(git), branch, record_branch, push, signing_key, program, cache }));
    }
    remote(options).map(|remote| Box::new(remote) as _)
}

/// Opens the branch that `record_branch` names as one of manifests. It has a mirror of its own: what is remembered of the
/// record in that of [`open`] is said of another branch.
///
/// # Errors
/// When the location is none, or the mirror can't be made.
pub fn open_hydrated(options: RepositoryOptions) -> Result<Box<dyn Hydrated>, Fault> {
    let cache = options.cache.join("hydrated");
    remote(RepositoryOptions { cache, ..options }).map(|remote| Box::new(remote) as _)
}

fn remote(options: RepositoryOptions) -> Result<Remote, Fault> {
    let url = remote_location(&options)?;
    let RepositoryOptions { branch, record_branch, cache, signing_key, mut program, .. } = options;
    program.protocols.insert(url.protocol());
    let mirror = Mirror::open(&cache, &url)?;
    Ok(Remote { url, branch, record_branch, git: program, mirror, signing_key, seen: Mutex::default() })
}

/// The repository, when the location is the path of one with a work tree.
fn local_checkout(options: &RepositoryOptions) -> Result<Option<git2::Repository>, Fault> {
    let url = RemoteUrl::parse(&options.location)?;
    if url.protocol() != Protocol::File || options.location.contains("://") {
        return Ok(None);
    }
    Ok(Some(Checkout::open(Path::new(&options.location))?).filter(|git| !git.is_bare()))
}

/// The address of what is no checkout: a bare repository on this machine gets an absolute one.
fn remote_location(options: &RepositoryOptions) -> Result<RemoteUrl, Fault> {
    let url = RemoteUrl::parse(&options.location)?;
    if url.protocol() != Protocol::File || options.location.contains("://") {
        return Ok(url);
    }
    let path = Path::new(&options.location);
    let absolute = path.canonicalize().map_err(|error| Fault::new(Class::Local, format!("{}: {error}", path.display())))?;
    RemoteUrl::parse(&format!("file://{}", absolute.display()))
}

/// Opens the config repository as it was when it was last fetched, without asking anybody. A checkout is on this machine
/// anyway.
///
/// # Errors
/// [`Class::Missing`] when it was never fetched.
pub fn open_last(options: RepositoryOptions) -> Result<Box<dyn ConfigRepository>, Fault> {
    let url = RemoteUrl::parse(&options.location)?;
    let path = Path::new(options.location.strip_prefix("file://").unwrap_or(&options.location));
    // A repository on this machine is read where it is.
    if url.protocol() == Protocol::File && path.is_dir() {
        return open(options);
    }
    Ok(Box::new(last::Last::open(&options, &url)?))
}

/// An address as it may be shown and written into commits; `None` for paths, which are facts of one machine.
pub fn shown(location: &str) -> Option<String> {
    RemoteUrl::parse(location).ok().filter(|url| url.protocol() != Protocol::File).map(|url| url.to_string())
}

/// The object id that a file with this content has.
fn blob_id(content: &[u8]) -> Result<BlobId, Fault> {
    let id = pack::id(pack::Kind::Blob, content).map_err(|error| objects::fault(&error))?;
    BlobId::parse(&id.to_string()).ok_or_else(|| Fault::new(Class::Internal, "git gave no object id"))
}
