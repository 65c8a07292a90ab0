//! Reaching an engine: its socket, its version, and a header that has to be put right.

use std::time::Duration;

use bollard::{API_DEFAULT_VERSION, BollardRequest, Docker};
use reqwest::header::HeaderValue;
use tokio::time::timeout;

use super::trouble;
use crate::base::fault::foreign;
use crate::base::{Class, Fault};

/// Where engines listen when nobody says otherwise.
const DEFAULT_SOCKET: &str = "/var/run/docker.sock";

/// First answer of an engine.
const CONNECT: Duration = Duration::from_secs(5);

/// Longest wait for an answer to begin. A build's answer begins once its whole context has arrived.
const ANSWER: Duration = Duration::from_secs(120);

/// Headers with credentials.
const CREDENTIALS: [&str; 2] = ["x-registry-auth", "x-registry-config"];

/// The path of the engine's socket: `host` of the operator's, else `DOCKER_HOST`, else the usual one.
///
/// # Errors
/// `Config` when it is no `unix://` address.
pub fn socket(host: Option<&str>) -> Result<String, Fault> {
    let variable = std::env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty());
    match host.map(str::to_owned).or(variable) {
        None => Ok(DEFAULT_SOCKET.to_owned()),
        Some(host) => match host.strip_prefix("unix://") {
            Some(path) => Ok(path.to_owned()),
            None if host.starts_with('/') => Ok(host),
            None => Err(Fault::new(Class::Config, format!("`{}` is no socket of a Docker engine", foreign(&host)))
                .hint("unix:///path is spoken; forward a far engine's socket with `ssh -L /path:/var/run/docker.sock`")),
        },
    }
}

/// Connects and agrees on a version: engines refuse requests of a newer one than their own.
pub(super) async fn connect(socket: &str) -> Result<Docker, Fault> {
    let what = format!("the engine at {}", foreign(socket));
    let docker = Docker::connect_with_unix(socket, ANSWER.as_secs(), API_DEFAULT_VERSION).map_err(|error| trouble::fault(&error, &what))?;
    let agreed = timeout(CONNECT, docker.with_request_modifier(url_safe).negotiate_version()).await;
    agreed
        .map_err(|_| Fault::new(Class::Transient, format!("{what} did not answer within {} s", CONNECT.as_secs())))?
        .map_err(|error| trouble::fault(&error, &what))
}

/// Engines read credentials as URL-safe base64 and take anything else as none at all; the client library
/// writes the standard alphabet, so that a password with `?`, `>` or `~` may not arrive.
fn url_safe(mut request: BollardRequest) -> BollardRequest {
    for name in CREDENTIALS {
        let Some(value) = request.headers_mut().get_mut(name) else { continue };
        let safe = value.to_str().unwrap_or_default().replace('+', "-").replace('/', "_");
        if let Ok(mut safe) = HeaderValue::from_str(&safe) {
            safe.set_sensitive(true);
            *value = safe;
        }
    }
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_arrive_in_the_alphabet_that_engines_read() {
        let mut request = BollardRequest::new(bollard::body_full(Vec::new().into()));
        request.headers_mut().insert("X-Registry-Auth", HeaderValue::from_static("a+b/c=="));
        request.headers_mut().insert("X-Other", HeaderValue::from_static("a+b/c=="));
        let request = url_safe(request);
        assert_eq!(request.headers()["x-registry-auth"], "a-b_c==");
        assert_eq!(request.headers()["x-other"], "a+b/c==");
    }

    #[test]
    fn sockets() {
        for (host, expected) in [
            ("unix:///run/d.sock", Ok("/run/d.sock")),
            ("/run/d.sock", Ok("/run/d.sock")),
            ("tcp://127.0.0.1:2375", Err(Class::Config)),
            ("ssh://host", Err(Class::Config)),
        ] {
            assert_eq!(socket(Some(host)).as_deref().map_err(|fault| fault.class), expected, "{host}");
        }
    }

    #[tokio::test]
    async fn no_engine_is_a_local_fault_with_the_next_step() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("none.sock").display().to_string();
        let fault = connect(&path).await.unwrap_err();
        assert_eq!(fault.class, Class::Local);
        assert!(fault.hint.unwrap().contains("start Docker"));
        // A socket that nobody listens on any more: an engine that restarts.
        let path = directory.path().join("stale.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert_eq!(connect(&path.display().to_string()).await.unwrap_err().class, Class::Transient);
    }
}
