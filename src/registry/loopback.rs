//! A small registry in this process, on 127.0.0.1: for demonstrations and tests.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Method, Response, StatusCode, Uri};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::manifest::sha256;
use crate::base::{Class, Fault};
use crate::model::Digest;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// A read-only OCI registry without TLS or credentials, which stops when it is dropped.
///
/// It serves `/v2/`, manifests by tag or digest, blobs and tag lists, to `GET` and `HEAD` only; content comes by
/// [`push`](Self::push) and stays in memory.
#[derive(Debug)]
pub struct LoopbackRegistry {
    address: SocketAddr,
    shared: Arc<Mutex<Shelf>>,
    server: JoinHandle<()>,
}

/// Requests seen so far, by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Requests {
    /// `/v2/`.
    pub ping: u64,
    /// `HEAD` of a manifest.
    pub head_manifest: u64,
    /// `GET` of a manifest.
    pub get_manifest: u64,
    /// Blobs, by either method.
    pub blob: u64,
    /// Tag lists, by either method.
    pub tags: u64,
    /// Anything else.
    pub other: u64,
}

#[derive(Debug, Default)]
struct Shelf {
    requests: Requests,
    /// Tags by repository, then manifest digest by tag.
    tags: BTreeMap<String, BTreeMap<String, Digest>>,
    /// Manifests and blobs by (repository, digest), with their media type.
    content: BTreeMap<(String, String), (&'static str, Vec<u8>)>,
}

impl LoopbackRegistry {
    /// Starts an empty registry on a free port.
    ///
    /// # Errors
    /// Class `Local` when no port can be had.
    pub async fn start() -> Result<Self, Fault> {
        let local = |error: std::io::Error| Fault::new(Class::Local, format!("no port on 127.0.0.1: {error}"));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(local)?;
        let address = listener.local_addr().map_err(local)?;
        let shared = Arc::new(Mutex::new(Shelf::default()));
        let router = Router::new().fallback(serve).with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move {
            // Accept errors are retried within; it ends only by being aborted.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, shared, server })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The registry part of references to it: `127.0.0.1:40123`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// Puts an image with these labels, and one layer that holds `content` as the file `content`, under `tag`, and
    /// answers its manifest's digest. The same input has the same digest.
    ///
    /// # Errors
    /// None in practice: class `Internal` if the JSON or a hash can't be written.
    pub fn push(&self, repository: &str, tag: &str, labels: &BTreeMap<String, String>, content: &[u8]) -> Result<Digest, Fault> {
        self.push_layers(repository, tag, "amd64", labels, &[content])
    }

    /// The same with one layer for each of `contents`, lowest first, for `linux` on this architecture. Images whose
    /// first contents are equal share those layers, as an image shares those of its base.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn push_layers(
        &self,
        repository: &str,
        tag: &str,
        architecture: &str,
        labels: &BTreeMap<String, String>,
        contents: &[&[u8]],
    ) -> Result<Digest, Fault> {
        let layers = contents.iter().map(|content| archive(content)).map(|layer| Ok((sha256(&layer)?, layer)));
        let layers = layers.collect::<Result<Vec<_>, Fault>>()?;
        let diff_ids: Vec<&str> = layers.iter().map(|(digest, _)| digest.as_str()).collect();
        let config = bytes(&json!({
            "architecture": architecture,
            "os": "linux",
            "config": { "Labels": labels },
            "rootfs": { "type": "layers", "diff_ids": diff_ids },
        }))?;
        let config_digest = sha256(&config)?;
        let named = layers.iter().map(|(digest, layer)| json!({ "mediaType": LAYER, "digest": digest.as_str(), "size": layer.len() }));
        let manifest = bytes(&json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": { "mediaType": CONFIG, "digest": config_digest.as_str(), "size": config.len() },
            "layers": named.collect::<Vec<_>>(),
        }))?;
        let mut kept = lock(&self.shared);
        for (digest, layer) in layers {
            kept.put(repository, &digest, LAYER, layer);
        }
        kept.put(repository, &config_digest, CONFIG, config);
        kept.tagged(repository, tag, MANIFEST, manifest)
    }

    /// Puts an index under `tag`: images of this repository by platform, `os/arch[/variant]`.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn push_index(&self, repository: &str, tag: &str, members: &[(&str, &Digest)]) -> Result<Digest, Fault> {
        let mut kept = lock(&self.shared);
        let descriptors = members.iter().map(|(platform, digest)| {
            let mut parts = platform.split('/');
            let mut platform = json!({ "os": parts.next(), "architecture": parts.next() });
            if let (Some(variant), Some(map)) = (parts.next(), platform.as_object_mut()) {
                map.insert("variant".to_owned(), variant.into());
            }
            let size = kept.content.get(&(repository.to_owned(), digest.to_string())).map_or(0, |(_, body)| body.len());
            json!({ "mediaType": MANIFEST, "digest": digest.as_str(), "size": size, "platform": platform })
        });
        let index = bytes(&json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": descriptors.collect::<Vec<_>>() }))?;
        kept.tagged(repository, tag, INDEX, index)
    }

