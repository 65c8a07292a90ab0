//! What a manifest answer proves about a digest.

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName};
use serde::Deserialize;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::trouble::Trouble;
use crate::base::{Class, Fault};
use crate::model::Digest;

/// Every manifest type a tag may point at. Without the two lists a multi-arch tag answers 404, or another digest.
pub(super) const ACCEPTED: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

/// The same, one by one.
pub(super) const MEDIA_TYPES: [&str; 4] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

/// Largest manifest read, in bytes (distribution specification: registries should accept at least this much).
pub(super) const LARGEST: usize = 4 * 1024 * 1024;

static DIGEST_HEADER: HeaderName = HeaderName::from_static("docker-content-digest");

/// The digest an answer's header names; `None` when there is no such header.
pub(super) fn header_digest(host: &str, headers: &HeaderMap) -> Result<Option<Digest>, Trouble> {
    let mut found = None;
    for value in headers.get_all(&DIGEST_HEADER) {
        let text = value.to_str().unwrap_or_default().trim();
        let digest = Digest::parse(text)
            .map_err(|error| Trouble::last(Class::Malformed, format!("{host} names a digest that is none ({error})")))?;
        if found.as_ref().is_some_and(|other| *other != digest) {
            return Err(Trouble::last(Class::Malformed, format!("{host} names two digests for one manifest")));
        }
        found = Some(digest);
    }
    Ok(found)
}

/// The digest of a manifest that was read: our own hash of its bytes, which a digest in the header must equal.
pub(super) fn body_digest(host: &str, headers: &HeaderMap, body: &[u8], pinned: Option<&Digest>) -> Result<Digest, Trouble> {
    check_shape(host, headers, body)?;
    let named = header_digest(host, headers)?;
    let own = match named.as_ref().or(pinned) {
        Some(like) => hash_like(like, body)?,
        None => sha256(body)?,
    };
    match named {
        Some(named) if named != own => Err(Trouble::last(
            Class::Malformed,
            format!("{host} names the digest {} for a manifest that hashes to {}", named.short(), own.short()),
        )),
        _ => Ok(own),
    }
}

/// Refuses a digest that is not the one the reference pins.
pub(super) fn check_pin(host: &str, found: Digest, pinned: Option<&Digest>) -> Result<Digest, Trouble> {
    match pinned {
        Some(pinned) if *pinned != found => Err(Trouble::from(
            Fault::new(Class::Malformed, format!("{host} has the digest {} there, the reference pins {}", found.short(), pinned.short()))
                .hint("the tag has moved since it was pinned: drop the digest or the tag from the reference"),
        )),
        _ => Ok(found),
    }
}

/// `sha256:…` of `bytes`.
pub(super) fn sha256(bytes: &[u8]) -> Result<Digest, Fault> {
    digest("sha256", &Sha256::digest(bytes))
}

/// The digest of `bytes` by the algorithm of `like`.
pub(super) fn hash_like(like: &Digest, bytes: &[u8]) -> Result<Digest, Fault> {
    match like.as_str().split_once(':') {
        Some(("sha512", _)) => digest("sha512", &Sha512::digest(bytes)),
        Some(("sha384", _)) => digest("sha384", &Sha384::digest(bytes)),
        _ => sha256(bytes),
    }
}

fn digest(algorithm: &str, hash: &[u8]) -> Result<Digest, Fault> {
    let text = hash.iter().fold(format!("{algorithm}:"), |text, byte| format!("{text}{byte:02x}"));
    Digest::parse(&text).map_err(|error| Fault::new(Class::Internal, format!("own digest: {error}")))
}

/// The fields that tell an index from a manifest.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shape {
    schema_version: u64,
    media_type: Option<String>,
    manifests: Option<serde::de::IgnoredAny>,
    layers: Option<serde::de::IgnoredAny>,
}

