//! One HTTP exchange: gates, redirects, deadlines and size limits, and nothing about registries.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, IF_NONE_MATCH, LOCATION};
use reqwest::{Certificate, Client, ClientBuilder, Method, Response, StatusCode, redirect};
use tokio::time::Instant;
use url::Url;

use super::allowance::allowance;
use super::backoff::{UNNAMED_WAIT, retry_after};
use super::cache::Cache;
use super::endpoint::{authority_of, is_inward, is_loopback, speaks_plain};
use super::gate::{Gate, Gates};
use super::options::RegistryOptions;
use super::trouble::{Again, Trouble};
use super::waits::Waits;
use crate::base::{Class, Fault, Secret, fault};

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
    pub(super) url: Url,
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

/// An answer's head; its body has not been read.
pub(super) struct Reply {
    /// The status: never 429, 5xx but 501, or a redirect, which are faults or followed.
    pub(super) status: StatusCode,
    /// `host:port` of who answered in the end.
    pub(super) host: String,
    /// Whether that is another host than was asked first.
    pub(super) elsewhere: bool,
    response: Response,
}

impl Reply {
    /// The answer's headers.
    pub(super) fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// The body, if it has at most `limit` bytes.
    pub(super) async fn body(mut self, limit: usize) -> Result<Vec<u8>, Trouble> {
        let mut body = Vec::new();
        loop {
            match self.response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() <= limit => body.extend_from_slice(&chunk),
                Ok(Some(_)) => return Err(Trouble::last(Class::Limit, format!("{} sent more than {limit} bytes", self.host))),
                Ok(None) => return Ok(body),
                Err(error) => return Err(from_client(&self.host, error)),
            }
        }
    }
}

/// The HTTP clients and what they learned about hosts.
#[derive(Debug)]
pub(super) struct Wire {
    options: RegistryOptions,
    /// For plain HTTP to this machine: no proxy, and no need of a certificate store.
    near: Client,
    /// Trusted beside the system's.
    certificates: Vec<Certificate>,
    /// For all else. Made at first use: it reads the system's certificates.
    far: OnceLock<Result<Client, Fault>>,
    gates: Gates,
}

impl Wire {
    /// Fails with class `Local` when no HTTP client can be made, with class `Config` when a certificate can't be used.
    pub(super) fn new(options: RegistryOptions, cache: Option<Arc<Cache>>) -> Result<Self, Fault> {
        // An error here means that the program installed a provider already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let near = built(builder(&options).no_proxy().tls_certs_only([]))?;
        let certificates = certificates(&options.certificates)?;
        Ok(Self { options, near, certificates, far: OnceLock::new(), gates: Gates::new(Waits::new(cache)) })
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
        let asked = ask.url.clone();
        let mut url = ask.url.clone();
        for _ in 0..=REDIRECTS {
            let host = authority_of(&url);
            let response = self.once(&ask, &url, &host, same_origin(&url, &asked)).await?;
            let status = response.status();
            if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok(Reply { status, elsewhere: !same_origin(&url, &asked), host, response });
            }
            if ask.method == Method::POST {
                return Err(Trouble::last(Class::Malformed, format!("{host} redirects a request for a token")));
            }
            url = self.next(&url, &asked, response.headers())?;
        }
        Err(Trouble::last(Class::Malformed, format!("{} redirects more than {REDIRECTS} times", authority_of(&asked))))
    }

    async fn once(&self, ask: &Ask<'_>, url: &Url, host: &str, own: bool) -> Result<Response, Trouble> {
        let gate = self.gates.of(host);
        let pass = gate.enter(ask.pull).await?;
        let client = self.client(url)?;
        let mut request = client.request(ask.method.clone(), url.clone()).header(ACCEPT, ask.accept);
        request = match ask.authorization.filter(|_| own) {
            Some(Authorization::Basic(user, password)) => request.basic_auth(user, Some(password.expose())),
            Some(Authorization::Bearer(value)) => request.header(AUTHORIZATION, value),
            None => request,
        };
        if let Some(validator) = ask.validator.filter(|_| own) {
            request = request.header(IF_NONE_MATCH, validator);
        }
        if let Some(form) = &ask.form {
            request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form.clone());
        }
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => {
                let trouble = from_client(host, error);
                if trouble.fault.class == Class::Transient {
                    gate.failed(Instant::now());
                }
                return Err(trouble);
            }
        };
        if let Some(trouble) = refusal(&gate, host, &response) {
            return Err(trouble);
        }
        gate.succeeded(allowance(response.headers(), Timestamp::now()), Instant::now());
        // The next one sees what this answer said.
        drop(pass);
        Ok(response)
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

    fn client(&self, url: &Url) -> Result<&Client, Fault> {
        if url.scheme() == "http" && is_loopback(url) {
            return Ok(&self.near);
        }
        let far = || built(builder(&self.options).tls_certs_merge(self.certificates.iter().cloned()));
        self.far.get_or_init(far).as_ref().map_err(Fault::clone)
    }
}

