//! A registry that misbehaves as told, and counts what it is asked.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, Uri};
use plimsoll::model::{Digest, ImageReference};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::support::parts::ignored;

/// What every manifest here looks like.
pub(crate) const BODY: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","layers":[]}"#;

/// The user that `Auth::Basic` and the token service know: `canary-user:canary-secret`.
pub(crate) const BASIC: &str = "Basic Y2FuYXJ5LXVzZXI6Y2FuYXJ5LXNlY3JldA==";

/// A Docker configuration with that user for `host`.
pub(crate) fn docker_config(host: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let auth = BASIC.trim_start_matches("Basic ");
    std::fs::write(directory.path().join("config.json"), format!(r#"{{"auths": {{"{host}": {{"auth": "{auth}"}}}}}}"#)).unwrap();
    directory
}

/// The digest of [`BODY`].
pub(crate) fn truth() -> Digest {
    Digest::parse(&digest_of(BODY.as_bytes())).unwrap()
}

/// How a manifest request is answered once it is let in.
#[derive(Debug, Clone, Default)]
pub(crate) enum Manner {
    /// As the specification says.
    #[default]
    Right,
    /// This status, with these headers, to each `HEAD`; right to `GET`.
    Head(u16, Vec<(&'static str, String)>),
    /// This status, with these headers, to everything.
    Always(u16, Vec<(&'static str, String)>),
    /// The status for the first `n` requests, then right.
    First(usize, u16, Vec<(&'static str, String)>),
    /// Right, with these headers in place of the digest.
    Named(Vec<(&'static str, String)>),
    /// Right but for the body of a `GET`.
    Sends(Vec<u8>),
    /// After this time.
    Slow(Duration),
    /// As this says.
    Script(Script),
}

/// What a script answers: status, headers, body.
pub(crate) type Told = (u16, Vec<(&'static str, String)>, Vec<u8>);

/// An answer to each request, made by the test.
#[derive(Clone)]
pub(crate) struct Script(Arc<dyn Fn(&Seen) -> Told + Send + Sync>);

impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Script")
    }
}

impl Manner {
    /// Answers as `script` says.
    pub(crate) fn script(script: impl Fn(&Seen) -> Told + Send + Sync + 'static) -> Self {
        Self::Script(Script(Arc::new(script)))
    }

    /// Serves these things by path under `/v2/`, with their content type, and 404 else.
    pub(crate) fn shelf(things: Vec<(String, &'static str, Vec<u8>)>) -> Self {
        Self::script(move |seen| match things.iter().find(|(path, ..)| seen.path == format!("/v2/{path}")) {
            Some((_, kind, body)) => {
                (200, vec![("content-type", (*kind).to_owned()), ("docker-content-digest", digest_of(body))], body.clone())
            }
            None => (404, vec![], vec![]),
        })
    }
}

/// `sha256:…` of `bytes`.
pub(crate) fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect::<String>())
}

/// Who is let in.
#[derive(Debug, Clone, Default)]
pub(crate) enum Auth {
    #[default]
    Open,
    Basic,
    /// Bearer tokens from this realm; `None` is the registry's own `/token`.
    Token {
        realm: Option<String>,
        /// Tokens are refused after so many manifest requests each.
        uses: usize,
        /// Whether the token service wants [`BASIC`].
        private: bool,
    },
    /// Bearer tokens, none of which opens this repository.
    Narrow,
    /// 401 with this challenge, whatever is sent.
    Never(&'static str),
}

/// One request as it came in.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) authorization: Option<String>,
    pub(crate) accept: String,
    pub(crate) validator: Option<String>,
    pub(crate) at: Instant,
}

#[derive(Debug, Default)]
struct Shared {
    auth: Auth,
    manner: Manner,
    host: String,
    seen: Vec<Seen>,
    issued: usize,
    token_uses: BTreeMap<String, usize>,
}

#[derive(Debug)]
pub(crate) struct FaultRegistry {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    server: JoinHandle<()>,
}

impl Drop for FaultRegistry {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl FaultRegistry {
    pub(crate) async fn start(auth: Auth, manner: Manner) -> Self {
        Self::start_at(Ipv4Addr::LOCALHOST.into(), auth, manner).await
    }

    /// On one of this machine's addresses.
    pub(crate) async fn start_at(address: IpAddr, auth: Auth, manner: Manner) -> Self {
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Mutex::new(Shared { auth, manner, host: address.to_string(), ..Shared::default() }));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, shared, server }
    }

    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn reference(&self, repository: &str, tag: &str) -> ImageReference {
        reference(&self.host(), repository, tag)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.lock().unwrap().seen.clone()
    }

    /// `HEAD ×3, GET ×1, token ×1`: what came in, by kind.
    pub(crate) fn tally(&self) -> String {
        let mut kinds = BTreeMap::new();
        for seen in self.seen() {
            let kind = if seen.path == "/token" { "token".to_owned() } else { seen.method };
            *kinds.entry(kind).or_insert(0) += 1;
        }
        kinds.iter().map(|(kind, count)| format!("{kind} ×{count}")).collect::<Vec<_>>().join(", ")
    }
}

/// The addresses of this machine by which a registry is asked in the two ways there are: as one that is near, over
/// connections of our own, and as any other, through the HTTP client.
pub(crate) fn near_and_far() -> Vec<IpAddr> {
    let far = || {
        let socket = UdpSocket::bind(("0.0.0.0", 0)).ok()?;
        // Nothing is sent: it only finds the way out.
        socket.connect(("192.0.2.1", 9)).ok()?;
        Some(socket.local_addr().ok()?.ip()).filter(|address| !address.is_loopback())
    };
    let proxied = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"].iter().any(|name| std::env::var_os(name).is_some());
    let far = far().filter(|_| !proxied);
    if far.is_none() {
        ignored("this machine has no address but its loopback, or a proxy stands before it; only the near half is run");
    }
    [Some(Ipv4Addr::LOCALHOST.into()), far].into_iter().flatten().collect()
}

pub(crate) fn reference(registry: &str, repository: &str, tag: &str) -> ImageReference {
    ImageReference { registry: registry.to_owned(), repository: repository.to_owned(), tag: Some(tag.to_owned()), digest: None }
}

async fn answer(State(shared): State<Arc<Mutex<Shared>>>, method: Method, uri: Uri, headers: HeaderMap) -> Response<Body> {
    let (response, wait) = decide(&mut shared.lock().unwrap(), &method, &uri, &headers);
    tokio::time::sleep(wait).await;
    response
}

fn decide(shared: &mut Shared, method: &Method, uri: &Uri, headers: &HeaderMap) -> (Response<Body>, Duration) {
    let text = |name: &str| headers.get(name).map(|v| v.to_str().unwrap().to_owned());
    let authorization = text("authorization");
    shared.seen.push(Seen {
        method: method.to_string(),
        path: uri.path().to_owned(),
        query: uri.query().unwrap_or_default().to_owned(),
        authorization: authorization.clone(),
        accept: text("accept").unwrap_or_default(),
        validator: text("if-none-match"),
        at: Instant::now(),
    });
    let now = |response| (response, Duration::ZERO);
    if uri.path() == "/token" {
        if matches!(shared.auth, Auth::Token { private: true, .. }) && authorization.as_deref() != Some(BASIC) {
            return now(plain(401, &[]));
        }
        shared.issued += 1;
        let body = format!(r#"{{"token": "canary-token-{}", "expires_in": 300}}"#, shared.issued);
        // Slow enough that a second request would start before the first one ends.
        return (Response::new(Body::from(body)), Duration::from_millis(30));
    }
    if let Some(challenge) = refusal(shared, authorization.as_deref()) {
        return now(plain(401, &[("www-authenticate", challenge)]));
    }
    let right = |extra: &[(&'static str, String)]| {
        let mut named = vec![("content-type", "application/vnd.oci.image.manifest.v1+json".to_owned())];
        named.extend_from_slice(extra);
        let mut response = plain(200, &named);
        *response.body_mut() = Body::from(BODY);
        response
    };
    let digest = [("docker-content-digest", truth().to_string())];
    match &mut shared.manner {
        Manner::Head(status, extra) if method == Method::HEAD => now(plain(*status, extra)),
        Manner::Always(status, extra) => now(plain(*status, extra)),
        Manner::First(left, status, extra) if *left > 0 => {
            *left -= 1;
            now(plain(*status, extra))
        }
        Manner::Right | Manner::Head(..) | Manner::First(..) => now(right(&digest)),
        Manner::Named(extra) => now(right(extra)),
        Manner::Sends(body) => {
            let mut response = plain(200, &[]);
            *response.body_mut() = Body::from(body.clone());
            now(response)
        }
        Manner::Slow(wait) => (right(&digest), *wait),
        Manner::Script(Script(script)) => {
            let (status, headers, body) = script(shared.seen.last().unwrap());
            let mut response = plain(status, &headers);
            *response.body_mut() = Body::from(body);
            now(response)
        }
    }
}

/// The challenge for those who are not let in.
fn refusal(shared: &mut Shared, authorization: Option<&str>) -> Option<String> {
    match &shared.auth {
        Auth::Open => None,
        Auth::Basic => (authorization != Some(BASIC)).then(|| "Basic realm=\"canary\"".to_owned()),
        Auth::Never(challenge) => Some((*challenge).to_owned()),
        Auth::Narrow => {
            let error = if authorization.is_some() { ",error=\"insufficient_scope\"" } else { "" };
            Some(format!("Bearer realm=\"http://{}/token\"{error}", shared.host))
        }
        Auth::Token { realm, uses, .. } => {
            let token = authorization.and_then(|a| a.strip_prefix("Bearer canary-token-"));
            if let Some(token) = token {
                let used = shared.token_uses.entry(token.to_owned()).or_default();
                *used += 1;
                if *used <= *uses {
                    return None;
                }
            }
            let realm = realm.clone().unwrap_or_else(|| format!("http://{}/token", shared.host));
            Some(format!("Bearer realm=\"{realm}\",service=\"canary-registry\",scope=\"repository:any:pull\""))
        }
    }
}

fn plain(status: u16, headers: &[(&'static str, String)]) -> Response<Body> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, value);
    }
    response.body(Body::empty()).unwrap()
}
