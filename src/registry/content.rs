//! Manifests, indexes and image configurations as the OCI image specification writes them.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use crate::base::fault;
use crate::model::Digest;

/// Index types: the OCI one and Docker's list.
const INDEXES: [&str; 2] = ["application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"];

/// What a manifest without a type of its own is (image specification: `mediaType` is optional there).
const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";

/// Marks what `BuildKit` attaches to an index beside its images.
const REFERENCE_TYPE: &str = "vnd.docker.reference.type";

/// Names the image that such a thing is about.
const REFERENCE_DIGEST: &str = "vnd.docker.reference.digest";

/// Longest platform shown, in characters; real ones have less than forty.
const LONGEST_PLATFORM: usize = 100;

/// Whether a media type is that of an index.
pub(super) fn is_index(media_type: &str) -> bool {
    INDEXES.contains(&media_type)
}

/// An index or an image manifest; which of the two was checked when it was read.
#[derive(Debug)]
pub(super) struct Manifest {
    /// Its own media type, or the OCI type of its kind.
    pub(super) media_type: String,
    /// Members, of an index.
    pub(super) manifests: Option<Vec<Descriptor>>,
    /// Where its configuration is, of an image.
    pub(super) config: Option<Descriptor>,
    /// Layers, of an image.
    pub(super) layers: Vec<Descriptor>,
    /// Annotations.
    pub(super) annotations: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wording {
    media_type: Option<String>,
    manifests: Option<Vec<Descriptor>>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    annotations: Option<BTreeMap<String, String>>,
}

impl Manifest {
    /// Reads a manifest; says what is wrong with one that is none, or may be read as two kinds (CVE-2021-41190).
    pub(super) fn read(bytes: &[u8]) -> Result<Self, &'static str> {
        let wording: Wording = serde_json::from_slice(bytes).map_err(|_| "no manifest")?;
        if wording.manifests.is_some() == wording.layers.is_some() {
            return Err("neither an image manifest nor an index");
        }
        let usual = if wording.manifests.is_some() { INDEXES[0] } else { IMAGE };
        let media_type = wording.media_type.map_or_else(|| usual.to_owned(), |text| fault::foreign(&text));
        if is_index(&media_type) != wording.manifests.is_some() {
            return Err("of another kind than its media type says");
        }
        Ok(Self {
            media_type,
            manifests: wording.manifests,
            config: wording.config,
            layers: wording.layers.unwrap_or_default(),
            annotations: wording.annotations,
        })
    }
}

/// Something named by its digest.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    /// What it is.
    pub(super) media_type: String,
    /// Its digest.
    #[serde(deserialize_with = "digest")]
    pub(super) digest: Digest,
    platform: Option<Platform>,
    /// Annotations.
    #[serde(default)]
    pub(super) annotations: Option<BTreeMap<String, String>>,
}

fn digest<'de, D: Deserializer<'de>>(input: D) -> Result<Digest, D::Error> {
    Digest::parse(&String::deserialize(input)?).map_err(serde::de::Error::custom)
}

#[derive(Debug, Clone, Deserialize)]
struct Platform {
    os: String,
    architecture: String,
    variant: Option<String>,
}

impl Descriptor {
    /// `os/arch[/variant]`, when the index says.
    pub(super) fn platform(&self) -> Option<String> {
        let platform = self.platform.as_ref()?;
        Some(spelled(&platform.os, &platform.architecture, platform.variant.as_deref()))
    }

    /// Whether this is what `BuildKit` attaches to an image, and no image.
    pub(super) fn is_attestation(&self) -> bool {
        self.annotation(REFERENCE_TYPE).is_some_and(|kind| kind == "attestation-manifest")
    }

    /// The image that an attestation is about.
    pub(super) fn attests(&self) -> Option<&str> {
        self.annotation(REFERENCE_DIGEST).filter(|_| self.is_attestation())
    }

    /// One annotation.
    pub(super) fn annotation(&self, name: &str) -> Option<&str> {
        self.annotations.as_ref()?.get(name).map(String::as_str)
    }
}

