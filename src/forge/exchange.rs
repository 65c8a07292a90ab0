//! One exchange with an API: limiter, deadlines, sizes, redirects, validators. It knows no forge.

use std::sync::OnceLock;
use std::time::Duration;

use http_body_util::BodyExt as _;
use octocrab::service::middleware::base_uri::BaseUriLayer;
use octocrab::service::middleware::reqwest_connector::ReqwestConnector;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH, LOCATION, USER_AGENT};
use reqwest::{Client, Method, StatusCode, redirect};
use tokio::time::{Instant, timeout};
use url::Url;

use super::kept::{Kept, Store};
use super::limiter::Limiter;
use crate::base::{Class, Fault, fault};

/// Longest wait for a connection, TLS included.
const CONNECT: Duration = Duration::from_secs(10);

/// Longest silence within an answer.
const IDLE: Duration = Duration::from_secs(15);

/// Largest answer, in bytes: a listing of a very large tree.
const LARGEST: usize = 32 << 20;

/// Redirects followed for one question. A renamed repository is one.
const REDIRECTS: usize = 3;

/// Who is asked, and how.
pub(super) struct Exchange {
    /// The API.
    pub(super) api: Url,
    /// Name of the forge and of the credential, for slots of the store: never the credential itself.
    pub(super) account: String,
    /// Longest time for one question, all in all.
    pub(super) deadline: Duration,
    carrier: Carrier,
    limiter: Limiter,
    store: Store,
}

/// What carries requests. Both are made at first use: they read the system's certificates, and octocrab wants a runtime.
enum Carrier {
    Octocrab(OnceLock<Result<octocrab::Octocrab, Fault>>),
    Plain(OnceLock<Result<Client, Fault>>),
}

/// A question.
pub(super) struct Ask<'a> {
    /// `GET`, `POST`, …
    pub(super) method: Method,
    /// Path and query from the API's own address on: `/repos/…`.
    pub(super) path: &'a str,
    /// The media type wanted.
    pub(super) accept: &'static str,
    /// Headers of this forge, credentials among them. Sent to the API's own origin and to no other.
    pub(super) headers: HeaderMap,
    /// A JSON body.
    pub(super) body: Option<Vec<u8>>,
    /// Does not count as content, though it is no `GET`.
    pub(super) light: bool,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// A fault, and whether the request surely never reached the other side.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) fault: Fault,
    pub(super) unsent: bool,
}

impl Trouble {
    pub(super) fn unsent(fault: Fault) -> Self {
        Self { fault, unsent: true }
    }
}

impl Trouble {
    /// The fault of a dispatch: an unknown outcome only where the request may have arrived.
    pub(super) fn of_dispatch(self, name: &str) -> Fault {
        let fault = self.fault.of(name);
        if self.unsent { unsent(fault) } else { fault }
    }
}

impl From<Trouble> for Fault {
    fn from(trouble: Trouble) -> Self {
        trouble.fault
    }
}

impl Exchange {
    /// With GitHub, carried by octocrab.
    pub(super) fn github(api: Url, account: String, deadline: Duration, store: Store) -> Self {
        Self { api, account, deadline, carrier: Carrier::Octocrab(OnceLock::new()), limiter: Limiter::new(), store }
    }

    /// With any other API.
    pub(super) fn plain(api: Url, account: String, deadline: Duration, store: Store) -> Self {
        Self { api, account, deadline, carrier: Carrier::Plain(OnceLock::new()), limiter: Limiter::new(), store }
    }

    /// `host[:port]`, for messages.
    pub(super) fn host(&self) -> String {
        let port = self.api.port().map(|port| format!(":{port}")).unwrap_or_default();
        format!("{}{port}", self.api.host_str().unwrap_or_default())
    }

    /// Sends once. Refusals for speed and 5xx are faults; every other status is an answer.
    pub(super) async fn send(&self, ask: &Ask<'_>) -> Result<Answered, Trouble> {
        let host = self.host();
        let write = ask.method != Method::GET && !ask.light;
        let _turn = self.limiter.enter(&host, write).await.map_err(Trouble::unsent)?;
        let carried = timeout(self.deadline, self.followed(ask))
            .await
            .unwrap_or_else(|_| Err(Trouble { fault: self.late(self.deadline), unsent: false }));
        let mut answered = carried.inspect_err(|trouble| {
            if trouble.fault.class == Class::Transient {
                self.limiter.failed(Instant::now());
            }
        })?;
        if answered.status.is_client_error() {
            answered.body = without_secrets(&answered.body, &ask.headers);
        }
        if let Some(fault) = self.limiter.heard(&host, answered.status, &answered.headers, &answered.body, Instant::now()) {
            return Err(Trouble { fault, unsent: true });
        }
        if answered.status.is_server_error() {
            let text = format!("{host} answered {}", answered.status);
            return Err(Trouble { fault: Fault::new(Class::Transient, text), unsent: false });
        }
        Ok(answered)
    }

