//! Turns at a source repository: its branches share one mirror, and a second user would make a mirror of its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;

use crate::model::remote_url::RemoteUrl;

/// Who is at work, by address. Only addresses somebody is at, or waits for, are kept.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>);

impl Turns {
    /// Waits for the turn at `url`, which ends when the answer is dropped.
    pub(super) async fn of(&self, url: &RemoteUrl) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            Arc::clone(turns.entry(url.as_str().to_owned()).or_default())
        };
        turn.lock_owned().await
    }
}
