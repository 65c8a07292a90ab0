//! What an engine's errors mean.

use std::error::Error as _;
use std::io::ErrorKind;

use bollard::errors::Error;

use crate::base::fault::foreign;
use crate::base::{Class, Fault};

/// Words of engines and registries, by what they mean; the first that is found decides.
const WORDS: [(Class, &[&str]); 5] = [
    (Class::Limited, &["toomanyrequests", "too many requests", "rate limit"]),
    (Class::Local, &["no space left on device", "read-only file system", "disk quota"]),
    (
        Class::Denied,
        &["unauthorized", "authentication required", "denied", "no basic auth credentials", "forbidden", "incorrect username or password"],
    ),
    (Class::Missing, &["manifest unknown", "name unknown", "not found", "does not exist", "no such image"]),
    (
        Class::Transient,
        &[
            "context canceled",
            "deadline exceeded",
            "timeout",
            "timed out",
            "connection refused",
            "connection reset",
            "broken pipe",
            "eof",
            "no such host",
            "server misbehaving",
            "temporary failure",
            "unexpected http status: 5",
            "unexpected http response status: 5",
            "500 internal",
            "502 bad",
            "503 service",
            "504 gateway",
        ],
    ),
];

/// The class of an engine's or registry's own words.
pub(super) fn class_of(words: &str) -> Class {
    let words = words.to_ascii_lowercase();
    WORDS.iter().find(|(_, known)| known.iter().any(|known| words.contains(known))).map_or(Class::Refused, |(class, _)| *class)
}

/// The class of a build's failure. What a RUN step prints may say anything; that a step failed is final.
pub(super) fn class_of_build(words: &str) -> Class {
    if words.contains("returned a non-zero code") {
        return Class::Refused;
    }
    match class_of(words) {
        class @ (Class::Local | Class::Limited) => class,
        _ if words.to_ascii_lowercase().contains("context canceled") => Class::Transient,
        _ => Class::Refused,
    }
}

/// The fault for an error of the engine while it did `what`.
pub(super) fn fault(error: &Error, what: &str) -> Fault {
    match error {
        Error::SocketNotFoundError(path) => no_engine(&format!("no Docker engine listens at {}", foreign(path))),
        Error::DockerStreamError { error } => advised(Fault::new(class_of(error), format!("{what}: {}", foreign(error)))),
        Error::DockerResponseServerError { status_code, message } => {
            let class = match status_code {
                400 | 405 | 409 | 422 => Class::Refused,
                401 | 403 => Class::Denied,
                404 => Class::Missing,
                429 => Class::Limited,
                // Engines say 500 of much that a registry or a disk did.
                500.. => match class_of(message) {
                    Class::Refused | Class::Missing => Class::Transient,
                    class => class,
                },
                _ => Class::Malformed,
            };
            advised(Fault::new(class, format!("{what}: the engine answered {status_code}: {}", foreign(message))))
        }
        Error::RequestTimeoutError => Fault::new(Class::Transient, format!("{what}: the engine did not answer in time")),
        Error::JsonDataError { .. } | Error::JsonSerdeError { .. } | Error::StrParseError { .. } | Error::APIVersionParseError {} => {
            Fault::new(Class::Malformed, format!("{what}: the engine's answer can't be read: {}", foreign(&error.to_string())))
        }
        _ => match io_kind(error) {
            Some(ErrorKind::NotFound) => no_engine(&format!("{what}: the engine's socket is gone")),
            Some(ErrorKind::PermissionDenied) => Fault::new(Class::Denied, format!("{what}: the engine's socket may not be opened"))
                .hint("run Plimsoll as a user of the socket's group, usually `docker`"),
            _ => Fault::new(Class::Transient, format!("{what}: the connection to the engine broke: {}", foreign(&deepest(error)))),
        },
    }
}

/// With the next step, where a registry did not let us in.
fn advised(fault: Fault) -> Fault {
    match fault.class {
        Class::Denied => fault.hint("log in to the registry with `docker login`, as the user that runs Plimsoll"),
        _ => fault,
    }
}

fn no_engine(text: &str) -> Fault {
    Fault::new(Class::Local, text).hint("start Docker, or name the engine's socket with DOCKER_HOST=unix:///path")
}

/// The operating system's word for it, if it has one.
fn io_kind(error: &Error) -> Option<ErrorKind> {
    // Its own chain begins below it.
    if let Error::IOError { err } = error {
        return Some(err.kind());
    }
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<std::io::Error>()
            && error.get_ref().is_none()
        {
            return Some(error.kind());
        }
        next = error.source();
    }
    None
}

/// The words of the innermost cause: the outer ones only say that there is one.
fn deepest(error: &Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text = error.to_string();
        next = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_their_classes() {
        for (words, expected) in [
            ("toomanyrequests: You have reached your pull rate limit", Class::Limited),
            ("unauthorized: authentication required", Class::Denied),
            ("pull access denied for x, repository does not exist or may require 'docker login'", Class::Denied),
            ("no basic auth credentials", Class::Denied),
            ("manifest for x:1 not found: manifest unknown: manifest unknown", Class::Missing),
            ("Get \"http://127.0.0.1:1/v2/\": dial tcp 127.0.0.1:1: connect: connection refused", Class::Transient),
            ("Get \"https://r.example/v2/\": net/http: TLS handshake timeout", Class::Transient),
            ("received unexpected HTTP status: 503 Service Unavailable", Class::Transient),
            ("write /x: no space left on device", Class::Local),
            ("blob upload invalid", Class::Refused),
        ] {
            assert_eq!(class_of(words), expected, "{words}");
        }
        for (words, expected) in [
            ("The command '/bin/sh -c curl: connection refused' returned a non-zero code: 7", Class::Refused),
            ("COPY failed: file not found in build context or excluded by .dockerignore: stat x: file does not exist", Class::Refused),
            ("dockerfile parse error line 2: unknown instruction: FORM", Class::Refused),
            ("context canceled", Class::Transient),
            ("write /x: no space left on device", Class::Local),
        ] {
            assert_eq!(class_of_build(words), expected, "{words}");
        }
    }

    #[test]
    fn answers_and_their_classes() {
        let answer = |status_code, message: &str| Error::DockerResponseServerError { status_code, message: message.to_owned() };
        for (error, expected) in [
            (answer(400, "dockerfile parse error"), Class::Refused),
            (answer(404, "no such image"), Class::Missing),
            (answer(500, "something"), Class::Transient),
            (answer(500, "mkdir: no space left on device"), Class::Local),
            (answer(503, ""), Class::Transient),
            (Error::RequestTimeoutError, Class::Transient),
            (Error::SocketNotFoundError("/x".to_owned()), Class::Local),
            (Error::IOError { err: ErrorKind::PermissionDenied.into() }, Class::Denied),
            (Error::IOError { err: ErrorKind::ConnectionRefused.into() }, Class::Transient),
        ] {
            assert_eq!(fault(&error, "x").class, expected, "{error}");
        }
    }
}