    /// Follows a `GET` within the API's own origin; whatever else redirects is an answer for the caller.
    async fn followed(&self, ask: &Ask<'_>) -> Result<Answered, Trouble> {
        let mut path = ask.path.to_owned();
        for _ in 0..=REDIRECTS {
            let answered = self.carried(ask, &path).await?;
            if ask.method != Method::GET || !answered.status.is_redirection() || answered.status == StatusCode::NOT_MODIFIED {
                return Ok(answered);
            }
            path = self.moved_to(&answered.headers)?;
        }
        Err(malformed(format!("{} redirects more than {REDIRECTS} times", self.host())))
    }

    /// Where a redirect leads, if that is within the API.
    fn moved_to(&self, headers: &HeaderMap) -> Result<String, Trouble> {
        let host = self.host();
        let next = headers.get(LOCATION).and_then(|value| value.to_str().ok()).and_then(|text| self.api.join(text).ok());
        let Some(next) = next else { return Err(malformed(format!("{host} redirects without saying where to"))) };
        let within = next.origin() == self.api.origin() && next.username().is_empty() && next.password().is_none();
        let base = self.api.path().trim_end_matches('/');
        match next.path().strip_prefix(base).filter(|path| within && path.starts_with('/')) {
            Some(path) => Ok(next.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"))),
            None => Err(malformed(format!("{host} redirects to another place, and credentials go nowhere else"))),
        }
    }

    async fn carried(&self, ask: &Ask<'_>, path: &str) -> Result<Answered, Trouble> {
        let url = format!("{}{path}", self.api.as_str().trim_end_matches('/'));
        let mut request = http::Request::builder().method(ask.method.clone()).uri(match &self.carrier {
            // octocrab puts its base address before a path.
            Carrier::Octocrab(_) => path,
            Carrier::Plain(_) => url.as_str(),
        });
        if let Some(headers) = request.headers_mut() {
            headers.extend(ask.headers.clone());
            headers.insert(ACCEPT, HeaderValue::from_static(ask.accept));
            headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
            if ask.body.is_some() {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            }
        }
        let body = ask.body.clone().unwrap_or_default();
        let request = request.body(body).map_err(|_| Trouble::unsent(Fault::new(Class::Config, "the request's address is no URL")))?;
        let host = self.host();
        let broken = |error: &(dyn std::error::Error + 'static)| trouble(&host, error);
        let (parts, mut body) = match &self.carrier {
            Carrier::Octocrab(cell) => {
                let octocrab = cell.get_or_init(|| octocrab_for(&self.api)).clone().map_err(Trouble::unsent)?;
                let response = octocrab.execute(request).await.map_err(|error| broken(&error))?;
                let (parts, body) = response.into_parts();
                (parts, http_body_util::Either::Left(body))
            }
            Carrier::Plain(cell) => {
                let client = cell.get_or_init(|| client(&self.api)).clone().map_err(Trouble::unsent)?;
                let request = request.try_into().map_err(|error: reqwest::Error| broken(&error))?;
                let response: http::Response<reqwest::Body> = client.execute(request).await.map_err(|error| broken(&error))?.into();
                let (parts, body) = response.into_parts();
                (parts, http_body_util::Either::Right(body))
            }
        };
        let mut answered = Answered { status: parts.status, headers: parts.headers, body: Vec::new() };
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| broken(error.as_ref()))?;
            if let Some(chunk) = frame.data_ref() {
                if answered.body.len() + chunk.len() > LARGEST {
                    let text = format!("{host} sent more than {LARGEST} bytes");
                    return Err(Trouble { fault: Fault::new(Class::Limit, text), unsent: false });
                }
                answered.body.extend_from_slice(chunk);
            }
        }
        Ok(answered)
    }

    /// A `GET` that costs the forge nothing when the answer is still the one that is kept. An answer other than 200
    /// comes back as it is.
    pub(super) async fn conditional(&self, mut ask: Ask<'_>) -> Result<Result<Kept, Answered>, Trouble> {
        let slot = self.slot(&format!("{} {}", ask.accept, ask.path));
        let kept = self.store.get(&slot);
        if let Some(tag) = kept.as_ref().and_then(|kept| HeaderValue::from_str(&kept.tag).ok()) {
            ask.headers.insert(IF_NONE_MATCH, tag);
        }
        let answered = self.send(&ask).await?;
        match (answered.status, kept) {
            (StatusCode::NOT_MODIFIED, Some(kept)) => Ok(Ok(kept)),
            (StatusCode::OK, _) => match answered.headers.get(ETAG).and_then(|tag| tag.to_str().ok()) {
                Some(tag) => Ok(Ok(self.store.put(&slot, tag, &answered.body))),
                None => Ok(Ok(Kept { tag: String::new(), body: answered.body.into() })),
            },
            _ => Ok(Err(answered)),
        }
    }

    /// What is kept under a name of the caller's.
    pub(super) fn kept(&self, name: &str) -> Option<Kept> {
        self.store.get(&self.slot(name))
    }

