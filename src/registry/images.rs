//! Indexes, platforms, and what an image says of itself.

use jiff::Timestamp;

use super::RegistryClient;
use super::content::{Config, Descriptor, Manifest, is_index, matches};
use super::exchange::{Request, refusal};
use super::limit::Limit;
use super::manifest::{ACCEPTED, LARGEST, check_shape, hash_like};
use super::place::{Place, version};
use super::resolve::Resolved;
use super::trouble::Trouble;
use crate::base::{Class, Fault, fault};
use crate::model::{Digest, ImageReference};
use crate::ports::images::{ImageFacts, Look};

/// The platform meant when an index has several and none is named.
const USUAL: &str = "linux/amd64";

/// Whether a digest names a manifest or a blob: registries keep the two apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// A manifest or index.
    Manifest,
    /// Anything else.
    Blob,
}

impl RegistryClient {
    /// What `reference` points at: by its digest when it has one, which needs no request once it is kept.
    pub(super) async fn looked(&self, reference: &ImageReference) -> Result<Look, Fault> {
        let places = self.places(&reference.registry, &reference.repository)?;
        let found = self.found(&places, reference).await?;
        if let Some(media_type) = found.media_type.filter(|media_type| !is_index(media_type)) {
            return Ok(Look { digest: found.digest, media_type: media_type.to_owned(), platforms: Vec::new() });
        }
        let manifest = self.manifest(&places, &found).await?;
        let images = manifest.manifests.iter().flatten().filter(|member| !member.is_attestation());
        let platforms = images.filter_map(|member| Some((member.platform()?, member.digest.clone()))).collect();
        Ok(Look { digest: found.digest, media_type: manifest.media_type, platforms })
    }

    /// The image of one platform: its labels, layers and date.
    pub(super) async fn facts(&self, reference: &ImageReference, platform: Option<&str>) -> Result<ImageFacts, Fault> {
        let places = self.places(&reference.registry, &reference.repository)?;
        let mut found = self.found(&places, reference).await?;
        let mut manifest = self.manifest(&places, &found).await?;
        if let Some(members) = &manifest.manifests {
            let digest = chosen(members, platform)?.digest.clone();
            found = Resolved { digest, media_type: None, body: None };
            manifest = self.manifest(&places, &found).await?;
        }
        let Some(config) = &manifest.config else {
            return Err(Fault::new(Class::Malformed, format!("{} is no image: it has no configuration", found.digest.short())));
        };
        let bytes = self.content(&places, &config.digest, Sort::Blob).await?;
        let config: Config = serde_json::from_slice(&bytes)
            .map_err(|_| Fault::new(Class::Malformed, format!("the configuration {} is not that of an image", config.digest.short())))?;
        let own = config.platform();
        if let Some(wanted) = platform.filter(|wanted| !matches(wanted, &own)) {
            return Err(Fault::new(Class::Missing, format!("there is no image for {}, only for {own}", fault::foreign(wanted))));
        }
        let mut labels = config.start.and_then(|inner| inner.labels).unwrap_or_default();
        labels.extend(manifest.annotations.unwrap_or_default());
        let layers = config.rootfs.diff_ids.iter().map(|text| Digest::parse(text)).collect::<Result<_, _>>();
        let layers = layers.map_err(|error| Fault::new(Class::Malformed, format!("the configuration lists a layer by {error}")))?;
        let created = config.created.and_then(|text| text.parse::<Timestamp>().ok());
        Ok(ImageFacts { digest: found.digest, platform: own, labels, layers, created })
    }

    /// The digest of `reference`; nobody is asked when it names one.
    pub(super) async fn found(&self, places: &[Place], reference: &ImageReference) -> Result<Resolved, Fault> {
        if let Some(digest) = &reference.digest {
            return Ok(Resolved { digest: digest.clone(), media_type: None, body: None });
        }
        let version = version(reference)?;
        self.anywhere(places, |place, limit| self.resolved(place, version, None, limit)).await
    }

    /// The manifest or index that was found, read at most once.
    pub(super) async fn manifest(&self, places: &[Place], found: &Resolved) -> Result<Manifest, Fault> {
        let bytes = match &found.body {
            Some(body) => body.clone(),
            None => self.content(places, &found.digest, Sort::Manifest).await?,
        };
        Manifest::read(&bytes).map_err(|why| Fault::new(Class::Malformed, format!("{} is {why}", found.digest.short())))
    }