    /// What has been asked so far.
    pub fn requests(&self) -> Requests {
        lock(&self.shared).requests
    }
}

impl Drop for LoopbackRegistry {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn lock(shelf: &Mutex<Shelf>) -> MutexGuard<'_, Shelf> {
    shelf.lock().unwrap_or_else(PoisonError::into_inner)
}

fn bytes(value: &serde_json::Value) -> Result<Vec<u8>, Fault> {
    serde_json::to_vec(value).map_err(|error| Fault::new(Class::Internal, format!("own JSON: {error}")))
}

async fn serve(State(shelf): State<Arc<Mutex<Shelf>>>, method: Method, uri: Uri) -> Response<Body> {
    let mut shelf = lock(&shelf);
    if method != Method::GET && method != Method::HEAD {
        shelf.requests.other += 1;
        return error(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED");
    }
    let Some(rest) = uri.path().strip_prefix("/v2") else {
        shelf.requests.other += 1;
        return error(StatusCode::NOT_FOUND, "UNSUPPORTED");
    };
    let rest = rest.trim_start_matches('/');
    if rest.is_empty() {
        shelf.requests.ping += 1;
        return answer("application/json", b"{}".to_vec(), None);
    }
    if let Some(repository) = rest.strip_suffix("/tags/list") {
        shelf.requests.tags += 1;
        return shelf.tag_list(repository, uri.query().unwrap_or_default());
    }
    if let Some((repository, version)) = rest.rsplit_once("/manifests/") {
        let count = if method == Method::HEAD { &mut shelf.requests.head_manifest } else { &mut shelf.requests.get_manifest };
        *count += 1;
        let digest = shelf.tags.get(repository).and_then(|tags| tags.get(version)).map_or(version, Digest::as_str);
        return shelf.content(repository, digest, true).unwrap_or_else(|| error(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN"));
    }
    if let Some((repository, digest)) = rest.rsplit_once("/blobs/") {
        shelf.requests.blob += 1;
        return shelf.content(repository, digest, false).unwrap_or_else(|| error(StatusCode::NOT_FOUND, "BLOB_UNKNOWN"));
    }
    shelf.requests.other += 1;
    error(StatusCode::NOT_FOUND, "NAME_UNKNOWN")
}

impl Shelf {
    fn put(&mut self, repository: &str, digest: &Digest, media_type: &'static str, body: Vec<u8>) {
        self.content.insert((repository.to_owned(), digest.to_string()), (media_type, body));
    }

    fn tagged(&mut self, repository: &str, tag: &str, media_type: &'static str, manifest: Vec<u8>) -> Result<Digest, Fault> {
        let digest = sha256(&manifest)?;
        self.put(repository, &digest, media_type, manifest);
        self.tags.entry(repository.to_owned()).or_default().insert(tag.to_owned(), digest.clone());
        Ok(digest)
    }

    fn content(&self, repository: &str, digest: &str, manifest: bool) -> Option<Response<Body>> {
        let (media_type, body) = self.content.get(&(repository.to_owned(), digest.to_owned()))?;
        (matches!(*media_type, MANIFEST | INDEX) == manifest).then(|| answer(media_type, body.clone(), Some(digest)))
    }

    /// All tags in lexical order, or a page of them by `n` and `last` with a `Link` to the next.
    fn tag_list(&self, repository: &str, query: &str) -> Response<Body> {
        let Some(tags) = self.tags.get(repository) else { return error(StatusCode::NOT_FOUND, "NAME_UNKNOWN") };
        let (mut most, mut last) = (usize::MAX, String::new());
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "n" => most = value.parse().unwrap_or(usize::MAX),
                "last" => last = value.into_owned(),
                _ => {}
            }
        }
        let mut later = tags.keys().filter(|tag| **tag > last);
        let page: Vec<&String> = later.by_ref().take(most).collect();
        let mut response = answer("application/json", json!({ "name": repository, "tags": page }).to_string().into_bytes(), None);
        if let (Some(_), Some(tag)) = (later.next(), page.last())
            && let Ok(link) = format!("</v2/{repository}/tags/list?n={most}&last={tag}>; rel=\"next\"").parse()
        {
            response.headers_mut().insert("link", link);
        }
        response
    }
}

fn answer(media_type: &str, body: Vec<u8>, digest: Option<&str>) -> Response<Body> {
    let mut response = Response::builder().header("content-type", media_type);
    if let Some(digest) = digest {
        response = response.header("docker-content-digest", digest).header("etag", format!("\"{digest}\""));
    }
    response.body(Body::from(body)).unwrap_or_default()
}

/// An error in the distribution specification's words.
fn error(status: StatusCode, code: &str) -> Response<Body> {
    let mut response = answer("application/json", json!({ "errors": [{ "code": code }] }).to_string().into_bytes(), None);
    *response.status_mut() = status;
    response
}

/// A tar archive (POSIX ustar) with one file named `content`, and no date, so that equal content is equal bytes.
fn archive(content: &[u8]) -> Vec<u8> {
    const BLOCK: usize = 512;
    // Each field is an offset into the header and what stands there.
    let size = format!("{:011o}\0", content.len());
    let fields: [(usize, &[u8]); 9] = [
        (0, b"content"),
        (100, b"0000644\0"),
        (108, b"0000000\0"),
        (116, b"0000000\0"),
        (124, size.as_bytes()),
        (136, b"00000000000\0"),
        (148, b"        "),
        (156, b"0"),
        (257, b"ustar\x0000"),
    ];
    let mut header = vec![0_u8; BLOCK];
    let mut place = |offset: usize, bytes: &[u8]| header.iter_mut().skip(offset).zip(bytes).for_each(|(to, from)| *to = *from);
    for (offset, bytes) in fields {
        place(offset, bytes);
    }
    // The sum is taken with its own field blank.
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    let sum = format!("{sum:06o}\0 ");
    header.iter_mut().skip(148).zip(sum.as_bytes()).for_each(|(to, from)| *to = *from);
    let mut archive = header;
    archive.extend_from_slice(content);
    archive.resize(archive.len().next_multiple_of(BLOCK) + 2 * BLOCK, 0);
    archive
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layer_is_an_archive_that_tar_reads() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), archive(b"hello\n")).unwrap();
        let tar = std::process::Command::new("tar").arg("-xOf").arg(file.path()).arg("content").output().unwrap();
        assert!(tar.status.success(), "{}", String::from_utf8_lossy(&tar.stderr));
        assert_eq!(tar.stdout, b"hello\n");
    }

    #[tokio::test]
    async fn what_is_pushed_is_served_and_counted() {
        let registry = LoopbackRegistry::start().await.unwrap();
        let labels = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
        let one = registry.push("acme/app", "1", &labels, b"one").unwrap();
        assert_eq!(registry.push("acme/app", "1-again", &labels, b"one").unwrap(), one);
        assert_ne!(registry.push("acme/app", "2", &labels, b"two").unwrap(), one);
        let url = |path: &str| format!("http://{}/v2/{path}", registry.host());
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let table = [
            (Method::GET, "", 200, ""),
            (Method::HEAD, "acme/app/manifests/1", 200, one.as_str()),
            (Method::GET, "acme/app/manifests/1", 200, one.as_str()),
            (Method::GET, &format!("acme/app/manifests/{one}"), 200, one.as_str()),
            (Method::HEAD, "acme/app/manifests/3", 404, ""),
            (Method::GET, "acme/other/manifests/1", 404, ""),
            (Method::GET, "acme/app/tags/list?n=1&last=1", 200, ""),
            (Method::GET, &format!("acme/app/blobs/{one}"), 404, ""),
            (Method::PUT, "acme/app/manifests/1", 405, ""),
        ];
        for (method, path, status, digest) in table {
            let response = client.request(method.clone(), url(path)).send().await.unwrap();
            let named = response.headers().get("docker-content-digest").map_or("", |v| v.to_str().unwrap()).to_owned();
            assert_eq!((response.status().as_u16(), named.as_str()), (status, digest), "{method} {path}");
        }
        let list = client.get(url("acme/app/tags/list?n=1&last=1")).send().await.unwrap();
        assert_eq!(list.headers()["link"], "</v2/acme/app/tags/list?n=1&last=1-again>; rel=\"next\"");
        assert_eq!(list.text().await.unwrap(), r#"{"name":"acme/app","tags":["1-again"]}"#);

        let manifest = client.get(url("acme/app/manifests/1")).send().await.unwrap().bytes().await.unwrap();
        assert_eq!(sha256(&manifest).unwrap(), one);
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
        let config = manifest["config"]["digest"].as_str().unwrap();
        let config = client.get(url(&format!("acme/app/blobs/{config}"))).send().await.unwrap().bytes().await.unwrap();
        let config: serde_json::Value = serde_json::from_slice(&config).unwrap();
        assert_eq!(config["config"]["Labels"]["a"], "b");
        assert_eq!(config["rootfs"]["diff_ids"][0], manifest["layers"][0]["digest"]);
        let expected = Requests { ping: 1, head_manifest: 2, get_manifest: 4, blob: 2, tags: 2, other: 1 };
        assert_eq!(registry.requests(), expected);
    }
}
