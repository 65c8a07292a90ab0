//! How fast a forge may be asked: its own wishes first, then a pace for what it counts as content.
//!
//! GitHub lets a credential have 100 requests on their way and 80 writes a minute, says so only after the fact,
//! and asks for silence in three ways: `retry-after`, `x-ratelimit-remaining: 0` with a reset, or neither.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep};

use crate::base::{Class, Fault};

/// Requests on their way at once: a fifth of what GitHub allows, so that other tools find room.
const JOBS: usize = 20;

/// Writes that may come at once before the pace holds.
const BURST: f64 = 20.0;

/// Writes a second after that: 60 a minute, where GitHub allows 80.
const PACE: f64 = 1.0;

/// Longest wait for the pace; beyond, the write is put off.
const LONGEST_PACE: Duration = Duration::from_secs(15);

/// Silence after a limit that names no time, doubled each time in a row.
const UNNAMED_WAIT: Duration = Duration::from_secs(60);

/// Longest silence believed. The primary limit's window is an hour.
const LONGEST_WAIT: Duration = Duration::from_secs(3700);

/// Failures in a row after which the forge counts as down for a while.
const FAILURES: u32 = 4;

/// That while.
const DOWN: Duration = Duration::from_secs(20);

/// One credential's share of a forge. Memory only: a restart asks again.
pub(super) struct Limiter {
    jobs: Semaphore,
    state: Mutex<State>,
}

struct State {
    quiet: Option<(Instant, Class)>,
    limits: u32,
    failures: u32,
    writes: f64,
    refilled: Instant,
}

impl Limiter {
    pub(super) fn new() -> Self {
        let state = State { quiet: None, limits: 0, failures: 0, writes: BURST, refilled: Instant::now() };
        Self { jobs: Semaphore::new(JOBS), state: Mutex::new(state) }
    }

    /// Waits for a turn. A fault means that nothing was sent.
    pub(super) async fn enter(&self, host: &str, write: bool) -> Result<SemaphorePermit<'_>, Fault> {
        let permit = self.jobs.acquire().await.map_err(|_| Fault::new(Class::Internal, "the limiter was closed"))?;
        let wait = self.turn(host, write, Instant::now())?;
        if !wait.is_zero() {
            sleep(wait).await;
        }
        Ok(permit)
    }

    fn turn(&self, host: &str, write: bool, now: Instant) -> Result<Duration, Fault> {
        let mut state = self.lock();
        if let Some((until, class)) = state.quiet {
            if until > now {
                let left = until - now;
                let why = if class == Class::Limited { "wants" } else { "seems to be down and gets" };
                let text = format!("not asked: {host} {why} {} s more without requests", left.as_secs_f64().ceil());
                return Err(Fault::new(class, text).retry_after(Some(left)));
            }
            state.quiet = None;
        }
        if !write {
            return Ok(Duration::ZERO);
        }
        let since = now.saturating_duration_since(state.refilled).as_secs_f64();
        state.refilled = now;
        state.writes = (state.writes + since * PACE).min(BURST);
        let wait = Duration::try_from_secs_f64((1.0 - state.writes).max(0.0) / PACE).unwrap_or_default();
        if wait > LONGEST_PACE {
            return Err(Fault::new(Class::Limited, format!("not asked: {host} gets its writes at a slower pace")).retry_after(Some(wait)));
        }
        state.writes -= 1.0;
        Ok(wait)
    }

    /// No answer came.
    pub(super) fn failed(&self, now: Instant) {
        let mut state = self.lock();
        state.failures = state.failures.saturating_add(1);
        if state.failures >= FAILURES {
            quieten(&mut state, now + DOWN, Class::Transient);
        }
    }

    /// What an answer says about the next requests; a fault when it is a refusal for speed.
    pub(super) fn heard(&self, host: &str, status: StatusCode, headers: &HeaderMap, body: &[u8], now: Instant) -> Option<Fault> {
        if status.is_server_error() {
            self.failed(now);
        }
        let mut state = self.lock();
        if !status.is_server_error() {
            state.failures = 0;
        }
        let spent = spent(headers);
        let limited = status == StatusCode::TOO_MANY_REQUESTS
            || (status == StatusCode::FORBIDDEN && (headers.contains_key("retry-after") || spent.is_some() || speaks_of_limits(body)));
        let asked_for = seconds(headers, "retry-after").or(spent);
        if !limited {
            state.limits = if status.is_success() { 0 } else { state.limits };
            if let Some(wait) = spent {
                quieten(&mut state, now + wait, Class::Limited);
            }
            return None;
        }
        let wait = asked_for.unwrap_or_else(|| UNNAMED_WAIT.saturating_mul(1 << state.limits.min(4)));
        state.limits = state.limits.saturating_add(1);
        quieten(&mut state, now + wait, Class::Limited);
        Some(Fault::new(Class::Limited, format!("{host} answered {status}: a rate limit")).retry_after(Some(wait)))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The longest wish counts.
fn quieten(state: &mut State, until: Instant, class: Class) {
    if state.quiet.is_none_or(|(set, _)| set < until) {
        state.quiet = Some((until, class));
    }
}

fn speaks_of_limits(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body.get(..body.len().min(2048)).unwrap_or_default()).to_ascii_lowercase();
    text.contains("rate limit") || text.contains("abuse detection")
}

