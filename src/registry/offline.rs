//! Registries when the user chose not to ask.

use crate::base::{Class, Fault};
use crate::model::{Digest, ImageReference};
use crate::ports::{Answer, Registry};

/// Answers each question with a fault of class [`Offline`](Class::Offline), without a request.
#[derive(Debug, Clone, Copy, Default)]
pub struct Offline;

impl Registry for Offline {
    fn digest<'a>(&'a self, reference: &'a ImageReference) -> Answer<'a, Result<Digest, Fault>> {
        let name = super::target::label(reference);
        Box::pin(async move { Err(Fault::new(Class::Offline, format!("{name}: not asked, offline"))) })
    }
}
