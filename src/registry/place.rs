//! Where a repository is, made safe to put into a URL and into a message.

use std::sync::{Arc, OnceLock};

use url::Url;

use super::auth::Host;
use super::endpoint::Endpoint;
use super::options::RegistryOptions;
use super::peer::Peer;
use crate::base::{Class, Fault, fault};
use crate::model::{Digest, ImageReference};

/// A repository of a registry, or of a mirror of it.
#[derive(Debug)]
pub(super) struct Place {
    /// Where to ask.
    pub(super) endpoint: Endpoint,
    /// Repository path there.
    pub(super) repository: String,
    /// Whether it stands in for the registry that was named.
    pub(super) mirror: bool,
    /// Who answers there; filled in by who asks first.
    pub(super) met: OnceLock<Met>,
}

/// What is known about a host, so that it need not be looked up by name for each question.
#[derive(Debug)]
pub(super) struct Met {
    /// How it wants to be asked.
    pub(super) host: Arc<Host>,
    /// Whether it may be asked right now, and the way to it.
    pub(super) peer: Arc<Peer>,
}

impl Place {
    /// Every place to ask, in order: the mirrors the operator names, then the registry itself. Both names are checked
    /// against the grammars of the distribution specification; they may hold anything.
    pub(super) fn all(registry: &str, repository: &str, options: &RegistryOptions) -> Result<Vec<Self>, Fault> {
        let endpoint = Endpoint::new(registry, options)?;
        if !is_repository(repository) {
            return Err(Fault::new(Class::Config, "not a repository name"));
        }
        let mut places = Vec::with_capacity(1);
        for mirror in options.mirrors.get(&endpoint.registry).into_iter().flatten() {
            let (host, path) = mirror.split_once('/').unwrap_or((mirror, ""));
            let path = path.trim_end_matches('/');
            let repository = if path.is_empty() { repository.to_owned() } else { format!("{path}/{repository}") };
            if !is_repository(&repository) {
                return Err(Fault::new(Class::Config, format!("the mirror '{}' is not HOST or HOST/PATH", fault::foreign(mirror))));
            }
            places.push(Self { endpoint: Endpoint::new(host, options)?, repository, mirror: true, met: OnceLock::new() });
        }
        places.push(Self { endpoint, repository: repository.to_owned(), mirror: false, met: OnceLock::new() });
        Ok(places)
    }

    /// `/v2/<repository>/manifests/<tag or digest>`.
    pub(super) fn manifest(&self, version: &str) -> String {
        ["/v2/", &self.repository, "/manifests/", version].concat()
    }

    /// `/v2/<repository>/blobs/<digest>`.
    pub(super) fn blob(&self, digest: &Digest) -> String {
        ["/v2/", &self.repository, "/blobs/", digest.as_str()].concat()
    }

    /// `…/v2/<repository>/tags/list`.
    pub(super) fn tags(&self) -> Result<Url, Fault> {
        self.endpoint.at(&["/v2/", &self.repository, "/tags/list"].concat())
    }

    /// The token scope that lets one read this repository, and nothing more.
    pub(super) fn scope(&self) -> String {
        format!("repository:{}:pull", self.repository)
    }
}

/// What of `reference` goes into the URL: its tag, else its digest.
pub(super) fn version(reference: &ImageReference) -> Result<&str, Fault> {
    match (&reference.tag, &reference.digest) {
        (Some(tag), _) if is_tag(tag) => Ok(tag),
        (Some(_), _) => Err(Fault::new(Class::Config, "not a tag")),
        (None, Some(digest)) => Ok(digest.as_str()),
        (None, None) => Err(Fault::new(Class::Config, "neither tag nor digest to ask for")),
    }
}

/// The reference as people write it, printable whatever its fields hold.
pub(super) fn label(reference: &ImageReference) -> String {
    let mut text = format!("{}/{}", reference.registry, reference.repository);
    if let Some(tag) = &reference.tag {
        text = format!("{text}:{tag}");
    }
    if let Some(digest) = &reference.digest {
        text = format!("{text}@{digest}");
    }
    fault::foreign(&text)
}

