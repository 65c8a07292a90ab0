//! Image references as distribution/reference defines them.

use std::fmt;

use super::Digest;

#[cfg(test)]
mod tests;

/// The registry of a name that names none.
const HUB: &str = "docker.io";
/// What Docker Hub was called before; still written in old configuration.
const LEGACY_HUB: &str = "index.docker.io";
/// Where Docker Hub keeps names of one part.
const OFFICIAL: &str = "library/";
/// Longest repository path, in bytes, without the registry (distribution/reference, `RepositoryNameTotalLengthMax`).
const LONGEST_REPOSITORY: usize = 255;
/// Longest tag, in bytes.
const LONGEST_TAG: usize = 128;
/// Fewest digits that the grammar calls a digest at all; fewer is a malformed reference.
const FEWEST_DIGITS: usize = 32;

/// A parsed, normalised image reference.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImageReference {
    /// Registry host, with port if given: `docker.io`, `ghcr.io`, `localhost:5000`.
    pub registry: String,
    /// Repository path: `library/node`, `acme/portal`.
    pub repository: String,
    /// Tag, when one was given or implied (`latest` when neither tag nor digest was given).
    pub tag: Option<String>,
    /// Digest, when one was given.
    pub digest: Option<Digest>,
}

/// Why a text is no image reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ReferenceError {
    /// Not of the form `[registry/]repository[:tag][@digest]`.
    #[error("not of the form [registry/]repository[:tag][@digest]")]
    Format,
    /// Upper-case letters in the repository.
    #[error("a repository is written in lower case")]
    Uppercase,
    /// 64 hexadecimal digits alone, which the engine would take for an image id.
    #[error("64 hexadecimal digits are an image id, not a name")]
    Hex64,
    /// A repository path of more than 255 bytes.
    #[error("the repository is longer than 255 characters")]
    TooLong,
    /// A digest algorithm other than sha256, sha384 and sha512.
    #[error("only sha256, sha384 and sha512 digests are supported")]
    DigestAlgorithm,
    /// The wrong number of digits for the digest's algorithm.
    #[error("the digest has the wrong number of digits for its algorithm")]
    DigestLength,
    /// Digits or algorithm of the digest are not written in lower case.
    #[error("the digest is not written as algorithm:lower-case hexadecimal digits")]
    DigestFormat,
}

impl ReferenceError {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Format, Self::Uppercase, Self::Hex64, Self::TooLong, Self::DigestAlgorithm, Self::DigestLength, Self::DigestFormat];

    /// The word used in JSON. Stable.
    pub fn word(self) -> &'static str {
        match self {
            Self::Format => "format",
            Self::Uppercase => "uppercase",
            Self::Hex64 => "hex64",
            Self::TooLong => "too-long",
            Self::DigestAlgorithm => "digest-algorithm",
            Self::DigestLength => "digest-length",
            Self::DigestFormat => "digest-format",
        }
    }
}

impl ImageReference {
    /// Parses and normalises a reference as people write it: `node`, `ghcr.io/acme/portal:1`, `node@sha256:…`.
    ///
    /// One case differs from distribution/reference on purpose: a first part with a dot or colon that is no host
    /// name (`my_host.local/app`) is refused. The original takes it for a repository without any registry.
    ///
    /// # Errors
    /// [`ReferenceError`] says which rule was broken.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        if text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(ReferenceError::Hex64);
        }
        let (registry, official, rest) = split_registry(text);
        let name_part = rest.split(':').next().unwrap_or_default();
        if has_uppercase(name_part) {
            return Err(ReferenceError::Uppercase);
        }
        let Some(parts) = Parts::split(registry, rest) else {
            let lower = text.to_lowercase();
            let (registry, _, rest) = split_registry(&lower);
            let only_case = lower != text && Parts::split(registry, rest).is_some();
            return Err(if only_case { ReferenceError::Uppercase } else { ReferenceError::Format });
        };
        let prefix = if official { OFFICIAL } else { "" };
        if prefix.len() + parts.repository.len() > LONGEST_REPOSITORY {
            return Err(ReferenceError::TooLong);
        }
        let digest = parts.digest.map(parse_digest).transpose()?;
        let implied = digest.is_none().then_some("latest");
        Ok(Self {
            registry: registry.to_owned(),
            repository: format!("{prefix}{}", parts.repository),
            tag: parts.tag.or(implied).map(str::to_owned),
            digest,
        })
    }

    /// The short form people write: `node:22`, `ghcr.io/acme/portal:1`.
    ///
    /// `docker.io/` stays where the path alone would be read as another registry's (`docker.io/a.b/c`),
    /// so that parsing the result always gives this reference again.
    pub fn familiar(&self) -> String {
        let name = if self.registry == HUB {
            match self.repository.strip_prefix(OFFICIAL) {
                Some(short) if !short.contains('/') => short.to_owned(),
                _ if split_registry(&self.repository).2 == self.repository => self.repository.clone(),
                _ => self.repo_url(),
            }
        } else {
            self.repo_url()
        };
        self.with_suffix(name)
    }

    /// The full form: `docker.io/library/node:22`, `docker.io/library/node@sha256:…`, or both tag and digest.
    pub fn canonical(&self) -> String {
        self.with_suffix(self.repo_url())
    }

    /// Registry and repository without tag and digest: `docker.io/library/node`.
    pub fn repo_url(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    fn with_suffix(&self, mut name: String) -> String {
        if let Some(tag) = &self.tag {
            name.push(':');
            name.push_str(tag);
        }
        if let Some(digest) = &self.digest {
            name.push('@');
            name.push_str(digest.as_str());
        }
        name
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.canonical())
    }
}

