//! Clocks: the machine's, and one that stands.

use std::path::PathBuf;
use std::sync::Mutex;
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

/// A clock that a test sets by writing a time into a file. Its waits take no time and move it on.
pub(super) struct FileClock {
    file: PathBuf,
    waited: Mutex<Duration>,
}

impl FileClock {
    /// The test clock, if the variable is set.
    pub(super) fn from_environment() -> Option<Self> {
        let file = std::env::var_os(TEST_CLOCK).filter(|path| !path.is_empty())?;
        Some(Self { file: file.into(), waited: Mutex::default() })
    }
}

impl Clock for FileClock {
    /// The time in the file, the epoch when there is none, and what was waited since.
    fn now(&self) -> Timestamp {
        let text = std::fs::read_to_string(&self.file).unwrap_or_default();
        let set: Timestamp = text.trim().parse().unwrap_or(Timestamp::UNIX_EPOCH);
        let waited = self.waited.lock().map(|waited| *waited).unwrap_or_default();
        set.checked_add(waited).unwrap_or(set)
    }

    fn monotonic(&self) -> Duration {
        Duration::try_from(self.now().duration_since(Timestamp::UNIX_EPOCH)).unwrap_or_default()
    }

    fn sleep(&self, time: Duration) -> Answer<'_, ()> {
        if let Ok(mut waited) = self.waited.lock() {
            *waited = waited.saturating_add(time);
        }
        Box::pin(tokio::time::sleep(Duration::from_millis(1)))
    }
}
