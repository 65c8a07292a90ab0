//! The container engine: nice to have, and needed only by what runs or builds on this machine.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use super::super::Context;
use super::{Finding, Level};
use crate::base::fault::foreign;
use crate::docker;

/// Where an engine listens unless `DOCKER_HOST` says otherwise.
const SOCKET: &str = "/var/run/docker.sock";

/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Longest answer that is read, in bytes.
const LONGEST: u64 = 4096;

/// Asks the engine whether it is there. `builds` is how many images have `trigger: docker`.
pub(super) async fn look(context: &Context, builds: usize) -> Finding {
    let (images, are) = if builds == 1 { ("1 image".to_owned(), "is") } else { (format!("{builds} images"), "are") };
    let operator = &context.operator;
    let allowed = operator.docker_host.is_some() || operator.engine.is_some();
    if allowed && let Err(fault) = docker::socket(operator.docker_host.as_deref()) {
        return Finding::of("engine", &fault.of("--docker-host"), "name its socket: --docker-host unix:///path");
    }
    let found = ask(context).await;
    match found.level {
        _ if builds == 0 => found,
        Level::Ok if !allowed => Finding::warn(
            "engine",
            format!("{}; {images} with `trigger: docker` {are} not built from here", found.text),
            "allow it where they are to be built: --docker-host unix:///path, or --engine NAME",
        ),
        Level::Ok => Finding { text: format!("{}; it builds {images}", found.text), ..found },
        // Another Plimsoll may be the one that builds.
        _ if !allowed => found,
        _ => Finding { level: Level::Fail, text: format!("{}; {images} with `trigger: docker` can't be built", found.text), ..found },
    }
}

async fn ask(context: &Context) -> Finding {
    let variable = std::env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty());
    let host =
        context.operator.docker_host.as_ref().map(|host| if host.starts_with('/') { format!("unix://{host}") } else { host.clone() });
    // Whoever gives the engine a name wants one.
    let wanted = context.operator.engine.is_some();
    let host = host.or(variable).or_else(|| wanted.then(|| format!("unix://{SOCKET}")));
    let place = host.clone().unwrap_or_else(|| format!("unix://{SOCKET}"));
    let answered = match (place.strip_prefix("unix://"), place.strip_prefix("tcp://")) {
        (Some(path), _) => tokio::time::timeout(PATIENCE, async { ping(UnixStream::connect(path).await?).await }).await,
        (None, Some(_)) if context.operator.offline => return Finding::not_asked("engine"),
        (None, Some(address)) => tokio::time::timeout(PATIENCE, async { ping(TcpStream::connect(address).await?).await }).await,
        _ => return Finding::ok("engine", "not looked at: its address is neither unix:// nor tcp://"),
    };
    match answered {
        Ok(Ok(Some(version))) => Finding::ok("engine", format!("{place} answers, {version}")),
        Ok(Ok(None)) => Finding::warn("engine", format!("{place} answers, and not as a container engine does"), "check DOCKER_HOST"),
        Ok(Err(error)) if error.kind() == ErrorKind::PermissionDenied && host.is_some() => {
            Finding::warn("engine", format!("{place}: {error}"), "run Plimsoll as a user of the socket's group, usually `docker`")
        }
        Ok(Err(error)) if host.is_some() => Finding::warn("engine", format!("{place}: {error}"), "start it, or correct DOCKER_HOST"),
        // Nobody asked for one.
        Ok(Err(_)) => Finding::ok("engine", format!("none at {place}; only what runs or builds on this machine needs one")),
        Err(_) => {
            Finding::warn("engine", format!("{place} does not answer within {} s", PATIENCE.as_secs()), "restart it, or check DOCKER_HOST")
        }
    }
}

/// The engine's versions, from its `/_ping`.
async fn ping(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> std::io::Result<Option<String>> {
    stream.write_all(b"GET /_ping HTTP/1.0\r\nHost: engine\r\n\r\n").await?;
    let mut answer = Vec::new();
    stream.take(LONGEST).read_to_end(&mut answer).await?;
    let text = String::from_utf8_lossy(&answer).into_owned();
    let header = |wanted: &str| {
        let header = text.lines().find_map(|line| line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case(wanted)));
        header.map(|(_, value)| foreign(value.trim()))
    };
    let Some(api) = header("api-version") else { return Ok(None) };
    // `Docker/27.3.1 (linux)`
    Ok(Some(header("server").map_or_else(|| format!("API {api}"), |server| format!("{server}, API {api}"))))
}