/// The registry, whether `library/` is to be put before the rest, and the rest.
///
/// A first part is a registry when it is `localhost`, has a dot or colon, or has upper-case letters.
fn split_registry(text: &str) -> (&str, bool, &str) {
    let (registry, rest) = match text.split_once('/') {
        Some((LEGACY_HUB, rest)) => (HUB, rest),
        Some((first, rest)) if first == "localhost" || first.contains(['.', ':']) || has_uppercase(first) => (first, rest),
        _ => (HUB, text),
    };
    (registry, registry == HUB && !rest.contains('/'), rest)
}

/// Whether lowering the letters would change the text.
fn has_uppercase(text: &str) -> bool {
    if text.is_ascii() { text.bytes().any(|b| b.is_ascii_uppercase()) } else { text.to_lowercase() != text }
}

/// What the grammar finds in a reference after its registry.
struct Parts<'a> {
    repository: &'a str,
    tag: Option<&'a str>,
    digest: Option<&'a str>,
}

impl<'a> Parts<'a> {
    /// Splits `repository[:tag][@digest]`, `None` when it or the registry doesn't follow the grammar.
    fn split(registry: &str, rest: &'a str) -> Option<Self> {
        let (named, digest) = match rest.split_once('@') {
            Some((named, digest)) => (named, Some(digest)),
            None => (rest, None),
        };
        let (repository, tag) = match named.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (named, None),
        };
        let whole = is_registry(registry)
            && repository.split('/').all(is_path_part)
            && tag.is_none_or(is_tag)
            && digest.is_none_or(is_digest_shaped);
        whole.then_some(Self { repository, tag, digest })
    }
}

/// Host name, IPv4 or bracketed IPv6 address, with an optional port.
fn is_registry(text: &str) -> bool {
    let (host, port) = match text.rfind(']').or_else(|| text.find(':').map(|at| at.saturating_sub(1))) {
        Some(end) => text.split_at_checked(end + 1).unwrap_or((text, "")),
        None => (text, ""),
    };
    let port_valid =
        port.is_empty() || port.strip_prefix(':').is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()));
    let host_valid = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => !address.is_empty() && address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':'),
        None => host.split('.').all(is_host_label),
    };
    port_valid && host_valid
}

fn is_host_label(label: &str) -> bool {
    !label.is_empty() && !label.starts_with('-') && !label.ends_with('-') && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// Lower-case letters and digits, parted by one dot, one or two underscores, or any number of dashes.
fn is_path_part(part: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let edges = part.bytes().next().is_some_and(is_word) && part.bytes().next_back().is_some_and(is_word);
    edges
        && part
            .split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            .all(|separator| matches!(separator, "" | "." | "_" | "__") || separator.bytes().all(|b| b == b'-'))
}

fn is_tag(tag: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    (1..=LONGEST_TAG).contains(&tag.len())
        && tag.bytes().next().is_some_and(is_word)
        && tag.bytes().all(|b| is_word(b) || b == b'.' || b == b'-')
}

/// `algorithm:hex` with at least 32 digits of either case; the finer rules have errors of their own.
fn is_digest_shaped(digest: &str) -> bool {
    let Some((algorithm, hex)) = digest.split_once(':') else { return false };
    let is_word =
        |word: &str| word.bytes().next().is_some_and(|b| b.is_ascii_alphabetic()) && word.bytes().all(|b| b.is_ascii_alphanumeric());
    algorithm.split(['-', '_', '+', '.']).all(is_word) && hex.len() >= FEWEST_DIGITS && hex.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Reads a digest that has the right shape, telling apart what is wrong with it in go-digest's order.
fn parse_digest(text: &str) -> Result<Digest, ReferenceError> {
    let (algorithm, hex) = text.split_once(':').ok_or(ReferenceError::DigestFormat)?;
    let digits = match algorithm {
        "sha256" => 64,
        "sha384" => 96,
        "sha512" => 128,
        _ if has_uppercase(algorithm) => return Err(ReferenceError::DigestFormat),
        _ => return Err(ReferenceError::DigestAlgorithm),
    };
    if hex.len() != digits {
        return Err(ReferenceError::DigestLength);
    }
    Digest::parse(text).map_err(|_| ReferenceError::DigestFormat)
}
