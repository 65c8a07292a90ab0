//! Registries when the user chose not to ask.

use super::place::label;
use crate::base::{Class, Fault, fault};
use crate::model::{Digest, ImageReference};
use crate::ports::images::{ImageFacts, Images, Look, Material};
use crate::ports::{Answer, Registry};

/// Answers each question with a fault of class [`Offline`](Class::Offline), without a request.
#[derive(Debug, Clone, Copy, Default)]
pub struct Offline;

impl Registry for Offline {
    fn digest<'a>(&'a self, reference: &'a ImageReference) -> Answer<'a, Result<Digest, Fault>> {
        Box::pin(async move { Err(not_asked(&label(reference))) })
    }
}

impl Images for Offline {
    fn tags<'a>(&'a self, registry: &'a str, repository: &'a str) -> Answer<'a, Result<Vec<String>, Fault>> {
        Box::pin(async move { Err(not_asked(&fault::foreign(&format!("{registry}/{repository}")))) })
    }

    fn look<'a>(&'a self, reference: &'a ImageReference) -> Answer<'a, Result<Look, Fault>> {
        Box::pin(async move { Err(not_asked(&label(reference))) })
    }

    fn image<'a>(&'a self, reference: &'a ImageReference, _: Option<&'a str>) -> Answer<'a, Result<ImageFacts, Fault>> {
        Box::pin(async move { Err(not_asked(&label(reference))) })
    }

    fn provenance<'a>(&'a self, reference: &'a ImageReference, _: Option<&'a str>) -> Answer<'a, Result<Option<Vec<Material>>, Fault>> {
        Box::pin(async move { Err(not_asked(&label(reference))) })
    }
}

fn not_asked(name: &str) -> Fault {
    Fault::new(Class::Offline, format!("{name}: not asked, offline"))
}
