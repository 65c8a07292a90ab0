//! What registries said, kept between runs: what is asked again, what is not, and what a broken file does.

use std::path::Path;

use plimsoll::base::Class;
use plimsoll::model::{Digest, ImageReference};
use plimsoll::ports::Registry as _;
use plimsoll::ports::images::Images;
use plimsoll::registry::{RegistryClient, RegistryOptions};
use serde_json::json;

use super::support_registry::{Auth, FaultRegistry, Manner, digest_of};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";

/// A client of a new run: nothing is shared with another but the directory.
fn run(cache: &Path) -> RegistryClient {
    let options = RegistryOptions {
        cache: Some(cache.to_path_buf()),
        docker_config: Some("/nonexistent/docker".into()),
        ..RegistryOptions::default()
    };
    RegistryClient::new(options).unwrap()
}

/// An index of two images with provenance, and everything it names.
pub(super) struct Shelf {
    things: Vec<(String, &'static str, Vec<u8>)>,
    pub(super) index: String,
    pub(super) amd: String,
    pub(super) arm: String,
    pub(super) base: String,
}

impl Shelf {
    pub(super) fn new() -> Self {
        let mut shelf = Self { things: Vec::new(), index: String::new(), amd: String::new(), arm: String::new(), base: digest_of(b"base") };
        shelf.amd = shelf.image("amd64", None);
        shelf.arm = shelf.image("arm64", Some("v8"));
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v0.1", "predicateType": "https://slsa.dev/provenance/v0.2",
            "subject": [{ "name": "_", "digest": { "sha256": shelf.amd.trim_start_matches("sha256:") } }],
            "predicate": { "materials": [{ "uri": "pkg:docker/alpine@3.19", "digest": { "sha256": shelf.base.trim_start_matches("sha256:") } }] },
        });
        let layer = shelf.blob(statement.to_string());
        let config = shelf.blob("{}".to_owned());
        let attestation = shelf.put(
            IMAGE,
            &json!({ "schemaVersion": 2, "mediaType": IMAGE, "config": { "mediaType": "x", "digest": config, "size": 2 }, "layers": [{
                "mediaType": "application/vnd.in-toto+json", "digest": layer, "size": 1,
                "annotations": { "in-toto.io/predicate-type": "https://slsa.dev/provenance/v0.2" } }] }),
        );
        let member = |digest: &str, architecture: &str| json!({ "mediaType": IMAGE, "digest": digest, "size": 1, "platform": { "os": "linux", "architecture": architecture } });
        let mut arm = member(&shelf.arm, "arm64");
        arm["platform"]["variant"] = json!("v8");
        let mut attached = member(&attestation, "unknown");
        attached["platform"]["os"] = json!("unknown");
        attached["annotations"] = json!({ "vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": shelf.amd });
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [member(&shelf.amd, "amd64"), arm, attached] });
        shelf.index = shelf.put(INDEX, &index);
        shelf.things.push(("acme/app/manifests/1".to_owned(), INDEX, index.to_string().into_bytes()));
        let single = shelf.things.iter().find(|(path, ..)| path.ends_with(&shelf.arm)).unwrap().2.clone();
        shelf.things.push(("acme/app/manifests/arm".to_owned(), IMAGE, single));
        shelf
    }

    fn image(&mut self, architecture: &str, variant: Option<&str>) -> String {
        let config = json!({
            "os": "linux", "architecture": architecture, "variant": variant, "created": "2026-01-02T03:04:05Z",
            "config": { "Labels": { "a": "label", "b": "label" } }, "rootfs": { "type": "layers", "diff_ids": [digest_of(b"layer")] },
        });
        let config = self.blob(config.to_string());
        let config = json!({ "mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": 1 });
        self.put(
            IMAGE,
            &json!({ "schemaVersion": 2, "mediaType": IMAGE, "config": config, "layers": [], "annotations": { "b": "annotation" } }),
        )
    }

    fn put(&mut self, kind: &'static str, manifest: &serde_json::Value) -> String {
        let body = manifest.to_string().into_bytes();
        let digest = digest_of(&body);
        self.things.push((format!("acme/app/manifests/{digest}"), kind, body));
        digest
    }

    fn blob(&mut self, body: String) -> String {
        let digest = digest_of(body.as_bytes());
        self.things.push((format!("acme/app/blobs/{digest}"), "application/octet-stream", body.into_bytes()));
        digest
    }

    pub(super) async fn serve(&self) -> FaultRegistry {
        FaultRegistry::start(Auth::Open, Manner::shelf(self.things.clone())).await
    }
}

