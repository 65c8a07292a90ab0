//! Building images here, for entries with `trigger: docker`.

use std::collections::BTreeMap;

use super::Answer;
use crate::base::Fault;
use crate::model::{Digest, ImageReference, RepoPath};

/// One image to build and push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildOrder {
    /// The image's name in its entry, for logs and labels.
    pub name: String,
    /// Where it is pushed, with its tag.
    pub image: ImageReference,
    /// Source files by path from the top of the context: an uncompressed tar archive.
    pub context: Vec<u8>,
    /// The Dockerfile, from the top of the context.
    pub dockerfile: RepoPath,
    /// The stage; the last one when absent.
    pub target: Option<String>,
    /// Values for ARGs.
    pub build_args: BTreeMap<String, String>,
    /// The platform; the engine's own when absent.
    pub platform: Option<String>,
    /// Labels of the image, `org.opencontainers.image.base.digest` among them.
    pub labels: BTreeMap<String, String>,
    /// What makes this build one and the same: the same key on the same engine is the same image.
    pub key: String,
}

/// An engine that builds.
pub trait Builder: Send + Sync {
    /// Builds and pushes; gives the digest that the registry has then.
    ///
    /// # Errors
    /// A build that fails is `Refused`, with the last lines of its log.
    fn build<'a>(&'a self, order: &'a BuildOrder) -> Answer<'a, Result<Digest, Fault>>;
}
