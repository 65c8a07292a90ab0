//! One request as a registry wants it: who we are, one challenge, one refused token.

use std::sync::{Arc, PoisonError};

use reqwest::header::HeaderValue;
use reqwest::{Method, StatusCode};

use super::RegistryClient;
use super::auth::{Host, Scheme, challenges};
use super::credentials::Credential;
use super::limit::Limit;
use super::place::{Met, Place};
use super::reply::Reply;
use super::token::Key;
use super::trouble::Trouble;
use super::wire::{Ask, Authorization, To};
use crate::base::{Class, Fault};

/// What is asked of a registry.
#[derive(Debug, Clone)]
pub(super) struct Request {
    /// `GET` or `HEAD`.
    pub(super) method: Method,
    /// Path and query at the registry.
    pub(super) path: String,
    /// Media types wanted.
    pub(super) accept: &'static str,
    /// The validator of what is at hand already; a 304 says that it still holds.
    pub(super) validator: Option<HeaderValue>,
    /// Whether registries that count pulls count this one.
    pub(super) pull: bool,
    /// When the question is over.
    pub(super) limit: Limit,
}

impl Request {
    /// Content by `GET`.
    pub(super) fn get(path: String, accept: &'static str, limit: Limit) -> Self {
        Self { method: Method::GET, path, accept, validator: None, pull: false, limit }
    }
}

impl RegistryClient {
    /// Sends one request with what the host wants, and meets at most one challenge and one refused token on the way.
    pub(super) async fn authorized(&self, place: &Place, request: &Request) -> Result<Reply, Trouble> {
        let endpoint = &place.endpoint;
        let Met { host, peer } = place.met.get_or_init(|| self.meet(&endpoint.authority));
        let mut turn = if host.is_open() { None } else { Box::pin(host.first_turn()).await };
        let (mut challenged, mut refused) = (false, None);
        loop {
            let open = host.is_open();
            let authorization = if open {
                None
            } else {
                host.denied()?;
                Box::pin(self.authorization(host, place, refused.as_ref())).await?
            };
            let ask = Ask {
                method: request.method.clone(),
                to: To::Registry(endpoint, peer, &request.path),
                authorization: authorization.as_ref(),
                accept: request.accept,
                validator: request.validator.as_ref(),
                pull: request.pull,
                form: None,
                limit: Some(&request.limit),
            };
            let sent = Box::pin(self.wire.send(ask)).await;
            if turn.is_some() {
                host.tried();
            }
            let reply = sent?;
            if reply.status != StatusCode::UNAUTHORIZED {
                if authorization.is_none() && !open {
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
                    let fault = denied(place, "refuses the user or password");
                    host.deny(&fault);
                    return Err(fault.into());
                }
                _ => return Err(denied(place, "refuses access").into()),
            }
        }
    }

    /// What to send with a request to `host`, as far as is known.
    async fn authorization(&self, host: &Host, place: &Place, refused: Option<&HeaderValue>) -> Result<Option<Authorization>, Trouble> {
        let registry = &place.endpoint.registry;
        match host.scheme() {
            Scheme::Unknown | Scheme::Open => Ok(None),
            Scheme::Basic => match Box::pin(self.credentials.find(registry)).await? {
                Some(Credential::Password(user, password)) => Ok(Some(Authorization::Basic(user, password))),
                Some(Credential::Identity(_)) => Err(denied(place, "wants a password, and only an identity token is stored").into()),
                None => Err(denied(place, "wants a user and password").into()),
            },
            Scheme::Bearer { realm, service } => {
                let credential = Box::pin(self.credentials.find(registry)).await?;
                let key = Key { registry: registry.clone(), realm, service, scope: place.scope() };
                let token = Box::pin(self.tokens.get(&self.wire, &key, credential.as_ref(), refused)).await.map_err(|mut trouble| {
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

    fn meet(&self, authority: &str) -> Met {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        Met { host: Arc::clone(hosts.entry(authority.to_owned()).or_default()), peer: self.wire.peer(authority) }
    }
}

/// Whether a 401 says that the token is good and the rights are not (RFC 6750 §3.1): a new one would be no better.
fn lacks_rights(reply: &Reply) -> bool {
    challenges(reply.headers()).iter().any(|c| c.param("error") == Some("insufficient_scope"))
}

fn denied(place: &Place, what: &str) -> Fault {
    Fault::new(Class::Denied, format!("{} {what}", place.endpoint.authority)).hint(login(&place.endpoint.registry))
}

fn login(registry: &str) -> String {
    format!("check the credentials for {registry} (docker login {registry})")
}

/// An answer that is no manifest, by what it means.
pub(super) fn refusal(reply: &Reply) -> Trouble {
    let (host, status) = (&reply.host, reply.status);
    let class = match status.as_u16() {
        403 => Class::Denied,
        404 => Class::Missing,
        408 | 425 => return Trouble::transient(format!("{host} answered {status}")),
        _ => Class::Malformed,
    };
    Trouble::last(class, format!("{host} answered {status}"))
}