    /// Keeps something under a name of the caller's.
    pub(super) fn keep(&self, name: &str, tag: &str, body: &[u8]) {
        self.store.put(&self.slot(name), tag, body);
    }

    /// Slots are lines of the store: a name holds no line break, as paths of a repository do not.
    fn slot(&self, name: &str) -> String {
        format!("{} {} {name}", self.account, self.api)
    }
}

/// What requests call themselves.
const AGENT: &str = concat!("plimsoll/", env!("CARGO_PKG_VERSION"));

/// The one HTTP client under both carriers, so that proxies and certificates are those of every other request. It
/// follows no redirect and repeats nothing by itself.
fn client(api: &Url) -> Result<Client, Fault> {
    // An error here means that the program installed a provider already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder().connect_timeout(CONNECT).read_timeout(IDLE).redirect(redirect::Policy::none()).referer(false);
    // Plain HTTP is for this machine only, which no proxy reaches and which needs no certificates.
    let builder = if api.scheme() == "http" { builder.no_proxy().tls_certs_only([]) } else { builder };
    builder.build().map_err(|error| {
        Fault::new(Class::Local, format!("no HTTP client can be made: {}", innermost(&error)))
            .hint("check that the system has CA certificates (SSL_CERT_FILE)")
    })
}

/// octocrab without its own headers: it would add a second `User-Agent` to every request. No credential is given to
/// it either: whose header goes with a request is decided here, request by request.
fn octocrab_for(api: &Url) -> Result<octocrab::Octocrab, Fault> {
    let base = api.as_str().parse().map_err(|_| Fault::new(Class::Config, "the API's address is no URL"))?;
    let Ok(octocrab) = octocrab::OctocrabBuilder::new_empty()
        .with_service(ReqwestConnector::new(client(api)?))
        .with_layer(&BaseUriLayer::new(base))
        .with_auth(octocrab::AuthState::None)
        .build();
    Ok(octocrab)
}

impl Exchange {
    /// Reads what a dispatch needs first. Together with [`Self::sending`] it takes less than twice the deadline, so that
    /// nothing is sent when the lease of its claim may have ended.
    pub(super) async fn preparing<T>(&self, work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        let limit = self.deadline * 2 / 3;
        timeout(limit, work).await.unwrap_or_else(|_| Err(self.late(limit))).map_err(unsent)
    }

    /// Sends a dispatch, tokens and turns included. Out of time means that it is not known whether it was taken.
    pub(super) async fn sending<T>(&self, work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        let limit = self.deadline * 7 / 6;
        timeout(limit, work).await.unwrap_or_else(|_| Err(self.late(limit)))
    }

    fn late(&self, limit: Duration) -> Fault {
        Fault::new(Class::Transient, format!("no answer from {} within {} s", self.host(), limit.as_secs_f64()))
    }
}

/// A fault of something that did not come to be sent: an unknown outcome it is not.
fn unsent(mut fault: Fault) -> Fault {
    if fault.class == Class::Transient {
        fault.class = Class::Limited;
        fault.text = format!("not sent: {}", fault.text);
    }
    fault
}

fn malformed(text: String) -> Trouble {
    Trouble { fault: Fault::new(Class::Malformed, text), unsent: false }
}

/// A failure of the transport, without the URL it would show.
fn trouble(host: &str, error: &(dyn std::error::Error + 'static)) -> Trouble {
    let mut at = Some(error);
    let mut client = None;
    while let Some(cause) = at {
        client = client.or_else(|| cause.downcast_ref::<reqwest::Error>());
        at = cause.source();
    }
    let (words, unsent) = match client {
        Some(error) if error.is_connect() => ("can't be reached", true),
        Some(error) if error.is_timeout() => ("did not answer in time", false),
        _ => ("broke off", false),
    };
    Trouble { fault: Fault::new(Class::Transient, format!("{host} {words}: {}", innermost(error))), unsent }
}

/// The innermost cause, which is the one that says something.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut at = error;
    while let Some(source) = at.source() {
        at = source;
    }
    fault::foreign(&at.to_string())
}

/// What a refusal says, without the credentials it may repeat.
fn without_secrets(body: &[u8], headers: &HeaderMap) -> Vec<u8> {
    let mut text = String::from_utf8_lossy(body).into_owned();
    for secret in headers.values().filter(|value| value.is_sensitive()).filter_map(|value| value.to_str().ok()) {
        let secret = secret.strip_prefix("Bearer ").unwrap_or(secret);
        if !secret.is_empty() {
            text = text.replace(secret, "***");
        }
    }
    text.into_bytes()
}

/// A bearer credential as a header that no log shows.
pub(super) fn secret_header(text: &str) -> Result<HeaderValue, Fault> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| Fault::new(Class::Config, "the forge's token has characters in it that no header takes"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// `Authorization: Bearer …`.
pub(super) fn bearer(token: &str) -> Result<HeaderMap, Fault> {
    Ok(HeaderMap::from_iter([(AUTHORIZATION, secret_header(&format!("Bearer {token}"))?)]))
}
