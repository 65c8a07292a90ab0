//! `inspect ref`: what a reference means, or which rule it breaks.

use serde::Serialize;

use super::Image;
use crate::model::ImageReference;

/// One reference.
#[derive(Debug, Clone, Serialize)]
pub struct Reference {
    /// As it was given.
    pub input: String,
    /// Whether it is one.
    pub valid: bool,
    /// What it means, when it is one.
    #[serde(flatten)]
    pub image: Option<Image>,
    /// Which rule it breaks, when it is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
}

/// Looks at one reference.
pub fn reference(input: &str) -> Reference {
    let parsed = ImageReference::parse(input);
    Reference {
        input: input.to_owned(),
        valid: parsed.is_ok(),
        image: parsed.as_ref().ok().map(Image::from),
        reason: parsed.err().map(crate::model::reference::ReferenceError::word),
    }
}
