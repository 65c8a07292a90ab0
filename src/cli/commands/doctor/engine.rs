//! The container engine: nice to have, and needed only by what runs or builds on this machine.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use super::super::Context;
use super::Finding;

/// Where an engine listens unless `DOCKER_HOST` says otherwise.
const SOCKET: &str = "/var/run/docker.sock";

/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Longest answer that is read, in bytes.
const LONGEST: u64 = 4096;

/// Asks the engine whether it is there.
pub(super) async fn look(context: &Context) -> Finding {
    let host = std::env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty());
    let place = host.clone().unwrap_or_else(|| format!("unix://{SOCKET}"));
    let answered = match (place.strip_prefix("unix://"), place.strip_prefix("tcp://")) {
        (Some(path), _) => tokio::time::timeout(PATIENCE, async { ping(UnixStream::connect(path).await?).await }).await,
        (None, Some(_)) if context.operator.offline => return Finding::not_asked("engine"),
        (None, Some(address)) => tokio::time::timeout(PATIENCE, async { ping(TcpStream::connect(address).await?).await }).await,
        _ => return Finding::ok("engine", "not looked at: DOCKER_HOST is neither unix:// nor tcp://"),
    };
    match answered {
        Ok(Ok(Some(version))) => Finding::ok("engine", format!("{place} answers, API {version}")),
        Ok(Ok(None)) => Finding::warn("engine", format!("{place} answers, and not as a container engine does"), "check DOCKER_HOST"),
        Ok(Err(error)) if host.is_some() => Finding::warn("engine", format!("{place}: {error}"), "start it, or correct DOCKER_HOST"),
        // Nobody asked for one.
        Ok(Err(_)) => Finding::ok("engine", format!("none at {place}; only what runs or builds on this machine needs one")),
        Err(_) => {
            Finding::warn("engine", format!("{place} does not answer within {} s", PATIENCE.as_secs()), "restart it, or check DOCKER_HOST")
        }
    }
}

/// The engine's API version, from its `/_ping`.
async fn ping(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> std::io::Result<Option<String>> {
    stream.write_all(b"GET /_ping HTTP/1.0\r\nHost: engine\r\n\r\n").await?;
    let mut answer = Vec::new();
    stream.take(LONGEST).read_to_end(&mut answer).await?;
    let text = String::from_utf8_lossy(&answer).into_owned();
    let header = text.lines().find_map(|line| line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("api-version")));
    Ok(header.map(|(_, version)| crate::base::fault::foreign(version.trim())))
}
