//! Containers of builds that did not come to their end.
//!
//! An engine removes a build's containers itself, also when its client goes away; only an engine that was killed
//! leaves one behind. Their ids stand in a file of ours while the build runs, and the next build removes what the
//! files of ended builds name. A build's own output could name any container in such a file, so one is removed
//! only when it also carries our mark, which nothing inside a build can set. Losing the files loses that tidying.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use bollard::Docker;
use bollard::errors::Error;
use bollard::query_parameters::{InspectContainerOptions, RemoveContainerOptionsBuilder};

use super::trouble;
use crate::base::{Class, Fault};

/// Most ids that are looked at of one file.
const MOST: usize = 1000;

/// The mark of a build's containers: a host name that leads nowhere, which the engine writes down for each.
pub(super) fn mark(owner: &str) -> String {
    format!("build-{owner}.plimsoll.invalid:127.0.0.1")
}

/// The file of a build that runs; locked, so that nobody tidies up behind a living build.
pub(super) struct Unfinished {
    path: PathBuf,
    file: File,
}

fn local(path: &Path, error: &std::io::Error) -> Fault {
    Fault::new(Class::Local, format!("{}: {error}", path.display())).hint("builds keep notes in --cache-dir; it must be writable")
}

impl Unfinished {
    /// Starts a file under `directory`.
    pub(super) fn begin(directory: &Path) -> Result<Self, Fault> {
        fs::create_dir_all(directory).map_err(|error| local(directory, &error))?;
        let path = directory.join(format!("{:016x}.ids", fastrand::u64(..)));
        let file = File::create_new(&path).map_err(|error| local(&path, &error))?;
        file.try_lock().map_err(|error| local(&path, &error.into()))?;
        Ok(Self { path, file })
    }

    /// Notes a container that the engine says it started for this build.
    pub(super) fn note(&mut self, id: &str) {
        if is_id(id)
            && let Err(error) = self.file.write_all(format!("{id}\n").as_bytes())
        {
            tracing::debug!(%error, "a build's container is not noted");
        }
    }

    /// The engine said how the build ended, so it has removed everything.
    pub(super) fn end(self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(%error, "a build's notes stay");
        }
    }
}

fn is_id(text: &str) -> bool {
    (12..=64).contains(&text.len()) && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Removes what builds of this owner left behind.
pub(super) async fn tidy(docker: &Docker, directory: &Path, owner: &str) -> Result<(), Fault> {
    let Ok(entries) = fs::read_dir(directory) else { return Ok(()) };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.extension().is_some_and(|end| end == "ids")) {
        // A file that another build just removed, or still holds, is none of ours.
        let Ok(mut file) = File::open(&path) else { continue };
        if file.try_lock().is_err() {
            continue;
        }
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(|error| local(&path, &error))?;
        for id in text.lines().filter(|line| is_id(line)).take(MOST) {
            remove(docker, id, owner).await?;
        }
        fs::remove_file(&path).map_err(|error| local(&path, &error))?;
    }
    Ok(())
}

async fn remove(docker: &Docker, id: &str, owner: &str) -> Result<(), Fault> {
    let gone = |error: &Error| matches!(error, Error::DockerResponseServerError { status_code: 404, .. });
    let found = match docker.inspect_container(id, None::<InspectContainerOptions>).await {
        Ok(found) => found,
        Err(error) if gone(&error) => return Ok(()),
        Err(error) => return Err(trouble::fault(&error, "looking for what a build left behind")),
    };
    let whole = found.id.filter(|whole| whole.starts_with(id));
    let marked = found.host_config.and_then(|config| config.extra_hosts).is_some_and(|hosts| hosts.contains(&mark(owner)));
    let (Some(whole), true) = (whole, marked) else { return Ok(()) };
    let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
    match docker.remove_container(&whole, Some(options)).await {
        Ok(()) => tracing::info!(container = whole, "removed what a build left behind"),
        Err(error) if gone(&error) => {}
        Err(error) => return Err(trouble::fault(&error, "removing what a build left behind")),
    }
    Ok(())
}
