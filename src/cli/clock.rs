//! Clocks: the machine's, and one that stands.

use std::path::PathBuf;
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

/// The variable that names a file with the time, for tests of whole programs. It is no option on purpose.
const TEST_CLOCK: &str = "PLIMSOLL_TEST_CLOCK";

/// A clock that a test sets by writing a time into a file. Waits are short, since time is not this clock's.
pub(super) struct FileClock(PathBuf);

impl FileClock {
    /// The test clock, if the variable is set.
    pub(super) fn from_environment() -> Option<Self> {
        std::env::var_os(TEST_CLOCK).filter(|path| !path.is_empty()).map(|path| Self(path.into()))
    }

    /// The time in the file; the epoch when there is none.
    fn read(&self) -> Timestamp {
        let text = std::fs::read_to_string(&self.0).unwrap_or_default();
        text.trim().parse().unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

impl Clock for FileClock {
    fn now(&self) -> Timestamp {
        self.read()
    }

    fn monotonic(&self) -> Duration {
        Duration::try_from(self.read().duration_since(Timestamp::UNIX_EPOCH)).unwrap_or_default()
    }

    fn sleep(&self, time: Duration) -> Answer<'_, ()> {
        Box::pin(tokio::time::sleep(time.min(Duration::from_millis(50))))
    }
}
