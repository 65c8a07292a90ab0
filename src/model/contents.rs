//! What an image is made of, as far as it tells which base it was built from.

use std::collections::BTreeMap;

use super::Digest;

/// Label that names the base image (OCI image spec, annotations).
pub const BASE_NAME: &str = "org.opencontainers.image.base.name";

/// Label that gives the base image's digest (OCI image spec, annotations).
pub const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";

/// One image of one platform.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// Digest of its manifest.
    pub manifest: Option<Digest>,
    /// Labels of its configuration and annotations of its manifest.
    pub labels: BTreeMap<String, String>,
    /// Its layers by the digests of their uncompressed content, lowest first.
    pub layers: Vec<Digest>,
    /// Digests of what it was built from by its builder's word, when the builder attached provenance.
    pub materials: Vec<Digest>,
}

impl Contents {
    /// Whether all layers of `base` are the lowest ones of this image. A base without layers proves nothing.
    pub fn is_on(&self, base: &Self) -> bool {
        !base.layers.is_empty() && self.layers.starts_with(&base.layers)
    }
}

/// Images by platform, as asked for; the empty platform is the only one, or the default.
pub type ByPlatform = BTreeMap<String, Contents>;

/// What was read to tell which bases an image was built from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inside {
    /// The image's digest.
    pub digest: Digest,
    /// The image itself.
    pub image: ByPlatform,
    /// Bases by name and digest, as far as they had to be read.
    pub bases: BTreeMap<(String, Digest), ByPlatform>,
}
