//! The JSON of `plimsoll inspect`. Its keys are a promise to scripts.

mod dockerfile;
mod reference;
mod tags;

use serde::Serialize;

use crate::model::ImageReference;

pub use dockerfile::{Dockerfile, ImageUse, dockerfile};
pub use reference::{Reference, reference};
pub use tags::{Scenario, TagAnswer, tags};

/// An image reference, taken apart.
#[derive(Debug, Clone, Serialize)]
pub struct Image {
    /// Registry host, with port if given.
    pub registry: String,
    /// Repository path.
    pub repository: String,
    /// Tag, given or implied.
    pub tag: Option<String>,
    /// Digest, when given.
    pub digest: Option<String>,
    /// Short form.
    pub familiar: String,
    /// Full form.
    pub canonical: String,
}

impl From<&ImageReference> for Image {
    fn from(image: &ImageReference) -> Self {
        Self {
            registry: image.registry.clone(),
            repository: image.repository.clone(),
            tag: image.tag.clone(),
            digest: image.digest.as_ref().map(|digest| digest.as_str().to_owned()),
            familiar: image.familiar(),
            canonical: image.canonical(),
        }
    }
}