/// Refuses what is no manifest (a login page answered with 200), or may be read as two kinds (CVE-2021-41190).
pub(super) fn check_shape(host: &str, headers: &HeaderMap, body: &[u8]) -> Result<(), Trouble> {
    let refuse = |why: &str| Err(Trouble::last(Class::Malformed, format!("{host} sent {why}")));
    let Ok(shape) = serde_json::from_slice::<Shape>(body) else { return refuse("what is no manifest") };
    if shape.schema_version != 2 || shape.manifests.is_some() == shape.layers.is_some() {
        return refuse("what is neither an image manifest nor an index");
    }
    let sent_as = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).and_then(|v| v.split(';').next()).map(str::trim);
    match (&shape.media_type, sent_as) {
        (Some(inner), Some(outer)) if inner != outer && ACCEPTED.contains(outer) => {
            refuse("a manifest whose media type is not the one it was sent as")
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Header values, and what they should read as.
    type Row<'a> = (&'a [&'a str], Result<Option<&'a str>, Class>);

    const OCI: &str = "application/vnd.oci.image.manifest.v1+json";

    fn headers(digest: &[&str], content_type: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in digest {
            headers.append(&DIGEST_HEADER, value.parse().unwrap());
        }
        content_type.map(|t| headers.insert(CONTENT_TYPE, t.parse().unwrap()));
        headers
    }

    #[test]
    fn the_media_types_are_those_that_are_asked_for() {
        assert_eq!(MEDIA_TYPES.join(", "), ACCEPTED);
    }

    #[test]
    fn header_digest_table() {
        let (a, b) = (format!("sha256:{}", "a".repeat(64)), format!("sha256:{}", "b".repeat(64)));
        let table: &[Row<'_>] = &[
            (&[], Ok(None)),
            (&[&a], Ok(Some(&a))),
            (&[&a, &a], Ok(Some(&a))),
            (&[&a, &b], Err(Class::Malformed)),
            (&["sha256:abc"], Err(Class::Malformed)),
            (&["md5:00"], Err(Class::Malformed)),
            (&[""], Err(Class::Malformed)),
        ];
        for (values, expected) in table {
            let found = header_digest("r.example", &headers(values, None)).map_err(|t| t.fault.class);
            assert_eq!(found.as_ref().map(|d| d.as_ref().map(Digest::as_str)), expected.as_ref().copied(), "{values:?}");
        }
    }

    #[test]
    fn body_digest_table() {
        let manifest = r#"{"schemaVersion":2,"layers":[]}"#;
        let typed = format!(r#"{{"schemaVersion":2,"mediaType":"{OCI}","layers":[]}}"#);
        let own = sha256(manifest.as_bytes()).unwrap();
        let long = digest("sha512", &Sha512::digest(manifest)).unwrap();
        let lie = format!("sha256:{}", "a".repeat(64));
        let index = "application/vnd.oci.image.index.v1+json; charset=utf-8";
        // body, digest header, content type, expected
        let table = [
            (manifest, None, None, Ok(&own)),
            (manifest, Some(own.as_str()), Some(OCI), Ok(&own)),
            (manifest, Some(long.as_str()), None, Ok(&long)),
            (manifest, Some(lie.as_str()), None, Err(Class::Malformed)),
            (&typed, None, Some(index), Err(Class::Malformed)),
            ("<html>sign in</html>", None, Some("text/html"), Err(Class::Malformed)),
            ("{}", None, None, Err(Class::Malformed)),
            (r#"{"schemaVersion":1}"#, None, None, Err(Class::Malformed)),
            (r#"{"schemaVersion":2,"layers":[],"manifests":[]}"#, None, None, Err(Class::Malformed)),
        ];
        for (body, named, content_type, expected) in table {
            let named: Vec<&str> = named.into_iter().collect();
            let found = body_digest("r.example", &headers(&named, content_type), body.as_bytes(), None);
            assert_eq!(found.as_ref().map_err(|t| t.fault.class), expected, "{body}");
        }
    }
}
