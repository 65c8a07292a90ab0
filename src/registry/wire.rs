//! One HTTP exchange: gates, redirects, deadlines and size limits, and nothing about registries.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::Uri;
use hyper::body::Bytes;
use hyper::http::uri::PathAndQuery;
use jiff::Timestamp;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, IF_NONE_MATCH, LOCATION};
use reqwest::{Method, StatusCode};
use tokio::time::Instant;
use url::{Position, Url};

use super::allowance::allowance;
use super::backoff::{UNNAMED_WAIT, retry_after};
use super::broken;
use super::cache::Cache;
use super::endpoint::{Endpoint, authority_of, is_inward, is_loopback, speaks_plain};
use super::far::Far;
use super::gate::Pass;
use super::limit::Limit;
use super::manifest::ACCEPTED;
use super::near::{self, Bounds};
use super::options::RegistryOptions;
use super::peer::{Peer, Peers};
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

/// Where a request goes.
#[derive(Clone, Copy)]
pub(super) enum To<'a> {
    /// To a registry, with its path and query as a URL has them.
    Registry(&'a Endpoint, &'a Arc<Peer>, &'a str),
    /// To where a URL leads.
    Url(&'a Url),
}

/// A request.
pub(super) struct Ask<'a> {
    /// `GET`, `HEAD` or `POST`.
    pub(super) method: Method,
    /// Where to.
    pub(super) to: To<'a>,
    /// Sent to the host of `to` and to no other.
    pub(super) authorization: Option<&'a Authorization>,
    /// Media types wanted.
    pub(super) accept: &'static str,
    /// The validator of what is at hand already.
    pub(super) validator: Option<&'a HeaderValue>,
    /// Whether registries that count pulls count this one.
    pub(super) pull: bool,
    /// A form body.
    pub(super) form: Option<String>,
    /// That of the question, when it is known.
    pub(super) limit: Option<&'a Limit>,
}

/// The HTTP clients and what they learned about hosts.
#[derive(Debug)]
pub(super) struct Wire {
    options: RegistryOptions,
    peers: Peers,
    /// For all but plain HTTP to this machine.
    far: Far,
}

impl Wire {
    /// Fails with class `Config` when the user agent or a certificate can't be used.
    pub(super) fn new(options: RegistryOptions, cache: Option<Arc<Cache>>) -> Result<Self, Fault> {
        // An error here means that the program installed a provider already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let user_agent = HeaderValue::from_str(&options.user_agent)
            .map_err(|_| Fault::new(Class::Config, "the user agent has characters that no header may have"))?;
        let bounds = Bounds { most: options.jobs.max(1), connect: options.connect_timeout, silence: silence(&options) };
        let far = Far::new(&options)?;
        Ok(Self { options, peers: Peers::new(Waits::new(cache), user_agent, bounds), far })
    }

    pub(super) fn options(&self) -> &RegistryOptions {
        &self.options
    }

    /// What is shared by all who ask `host`.
    pub(super) fn peer(&self, host: &str) -> Arc<Peer> {
        self.peers.of(host)
    }

    /// Sends `ask` and follows redirects. 429 and 5xx come back as faults, and quieten the host.
    pub(super) async fn send(&self, ask: Ask<'_>) -> Result<Reply, Trouble> {
        let (host, answer) = match ask.to {
            To::Registry(endpoint, peer, path) if endpoint.near() => (&peer.host, self.near(&ask, peer, path, true).await?),
            To::Registry(endpoint, peer, path) => (&peer.host, self.far(&ask, peer, &endpoint.at(path)?, true).await?),
            // Boxed, here and elsewhere: a future that grows past a thousand bytes is one that allocators are slow at.
            To::Url(url) => return Box::pin(self.follow(&ask, url, url.clone(), REDIRECTS + 1)).await,
        };
        if is_redirect(answer.status()) {
            return Box::pin(self.redirected(&ask, answer.headers())).await;
        }
        Ok(Reply { status: answer.status(), elsewhere: false, host: Arc::clone(host), answer })
    }

    /// Goes on where the first answer, whose headers these are, leads to.
    async fn redirected(&self, ask: &Ask<'_>, headers: &HeaderMap) -> Result<Reply, Trouble> {
        let To::Registry(endpoint, _, path) = ask.to else { return Err(Trouble::last(Class::Internal, "a redirect of nothing")) };
        let asked = endpoint.at(path)?;
        let next = self.next(&asked, &asked, headers)?;
        self.follow(ask, &asked, next, REDIRECTS).await
    }

