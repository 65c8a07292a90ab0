//! Connections that can't be made, break, or speak something else: what that means.

use super::near::Failure;
use super::trouble::Trouble;
use crate::base::{Class, fault};

/// Of the client for this machine.
pub(super) fn near(host: &str, failure: Failure) -> Trouble {
    match failure {
        Failure::Unreachable(error) => Trouble::transient(format!("{host} can't be reached: {}", fault::foreign(&error.to_string()))),
        Failure::Silent => Trouble::transient(format!("{host} did not answer in time")),
        Failure::Broken(error) if error.is_parse() => {
            Trouble::last(Class::Malformed, format!("{host} does not speak HTTP: {}", innermost(&error)))
        }
        Failure::Broken(error) => Trouble::transient(format!("{host} broke off: {}", innermost(&error))),
    }
}

/// Of the client for all others. Its own words would show the URL.
pub(super) fn far(host: &str, error: reqwest::Error) -> Trouble {
    let error = error.without_url();
    if error.is_timeout() {
        return Trouble::transient(format!("{host} did not answer in time"));
    }
    let cause = innermost(&error);
    // The client has no typed way to say so: its parser's messages all begin with these words.
    if ["invalid HTTP ", "message head is too large"].iter().any(|w| cause.contains(w)) {
        return Trouble::last(Class::Malformed, format!("{host} does not speak HTTP: {cause}"));
    }
    if error.is_builder() {
        return Trouble::last(Class::Malformed, format!("{host} can't be asked: {cause}"));
    }
    let step = if error.is_connect() { "can't be reached" } else { "broke off" };
    Trouble::transient(format!("{host} {step}: {cause}"))
}

/// The innermost cause, which is the one that says something.
pub(super) fn innermost(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    fault::foreign(&innermost.to_string())
}