/// An image's configuration, as far as it is used.
#[derive(Debug, Deserialize)]
pub(super) struct Config {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    variant: Option<String>,
    /// When it says it was made.
    pub(super) created: Option<String>,
    /// What containers of it start with.
    #[serde(rename = "config")]
    pub(super) start: Option<Inner>,
    /// Its layers.
    #[serde(default)]
    pub(super) rootfs: RootFs,
}

/// What containers of an image start with, as far as it is used.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Inner {
    /// Labels.
    pub(super) labels: Option<BTreeMap<String, String>>,
}

/// An image's layers.
#[derive(Debug, Default, Deserialize)]
pub(super) struct RootFs {
    /// Digests of their uncompressed content, lowest first.
    #[serde(default)]
    pub(super) diff_ids: Vec<String>,
}

impl Config {
    /// `os/arch[/variant]`.
    pub(super) fn platform(&self) -> String {
        spelled(&self.os, &self.architecture, self.variant.as_deref())
    }
}

fn spelled(os: &str, architecture: &str, variant: Option<&str>) -> String {
    let variant = variant.filter(|variant| !variant.is_empty()).map(|variant| format!("/{variant}")).unwrap_or_default();
    fault::foreign(&format!("{os}/{architecture}{variant}")).chars().take(LONGEST_PLATFORM).collect()
}

/// Whether an image of platform `own` is what `wanted` means. A variant that one side leaves out is no difference, and
/// `linux/arm64` is `linux/arm64/v8` (containerd's platform rules).
pub(super) fn matches(wanted: &str, own: &str) -> bool {
    let parts = |text: &str| {
        let mut parts = text.splitn(3, '/').map(str::to_owned);
        (parts.next(), parts.next(), parts.next())
    };
    let ((os, architecture, variant), (own_os, own_architecture, own_variant)) = (parts(wanted), parts(own));
    os == own_os && architecture == own_architecture && (variant.is_none() || own_variant.is_none() || variant == own_variant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifest_table() {
        let [index, list] = INDEXES;
        let digest = format!("sha256:{}", "a".repeat(64));
        let of = |text: &str| text.replace("DIGEST", &digest);
        let table = [
            (r#"{"manifests":[]}"#.to_owned(), Ok(index)),
            (r#"{"layers":[]}"#.to_owned(), Ok(IMAGE)),
            (format!(r#"{{"manifests":[],"mediaType":"{list}"}}"#), Ok(list)),
            (format!(r#"{{"layers":[],"mediaType":"{list}"}}"#), Err("of another kind than its media type says")),
            (format!(r#"{{"manifests":[],"mediaType":"{IMAGE}"}}"#), Err("of another kind than its media type says")),
            (r#"{"manifests":[],"layers":[]}"#.to_owned(), Err("neither an image manifest nor an index")),
            ("{}".to_owned(), Err("neither an image manifest nor an index")),
            ("[]".to_owned(), Err("no manifest")),
            (of(r#"{"manifests":[{"mediaType":"x","digest":"DIGEST"}]}"#), Ok(index)),
            (of(r#"{"manifests":[{"mediaType":"x","digest":"sha256:no"}]}"#), Err("no manifest")),
        ];
        for (text, expected) in table {
            assert_eq!(Manifest::read(text.as_bytes()).map(|m| m.media_type), expected.map(str::to_owned), "{text}");
        }
    }

    #[test]
    fn platform_table() {
        let table = [
            ("linux/amd64", "linux/amd64", true),
            ("linux/arm64", "linux/arm64/v8", true),
            ("linux/arm64/v8", "linux/arm64", true),
            ("linux/arm/v6", "linux/arm/v7", false),
            ("linux/amd64", "windows/amd64", false),
            ("linux", "linux/amd64", false),
        ];
        for (wanted, own, expected) in table {
            assert_eq!(matches(wanted, own), expected, "{wanted} {own}");
        }
    }
}