    /// Sends at most as many requests as given, each to where the one before was told to go.
    async fn follow(&self, ask: &Ask<'_>, asked: &Url, mut url: Url, requests: usize) -> Result<Reply, Trouble> {
        for _ in 0..requests {
            let peer = self.peer(&authority_of(&url));
            let own = same_origin(&url, asked);
            let answer = if url.scheme() == "http" && is_loopback(&url) {
                self.near(ask, &peer, &url[Position::BeforePath..Position::AfterQuery], own).await?
            } else {
                self.far(ask, &peer, &url, own).await?
            };
            if !is_redirect(answer.status()) {
                return Ok(Reply { status: answer.status(), elsewhere: !own, host: Arc::clone(&peer.host), answer });
            }
            if ask.method == Method::POST {
                return Err(Trouble::last(Class::Malformed, format!("{} redirects a request for a token", peer.host)));
            }
            url = self.next(&url, asked, answer.headers())?;
        }
        Err(Trouble::last(Class::Malformed, format!("{} redirects more than {REDIRECTS} times", authority_of(asked))))
    }

    /// Over a connection of our own.
    async fn near(&self, ask: &Ask<'_>, peer: &Peer, path: &str, own: bool) -> Result<Heard, Trouble> {
        let pass = peer.gate.enter(ask.pull).await?;
        // Read once; a request that is sent again shares it.
        let target = Bytes::copy_from_slice(path.as_bytes());
        let request = |common: &HeaderMap| {
            let body = ask.form.as_ref().map(|form| Bytes::from(form.clone())).unwrap_or_default();
            let mut request = near::Plain::new(body.into());
            *request.method_mut() = ask.method.clone();
            // What the URL parser wrote is a path: it does not fail.
            *request.uri_mut() = PathAndQuery::from_maybe_shared(target.clone()).map(Uri::from).unwrap_or_default();
            *request.headers_mut() = headers(ask, own, common.clone());
            request
        };
        let heard = Box::pin(peer.lines.send(request, pass.since, ask.limit)).await;
        told(pass, peer, heard.map(Heard::Near).map_err(|failure| broken::near(&peer.host, failure)))
    }

    /// Through the HTTP client.
    async fn far(&self, ask: &Ask<'_>, peer: &Peer, url: &Url, own: bool) -> Result<Heard, Trouble> {
        let pass = peer.gate.enter(ask.pull).await?;
        let heard = Box::pin(self.far.send(ask, url, &peer.host, headers(ask, own, HeaderMap::new()))).await;
        told(pass, peer, heard.map(Heard::Far))
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

/// Lets the gate hear what an answer says.
fn told(pass: Pass<'_>, peer: &Peer, heard: Result<Heard, Trouble>) -> Result<Heard, Trouble> {
    let answer = match heard {
        Ok(answer) => answer,
        Err(trouble) => {
            if trouble.fault.class == Class::Transient {
                peer.gate.failed(Instant::now());
            }
            return Err(trouble);
        }
    };
    if let Some(trouble) = refusal(peer, answer.status(), answer.headers()) {
        return Err(trouble);
    }
    pass.succeeded(allowance(answer.headers(), Timestamp::now));
    Ok(answer)
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// The headers of a request, beside those of every request; to another origin than was asked first, without what is meant
/// for that one alone.
fn headers(ask: &Ask<'_>, own: bool, mut headers: HeaderMap) -> HeaderMap {
    // The usual ones accept what is asked for most.
    if headers.is_empty() || ask.accept != ACCEPTED {
        headers.insert(ACCEPT, HeaderValue::from_static(ask.accept));
    }
    match ask.authorization.filter(|_| own) {
        Some(Authorization::Basic(user, password)) => {
            let encoded = STANDARD.encode(format!("{user}:{}", password.expose()));
            // Base64 is made of what a header may have: this does not fail.
            if let Ok(mut value) = HeaderValue::try_from(format!("Basic {encoded}")) {
                value.set_sensitive(true);
                headers.insert(AUTHORIZATION, value);
            }
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
    headers
}

/// 429 and 5xx: what the host wants, remembered for all who ask it.
fn refusal(Peer { gate, host, .. }: &Peer, status: StatusCode, headers: &HeaderMap) -> Option<Trouble> {
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
