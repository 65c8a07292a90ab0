//! What registries tell beside digests: tag lists, indexes, and what an image was made from.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Answer;
use crate::base::Fault;
use crate::model::{Digest, ImageReference};

/// What a reference points at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// Digest of the manifest or index.
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
    /// Images of an index by platform (`os/arch[/variant]`), in the registry's order. Empty for a single manifest.
    pub platforms: Vec<(String, Digest)>,
}

/// One image of one platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFacts {
    /// Digest of its manifest.
    pub digest: Digest,
    /// `os/arch[/variant]`, as its configuration says.
    pub platform: String,
    /// Labels of its configuration and annotations of its manifest; an annotation wins.
    pub labels: BTreeMap<String, String>,
    /// Its layers by the digests of their uncompressed content (`rootfs.diff_ids`), lowest first.
    pub layers: Vec<Digest>,
    /// When it says it was made. Publishers set it as they like.
    pub created: Option<Timestamp>,
}

/// Something an image was built from, by its builder's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Material {
    /// What it is: `pkg:docker/alpine@3.19?platform=linux%2Famd64` for an image (package URL), a git or web address for
    /// others. Foreign text, made printable.
    pub uri: String,
    /// Its digest.
    pub digest: Digest,
}

/// Registries, for more than the digest of a tag.
pub trait Images: Send + Sync {
    /// Every tag of a repository, sorted by bytes, each once.
    ///
    /// # Errors
    /// [`Class::Limit`](crate::base::Class::Limit) when there are more than the client takes; never a part of the list.
    fn tags<'a>(&'a self, registry: &'a str, repository: &'a str) -> Answer<'a, Result<Vec<String>, Fault>>;

    /// What a tag or digest points at. Content that is addressed by digest is asked for once and then kept.
    fn look<'a>(&'a self, reference: &'a ImageReference) -> Answer<'a, Result<Look, Fault>>;

    /// The image that `reference` means on `platform`; the only one, or `linux/amd64`, when none is named.
    ///
    /// # Errors
    /// [`Class::Missing`](crate::base::Class::Missing) when the index has no such platform.
    fn image<'a>(&'a self, reference: &'a ImageReference, platform: Option<&'a str>) -> Answer<'a, Result<ImageFacts, Fault>>;

    /// What the image that `reference` means on `platform` was built from, when its builder attached that: materials with
    /// a SHA-256, from the provenance of an index (in-toto, SLSA 0.2 or 1.0, as `BuildKit` writes it). `None` when there is
    /// none. It is read by digest, so it is what was pushed with the image, and no more trustworthy than who pushed it.
    ///
    /// # Errors
    /// As [`image`](Self::image), and [`Class::Malformed`](crate::base::Class::Malformed) when it is about another image.
    fn provenance<'a>(
        &'a self,
        reference: &'a ImageReference,
        platform: Option<&'a str>,
    ) -> Answer<'a, Result<Option<Vec<Material>>, Fault>>;
}
