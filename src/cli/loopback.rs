//! What a program with a test's clock may reach: files and loopback. A clock that somebody sets must never decide
//! about real registries and forges.

use crate::base::{Class, Fault};
use crate::model::ImageReference;
use crate::model::remote_url::{Protocol, RemoteUrl};
use crate::ports::images::{ImageFacts, Images, Look, Material};
use crate::ports::{Answer, Registry};
use crate::registry::RegistryClient;

/// A registry client that speaks to loopback only.
pub(super) struct LoopbackOnly(pub(super) RegistryClient);

/// Refuses a config repository, or a forge, that is neither a file nor on loopback.
pub(super) fn check(address: &str) -> Result<(), Fault> {
    let local = match address.split_once("://") {
        None => RemoteUrl::parse(address)?.protocol() == Protocol::File,
        Some(("file", _)) => true,
        Some((_, rest)) => is_loopback(rest.split(['/', '?']).next().unwrap_or_default()),
    };
    if local { Ok(()) } else { Err(refused(address)) }
}

fn refused(what: &str) -> Fault {
    Fault::new(Class::Refused, format!("{}: a program with a test's clock speaks to loopback only", crate::base::fault::foreign(what)))
}

fn is_loopback(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, port)| if port.bytes().all(|b| b.is_ascii_digit()) { name } else { host });
    name == "localhost" || name == "[::1]" || name.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

impl LoopbackOnly {
    fn allow(host: &str) -> Result<(), Fault> {
        if is_loopback(host) { Ok(()) } else { Err(refused(host)) }
    }
}

impl Registry for LoopbackOnly {
    fn digest<'a>(&'a self, reference: &'a ImageReference) -> Answer<'a, Result<crate::model::Digest, Fault>> {
        Box::pin(async move {
            Self::allow(&reference.registry)?;
            self.0.digest(reference).await
        })
    }
}

impl Images for LoopbackOnly {
    fn tags<'a>(&'a self, registry: &'a str, repository: &'a str) -> Answer<'a, Result<Vec<String>, Fault>> {
        Box::pin(async move {
            Self::allow(registry)?;
            self.0.tags(registry, repository).await
        })
    }

    fn look<'a>(&'a self, reference: &'a ImageReference) -> Answer<'a, Result<Look, Fault>> {
        Box::pin(async move {
            Self::allow(&reference.registry)?;
            self.0.look(reference).await
        })
    }

    fn image<'a>(&'a self, reference: &'a ImageReference, platform: Option<&'a str>) -> Answer<'a, Result<ImageFacts, Fault>> {
        Box::pin(async move {
            Self::allow(&reference.registry)?;
            self.0.image(reference, platform).await
        })
    }

    fn provenance<'a>(
        &'a self,
        reference: &'a ImageReference,
        platform: Option<&'a str>,
    ) -> Answer<'a, Result<Option<Vec<Material>>, Fault>> {
        Box::pin(async move {
            Self::allow(&reference.registry)?;
            self.0.provenance(reference, platform).await
        })
    }
}
