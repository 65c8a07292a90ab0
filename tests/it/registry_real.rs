//! The registry client against the real `docker-registry` program, open and with a password.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use plimsoll::base::Class;
use plimsoll::ports::Registry;
use plimsoll::registry::{RegistryClient, RegistryOptions};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::support_registry::{BASIC, docker_config, reference};

struct Running {
    child: Child,
    host: String,
    _directory: tempfile::TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether `program` is there. In CI it must be.
fn is_there(program: &str) -> bool {
    let found = std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|p| p.join(program).is_file()));
    assert!(found || std::env::var_os("CI").is_none_or(|v| v != "true"), "{program} must be installed in CI");
    found
}

fn password_file(directory: &Path) -> String {
    let made = Command::new("htpasswd").args(["-nbB", "-C", "5", "canary-user", "canary-secret"]).output().unwrap();
    assert!(made.status.success());
    let file = directory.join("htpasswd");
    std::fs::write(&file, made.stdout).unwrap();
    format!("auth: {{htpasswd: {{realm: canary, path: {}}}}}\n", file.display())
}

async fn start(with_password: bool) -> Running {
    let directory = tempfile::tempdir().unwrap();
    let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let auth = if with_password { password_file(directory.path()) } else { String::new() };
    let storage = directory.path().join("storage");
    let config = format!(
        "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n{auth}",
        storage.display()
    );
    let file = directory.path().join("config.yml");
    std::fs::write(&file, config).unwrap();
    let child = Command::new("docker-registry").arg("serve").arg(&file).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let running = Running { child, host: format!("127.0.0.1:{port}"), _directory: directory };
    for _ in 0..200 {
        if tokio::net::TcpStream::connect(&running.host).await.is_ok() {
            return running;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("docker-registry did not start");
}

fn hash(bytes: &[u8]) -> String {
    format!("sha256:{}", Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect::<String>())
}

/// Puts one image and an index that names it, and answers their digests.
async fn push(host: &str) -> (String, String) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let base = format!("http://{host}");
    let send = |method: reqwest::Method, url: String, kind: &'static str, body: Vec<u8>| {
        http.request(method, url).header("authorization", BASIC).header("content-type", kind).body(body).send()
    };
    let blob = b"{}".to_vec();
    let started = send(reqwest::Method::POST, format!("{base}/v2/acme/app/blobs/uploads/"), "text/plain", vec![]).await.unwrap();
    let location = started.headers()["location"].to_str().unwrap().to_owned();
    let location = if location.starts_with('/') { format!("{base}{location}") } else { location };
    let mut place = url::Url::parse(&location).unwrap();
    place.query_pairs_mut().append_pair("digest", &hash(&blob));
    let put = send(reqwest::Method::PUT, place.into(), "application/octet-stream", blob.clone()).await.unwrap();
    assert_eq!(put.status(), 201);
    let (image, index) = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.index.v1+json");
    let config = json!({ "mediaType": "application/vnd.oci.image.config.v1+json", "digest": hash(&blob), "size": blob.len() });
    let manifest = json!({ "schemaVersion": 2, "mediaType": image, "config": config, "layers": [] }).to_string();
    let list = json!({ "schemaVersion": 2, "mediaType": index, "manifests": [
        { "mediaType": image, "digest": hash(manifest.as_bytes()), "size": manifest.len(), "platform": { "architecture": "amd64", "os": "linux" } },
    ]})
    .to_string();
    for (tag, kind, body) in [("image", image, &manifest), ("index", index, &list)] {
        let url = format!("{base}/v2/acme/app/manifests/{tag}");
        assert_eq!(send(reqwest::Method::PUT, url, kind, body.clone().into_bytes()).await.unwrap().status(), 201, "{tag}");
    }
    (hash(manifest.as_bytes()), hash(list.as_bytes()))
}

#[tokio::test]
async fn digests_of_the_real_registry() {
    if !is_there("docker-registry") || !is_there("htpasswd") {
        return;
    }
    for with_password in [false, true] {
        let registry = start(with_password).await;
        let config = docker_config(&registry.host);
        let with = |docker_config| {
            RegistryClient::new(RegistryOptions { docker_config: Some(docker_config), ..RegistryOptions::default() }).unwrap()
        };
        let client = with(config.path().to_path_buf());
        let (image, index) = push(&registry.host).await;
        for (tag, expected) in [("image", Ok(image.as_str())), ("index", Ok(index.as_str())), ("none", Err(Class::Missing))] {
            let found = client.digest(&reference(&registry.host, "acme/app", tag)).await;
            assert_eq!(found.as_ref().map(plimsoll::model::Digest::as_str).map_err(|f| f.class), expected, "{tag}: {found:?}");
        }
        let stranger = with("/nonexistent/docker".into());
        let found = stranger.digest(&reference(&registry.host, "acme/app", "image")).await;
        assert_eq!(found.err().map(|f| f.class), with_password.then_some(Class::Denied));
    }
}