#[tokio::test]
async fn requests_table() {
    let shelf = Shelf::new();
    let by = |registry: &FaultRegistry, digest: &str| ImageReference {
        tag: None,
        digest: Some(Digest::parse(digest).unwrap()),
        ..registry.reference("acme/app", "")
    };
    let cache = tempfile::tempdir().unwrap();
    // The registry is one and the same, so that its address is: what a run adds to the count is what it asked.
    let registry = shelf.serve().await;
    let (index, arm) = (registry.reference("acme/app", "1"), registry.reference("acme/app", "arm"));
    let mut before = String::new();
    let mut step = |what: &str, expected: &str| {
        let now = registry.tally();
        assert_eq!(now, expected, "{what}, after {before}");
        before = now;
    };

    run(cache.path()).look(&arm).await.unwrap();
    step("one image needs no GET", "HEAD ×1");
    let look = run(cache.path()).look(&index).await.unwrap();
    assert_eq!((look.digest.as_str(), look.media_type.as_str()), (shelf.index.as_str(), INDEX));
    let platforms: Vec<(&str, &str)> = look.platforms.iter().map(|(platform, digest)| (platform.as_str(), digest.as_str())).collect();
    assert_eq!(platforms, [("linux/amd64", shelf.amd.as_str()), ("linux/arm64/v8", shelf.arm.as_str())]);
    step("an index is read once", "GET ×1, HEAD ×2");
    run(cache.path()).look(&index).await.unwrap();
    step("and kept", "GET ×1, HEAD ×3");
    run(cache.path()).look(&by(&registry, &shelf.index)).await.unwrap();
    step("by digest nobody is asked", "GET ×1, HEAD ×3");
    let facts = run(cache.path()).image(&by(&registry, &shelf.index), Some("linux/arm64")).await.unwrap();
    assert_eq!((facts.digest.as_str(), facts.platform.as_str()), (shelf.arm.as_str(), "linux/arm64/v8"));
    assert_eq!((facts.labels["a"].as_str(), facts.labels["b"].as_str()), ("label", "annotation"));
    assert_eq!(facts.layers.iter().map(Digest::as_str).collect::<Vec<_>>(), [digest_of(b"layer")]);
    assert_eq!(facts.created.unwrap().to_string(), "2026-01-02T03:04:05Z");
    step("one manifest and one configuration", "GET ×3, HEAD ×3");
    let fault = run(cache.path()).image(&index, Some("linux/s390x")).await.unwrap_err();
    assert_eq!((fault.class, fault.hint.as_deref()), (Class::Missing, Some("it has linux/amd64, linux/arm64/v8")));
    step("a platform that is not there", "GET ×3, HEAD ×4");
    let materials = run(cache.path()).provenance(&by(&registry, &shelf.index), Some("linux/amd64")).await.unwrap().unwrap();
    assert_eq!((materials[0].uri.as_str(), materials[0].digest.as_str()), ("pkg:docker/alpine@3.19", shelf.base.as_str()));
    step("provenance: its manifest and its statement", "GET ×5, HEAD ×4");
    assert_eq!(run(cache.path()).provenance(&by(&registry, &shelf.index), Some("linux/arm64")).await, Ok(None));
    step("no provenance, nothing asked", "GET ×5, HEAD ×4");

    // A file that was tampered with, cut, or emptied is asked for again, and put right.
    let file =
        walk(cache.path()).into_iter().find(|path| path.to_string_lossy().ends_with(shelf.index.trim_start_matches("sha256:"))).unwrap();
    for (round, text) in ["{}", "", "\u{0}"].iter().enumerate() {
        std::fs::write(&file, text).unwrap();
        run(cache.path()).look(&by(&registry, &shelf.index)).await.unwrap();
        run(cache.path()).look(&by(&registry, &shelf.index)).await.unwrap();
        step("a corrupted file", &format!("GET ×{}, HEAD ×4", 6 + round));
    }

    std::fs::remove_dir_all(cache.path()).unwrap();
    run(cache.path()).look(&index).await.unwrap();
    step("a cache that was deleted loses only requests", "GET ×9, HEAD ×5");
}

