//! Pushing an image, and making sure that the registry has it.

use std::time::Duration;

use bollard::Docker;
use bollard::auth::DockerCredentials;
use bollard::query_parameters::{PushImageOptionsBuilder, TagImageOptionsBuilder};

use super::build::next;
use super::trouble;
use crate::base::{Class, Fault};
use crate::model::{Digest, ImageReference};
use crate::ports::Registry;
use crate::ports::builder::{Login, Logins};

/// What Docker Hub is called where logins are kept.
const HUB_ADDRESS: &str = "https://index.docker.io/v1/";

/// The login for a registry as the engine takes it.
pub(super) async fn credentials(logins: &dyn Logins, registry: &str) -> Result<Option<DockerCredentials>, Fault> {
    let address = if registry == "docker.io" { HUB_ADDRESS } else { registry };
    let empty = DockerCredentials { serveraddress: Some(address.to_owned()), ..DockerCredentials::default() };
    Ok(logins.login(registry).await?.map(|login| match login {
        Login::Password(user, password) => {
            DockerCredentials { username: Some(user), password: Some(password.expose().to_owned()), ..empty }
        }
        Login::Identity(token) => DockerCredentials { identitytoken: Some(token.expose().to_owned()), ..empty },
    }))
}

/// The digest under which the registry already has this very image, if it does.
pub(super) async fn already(docker: &Docker, registry: &dyn Registry, id: &str, image: &ImageReference) -> Option<Digest> {
    let known = docker.inspect_image(id).await.ok()?.repo_digests?;
    // A registry that does not answer now is asked again by the push.
    let digest = registry.digest(image).await.ok()?;
    let wanted = ImageReference { tag: None, digest: Some(digest.clone()), ..image.clone() }.familiar();
    known.contains(&wanted).then_some(digest)
}

/// Pushes the image `id` as `image`, and gives the digest that engine and registry agree on.
pub(super) async fn push(
    docker: &Docker,
    logins: &dyn Logins,
    registry: &dyn Registry,
    id: &str,
    image: &ImageReference,
    idle: Duration,
) -> Result<Digest, Fault> {
    let name = image.familiar();
    let what = format!("pushing {name}");
    let tag = image.tag.as_deref().unwrap_or("latest");
    let repository = image.repo_url();
    let options = TagImageOptionsBuilder::default().repo(&repository).tag(tag).build();
    docker.tag_image(id, Some(options)).await.map_err(|error| trouble::fault(&error, &what))?;
    let login = credentials(logins, &image.registry).await?;
    let options = PushImageOptionsBuilder::default().tag(tag).build();
    let mut stream = docker.push_image(&repository, Some(options), login);
    let mut pushed = None;
    while let Some(item) = next(&mut stream, idle, &what).await? {
        let item = item.map_err(|error| trouble::fault(&error, &what))?;
        let Some(status) = item.status else { continue };
        tracing::trace!(image = name, status, "pushing");
        pushed = told(&status, tag).or(pushed);
    }
    let pushed = pushed.ok_or_else(|| Fault::new(Class::Transient, format!("{what}: the engine ended the push without a digest")))?;
    let there = registry.digest(image).await.map_err(|fault| fault.of(&format!("{what}: looking whether it arrived")))?;
    if there == pushed {
        return Ok(pushed);
    }
    Err(Fault::new(
        Class::Transient,
        format!("{what}: {} was pushed, and the registry has {}: somebody else pushed the tag", pushed.short(), there.short()),
    ))
}

/// The digest of `1.0: digest: sha256:… size: 527`, the engine's last word of a push.
fn told(status: &str, tag: &str) -> Option<Digest> {
    let rest = status.strip_prefix(tag)?.strip_prefix(": digest: ")?;
    Digest::parse(rest.split_whitespace().next()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_a_push() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for (status, expected) in [
            (format!("1.0: digest: {digest} size: 527"), true),
            (format!("2.0: digest: {digest} size: 527"), false),
            ("Pushed".to_owned(), false),
            ("1.0: digest: x".to_owned(), false),
        ] {
            assert_eq!(told(&status, "1.0").is_some(), expected, "{status}");
        }
    }
}
