//! How long to wait before asking again.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// Tries after the first one.
pub(super) const RETRIES: u32 = 2;

/// A requested wait up to this long is waited out within the question; a longer one is answered `Limited` at once.
pub(super) const WAIT_OUT: Duration = Duration::from_secs(2);

/// Silence kept after a 429 that names no time.
pub(super) const UNNAMED_WAIT: Duration = Duration::from_secs(5);

/// Longest wait believed. Docker Hub counts in windows of six hours; nobody asks for more in earnest.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(6 * 3600);

/// Larger numbers are times since 1970 (2001 and later), and no counts of seconds (31 years).
const EPOCHS_BEGIN: u64 = 1_000_000_000;

/// First step of the jittered back-off; each further one is twice as long.
const BASE: Duration = Duration::from_millis(250);

/// A random wait between nothing and `BASE × 2^attempt` ("full jitter"), so that workers don't come back together.
pub(super) fn jitter(attempt: u32) -> Duration {
    let most = BASE.saturating_mul(1 << attempt.min(6));
    Duration::from_millis(fastrand::u64(0..=u64::try_from(most.as_millis()).unwrap_or(u64::MAX)))
}

/// The wait that `Retry-After` asks for (RFC 9110 §10.2.3): seconds, or a date.
///
/// A date is measured from the answer's own `Date`, so that a wrong clock on either side changes nothing.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return Some(text.parse().map_or(LONGEST_WAIT, |number| until(number, headers, now)));
    }
    let time = u64::try_from(http_date(text)?.as_second()).unwrap_or(0);
    Some(until(time.max(EPOCHS_BEGIN), headers, now))
}

/// The wait that a number means: seconds, or a time since 1970 when it is too large to be anything else, as Docker Hub and
/// GitLab write it. A time is measured from the answer's own `Date`.
pub(super) fn until(number: u64, headers: &HeaderMap, now: Timestamp) -> Duration {
    let seconds = if number < EPOCHS_BEGIN {
        number
    } else {
        number.saturating_sub(u64::try_from(date(headers).unwrap_or(now).as_second()).unwrap_or(0))
    };
    Duration::from_secs(seconds).min(LONGEST_WAIT)
}

/// When an answer says it was sent.
fn date(headers: &HeaderMap) -> Option<Timestamp> {
    headers.get(DATE).and_then(|value| value.to_str().ok()).and_then(http_date)
}

/// An HTTP date (RFC 9110 §5.6.7).
pub(super) fn http_date(text: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_table() {
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        // Retry-After, Date, expected seconds
        let table = [
            ("0", None, Some(0)),
            ("7", None, Some(7)),
            (" 30 ", None, Some(30)),
            ("99999999999999999999999", None, Some(6 * 3600)),
            ("31536000", None, Some(6 * 3600)),
            ("1700000020", None, Some(20)),
            ("1600000000", None, Some(0)),
            ("-1", None, None),
            ("soon", None, None),
            ("", None, None),
            ("1.5", None, None),
            ("Tue, 14 Nov 2023 22:13:30 GMT", None, Some(10)),
            ("Tue, 14 Nov 2023 22:13:10 GMT", None, Some(0)),
            ("Wed, 01 Jan 2020 00:01:00 GMT", Some("Wed, 01 Jan 2020 00:00:00 GMT"), Some(60)),
        ];
        for (value, date, expected) in table {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, value.parse().unwrap());
            if let Some(date) = date {
                headers.insert(DATE, date.parse().unwrap());
            }
            assert_eq!(retry_after(&headers, now), expected.map(Duration::from_secs), "{value:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn jitter_stays_within_its_step() {
        for attempt in 0..4 {
            for _ in 0..200 {
                assert!(jitter(attempt) <= Duration::from_millis(250 << attempt));
            }
        }
    }
}