fn walk(directory: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn content_that_is_not_what_the_digest_says_is_refused_and_not_kept() {
    let image = json!({ "schemaVersion": 2, "mediaType": IMAGE, "layers": [] }).to_string();
    let both = json!({ "schemaVersion": 2, "layers": [], "manifests": [] }).to_string();
    // what is sent, its type, the digest asked for
    let table = [
        ("another digest", image.clone(), IMAGE, digest_of(b"other")),
        ("two kinds at once", both.clone(), INDEX, digest_of(both.as_bytes())),
        ("sent as another type", image.clone(), INDEX, digest_of(image.as_bytes())),
    ];
    for (what, body, kind, digest) in table {
        let path = format!("acme/app/manifests/{digest}");
        let registry = FaultRegistry::start(Auth::Open, Manner::shelf(vec![(path, kind, body.into_bytes())])).await;
        let cache = tempfile::tempdir().unwrap();
        let reference = ImageReference { tag: None, digest: Some(Digest::parse(&digest).unwrap()), ..registry.reference("acme/app", "") };
        for asked in 1..3 {
            assert_eq!(run(cache.path()).look(&reference).await.unwrap_err().class, Class::Malformed, "{what}");
            assert_eq!(registry.tally(), format!("GET ×{asked}"), "{what}");
        }
    }
}

#[tokio::test]
async fn validators_are_sent_where_a_registry_gives_them() {
    let registry = FaultRegistry::start(
        Auth::Open,
        Manner::script(|seen| {
            let (etag, body) = match seen.path.rsplit('/').next().unwrap() {
                "list" if seen.query.contains("last") => ("\"two\"", r#"{"tags":["b"]}"#.to_owned()),
                "list" => ("\"one\"", r#"{"tags":["a"]}"#.to_owned()),
                // A registry that does not know HEAD.
                _ if seen.method == "HEAD" => return (405, vec![], vec![]),
                _ => ("W/\"tag\"", json!({ "schemaVersion": 2, "mediaType": IMAGE, "layers": [] }).to_string()),
            };
            if seen.validator.as_deref() == Some(etag) {
                return (304, vec![], vec![]);
            }
            let mut headers = vec![("etag", etag.to_owned())];
            if etag == "\"one\"" {
                headers.push(("link", "<?last=a>; rel=\"next\"".to_owned()));
            }
            (200, headers, body.into_bytes())
        }),
    )
    .await;
    let cache = tempfile::tempdir().unwrap();
    let reference = registry.reference("acme/app", "1");
    let mut digests = Vec::new();
    for _ in 0..2 {
        assert_eq!(run(cache.path()).tags(&registry.host(), "acme/app").await.unwrap(), ["a", "b"]);
        digests.push(run(cache.path()).digest(&reference).await.unwrap());
    }
    assert_eq!(digests[0], digests[1]);
    let sent: Vec<Option<String>> = registry.seen().into_iter().filter(|seen| seen.method == "GET").map(|seen| seen.validator).collect();
    let expected = [None, None, None, Some("\"one\""), Some("\"two\""), Some("W/\"tag\"")];
    assert_eq!(sent.iter().map(Option::as_deref).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn a_304_that_nobody_asked_for_is_no_answer() {
    let registry = FaultRegistry::start(Auth::Open, Manner::Always(304, vec![])).await;
    let cache = tempfile::tempdir().unwrap();
    assert_eq!(run(cache.path()).tags(&registry.host(), "acme/app").await.unwrap_err().class, Class::Malformed);
    assert_eq!(run(cache.path()).digest(&registry.reference("acme/app", "1")).await.unwrap_err().class, Class::Malformed);
}
