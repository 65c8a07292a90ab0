//! Building images here, for entries with `trigger: docker`.

use std::collections::BTreeMap;

use super::Answer;
use crate::base::{Fault, Secret};
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
    /// The images it is made from, each pulled before the build. Where a digest stands, the tag must still
    /// point at it, or the build is given up.
    pub bases: Vec<(ImageReference, Option<Digest>)>,
    /// Why the engine's classic builder can't build it: what needs BuildKit, and the line of the Dockerfile.
    pub needs_buildkit: Option<(usize, &'static str)>,
    /// What makes this build one and the same: the same key on the same engine is the same image.
    pub key: String,
}

/// An engine that builds.
pub trait Builder: Send + Sync {
    /// Builds and pushes; gives the digest that the registry has then. Dropping the future ends the build.
    ///
    /// # Errors
    /// A build that fails is `Refused`, with the last lines of its log. `Transient` when engine or registry went
    /// away, or a base moved on meanwhile: the same order may be given again at any time.
    fn build<'a>(&'a self, order: &'a BuildOrder) -> Answer<'a, Result<Digest, Fault>>;
}

/// Who we are at a registry, for an engine that pulls and pushes in our name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// User and password, or an access token in place of one.
    Password(String, Secret),
    /// An OAuth 2 refresh token.
    Identity(Secret),
}

/// Where logins are kept.
pub trait Logins: Send + Sync {
    /// The login for a registry host; `None` is anonymous.
    fn login<'a>(&'a self, registry: &'a str) -> Answer<'a, Result<Option<Login>, Fault>>;
}