    /// What `digest` names: from the cache, else asked for, verified and kept.
    pub(super) async fn content(&self, places: &[Place], digest: &Digest, sort: Sort) -> Result<Vec<u8>, Fault> {
        let flight = self.flights.of(digest);
        let bytes = flight
            .get_or_try_init(|| async {
                // Looked for here and not before, because a flight that just ended has left it there.
                if let Some(cache) = &self.cache
                    && let Some(bytes) = cache.content(digest).await
                {
                    return Ok(bytes);
                }
                let bytes = self.anywhere(places, |place, limit| self.fetched(place, digest, sort, limit)).await?;
                if let Some(cache) = &self.cache {
                    cache.keep(digest, bytes.clone()).await;
                }
                Ok(bytes)
            })
            .await
            .cloned();
        self.flights.ended(digest);
        bytes
    }

    async fn fetched(&self, place: &Place, digest: &Digest, sort: Sort, limit: Limit) -> Result<Vec<u8>, Trouble> {
        let request = match sort {
            Sort::Manifest => Request { pull: true, ..Request::get(place.manifest(digest.as_str()), ACCEPTED, limit) },
            Sort::Blob => Request::get(place.blob(digest), "*/*", limit),
        };
        let reply = self.authorized(place, &request).await?;
        if reply.status != reqwest::StatusCode::OK {
            return Err(refusal(&reply));
        }
        let (host, headers) = (reply.host.clone(), reply.headers().clone());
        let bytes = reply.body(LARGEST).await?;
        let own = hash_like(digest, &bytes)?;
        if own != *digest {
            let text = format!("{host} sent content that hashes to {} for {}", own.short(), digest.short());
            return Err(Trouble::last(Class::Malformed, text));
        }
        if sort == Sort::Manifest {
            check_shape(&host, &headers, &bytes)?;
        }
        Ok(bytes)
    }
}

/// The member of an index that `platform` means; the only image, or `linux/amd64`, when none is named.
pub(super) fn chosen<'a>(members: &'a [Descriptor], platform: Option<&str>) -> Result<&'a Descriptor, Fault> {
    let images: Vec<(&Descriptor, String)> =
        members.iter().filter(|member| !member.is_attestation()).map(|member| (member, member.platform().unwrap_or_default())).collect();
    if let (None, [(only, _)]) = (platform, images.as_slice()) {
        return Ok(only);
    }
    let wanted = platform.unwrap_or(USUAL);
    let exact = images.iter().find(|(_, own)| own == wanted);
    let found = exact.or_else(|| images.iter().find(|(_, own)| matches(wanted, own)));
    found.map(|(member, _)| *member).ok_or_else(|| {
        let names: Vec<&str> = images.iter().map(|(_, own)| own.as_str()).filter(|own| !own.is_empty()).collect();
        let hint = if names.is_empty() { "the index names no platform".to_owned() } else { format!("it has {}", names.join(", ")) };
        Fault::new(Class::Missing, format!("there is no image for {}", fault::foreign(wanted))).hint(fault::foreign(&hint))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(platform: &str, digit: &str) -> serde_json::Value {
        let mut parts = platform.split('/');
        serde_json::json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 1, "digest": format!("sha256:{}", digit.repeat(64)),
            "platform": { "os": parts.next(), "architecture": parts.next(), "variant": parts.next() },
        })
    }

    #[test]
    fn choice_table() {
        let many = ["linux/386", "linux/arm/v7", "linux/arm64/v8", "linux/amd64"];
        // platforms of the index, the one asked for, the place of the one chosen
        let table: [(&[&str], Option<&str>, Option<usize>); 10] = [
            (&many, None, Some(3)),
            (&many, Some("linux/amd64"), Some(3)),
            (&many, Some("linux/arm64"), Some(2)),
            (&many, Some("linux/arm64/v8"), Some(2)),
            (&many, Some("linux/arm/v7"), Some(1)),
            (&many, Some("linux/arm/v6"), None),
            (&many, Some("windows/amd64"), None),
            (&["linux/arm64"], None, Some(0)),
            (&["linux/arm64"], Some("linux/arm64/v8"), Some(0)),
            (&["linux/arm64", "linux/s390x"], None, None),
        ];
        for (platforms, wanted, expected) in table {
            let members = platforms.iter().zip(0..).map(|(platform, place)| member(platform, &place.to_string()));
            let members: Vec<Descriptor> = members.map(|json| serde_json::from_value(json).unwrap()).collect();
            let found = chosen(&members, wanted).ok().map(|member| member.digest.hex()[..1].parse().unwrap());
            assert_eq!(found, expected, "{platforms:?} {wanted:?}");
        }
    }
}
