//! One question: the reference, made safe to put into a URL and into a message.

use url::Url;

use super::endpoint::Endpoint;
use super::options::RegistryOptions;
use crate::base::{Class, Fault, fault};
use crate::model::{Digest, ImageReference};

/// A reference that can be asked for.
pub(super) struct Target<'a> {
    /// Where to ask.
    pub(super) endpoint: Endpoint,
    /// Repository path.
    pub(super) repository: &'a str,
    /// `…/v2/<repository>/manifests/<tag or digest>`.
    pub(super) url: Url,
    /// What the answer must be, when the reference says so.
    pub(super) pinned: Option<&'a Digest>,
}

impl<'a> Target<'a> {
    /// Checks `reference` against the grammars of the distribution specification; its fields may hold anything.
    pub(super) fn new(reference: &'a ImageReference, options: &RegistryOptions) -> Result<Self, Fault> {
        let endpoint = Endpoint::new(&reference.registry, options)?;
        let refuse = |what: &str| Fault::new(Class::Config, what.to_owned());
        if !is_repository(&reference.repository) {
            return Err(refuse("not a repository name"));
        }
        let version = match (&reference.tag, &reference.digest) {
            (Some(tag), _) if is_tag(tag) => tag.as_str(),
            (Some(_), _) => return Err(refuse("not a tag")),
            (None, Some(digest)) => digest.as_str(),
            (None, None) => return Err(refuse("neither tag nor digest to ask for")),
        };
        let mut url = endpoint.base.clone();
        url.set_path(&format!("/v2/{}/manifests/{version}", reference.repository));
        Ok(Self { endpoint, repository: &reference.repository, url, pinned: reference.digest.as_ref() })
    }

    /// The token scope that lets one read this repository, and nothing more.
    pub(super) fn scope(&self) -> String {
        format!("repository:{}:pull", self.repository)
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

fn is_repository(name: &str) -> bool {
    let part = |p: &str| {
        let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        p.bytes().next().is_some_and(alphanumeric)
            && p.bytes().last().is_some_and(alphanumeric)
            && p.bytes().all(|b| alphanumeric(b) || b"._-".contains(&b))
    };
    name.len() <= 255 && name.split('/').all(part)
}

fn is_tag(tag: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    tag.len() <= 128 && tag.bytes().next().is_some_and(word) && tag.bytes().all(|b| word(b) || b == b'.' || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let found = Target::new(&reference, &RegistryOptions::default()).ok().map(|t| t.url.to_string());
            assert_eq!(found.as_deref(), expected, "{}", label(&reference));
        }
    }
}
