//! The real `docker-registry` program: open, behind a password, or behind a token service.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::parts::{Server, base64, password_file, program};
use super::token_service::TokenService;

/// What must be installed.
pub(crate) const PARTS: [&str; 3] = ["docker-registry", "htpasswd", "openssl"];

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// Who is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Open,
    /// The registry checks user and password itself.
    Password,
    /// A token service on another port checks them.
    Token,
    /// The same, and the registry names it by another host's name.
    TokenElsewhere,
}

impl Access {
    /// All that need no word of the operator's.
    pub(crate) const ALL: [Self; 3] = [Self::Open, Self::Password, Self::Token];
}

/// The user that a closed registry knows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct User {
    pub(crate) name: &'static str,
    pub(crate) password: &'static str,
}

/// The one most tests use.
pub(crate) const USER: User = User { name: "canary-user", password: "canary-secret" };

impl User {
    /// `user:password` in base64.
    pub(crate) fn encoded(self) -> String {
        base64(format!("{}:{}", self.name, self.password).as_bytes())
    }
}

/// A running registry; it ends when dropped.
#[derive(Debug)]
pub(crate) struct RealRegistry {
    server: Server,
    access: Access,
    user: User,
    token: Option<TokenService>,
    _directory: tempfile::TempDir,
}

impl RealRegistry {
    pub(crate) fn start(access: Access, user: User) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        let token = match access {
            Access::Token => Some(TokenService::start(root, "127.0.0.1", &user.encoded())),
            Access::TokenElsewhere => Some(TokenService::start(root, "localhost", &user.encoded())),
            Access::Open | Access::Password => None,
        };
        let auth = match (access, &token) {
            (Access::Password, _) => {
                format!("auth: {{htpasswd: {{realm: canary, path: {}}}}}\n", password_file(root, user.name, user.password).display())
            }
            (_, Some(token)) => format!(
                "auth: {{token: {{realm: '{}', service: canary, issuer: canary, rootcertbundle: {}}}}}\n",
                token.realm(),
                token.certificate().display()
            ),
            _ => String::new(),
        };
        let (file, storage) = (root.join("config.yml"), root.join("storage"));
        let server = Server::start(|port| {
            let config = format!(
                "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n{auth}",
                storage.display()
            );
            std::fs::write(&file, config).unwrap();
            let mut command = Command::new(program("docker-registry").unwrap());
            command.arg("serve").arg(&file);
            command
        });
        Self { server, access, user, token, _directory: directory }
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.server.port)
    }

    /// The token service as the challenge names it, `localhost:PORT`, if there is one.
    pub(crate) fn token_host(&self) -> Option<String> {
        self.token.as_ref().map(TokenService::host)
    }

    /// Writes a Docker `config.json` with the registry's user into `directory`.
    pub(crate) fn write_docker_config(&self, directory: &Path) {
        docker_config(directory, &self.host(), &self.user.encoded());
    }

    /// Puts an image that is different for each `content`, and answers its digest.
    pub(crate) fn push(&self, repository: &str, tag: &str, content: &str) -> String {
        self.push_configured(repository, tag, content, b"{}")
    }

    /// Puts an image whose configuration names these layers, each different for its own text.
    pub(crate) fn push_layers(&self, repository: &str, tag: &str, layers: &[String]) -> String {
        let ids: Vec<String> = layers.iter().map(|layer| hash(layer.as_bytes())).collect();
        let config = json!({ "architecture": "amd64", "os": "linux", "rootfs": { "type": "layers", "diff_ids": ids } });
        self.push_configured(repository, tag, &layers.join(" "), config.to_string().as_bytes())
    }

    /// Puts an image that says it was made at `created`.
    pub(crate) fn push_created(&self, repository: &str, tag: &str, created: &str) -> String {
        let rootfs = json!({ "type": "layers", "diff_ids": [] });
        let config = json!({ "architecture": "amd64", "os": "linux", "created": created, "rootfs": rootfs });
        self.push_configured(repository, tag, &format!("{tag} {created}"), config.to_string().as_bytes())
    }

    fn push_configured(&self, repository: &str, tag: &str, content: &str, blob: &[u8]) -> String {
        let (_, location) = self.send("POST", &format!("/v2/{repository}/blobs/uploads/"), "text/plain", &[], repository);
        let place = location.split_once(&self.host()).map_or(location.as_str(), |(_, path)| path);
        let mark = if place.contains('?') { '&' } else { '?' };
        let (status, _) = self.send("PUT", &format!("{place}{mark}digest={}", hash(blob)), "application/octet-stream", blob, repository);
        assert_eq!(status, 201);
        let config = json!({ "mediaType": "application/vnd.oci.image.config.v1+json", "digest": hash(blob), "size": blob.len() });
        let manifest =
            json!({ "schemaVersion": 2, "mediaType": IMAGE, "config": config, "layers": [], "annotations": { "content": content } });
        self.put(repository, tag, IMAGE, &manifest.to_string())
    }

    /// Puts an index that names the image just pushed as `image`, and answers its digest.
    pub(crate) fn push_index(&self, repository: &str, tag: &str, image: &str, size: usize) -> String {
        let platform = json!({ "architecture": "amd64", "os": "linux" });
        let member = json!({ "mediaType": IMAGE, "digest": image, "size": size, "platform": platform });
        self.put(repository, tag, INDEX, &json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [member] }).to_string())
    }

    fn put(&self, repository: &str, tag: &str, kind: &str, body: &str) -> String {
        let (status, _) = self.send("PUT", &format!("/v2/{repository}/manifests/{tag}"), kind, body.as_bytes(), repository);
        assert_eq!(status, 201, "{tag}");
        hash(body.as_bytes())
    }

    /// One request by hand: its status and `Location`. Nothing of the program under test is used to set tests up.
    fn send(&self, method: &str, path: &str, kind: &str, body: &[u8], repository: &str) -> (u16, String) {
        let authorization = match (self.access, &self.token) {
            (Access::Password, _) => format!("Authorization: Basic {}\r\n", self.user.encoded()),
            (_, Some(token)) => format!("Authorization: Bearer {}\r\n", token.mint(repository, &["pull", "push"])),
            _ => String::new(),
        };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n{authorization}\r\n",
            self.host(),
            body.len()
        );
        let mut stream = TcpStream::connect(self.host()).unwrap();
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or_default();
        assert!(status < 400, "{method} {path}: {answer}");
        let location = answer.lines().find_map(|line| line.strip_prefix("Location: ")).unwrap_or_default();
        (status, location.trim().to_owned())
    }
}

/// Writes a Docker `config.json` that has `encoded` (user:password in base64) for `host`.
pub(crate) fn docker_config(directory: &Path, host: &str, encoded: &str) {
    std::fs::create_dir_all(directory).unwrap();
    std::fs::write(directory.join("config.json"), json!({ "auths": { host: { "auth": encoded } } }).to_string()).unwrap();
}

fn hash(bytes: &[u8]) -> String {
    format!("sha256:{}", Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect::<String>())
}
