//! Clocks: the machine's, and one that stands.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::ports::{Answer, Clock};

/// The machine's clock.
pub(super) struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time begins now.
    pub(super) fn new() -> Self {
        Self { started: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }

    fn sleep(&self, time: Duration) -> Answer<'_, ()> {
        Box::pin(tokio::time::sleep(time))
    }
}

/// A clock that stands at the epoch: what is rendered must not depend on when.
pub(super) struct Standing;

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep(&self, _: Duration) -> Answer<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}
