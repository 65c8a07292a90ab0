//! The client: one question in, one digest or one fault out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::header::HeaderValue;
use reqwest::{Method, StatusCode};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::auth::{Host, Scheme, challenges};
use super::backoff::{RETRIES, WAIT_OUT, jitter};
use super::credentials::{Credential, Credentials};
use super::manifest::{ACCEPTED, LARGEST, body_digest, check_pin, header_digest};
use super::options::RegistryOptions;
use super::target::{Target, label};
use super::token::{Key, Tokens};
use super::trouble::{Again, Trouble};
use super::wire::{Ask, Authorization, Reply, Wire};
use crate::base::{Class, Fault};
use crate::model::{Digest, ImageReference};
use crate::ports::{Answer, Registry};

/// Asks registries for digests, and nothing more often than it must.
///
/// - `HEAD` the manifest, all four media types; `GET` only when a successful `HEAD` names no digest, or `HEAD` itself is
///   refused (405, 501). Never after 404 or 429: Docker Hub counts a `GET` as a pull.
/// - A host's first request learns how it wants to be asked; the others wait for it. Tokens are shared.
/// - Transient faults are tried twice more with full jitter. A wait of up to 2 s that the host asks for is waited out;
///   during a longer one (5 s after a 429 that names none) questions to that host answer `Limited` without a request.
/// - After five transient failures in a row a host is asked once every 30 s; the rest answers `Transient` at once.
/// - A refusal that holds for a whole host (wrong password, untrusted token service) stands for 5 minutes.
///
/// Share it behind an `Arc`: what it learned about hosts lives in it. It must be used within a tokio runtime with time and IO.
#[derive(Debug)]
pub struct RegistryClient {
    wire: Wire,
    jobs: Semaphore,
    credentials: Credentials,
    tokens: Tokens,
    hosts: Mutex<HashMap<String, Arc<Host>>>,
}

impl RegistryClient {
    /// A client with nothing learned yet. No request is sent, no credential read.
    ///
    /// # Errors
    /// Class `Local` when no HTTP client can be made.
    pub fn new(options: RegistryOptions) -> Result<Self, Fault> {
        Ok(Self {
            jobs: Semaphore::new(options.jobs.clamp(1, Semaphore::MAX_PERMITS)),
            credentials: Credentials::new(options.docker_config.as_deref()),
            tokens: Tokens::default(),
            hosts: Mutex::default(),
            wire: Wire::new(options)?,
        })
    }

    async fn ask(&self, reference: &ImageReference) -> Result<Digest, Fault> {
        let target = Target::new(reference, self.wire.options())?;
        let _job = self.jobs.acquire().await.map_err(|_| Fault::new(Class::Internal, "the client was closed"))?;
        let limit = self.wire.options().total_timeout;
        timeout(limit, self.retried(&target)).await.unwrap_or_else(|_| {
            let host = &target.endpoint.authority;
            self.wire.failed(host);
            Err(Fault::new(Class::Transient, format!("no answer from {host} within {} s", limit.as_secs_f64())))
        })
    }

    async fn retried(&self, target: &Target<'_>) -> Result<Digest, Fault> {
        let mut attempt = 0;
        loop {
            let trouble = match self.attempt(target).await {
                Ok(digest) => return Ok(digest),
                Err(trouble) => trouble,
            };
            let wait = match trouble.again {
                Again::Backoff => jitter(attempt),
                // Never early, and not all at the same moment.
                Again::After(wait) if wait <= WAIT_OUT => wait + jitter(0),
                Again::After(_) | Again::Never => return Err(trouble.fault),
            };
            if attempt >= RETRIES {
                return Err(trouble.fault);
            }
            tracing::debug!(host = target.endpoint.authority, ?wait, class = %trouble.fault.class, "asking again");
            sleep(wait).await;
            attempt += 1;
        }
    }

    async fn attempt(&self, target: &Target<'_>) -> Result<Digest, Trouble> {
        let head = self.authorized(target, Method::HEAD).await?;
        if head.status == StatusCode::OK {
            if let Some(digest) = header_digest(&head.host, head.headers())? {
                return check_pin(&head.host, digest, target.pinned);
            }
        } else if !matches!(head.status, StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED) {
            return Err(refusal(&head));
        }
        let reply = self.authorized(target, Method::GET).await?;
        if reply.status != StatusCode::OK {
            return Err(refusal(&reply));
        }
        let (host, headers) = (reply.host.clone(), reply.headers().clone());
        let body = reply.body(LARGEST).await?;
        let digest = body_digest(&host, &headers, &body, target.pinned)?;
        check_pin(&host, digest, target.pinned)
    }