fn seconds(headers: &HeaderMap, name: &str) -> Option<Duration> {
    let text = headers.get(name)?.to_str().ok()?.trim();
    text.parse().ok().map(|seconds| Duration::from_secs(seconds).min(LONGEST_WAIT))
}

/// How long until an empty budget is filled again, by the forge's own clock where it tells it.
fn spent(headers: &HeaderMap) -> Option<Duration> {
    ["x-ratelimit", "ratelimit"].iter().find_map(|prefix| {
        let number = |name: &str| headers.get(format!("{prefix}-{name}"))?.to_str().ok()?.trim().parse::<i64>().ok();
        if number("remaining")? > 0 {
            return None;
        }
        let date = headers.get(DATE).and_then(|value| value.to_str().ok());
        let now = date.and_then(|date| jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(date).ok()).unwrap_or_else(Timestamp::now);
        let wait = u64::try_from(number("reset")?.saturating_sub(now.as_second())).unwrap_or(0);
        Some(Duration::from_secs(wait + 1).min(LONGEST_WAIT))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn what_answers_mean_for_the_next_request() {
        let date = ("date", "Wed, 25 Nov 2026 12:00:00 GMT");
        // status, headers, body, seconds of silence, whether the answer itself is a limit
        let table: [(u16, HeaderMap, &str, Option<u64>, bool); 9] = [
            (200, headers(&[]), "", None, false),
            (403, headers(&[]), r#"{"message": "Resource not accessible"}"#, None, false),
            (403, headers(&[("retry-after", "7")]), "", Some(7), true),
            (403, headers(&[]), "You have exceeded a secondary rate limit", Some(60), true),
            (429, headers(&[]), "", Some(60), true),
            (429, headers(&[("retry-after", "99999999")]), "", Some(3700), true),
            (403, headers(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1795608090"), date]), "", Some(91), true),
            (200, headers(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1795608090"), date]), "", Some(91), false),
            (200, headers(&[("ratelimit-remaining", "3"), ("ratelimit-reset", "1795608090"), date]), "", None, false),
        ];
        for (status, headers, body, silence, is_limit) in table {
            let (limiter, now) = (Limiter::new(), Instant::now());
            let fault = limiter.heard("api", StatusCode::from_u16(status).unwrap(), &headers, body.as_bytes(), now);
            assert_eq!(fault.is_some(), is_limit, "{status} {headers:?}");
            let turn = limiter.turn("api", false, now);
            assert_eq!(turn.err().and_then(|fault| fault.retry_after), silence.map(Duration::from_secs), "{status} {headers:?}");
            let later = now + Duration::from_secs(silence.unwrap_or(0));
            assert!(limiter.turn("api", false, later).is_ok());
        }
    }

    #[test]
    fn unnamed_silence_doubles_and_failures_in_a_row_close_the_door() {
        let (limiter, now) = (Limiter::new(), Instant::now());
        let waits: Vec<u64> = (0..3)
            .map(|_| {
                limiter.heard("api", StatusCode::TOO_MANY_REQUESTS, &HeaderMap::new(), b"", now).unwrap().retry_after.unwrap().as_secs()
            })
            .collect();
        assert_eq!(waits, [60, 120, 240]);
        let limiter = Limiter::new();
        for _ in 0..3 {
            limiter.failed(now);
        }
        assert!(limiter.turn("api", false, now).is_ok());
        limiter.heard("api", StatusCode::BAD_GATEWAY, &HeaderMap::new(), b"", now);
        assert_eq!(limiter.turn("api", false, now).unwrap_err().class, Class::Transient);
        assert!(limiter.turn("api", false, now + DOWN).is_ok());
    }

    #[test]
    fn writes_have_a_pace() {
        let (limiter, now) = (Limiter::new(), Instant::now());
        let waits: Vec<u64> = (0..22).map(|_| limiter.turn("api", true, now).unwrap().as_secs()).collect();
        assert_eq!(waits[..20], [0; 20]);
        assert_eq!(waits[20..], [1, 2]);
        assert!(limiter.turn("api", false, now).unwrap().is_zero());
        assert!(limiter.turn("api", true, now + Duration::from_secs(60)).unwrap().is_zero());
    }
}