/// Whether `name` follows the specification's grammar of repository names.
pub(super) fn is_repository(name: &str) -> bool {
    let part = |p: &str| {
        let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        p.bytes().next().is_some_and(alphanumeric)
            && p.bytes().last().is_some_and(alphanumeric)
            && p.bytes().all(|b| alphanumeric(b) || b"._-".contains(&b))
    };
    name.len() <= 255 && name.split('/').all(part)
}

/// Whether `tag` follows the specification's grammar of tags.
pub(super) fn is_tag(tag: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    tag.len() <= 128 && tag.bytes().next().is_some_and(word) && tag.bytes().all(|b| word(b) || b == b'.' || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mirrors, a registry, and where its tag list is asked for.
    type Row<'a> = (&'a [&'a str], &'a str, Option<Vec<&'a str>>);

    #[test]
    fn url_table() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let by_digest = format!("https://ghcr.io/v2/acme/portal/manifests/{digest}");
        let table = [
            ("docker.io", "library/node", Some("22"), None, Some("https://registry-1.docker.io/v2/library/node/manifests/22")),
            ("ghcr.io", "acme/portal", None, Some(digest.as_str()), Some(by_digest.as_str())),
            ("ghcr.io", "acme/portal", None, None, None),
            ("ghcr.io", "acme/../portal", Some("1"), None, None),
            ("ghcr.io", "acme//portal", Some("1"), None, None),
            ("ghcr.io", "Acme/portal", Some("1"), None, None),
            ("ghcr.io", "acme/portal", Some("../1"), None, None),
            ("ghcr.io", "acme/portal", Some("a?b"), None, None),
            ("ghcr.io", "acme/portal", Some("1\r\nX: y"), None, None),
        ];
        for (registry, repository, tag, digest, expected) in table {
            let reference = ImageReference {
                registry: registry.to_owned(),
                repository: repository.to_owned(),
                tag: tag.map(str::to_owned),
                digest: digest.map(|d| Digest::parse(d).unwrap()),
            };
            let places = Place::all(&reference.registry, &reference.repository, &RegistryOptions::default());
            let found = places.and_then(|places| Ok(places[0].endpoint.at(&places[0].manifest(version(&reference)?))?.to_string())).ok();
            assert_eq!(found.as_deref(), expected, "{}", label(&reference));
        }
    }
    #[test]
    fn mirrors_come_first() {
        let mirrors = |list: &[&str]| RegistryOptions {
            mirrors: [("docker.io".to_owned(), list.iter().map(|m| (*m).to_owned()).collect())].into(),
            ..RegistryOptions::default()
        };
        // mirrors, registry, expected URLs of its tag list
        let table: [Row<'_>; 5] = [
            (&[], "docker.io", Some(vec!["https://registry-1.docker.io/v2/library/node/tags/list"])),
            (
                &["mirror.gcr.io", "harbor.example/hub/"],
                "index.docker.io",
                Some(vec![
                    "https://mirror.gcr.io/v2/library/node/tags/list",
                    "https://harbor.example/v2/hub/library/node/tags/list",
                    "https://registry-1.docker.io/v2/library/node/tags/list",
                ]),
            ),
            (&["mirror.gcr.io"], "ghcr.io", Some(vec!["https://ghcr.io/v2/library/node/tags/list"])),
            (&["harbor.example/Up"], "docker.io", None),
            (&["user@harbor.example"], "docker.io", None),
        ];
        for (list, registry, expected) in table {
            let found = Place::all(registry, "library/node", &mirrors(list)).ok();
            let found = found.map(|places| places.iter().map(|place| place.tags().unwrap().to_string()).collect::<Vec<_>>());
            assert_eq!(found, expected.map(|urls| urls.into_iter().map(str::to_owned).collect()), "{list:?} {registry}");
        }
    }
}