    /// Sends one request with what the host wants, and meets at most one challenge and one refused token on the way.
    async fn authorized(&self, target: &Target<'_>, method: Method) -> Result<Reply, Trouble> {
        let endpoint = &target.endpoint;
        let host = self.host(&endpoint.authority);
        let mut turn = host.first_turn().await;
        let (mut challenged, mut refused) = (false, None);
        loop {
            host.denied()?;
            let authorization = self.authorization(&host, target, refused.as_ref()).await?;
            let ask = Ask {
                method: method.clone(),
                url: target.url.clone(),
                authorization: authorization.as_ref(),
                accept: ACCEPTED,
                form: None,
            };
            let sent = self.wire.send(ask).await;
            if turn.is_some() {
                host.tried();
            }
            let reply = sent?;
            if reply.status != StatusCode::UNAUTHORIZED {
                if authorization.is_none() {
                    host.opened();
                }
                return Ok(reply);
            }
            if reply.elsewhere {
                return Err(Trouble::last(
                    Class::Denied,
                    format!("{} redirects to {}, which wants credentials", endpoint.authority, reply.host),
                ));
            }
            match authorization {
                None if !challenged => {
                    challenged = true;
                    host.learn(endpoint, reply.headers(), self.wire.options())?;
                    drop(turn.take());
                }
                Some(Authorization::Bearer(token)) if refused.is_none() && !lacks_rights(&reply) => {
                    host.learn(endpoint, reply.headers(), self.wire.options())?;
                    refused = Some(token);
                }
                Some(Authorization::Basic(..)) => {
                    self.credentials.forget(&endpoint.registry);
                    let fault = denied(target, "refuses the user or password");
                    host.deny(&fault);
                    return Err(fault.into());
                }
                _ => return Err(denied(target, "refuses access").into()),
            }
        }
    }

    /// What to send with a request to `host`, as far as is known.
    async fn authorization(
        &self,
        host: &Host,
        target: &Target<'_>,
        refused: Option<&HeaderValue>,
    ) -> Result<Option<Authorization>, Trouble> {
        let registry = &target.endpoint.registry;
        match host.scheme() {
            Scheme::Unknown | Scheme::Open => Ok(None),
            Scheme::Basic => match self.credentials.find(registry).await? {
                Some(Credential::Password(user, password)) => Ok(Some(Authorization::Basic(user, password))),
                Some(Credential::Identity(_)) => Err(denied(target, "wants a password, and only an identity token is stored").into()),
                None => Err(denied(target, "wants a user and password").into()),
            },
            Scheme::Bearer { realm, service } => {
                let credential = self.credentials.find(registry).await?;
                let key = Key { registry: registry.clone(), realm, service, scope: target.scope() };
                let token = self.tokens.get(&self.wire, &key, credential.as_ref(), refused).await.map_err(|mut trouble| {
                    if trouble.fault.class == Class::Denied {
                        trouble.fault.hint = Some(login(registry));
                        if trouble.whole_host {
                            self.credentials.forget(registry);
                            host.deny(&trouble.fault);
                        }
                    }
                    trouble
                })?;
                Ok(Some(Authorization::Bearer(token)))
            }
        }
    }

    fn host(&self, authority: &str) -> Arc<Host> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = hosts.get(authority) {
            return Arc::clone(host);
        }
        Arc::clone(hosts.entry(authority.to_owned()).or_default())
    }
}

impl Registry for RegistryClient {
    fn digest<'a>(&'a self, reference: &'a ImageReference) -> Answer<'a, Result<Digest, Fault>> {
        Box::pin(async move { self.ask(reference).await.map_err(|fault| fault.of(&label(reference))) })
    }
}

/// Whether a 401 says that the token is good and the rights are not (RFC 6750 §3.1): a new one would be no better.
fn lacks_rights(reply: &Reply) -> bool {
    challenges(reply.headers()).iter().any(|c| c.param("error") == Some("insufficient_scope"))
}

fn denied(target: &Target<'_>, what: &str) -> Fault {
    Fault::new(Class::Denied, format!("{} {what}", target.endpoint.authority)).hint(login(&target.endpoint.registry))
}

fn login(registry: &str) -> String {
    format!("check the credentials for {registry} (docker login {registry})")
}

/// An answer that is no manifest, by what it means.
fn refusal(reply: &Reply) -> Trouble {
    let (host, status) = (&reply.host, reply.status);
    let class = match status.as_u16() {
        403 => Class::Denied,
        404 => Class::Missing,
        408 | 425 => return Trouble::transient(format!("{host} answered {status}")),
        _ => Class::Malformed,
    };
    Trouble::last(class, format!("{host} answered {status}"))
}
