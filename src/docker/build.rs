//! Pulling bases and running a build.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error;
use bollard::query_parameters::{BuildImageOptions, CreateImageOptionsBuilder};
use futures_util::{Stream, StreamExt};
use tokio::time::timeout;

use super::log::Log;
use super::push::credentials;
use super::trouble;
use super::unfinished::{Unfinished, mark};
use super::{IMAGE_LABEL, KEY_LABEL, LAST_LINES, OWNER_LABEL};
use crate::base::fault::foreign;
use crate::base::{Class, Fault};
use crate::model::{Digest, ImageReference};
use crate::ports::Progress;
use crate::ports::builder::{BuildOrder, Logins};

/// The next item of an engine's stream, or a fault when the engine stays silent for `idle`.
pub(super) async fn next<T>(
    stream: &mut (impl Stream<Item = Result<T, Error>> + Unpin),
    idle: Duration,
    what: &str,
) -> Result<Option<Result<T, Error>>, Fault> {
    timeout(idle, stream.next())
        .await
        .map_err(|_| Fault::new(Class::Transient, format!("{what}: the engine said nothing for {} s", idle.as_secs())))
}

/// Makes sure that a base is here, and is what its digest says.
pub(super) async fn base(
    docker: &Docker,
    logins: &dyn Logins,
    image: &ImageReference,
    digest: Option<&Digest>,
    platform: Option<&str>,
    idle: Duration,
) -> Result<(), Fault> {
    // What the engine has under this very name and digest costs the registry no request.
    if digest.is_some() && holds(docker, image, digest).await? {
        return Ok(());
    }
    let name = image.familiar();
    let what = format!("pulling {name}");
    let version = image.digest.as_ref().map(Digest::as_str).or(image.tag.as_deref()).unwrap_or("latest");
    let options =
        CreateImageOptionsBuilder::default().from_image(&image.repo_url()).tag(version).platform(platform.unwrap_or_default()).build();
    let login = credentials(logins, &image.registry).await?;
    let mut stream = docker.create_image(Some(options), None, login);
    while let Some(item) = next(&mut stream, idle, &what).await? {
        let item = item.map_err(|error| trouble::fault(&error, &what))?;
        tracing::trace!(image = name, status = item.status, "pulling");
    }
    if holds(docker, image, digest).await? {
        return Ok(());
    }
    let moved = digest.map_or_else(String::new, |digest| format!(" is no longer {}", digest.short()));
    Err(Fault::new(Class::Transient, format!("{name}{moved}: the base moved on before the build; the next pass decides again")))
}

/// Whether the engine has the image, with this digest when one is given.
async fn holds(docker: &Docker, image: &ImageReference, digest: Option<&Digest>) -> Result<bool, Fault> {
    match docker.inspect_image(&image.familiar()).await {
        Ok(found) => Ok(digest.is_none_or(|digest| {
            let wanted = format!("@{digest}");
            found.repo_digests.unwrap_or_default().iter().any(|known| known.ends_with(&wanted))
        })),
        Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(false),
        Err(error) => Err(trouble::fault(&error, &image.familiar())),
    }
}

/// Runs the build and gives the image's id.
pub(super) async fn build(
    docker: &Docker,
    order: &BuildOrder,
    owner: &str,
    notes: &Path,
    idle: Duration,
    progress: &dyn Progress,
) -> Result<String, Fault> {
    let name = &order.name;
    let mut log = Log::new(&order.build_args);
    let mut unfinished = Unfinished::begin(notes)?;
    let mut stream = docker.build_image(options(order, owner), None, Some(bollard::body_full(order.context.clone().into())));
    let (mut step, mut id) = (String::new(), None);
    while let Some(item) = next(&mut stream, idle, name).await? {
        let item = match item {
            Ok(item) => item,
            Err(error) => {
                show(name, &log.end());
                let fault = failed(&error, order, &step, &log);
                if fault.class != Class::Transient {
                    unfinished.end();
                }
                return Err(fault);
            }
        };
        if let Some(text) = &item.stream {
            if let Some(container) = text.trim().strip_prefix("---> Running in ") {
                unfinished.note(container);
            }
            if text.starts_with("Step ") {
                step = foreign(&log.scrubbed(text.trim()));
                progress.begin(&format!("building {name}: {}", step.split(" : ").next().unwrap_or_default().to_lowercase()), None);
            }
            show(name, &log.take(text));
        }
        id = item.aux.and_then(|aux| aux.id).or(id);
    }
    show(name, &log.end());
    let id = id.ok_or_else(|| Fault::new(Class::Transient, format!("{name}: the engine ended the build without a word")))?;
    unfinished.end();
    Ok(id)
}

fn show(name: &str, lines: &[String]) {
    for line in lines {
        tracing::debug!(image = name, "{line}");
    }
}

fn options(order: &BuildOrder, owner: &str) -> BuildImageOptions {
    let own = [(OWNER_LABEL, owner), (IMAGE_LABEL, &order.name), (KEY_LABEL, &order.key)];
    let labels = order.labels.clone().into_iter().chain(own.map(|(name, value)| (name.to_owned(), value.to_owned())));
    BuildImageOptions {
        dockerfile: order.dockerfile.to_string(),
        t: Some(local_tag(&order.name, &order.key)),
        // Cached layers are kept; containers are not, also of a step that failed.
        rm: true,
        forcerm: true,
        extrahosts: Some(mark(owner)),
        buildargs: (!order.build_args.is_empty()).then(|| order.build_args.clone().into_iter().collect::<HashMap<_, _>>()),
        labels: Some(labels.collect()),
        platform: order.platform.clone().unwrap_or_default(),
        target: order.target.clone().unwrap_or_default(),
        ..BuildImageOptions::default()
    }
}

/// The name that keeps an image on the engine: by content key, so that it is met again.
pub(super) fn local_tag(name: &str, key: &str) -> String {
    let tag = format!("plimsoll/{name}:{key}");
    // Not each name of an entry is one of a repository.
    if ImageReference::parse(&tag).is_ok() { tag } else { format!("plimsoll/image:{key}") }
}

/// What a failed build means: the step, the engine's word for it, and the last lines of the log.
fn failed(error: &Error, order: &BuildOrder, step: &str, log: &Log) -> Fault {
    let name = &order.name;
    let words = match error {
        Error::DockerStreamError { error } => error,
        Error::DockerResponseServerError { status_code: 400, message } => message,
        // Not the build's own failure; the words may hold the address of the request, and so its arguments.
        other => {
            let fault = trouble::fault(other, name);
            return Fault { text: log.scrubbed(&fault.text), ..fault };
        }
    };
    let at = if step.is_empty() { String::new() } else { format!(" at {step}") };
    let mut text = format!("{name}: the build failed{at}: {}", foreign(&log.scrubbed(words)));
    let tail = log.tail();
    if !tail.is_empty() {
        text = format!("{text}{LAST_LINES}{tail}");
    }
    Fault::new(trouble::class_of_build(words), text).hint(format!("build {} by hand to see it whole", order.dockerfile))
}
