//! What an image says it was built from: the provenance that `BuildKit` attaches to an index.

use serde::Deserialize;

use super::RegistryClient;
use super::content::Manifest;
use super::images::{Sort, chosen};
use crate::base::{Class, Fault, fault};
use crate::model::{Digest, ImageReference};
use crate::ports::images::Material;

/// The media type of an in-toto statement.
const STATEMENT: &str = "application/vnd.in-toto+json";

/// Says which kind of statement a layer holds.
const PREDICATE_TYPE: &str = "in-toto.io/predicate-type";

/// How the kinds begin that say what something was built from (SLSA 0.2, 1.0 and later).
const PROVENANCE: &str = "https://slsa.dev/provenance/";

/// An in-toto statement, as far as it is used.
#[derive(Deserialize)]
struct Statement {
    #[serde(default)]
    subject: Vec<Named>,
    predicate: Predicate,
}

/// The two places for materials: SLSA 0.2, and 1.0.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Predicate {
    materials: Option<Vec<Named>>,
    build_definition: Option<Definition>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Definition {
    #[serde(default)]
    resolved_dependencies: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    #[serde(default)]
    uri: String,
    #[serde(default)]
    digest: Hashes,
}

#[derive(Default, Deserialize)]
struct Hashes {
    sha256: Option<String>,
}

impl Named {
    fn digest(&self) -> Option<Digest> {
        Digest::parse(&format!("sha256:{}", self.digest.sha256.as_ref()?)).ok()
    }
}

impl RegistryClient {
    /// The materials of the image that `reference` means on `platform`; `None` when it comes without provenance.
    pub(super) async fn materials(&self, reference: &ImageReference, platform: Option<&str>) -> Result<Option<Vec<Material>>, Fault> {
        let places = self.places(&reference.registry, &reference.repository)?;
        let found = self.found(&places, reference).await?;
        let index = self.manifest(&places, &found).await?;
        let Some(members) = &index.manifests else { return Ok(None) };
        let image = &chosen(members, platform)?.digest;
        let Some(attestation) = members.iter().find(|member| member.attests() == Some(image.as_str())) else { return Ok(None) };
        let bytes = self.content(&places, &attestation.digest, Sort::Manifest).await?;
        let malformed = |why: &str| Fault::new(Class::Malformed, format!("the provenance of {} is {why}", image.short()));
        let attested = Manifest::read(&bytes).map_err(malformed)?;
        let says = |kind: Option<&str>| kind.is_some_and(|kind| kind.starts_with(PROVENANCE));
        let Some(layer) = attested.layers.iter().find(|layer| layer.media_type == STATEMENT && says(layer.annotation(PREDICATE_TYPE)))
        else {
            return Ok(None);
        };
        let bytes = self.content(&places, &layer.digest, Sort::Blob).await?;
        read(&bytes, image).map(Some).map_err(malformed)
    }
}

/// The materials of a statement about `image` that have a SHA-256.
fn read(bytes: &[u8], image: &Digest) -> Result<Vec<Material>, &'static str> {
    let statement: Statement = serde_json::from_slice(bytes).map_err(|_| "no in-toto statement")?;
    if !statement.subject.iter().any(|subject| subject.digest().as_ref() == Some(image)) {
        return Err("about another image");
    }
    let Predicate { materials, build_definition } = statement.predicate;
    let named = materials.or(build_definition.map(|definition| definition.resolved_dependencies)).unwrap_or_default();
    Ok(named.iter().filter_map(|one| Some(Material { uri: fault::foreign(&one.uri), digest: one.digest()? })).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statement_table() {
        let (image, base) = ("a".repeat(64), "b".repeat(64));
        let subject = format!(r#""subject": [{{"name": "_", "digest": {{"sha256": "{image}"}}}}]"#);
        let material = format!(r#"{{"uri": "pkg:docker/alpine@3.19", "digest": {{"sha256": "{base}"}}}}"#);
        let other = r#"{"uri": "https://example.com/a.git#main", "digest": {"sha1": "c0ffee"}}"#;
        let found = Ok(vec![("pkg:docker/alpine@3.19".to_owned(), format!("sha256:{base}"))]);
        let table = [
            (format!(r#"{{{subject}, "predicate": {{"materials": [{material}, {other}]}}}}"#), found.clone()),
            (format!(r#"{{{subject}, "predicate": {{"buildDefinition": {{"resolvedDependencies": [{material}]}}}}}}"#), found),
            (format!(r#"{{{subject}, "predicate": {{}}}}"#), Ok(vec![])),
            (format!(r#"{{"subject": [], "predicate": {{"materials": [{material}]}}}}"#), Err("about another image")),
            ("{}".to_owned(), Err("no in-toto statement")),
        ];
        let image = Digest::parse(&format!("sha256:{image}")).unwrap();
        for (text, expected) in table {
            let found = read(text.as_bytes(), &image);
            let found = found.map(|materials| materials.into_iter().map(|one| (one.uri, one.digest.to_string())).collect::<Vec<_>>());
            assert_eq!(found, expected, "{text}");
        }
    }
}
