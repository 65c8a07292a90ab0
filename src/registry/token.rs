//! Bearer tokens: one request per (realm, service, scope), however many ask.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use tokio::time::Instant;
use url::Url;
use url::form_urlencoded::Serializer;

use super::credentials::Credential;
use super::trouble::Trouble;
use super::wire::{Ask, Authorization, To, Wire};
use crate::base::Class;

/// Lifetime of a token that names none (distribution specification, "Token Response Fields").
const DEFAULT_LIFE: u64 = 60;

/// Longest lifetime believed, in seconds.
const LONGEST_LIFE: u64 = 3600;

/// Given back early, so that a token doesn't die on its way.
const MARGIN: Duration = Duration::from_secs(10);

/// Largest answer of a token service, in bytes.
const LARGEST: usize = 256 * 1024;

/// Tokens kept at most; beyond, expired ones are dropped before a new one is asked for.
const KEPT: usize = 4096;

/// What a token is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// The registry whose credentials pay for it: two registries may share a token service, but no token.
    pub(super) registry: String,
    /// The token service.
    pub(super) realm: Url,
    /// The name the registry goes by there.
    pub(super) service: Option<String>,
    /// What may be done with it.
    pub(super) scope: String,
}

#[derive(Debug, Clone)]
struct Token {
    bearer: HeaderValue,
    until: Instant,
}

type Slot = Arc<tokio::sync::Mutex<Option<Token>>>;

/// All tokens of one client. Memory only.
#[derive(Debug, Default)]
pub(super) struct Tokens(Mutex<HashMap<Key, Slot>>);

/// A token service's answer; the two names are synonyms (distribution specification).
#[derive(Deserialize)]
struct Wording {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

impl Tokens {
    /// The token for `key`: the one at hand unless it is `refused` or too old, else a new one.
    ///
    /// All who want the same key wait for one request. When that fails each waiter asks for itself, one after another;
    /// the host's gate keeps that short.
    pub(super) async fn get(
        &self,
        wire: &Wire,
        key: &Key,
        credential: Option<&Credential>,
        refused: Option<&HeaderValue>,
    ) -> Result<HeaderValue, Trouble> {
        let slot = self.slot(key);
        let mut slot = slot.lock().await;
        if let Some(token) = slot.as_ref()
            && token.until > Instant::now()
            && refused != Some(&token.bearer)
        {
            return Ok(token.bearer.clone());
        }
        *slot = None;
        let token = request(wire, key, credential).await?;
        let bearer = token.bearer.clone();
        *slot = Some(token);
        Ok(bearer)
    }

    fn slot(&self, key: &Key) -> Slot {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= KEPT && !slots.contains_key(key) {
            let now = Instant::now();
            // A slot in use is locked, and stays.
            slots.retain(|_, slot| slot.try_lock().map_or(true, |token| token.as_ref().is_some_and(|t| t.until > now)));
        }
        Arc::clone(slots.entry(key.clone()).or_default())
    }
}

async fn request(wire: &Wire, key: &Key, credential: Option<&Credential>) -> Result<Token, Trouble> {
    let asked = Instant::now();
    let mut url = key.realm.clone();
    let mut form = None;
    let mut authorization = None;
    if let Some(Credential::Identity(token)) = credential {
        let mut fields = Serializer::new(String::new());
        fields.append_pair("grant_type", "refresh_token").append_pair("client_id", "plimsoll");
        fields.append_pair("refresh_token", token.expose()).append_pair("scope", &key.scope);
        fields.extend_pairs(key.service.iter().map(|s| ("service", s)));
        form = Some(fields.finish());
    } else {
        let mut query = url.query_pairs_mut();
        query.extend_pairs(key.service.iter().map(|s| ("service", s)));
        query.append_pair("scope", &key.scope);
        drop(query);
        if let Some(Credential::Password(user, password)) = credential {
            authorization = Some(Authorization::Basic(user.clone(), password.clone()));
        }
    }
    let method = if form.is_some() { Method::POST } else { Method::GET };
    let ask = Ask {
        method,
        to: To::Url(&url),
        authorization: authorization.as_ref(),
        accept: "application/json",
        validator: None,
        pull: false,
        form,
        limit: None,
    };
    let reply = wire.send(ask).await?;
    let (host, status) = (reply.host.clone(), reply.status);
    match status {
        StatusCode::OK => read(&host, &reply.body(LARGEST).await?, asked),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            let trouble = Trouble::last(Class::Denied, format!("the token service {host} answered {status}"));
            // 401 is about who asks, 403 about what is asked for.
            Err(Trouble { whole_host: status == StatusCode::UNAUTHORIZED && credential.is_some(), ..trouble })
        }
        _ => Err(Trouble::last(Class::Malformed, format!("the token service {host} answered {status}"))),
    }
}

fn read(host: &str, body: &[u8], asked: Instant) -> Result<Token, Trouble> {
    let refuse = |why: &str| Trouble::last(Class::Malformed, format!("the token service {host} {why}"));
    // The parser's message may quote the body, which holds a token.
    let wording: Wording = serde_json::from_slice(body).map_err(|_| refuse("sent what is no token answer"))?;
    let text = wording.token.filter(|t| !t.is_empty()).or(wording.access_token).unwrap_or_default();
    if text.is_empty() || text != graphic(&text) {
        return Err(refuse("sent no usable token"));
    }
    let mut bearer = HeaderValue::from_str(&format!("Bearer {text}")).map_err(|_| refuse("sent no usable token"))?;
    bearer.set_sensitive(true);
    let life = Duration::from_secs(wording.expires_in.filter(|s| *s > 0).unwrap_or(DEFAULT_LIFE).min(LONGEST_LIFE));
    Ok(Token { bearer, until: asked + life.saturating_sub(MARGIN).max(life / 2) })
}

/// The text without what has no place in a token.
fn graphic(text: &str) -> String {
    text.chars().filter(char::is_ascii_graphic).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_answer_table() {
        let now = Instant::now();
        // body, expected: header value and seconds kept
        let table = [
            (r#"{"token": "t1"}"#, Some(("Bearer t1", 50))),
            (r#"{"access_token": "t2", "expires_in": 300}"#, Some(("Bearer t2", 290))),
            (r#"{"token": "t3", "access_token": "no", "expires_in": 4}"#, Some(("Bearer t3", 2))),
            (r#"{"token": "t4", "expires_in": 0}"#, Some(("Bearer t4", 50))),
            (r#"{"token": "t5", "expires_in": 999999999}"#, Some(("Bearer t5", 3590))),
            (r#"{"token": ""}"#, None),
            (r#"{"token": "a\r\nX-Evil: 1"}"#, None),
            ("{}", None),
            ("<html>", None),
        ];
        for (body, expected) in table {
            let found = read("auth.example", body.as_bytes(), now).ok();
            let shown = found.as_ref().map(|t| (t.bearer.to_str().unwrap(), (t.until - now).as_secs()));
            assert_eq!(shown, expected, "{body}");
        }
    }

    #[test]
    fn no_token_shows_in_debug_output() {
        let token = read("auth.example", br#"{"token": "canary"}"#, Instant::now()).unwrap();
        assert!(!format!("{token:?}").contains("canary"));
    }
}
