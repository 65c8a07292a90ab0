//! Content on its way: one request for a digest, however many want it at the same moment.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use crate::model::Digest;

/// What is being fetched now, by digest. When it fails each who waits tries for itself, one after another.
#[derive(Debug, Default)]
pub(super) struct Flights(Mutex<HashMap<Digest, Flight>>);

/// The content, once it is there.
pub(super) type Flight = Arc<OnceCell<Vec<u8>>>;

impl Flights {
    /// The one flight for `digest`: joined, or begun.
    pub(super) fn of(&self, digest: &Digest) -> Flight {
        Arc::clone(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(digest.clone()).or_default())
    }

    /// Lets go of a flight: those aboard keep what it brings, those who come later look in the cache first.
    pub(super) fn ended(&self, digest: &Digest) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(digest);
    }
}
