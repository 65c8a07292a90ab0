//! A token service as the distribution specification describes it: checks user and password, signs RS256 tokens
//! with a key whose self-signed certificate the registry trusts.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;

use super::parts::base64;

/// A running token service; it ends when dropped.
#[derive(Debug)]
pub(crate) struct TokenService {
    signer: Arc<Signer>,
    name: &'static str,
    address: SocketAddr,
    stop: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Signer {
    key: PathBuf,
    certificate: PathBuf,
    issued: AtomicUsize,
}

impl Drop for TokenService {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // The thread waits for a connection; this one lets it see that it shall stop.
        let _ = TcpStream::connect(self.address);
    }
}

impl TokenService {
    /// Makes a key in `directory` and gives tokens to whoever sends `Basic` with `encoded`. `name` is this machine's.
    pub(crate) fn start(directory: &Path, name: &'static str, encoded: &str) -> Self {
        let signer =
            Arc::new(Signer { key: directory.join("key.pem"), certificate: directory.join("cert.pem"), issued: AtomicUsize::new(0) });
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=canary", "-keyout"])
            .arg(&signer.key)
            .arg("-out")
            .arg(&signer.certificate)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let service = Self { signer: Arc::clone(&signer), name, address: listener.local_addr().unwrap(), stop: Arc::default() };
        let (stop, expected) = (Arc::clone(&service.stop), format!("Basic {encoded}"));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                if let Ok(stream) = stream {
                    answer(stream, &signer, &expected);
                }
            }
        });
        service
    }

    /// The address registries name in their challenge.
    pub(crate) fn realm(&self) -> String {
        format!("http://{}/token", self.host())
    }

    /// Its host and port by the name it was given.
    pub(crate) fn host(&self) -> String {
        format!("{}:{}", self.name, self.address.port())
    }

    pub(crate) fn certificate(&self) -> &Path {
        &self.signer.certificate
    }

    /// A token for one repository.
    pub(crate) fn mint(&self, repository: &str, actions: &[&str]) -> String {
        self.signer.mint(repository, actions)
    }
}

impl Signer {
    fn mint(&self, repository: &str, actions: &[&str]) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let certificate: String =
            std::fs::read_to_string(&self.certificate).unwrap().lines().filter(|line| !line.starts_with('-')).collect();
        let header = json!({ "typ": "JWT", "alg": "RS256", "x5c": [certificate] });
        let claims = json!({
            "iss": "canary", "sub": "canary", "aud": "canary", "exp": now + 300, "nbf": now - 10, "iat": now,
            "jti": format!("canary-{}", self.issued.fetch_add(1, Ordering::SeqCst)),
            "access": [{ "type": "repository", "name": repository, "actions": actions }],
        });
        let text = format!("{}.{}", url_safe(header.to_string().as_bytes()), url_safe(claims.to_string().as_bytes()));
        let mut signing = Command::new("openssl")
            .args(["dgst", "-sha256", "-sign"])
            .arg(&self.key)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        signing.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        format!("{text}.{}", url_safe(&signing.wait_with_output().unwrap().stdout))
    }
}

fn url_safe(bytes: &[u8]) -> String {
    base64(bytes).replace('+', "-").replace('/', "_").trim_end_matches('=').to_owned()
}

fn answer(mut stream: TcpStream, signer: &Signer, expected: &str) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let request = lines.next().unwrap_or_default();
    let known = lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())))
        .any(|(name, value)| name == "authorization" && value == expected);
    let target = request.split(' ').nth(1).unwrap_or_default();
    let url = url::Url::parse("http://localhost").unwrap().join(target).unwrap();
    let scope = url.query_pairs().find(|(name, _)| name == "scope").map(|(_, value)| value.into_owned()).unwrap_or_default();
    let repository = scope.split(':').nth(1).unwrap_or_default();
    let (status, body) = if known {
        ("200 OK", json!({ "token": signer.mint(repository, &["pull"]), "expires_in": 300 }).to_string())
    } else {
        ("401 Unauthorized", json!({ "errors": [{ "code": "UNAUTHORIZED", "message": "wrong user or password" }] }).to_string())
    };
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
}
