//! What a registry still allows, in the words registries use for it.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{HeaderMap, HeaderName};

use super::backoff::{LONGEST_WAIT, UNNAMED_WAIT, until};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Each request.
    Requests,
    /// Manifests read by `GET`, as Docker Hub does.
    Pulls,
}

/// What is left of what a registry allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Allowance {
    /// How many more.
    pub(super) remaining: u64,
    /// After this time there are more.
    pub(super) reset: Duration,
    /// What they are.
    pub(super) unit: Unit,
}

/// Reads `RateLimit-Remaining` and its like; `None` when the answer has none that can be read.
///
/// | Words | Meaning |
/// |---|---|
/// | `ratelimit-limit: 100;w=21600`, `ratelimit-remaining: 7;w=21600` | Docker Hub: pulls in a sliding window; one more after window ÷ limit |
/// | `RateLimit-Remaining: 7`, `RateLimit-Reset: 30` | requests; seconds (draft-ietf-httpapi-ratelimit-headers-03) or, at GitLab, a time since 1970 |
/// | `RateLimit: limit=100, remaining=7, reset=30` | the same in one header (draft 07) |
/// | `RateLimit: "default";r=7;t=30` | the same again (draft 08 and later) |
/// | `X-RateLimit-Remaining`, `X-RateLimit-Reset` | the same, older |
pub(super) fn allowance(headers: &HeaderMap, now: impl Fn() -> Timestamp) -> Option<Allowance> {
    // Most answers have none of them, and looking for each would cost more than looking once.
    let named = |name: &HeaderName| ["ratelimit", "x-ratelimit-"].iter().any(|begin| name.as_str().starts_with(begin));
    if !headers.keys().any(named) {
        return None;
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(value) = text("ratelimit-remaining") {
        let remaining = leading(value)?;
        let limit = text("ratelimit-limit");
        if let Some(window) = parameter(value, "w").or_else(|| parameter(limit?, "w")) {
            let each = window / limit.and_then(leading).unwrap_or(1).max(1);
            return Some(Allowance { remaining, reset: bounded(each.max(1)), unit: Unit::Pulls });
        }
        return Some(requests(remaining, text("ratelimit-reset").and_then(leading), headers, now()));
    }
    if let Some(value) = text("ratelimit") {
        let remaining = parameter(value, "remaining").or_else(|| parameter(value, "r"))?;
        let reset = parameter(value, "reset").or_else(|| parameter(value, "t"));
        return Some(requests(remaining, reset, headers, now()));
    }
    let remaining = leading(text("x-ratelimit-remaining")?)?;
    Some(requests(remaining, text("x-ratelimit-reset").and_then(leading), headers, now()))
}

fn requests(remaining: u64, reset: Option<u64>, headers: &HeaderMap, now: Timestamp) -> Allowance {
    let reset = reset.map_or(UNNAMED_WAIT, |number| until(number, headers, now));
    Allowance { remaining, reset, unit: Unit::Requests }
}

fn bounded(seconds: u64) -> Duration {
    Duration::from_secs(seconds).min(LONGEST_WAIT)
}

/// The number a value begins with.
fn leading(value: &str) -> Option<u64> {
    value.split([';', ',']).next()?.trim().parse().ok()
}

/// The number of `name=7` among the parts of a value.
fn parameter(value: &str, name: &str) -> Option<u64> {
    let parts = value.split([';', ',']).filter_map(|part| part.split_once('='));
    parts.map(|(key, value)| (key.trim(), value.trim())).find(|(key, _)| *key == name)?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Headers, and what they should read as.
    type Row<'a> = (&'a [(&'a str, &'a str)], Option<Allowance>);

    #[test]
    fn allowance_table() {
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let requests = |remaining, seconds| Some(Allowance { remaining, reset: Duration::from_secs(seconds), unit: Unit::Requests });
        let pulls = |remaining, seconds| Some(Allowance { remaining, reset: Duration::from_secs(seconds), unit: Unit::Pulls });
        let table: &[Row<'_>] = &[
            (&[], None),
            (&[("ratelimit-limit", "100;w=21600"), ("ratelimit-remaining", "76;w=21600")], pulls(76, 216)),
            (&[("ratelimit-limit", "200;w=21600"), ("ratelimit-remaining", "0;w=21600")], pulls(0, 108)),
            (&[("ratelimit-remaining", "0;w=21600")], pulls(0, 21600)),
            (&[("ratelimit-limit", "100;w=99999999"), ("ratelimit-remaining", "1")], pulls(1, 21600)),
            (&[("ratelimit-remaining", "0"), ("ratelimit-reset", "30")], requests(0, 30)),
            (&[("ratelimit-remaining", "5"), ("ratelimit-reset", "1700000060")], requests(5, 60)),
            (&[("ratelimit-remaining", "5"), ("ratelimit-reset", "1600000000")], requests(5, 0)),
            (&[("ratelimit-remaining", "5")], requests(5, 5)),
            (&[("ratelimit-remaining", "5"), ("ratelimit-reset", "99999999")], requests(5, 21600)),
            (&[("ratelimit", "limit=100, remaining=50, reset=7")], requests(50, 7)),
            (&[("ratelimit", "\"default\";r=0;t=9")], requests(0, 9)),
            (&[("x-ratelimit-remaining", "3"), ("x-ratelimit-reset", "1700000010")], requests(3, 10)),
            (&[("ratelimit-remaining", "many")], None),
            (&[("ratelimit-remaining", "-1")], None),
            (&[("ratelimit", "\"default\"")], None),
            (&[("ratelimit-remaining", "99999999999999999999999")], None),
        ];
        for (values, expected) in table {
            let mut headers = HeaderMap::new();
            for (name, value) in *values {
                headers.insert(*name, value.parse().unwrap());
            }
            assert_eq!(allowance(&headers, || now), *expected, "{values:?}");
        }
    }
}
