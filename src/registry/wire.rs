//! One HTTP exchange: gates, redirects, deadlines and size limits, and nothing about registries.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::body::Bytes;
use jiff::Timestamp;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, IF_NONE_MATCH, LOCATION, USER_AGENT};
use reqwest::{Method, StatusCode};
use tokio::time::Instant;
use url::{Position, Url};

use super::allowance::allowance;
use super::backoff::{UNNAMED_WAIT, retry_after};
use super::cache::Cache;
use super::endpoint::{authority_of, is_inward, is_loopback, speaks_plain};
use super::far::Far;
use super::gate::{Gate, Gates};
use super::near::{self, Near};
use super::options::RegistryOptions;
use super::reply::{Heard, Reply};
use super::trouble::{Again, Trouble};
use super::waits::Waits;
use crate::base::{Class, Fault, Secret};

/// Redirects followed for one request.
const REDIRECTS: usize = 5;

/// Who a request says it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Authorization {
    /// User and password.
    Basic(String, Secret),
    /// `Bearer …`, marked sensitive so that no log shows it.
    Bearer(HeaderValue),
}

/// A request.
pub(super) struct Ask<'a> {
    /// `GET`, `HEAD` or `POST`.
    pub(super) method: Method,
    /// Where to.
    pub(super) url: &'a Url,
    /// Sent to the host of `url` and to no other.
    pub(super) authorization: Option<&'a Authorization>,
    /// Media types wanted.
    pub(super) accept: &'static str,
    /// The validator of what is at hand already.
    pub(super) validator: Option<&'a HeaderValue>,
    /// Whether registries that count pulls count this one.
    pub(super) pull: bool,
    /// A form body.
    pub(super) form: Option<String>,
}

/// The HTTP clients and what they learned about hosts.
#[derive(Debug)]
pub(super) struct Wire {
    options: RegistryOptions,
    /// For plain HTTP to this machine.
    near: Arc<Near>,
    user_agent: HeaderValue,
    /// For all else.
    far: Far,
    gates: Gates,
}

impl Wire {
    /// Fails with class `Config` when the user agent or a certificate can't be used.
    pub(super) fn new(options: RegistryOptions, cache: Option<Arc<Cache>>) -> Result<Self, Fault> {
        // An error here means that the program installed a provider already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let user_agent = HeaderValue::from_str(&options.user_agent)
            .map_err(|_| Fault::new(Class::Config, "the user agent has characters that no header may have"))?;
        let near = Arc::new(Near::new(options.jobs, options.connect_timeout, silence(&options)));
        let far = Far::new(&options)?;
        Ok(Self { options, near, user_agent, far, gates: Gates::new(Waits::new(cache)) })
    }

    pub(super) fn options(&self) -> &RegistryOptions {
        &self.options
    }

    /// Counts a question that ran out of time against `host`.
    pub(super) fn failed(&self, host: &str) {
        self.gates.of(host).failed(Instant::now());
    }

