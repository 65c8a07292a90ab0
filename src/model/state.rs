//! What Plimsoll remembers of an image between passes.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::ledger::{Ledger, Tenure};
use super::name::ImageName;
use super::policy::TagPolicy;
use super::rebuild::{Examined, Rebuild, Unbuilt};
use super::tags::Sightings;
use super::value::Value;
use super::{Digest, ImageReference};

/// The two kinds of things that have a state file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// An enrolled image, managed or external.
    Image,
    /// A base image found in a Dockerfile.
    BaseImage,
}

impl Kind {
    /// Its directory under `state/`, which is also its word in messages and approvals.
    pub fn directory(self) -> &'static str {
        match self {
            Self::Image => "images",
            Self::BaseImage => "base-images",
        }
    }
}

/// A state file's identity: `images/portal`, `base-images/node-22`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subject {
    /// Which kind.
    pub kind: Kind,
    /// Its name, unique within the kind.
    pub name: ImageName,
}

impl Subject {
    /// The subject of an enrolled image.
    pub fn image(name: &ImageName) -> Self {
        Self { kind: Kind::Image, name: name.clone() }
    }

    /// The subject of a base image.
    pub fn base(name: &ImageName) -> Self {
        Self { kind: Kind::BaseImage, name: name.clone() }
    }

    /// Reads `images/portal`.
    pub fn parse(text: &str) -> Option<Self> {
        let (directory, name) = text.split_once('/')?;
        let kind = [Kind::Image, Kind::BaseImage].into_iter().find(|kind| kind.directory() == directory)?;
        Some(Self { kind, name: ImageName::parse(name).ok()? })
    }

    /// Where its state is recorded.
    pub fn state_path(&self) -> String {
        format!("state/{self}.yaml")
    }

    /// The subject of a path under `state/`.
    pub fn of_state_path(path: &str) -> Option<Self> {
        Self::parse(path.strip_prefix("state/")?.strip_suffix(".yaml")?)
    }
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.kind.directory(), self.name)
    }
}

/// How far the bases of an enrolled image are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discovery {
    /// Its Dockerfile has never been read.
    Pending,
    /// Its bases are those of the Dockerfile.
    Success,
    /// Its Dockerfile was read and can't be used; the bases are the last good ones.
    Failed,
    /// It has no Dockerfile.
    External,
}

impl Discovery {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Success, Self::Failed, Self::External];

    /// The word in files.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Success => "success",
            Self::Failed => "failed",
            Self::External => "external",
        }
    }

    /// The status of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.word() == word)
    }
}

/// State of an enrolled image, `state/images/<name>.yaml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageState {
    /// Its name.
    pub name: ImageName,
    /// When it was enrolled.
    pub enrolled_at: Timestamp,
    /// The check that last changed another field.
    pub last_discovery: Option<Timestamp>,
    /// How far its bases are known.
    pub discovery: Discovery,
    /// The file of its entry.
    pub defined_in: Option<String>,
    /// The entry as it was taken, with keys of others kept.
    pub enrollment: Value,
    /// Names of its bases: base images, or managed images of this repository.
    pub base_images: Vec<String>,
    /// What is watched upstream. Never set for a managed image.
    pub watch: Option<TagPolicy>,
    /// The version that is out.
    pub current_version: Option<String>,
    /// The digests of the watched tag.
    pub ledger: Ledger,
    /// When the current version was built.
    pub last_built: Option<Value>,
    /// The digest of each base that the current digest was built from, as far as it is proven; at first what
    /// the bases were when they were first seen.
    pub built_from: BTreeMap<String, Digest>,
    /// Bases that the Dockerfile pins by digest: their tags may move as they like.
    pub pinned: Vec<String>,
    /// Bases that moved since, and what is known of the move.
    pub unbuilt: BTreeMap<String, Unbuilt>,
    /// The rebuild that is due, on its way, or given up.
    pub rebuild: Option<Rebuild>,
    /// The last digest that a rebuild from here made, and since when what it brought in was known. Images that
    /// build on it do not wait for the same news a second time.
    pub rebuilt: Option<Tenure>,
    /// The last look into the image that proved nothing.
    pub examined: Option<Examined>,
    /// Tags by when they were first seen: only with the strategy `FirstSeen`.
    pub sightings: Sightings,
    /// Keys we do not know, in their order.
    pub extra: Vec<(String, Value)>,
}

/// State of a base image, `state/base-images/<name>.yaml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseState {
    /// Its name.
    pub name: ImageName,
    /// The image, with its tag or digest.
    pub image: ImageReference,
    /// What is watched upstream; nothing when it is pinned by digest alone.
    pub watch: Option<TagPolicy>,
    /// When a Dockerfile first named it.
    pub first_discovered: Timestamp,
    /// The check that last changed another field.
    pub last_checked: Option<Timestamp>,
    /// The digests of its tag.
    pub ledger: Ledger,
    /// When dependents may rebuild: `default`, and each image with a delay of its own.
    pub eligible_at: BTreeMap<String, Option<Timestamp>>,
    /// Whatever was recorded under `metadata`.
    pub metadata: Value,
    /// Its recorded expression was escaped twice and matched nothing.
    pub was_twice_escaped: bool,
    /// Keys we do not know, in their order.
    pub extra: Vec<(String, Value)>,
}

impl ImageState {
    /// An image enrolled at this moment, of which nothing is known.
    pub fn enrolled(name: ImageName, at: Timestamp) -> Self {
        Self {
            name,
            enrolled_at: at,
            last_discovery: Some(at),
            discovery: Discovery::Pending,
            defined_in: None,
            enrollment: Value::Map(Vec::new()),
            base_images: Vec::new(),
            watch: None,
            current_version: None,
            ledger: Ledger::default(),
            last_built: None,
            built_from: BTreeMap::new(),
            pinned: Vec::new(),
            unbuilt: BTreeMap::new(),
            rebuild: None,
            rebuilt: None,
            examined: None,
            sightings: Sightings::default(),
            extra: Vec::new(),
        }
    }
}

impl BaseState {
    /// A base image seen for the first time.
    pub fn found(name: ImageName, image: ImageReference, at: Timestamp) -> Self {
        let watch = image.tag.as_deref().map(TagPolicy::of_tag);
        Self {
            name,
            image,
            watch,
            first_discovered: at,
            last_checked: Some(at),
            ledger: Ledger::default(),
            eligible_at: BTreeMap::from([("default".to_owned(), None)]),
            metadata: Value::Map(Vec::new()),
            was_twice_escaped: false,
            extra: Vec::new(),
        }
    }
}
