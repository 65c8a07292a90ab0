//! One order from start to end.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bollard::Docker;
use bollard::query_parameters::{ListImagesOptionsBuilder, RemoveImageOptionsBuilder};
use tokio::time::timeout;

use super::{IMAGE_LABEL, KEY_LABEL, OWNER_LABEL, build, engine, push, trouble, unfinished};
use crate::base::{Class, Fault, Fingerprint};
use crate::model::Digest;
use crate::ports::builder::{BuildOrder, Builder, Logins};
use crate::ports::{Answer, Progress, Registry};

/// How an engine is used.
#[derive(Debug, Clone)]
pub struct DockerOptions {
    /// The path of its socket.
    pub socket: String,
    /// Whose images these are: [`owner`](super::owner).
    pub owner: String,
    /// Where notes about running builds are kept; deleting it loses nothing but tidiness.
    pub cache: PathBuf,
    /// Longest time one order may take.
    pub total: Duration,
    /// Longest silence of the engine: a single step of a build may say nothing for long.
    pub idle: Duration,
}

impl DockerOptions {
    /// Two hours for an order, half an hour of silence.
    pub fn new(socket: String, owner: String, cache: &std::path::Path) -> Self {
        let hour = Duration::from_secs(3600);
        // Ids mean something on one engine only.
        let cache = cache.join("docker").join(Fingerprint::of(&socket).hex(8));
        Self { socket, owner, cache, total: 2 * hour, idle: hour / 2 }
    }
}

/// Builds with an engine's classic builder, and pushes.
///
/// - The same key is built once: an image with our owner label and the key is only pushed, and one that the
///   registry has already is not even that.
/// - Bases are pulled first, with the operator's logins, and must be what the order says they are.
/// - Dropping the future, or a kill, closes the connection, upon which the engine ends the build and removes its
///   container. What an engine that was killed leaves behind goes with the next build.
/// - Cached layers stay. Of images that were built here, the newest of each entry keeps its name.
pub struct DockerBuilder {
    options: DockerOptions,
    registry: Arc<dyn Registry>,
    logins: Arc<dyn Logins>,
    progress: Arc<dyn Progress>,
}

impl DockerBuilder {
    /// A builder. The engine is first spoken to by an order.
    pub fn new(options: DockerOptions, registry: Arc<dyn Registry>, logins: Arc<dyn Logins>, progress: Arc<dyn Progress>) -> Self {
        Self { options, registry, logins, progress }
    }

    async fn made(&self, order: &BuildOrder) -> Result<Digest, Fault> {
        let DockerOptions { socket, owner, cache, idle, .. } = &self.options;
        let name = &order.name;
        if let Some((line, what)) = order.needs_buildkit {
            let text =
                format!("{name}: {what} in line {line} of its Dockerfile needs BuildKit, and `trigger: docker` uses the classic builder");
            return Err(
                Fault::new(Class::Refused, text).hint("have a workflow build it (`trigger: github` or `gitlab`), or write it without")
            );
        }
        let docker = engine::connect(socket).await?;
        unfinished::tidy(&docker, cache, owner).await?;
        let id = match self.built(&docker, order).await? {
            Some(id) => id,
            None => self.build_anew(&docker, order, *idle).await?,
        };
        let digest = if let Some(digest) = push::already(&docker, self.registry.as_ref(), &id, &order.image).await {
            digest
        } else {
            self.progress.begin(&format!("pushing {name}"), None);
            push::push(&docker, self.logins.as_ref(), self.registry.as_ref(), &id, &order.image, *idle).await?
        };
        tracing::info!(image = name, digest = digest.as_str(), "built and pushed");
        self.unname_older(&docker, order).await;
        Ok(digest)
    }

    async fn build_anew(&self, docker: &Docker, order: &BuildOrder, idle: Duration) -> Result<String, Fault> {
        let DockerOptions { owner, cache, .. } = &self.options;
        for (image, digest) in &order.bases {
            self.progress.begin(&format!("building {}: pulling {}", order.name, image.familiar()), None);
            build::base(docker, self.logins.as_ref(), image, digest.as_ref(), order.platform.as_deref(), idle)
                .await
                .map_err(|fault| fault.of(&order.name))?;
        }
        build::build(docker, order, owner, cache, idle, self.progress.as_ref()).await
    }

    /// The image of an earlier build with the same key.
    async fn built(&self, docker: &Docker, order: &BuildOrder) -> Result<Option<String>, Fault> {
        let found = self.ours(docker, order).await?;
        Ok(found.into_iter().find(|(_, key, _)| *key == order.key).map(|(id, _, _)| id))
    }

    /// Images of this entry that we built: id, key and names.
    async fn ours(&self, docker: &Docker, order: &BuildOrder) -> Result<Vec<(String, String, Vec<String>)>, Fault> {
        let labels = [(OWNER_LABEL, self.options.owner.as_str()), (IMAGE_LABEL, &order.name)];
        let filters = HashMap::from([("label".to_owned(), labels.map(|(name, value)| format!("{name}={value}")).to_vec())]);
        let options = ListImagesOptionsBuilder::default().filters(&filters).build();
        let listed = docker.list_images(Some(options)).await.map_err(|error| trouble::fault(&error, &order.name))?;
        let exactly = |found: &HashMap<String, String>| labels.iter().all(|(name, value)| found.get(*name).is_some_and(|has| has == value));
        Ok(listed
            .into_iter()
            .filter(|image| exactly(&image.labels))
            .filter_map(|image| Some((image.id, image.labels.get(KEY_LABEL)?.clone(), image.repo_tags)))
            .collect())
    }

    /// Takes our local name off older images of the entry. The engine deletes those that have no other name.
    async fn unname_older(&self, docker: &Docker, order: &BuildOrder) {
        let superseded = self.ours(docker, order).await.unwrap_or_default().into_iter().filter(|(_, key, _)| *key != order.key);
        for (_, key, names) in superseded {
            let local = build::local_tag(&order.name, &key);
            if !names.contains(&local) {
                continue;
            }
            // The layers below are the cache of the next build.
            let options = RemoveImageOptionsBuilder::default().noprune(true).build();
            if let Err(error) = docker.remove_image(&local, Some(options), None).await {
                tracing::debug!(image = order.name, %error, "an older image keeps its name");
            }
        }
    }
}

impl Builder for DockerBuilder {
    fn build<'a>(&'a self, order: &'a BuildOrder) -> Answer<'a, Result<Digest, Fault>> {
        Box::pin(async move {
            let total = self.options.total;
            timeout(total, self.made(order)).await.unwrap_or_else(|_| {
                Err(Fault::new(Class::Limit, format!("{}: building and pushing took longer than {} min", order.name, total.as_secs() / 60)))
            })
        })
    }
}
