//! How long hosts want quiet, kept between runs and for other processes.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::backoff::{LONGEST_WAIT, WAIT_OUT};
use super::cache::{Cache, Kind};
use crate::base::Class;

/// How often it is looked whether another process was told to wait.
const LOOK: Duration = Duration::from_secs(10);

/// Waits by host, one small file each in the cache directory; nowhere without one.
///
/// Files are read and written on the spot: they are small, rare, and a request that goes out too early can't be taken back.
#[derive(Debug, Clone, Default)]
pub(super) struct Waits(Option<Arc<Cache>>);

/// A wait on disk. Wall clock, because it must mean something to the next run.
#[derive(Serialize, Deserialize)]
struct Wait {
    /// In seconds since 1970.
    until: i64,
    /// Whether the host counted requests, or was only not well.
    limited: bool,
}

impl Waits {
    pub(super) fn new(cache: Option<Arc<Cache>>) -> Self {
        Self(cache)
    }

    /// Whether to look again, having looked `at`.
    pub(super) fn due(&self, at: Instant, now: Instant) -> bool {
        self.0.is_some() && now.saturating_duration_since(at) >= LOOK
    }

    /// How long `host` wants quiet still. A time further off than any wait that is believed comes from a clock that was
    /// wrong, and counts for nothing.
    pub(super) fn of(&self, host: &str) -> Option<(Duration, Class)> {
        let wait: Wait = self.0.as_ref()?.note_now(Kind::Wait, host)?;
        let left = u64::try_from(wait.until.checked_sub(Timestamp::now().as_second())?).ok().map(Duration::from_secs)?;
        let class = if wait.limited { Class::Limited } else { Class::Transient };
        (!left.is_zero() && left <= LONGEST_WAIT).then_some((left, class))
    }

    /// Keeps a wait that is longer than one waited out on the spot.
    pub(super) fn keep(&self, host: &str, wait: Duration, class: Class) {
        let Some(cache) = self.0.as_ref().filter(|_| wait > WAIT_OUT) else { return };
        // Rounded up, so that the next run is not early.
        let rounded = wait.saturating_add(Duration::from_secs(1)).min(LONGEST_WAIT);
        let seconds = i64::try_from(rounded.as_secs()).unwrap_or(i64::MAX);
        let until = Timestamp::now().as_second().saturating_add(seconds);
        cache.keep_note_now(Kind::Wait, host, &Wait { until, limited: class == Class::Limited });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wait_table() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Arc::new(Cache::new(directory.path(), 1 << 20));
        let waits = Waits::new(Some(Arc::clone(&cache)));
        let now = Timestamp::now().as_second();
        // seconds from now, whether it holds
        for (seconds, expected) in [(60, true), (6 * 3600 - 1, true), (7 * 3600, false), (0, false), (-60, false), (i64::MAX - now, false)]
        {
            cache.keep_note_now(Kind::Wait, "r.example", &Wait { until: now + seconds, limited: true });
            assert_eq!(waits.of("r.example").is_some(), expected, "{seconds}");
        }
        waits.keep("s.example", Duration::from_secs(30), Class::Transient);
        let (left, class) = waits.of("s.example").unwrap();
        assert!((Duration::from_secs(29)..=Duration::from_secs(31)).contains(&left), "{left:?}");
        assert_eq!(class, Class::Transient);
        waits.keep("t.example", Duration::from_secs(1), Class::Limited);
        assert_eq!(waits.of("t.example"), None);
    }
}