/// 429 and 5xx: what the host wants, remembered for all who ask it.
fn refusal(gate: &Gate, host: &str, response: &Response) -> Option<Trouble> {
    let status = response.status();
    let limited = status == StatusCode::TOO_MANY_REQUESTS;
    // 501 says that this will never work, not that it may later: the caller knows what else to try.
    if status == StatusCode::NOT_IMPLEMENTED || !(limited || status.is_server_error()) {
        return None;
    }
    let now = Timestamp::now();
    let headers = response.headers();
    let spent = || allowance(headers, now).filter(|allowance| allowance.remaining == 0).map(|allowance| allowance.reset);
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

/// Certificates of the operator's files.
fn certificates(files: &[PathBuf]) -> Result<Vec<Certificate>, Fault> {
    let mut found = Vec::new();
    for file in files {
        let refuse = |why: &str| Fault::new(Class::Config, format!("{}: {why}", file.display()));
        let text = std::fs::read(file).map_err(|error| refuse(&error.to_string()))?;
        let bundle = Certificate::from_pem_bundle(&text).map_err(|_| refuse("not certificates in PEM"))?;
        if bundle.is_empty() {
            return Err(refuse("no certificate in it (PEM begins with -----BEGIN CERTIFICATE-----)"));
        }
        found.extend(bundle);
    }
    Ok(found)
}

fn builder(options: &RegistryOptions) -> ClientBuilder {
    Client::builder()
        .user_agent(&options.user_agent)
        .connect_timeout(options.connect_timeout)
        .read_timeout((options.total_timeout / 3).max(Duration::from_millis(1)))
        .redirect(redirect::Policy::none())
        .referer(false)
        .pool_max_idle_per_host(options.jobs.max(1))
}

fn built(builder: ClientBuilder) -> Result<Client, Fault> {
    builder.build().map_err(|error| {
        Fault::new(Class::Local, format!("no HTTP client can be made: {}", chain(&error)))
            .hint("check the user agent, and that the system has CA certificates (SSL_CERT_FILE)")
    })
}

fn same_origin(a: &Url, b: &Url) -> bool {
    a.scheme() == b.scheme() && a.host() == b.host() && a.port_or_known_default() == b.port_or_known_default()
}

/// The client's own error, without the URL it would show.
fn from_client(host: &str, error: reqwest::Error) -> Trouble {
    let error = error.without_url();
    if error.is_timeout() {
        return Trouble::transient(format!("{host} did not answer in time"));
    }
    let cause = chain(&error);
    // The client has no typed way to say so: its parser's messages all begin with these words.
    if ["invalid HTTP ", "message head is too large"].iter().any(|w| cause.contains(w)) {
        return Trouble::last(Class::Malformed, format!("{host} does not speak HTTP: {cause}"));
    }
    if error.is_builder() {
        return Trouble::last(Class::Malformed, format!("{host} can't be asked: {cause}"));
    }
    let step = if error.is_connect() { "can't be reached" } else { "broke off" };
    Trouble::transient(format!("{host} {step}: {cause}"))
}

/// The innermost cause, which is the one that says something.
fn chain(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    fault::foreign(&innermost.to_string())
}