    /// Sends `ask` and follows redirects. 429 and 5xx come back as faults, and quieten the host.
    pub(super) async fn send(&self, ask: Ask<'_>) -> Result<Reply, Trouble> {
        let asked = ask.url;
        let mut next: Option<Url> = None;
        for _ in 0..=REDIRECTS {
            let url = next.as_ref().unwrap_or(asked);
            let host = authority_of(url);
            let own = same_origin(url, asked);
            let answer = self.once(&ask, url, &host, own).await?;
            let status = answer.status();
            if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok(Reply { status, elsewhere: !own, host, answer });
            }
            if ask.method == Method::POST {
                return Err(Trouble::last(Class::Malformed, format!("{host} redirects a request for a token")));
            }
            next = Some(self.next(url, asked, answer.headers())?);
        }
        Err(Trouble::last(Class::Malformed, format!("{} redirects more than {REDIRECTS} times", authority_of(asked))))
    }

    async fn once(&self, ask: &Ask<'_>, url: &Url, host: &str, own: bool) -> Result<Heard, Trouble> {
        let gate = self.gates.of(host);
        let pass = gate.enter(ask.pull).await?;
        // Boxed, here and where questions are sent: a future that grows past a thousand bytes is one that allocators are slow at.
        let heard = if url.scheme() == "http" && is_loopback(url) {
            let request = || self.plain(ask, url, host, own);
            Box::pin(self.near.send(host, request)).await.map(Heard::Near)
        } else {
            Box::pin(self.far.send(ask, url, host, headers(ask, own)?)).await.map(Heard::Far)
        };
        let answer = match heard {
            Ok(answer) => answer,
            Err(trouble) => {
                if trouble.fault.class == Class::Transient {
                    gate.failed(Instant::now());
                }
                return Err(trouble);
            }
        };
        if let Some(trouble) = refusal(&gate, host, answer.status(), answer.headers()) {
            return Err(trouble);
        }
        gate.succeeded(allowance(answer.headers(), Timestamp::now), Instant::now());
        // The next one sees what this answer said.
        drop(pass);
        Ok(answer)
    }

    /// The request as it goes over a connection of our own.
    fn plain(&self, ask: &Ask<'_>, url: &Url, host: &str, own: bool) -> Result<near::Plain, Trouble> {
        let body = ask.form.as_ref().map(|form| Bytes::from(form.clone())).unwrap_or_default();
        let mut request = near::Plain::new(body.into());
        *request.method_mut() = ask.method.clone();
        // What the URL parser wrote is a path, and what it names as host is one: neither fails.
        *request.uri_mut() = url[Position::BeforePath..Position::AfterQuery].parse().unwrap_or_default();
        let mut headers = headers(ask, own)?;
        if let Ok(host) = HeaderValue::from_str(host) {
            headers.insert(HOST, host);
        }
        headers.insert(USER_AGENT, self.user_agent.clone());
        *request.headers_mut() = headers;
        Ok(request)
    }

    /// Where a redirect leads, if it may be followed: never from TLS to plain HTTP, nor inward from a far host.
    fn next(&self, from: &Url, asked: &Url, headers: &HeaderMap) -> Result<Url, Trouble> {
        let host = authority_of(from);
        let refuse = |why: &str| Trouble::last(Class::Malformed, format!("{host} {why}"));
        let location = headers.get(LOCATION).and_then(|v| v.to_str().ok()).ok_or_else(|| refuse("redirects without saying where to"))?;
        let next = from.join(location).map_err(|_| refuse("redirects to what is no URL"))?;
        let plain_allowed = from.scheme() == "http" && speaks_plain(&next, &self.options);
        if next.scheme() != "https" && !(next.scheme() == "http" && plain_allowed) {
            return Err(refuse("redirects away from TLS"));
        }
        if !next.username().is_empty() || next.password().is_some() {
            return Err(refuse("redirects to a URL with a user in it"));
        }
        if is_inward(&next) && next.host() != asked.host() && !is_inward(asked) && !speaks_plain(asked, &self.options) {
            return Err(refuse("redirects to an inward address"));
        }
        Ok(next)
    }
}

/// The headers of a request; to another origin than was asked first, without what is meant for that one alone.
fn headers(ask: &Ask<'_>, own: bool) -> Result<HeaderMap, Fault> {
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(ACCEPT, HeaderValue::from_static(ask.accept));
    match ask.authorization.filter(|_| own) {
        Some(Authorization::Basic(user, password)) => {
            let encoded = STANDARD.encode(format!("{user}:{}", password.expose()));
            let mut value =
                HeaderValue::from_str(&format!("Basic {encoded}")).map_err(|error| Fault::new(Class::Internal, error.to_string()))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Some(Authorization::Bearer(value)) => {
            headers.insert(AUTHORIZATION, value.clone());
        }
        None => {}
    }
    if let Some(validator) = ask.validator.filter(|_| own) {
        headers.insert(IF_NONE_MATCH, validator.clone());
    }
    if ask.form.is_some() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    }
    Ok(headers)
}

/// 429 and 5xx: what the host wants, remembered for all who ask it.
fn refusal(gate: &Gate, host: &str, status: StatusCode, headers: &HeaderMap) -> Option<Trouble> {
    let limited = status == StatusCode::TOO_MANY_REQUESTS;
    // 501 says that this will never work, not that it may later: the caller knows what else to try.
    if status == StatusCode::NOT_IMPLEMENTED || !(limited || status.is_server_error()) {
        return None;
    }
    let now = Timestamp::now();
    let spent = || allowance(headers, || now).filter(|allowance| allowance.remaining == 0).map(|allowance| allowance.reset);
    let named = retry_after(headers, now).or_else(|| limited.then(spent).flatten());
    let wait = named.or(limited.then_some(UNNAMED_WAIT));
    let class = if limited { Class::Limited } else { Class::Transient };
    if !limited {
        gate.failed(Instant::now());
    }
    if let Some(wait) = wait {
        gate.quiet(wait, class, Instant::now());
    }
    let fault = Fault::new(class, format!("{host} answered {status}")).retry_after(named);
    Some(Trouble { fault, again: wait.map_or(Again::Backoff, Again::After), whole_host: limited })
}

fn same_origin(a: &Url, b: &Url) -> bool {
    a.scheme() == b.scheme() && a.host() == b.host() && a.port_or_known_default() == b.port_or_known_default()
}

/// Longest silence of a server in the middle of an answer.
pub(super) fn silence(options: &RegistryOptions) -> Duration {
    (options.total_timeout / 3).max(Duration::from_millis(1))
}
