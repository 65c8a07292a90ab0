//! GitHub Apps: a signed claim of who we are, exchanged for a token of an installation.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::json;
use tokio::time::Instant;

use crate::base::{Class, Fault, Secret};

/// A claim begins so many seconds ago: GitHub refuses one from the future, and clocks differ.
const EARLY: i64 = 60;

/// A claim ends so many seconds from now. GitHub takes at most ten minutes.
const LIFE: i64 = 480;

/// A token is given up so long before it ends, or at half its life when that is shorter.
const MARGIN: Duration = Duration::from_secs(300);

/// An App's identity.
#[derive(Clone)]
pub struct App {
    id: String,
    key: Arc<RsaKeyPair>,
    /// The installation to use everywhere; found by repository when absent.
    pub(super) installation: Option<u64>,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("id", &self.id).field("key", &"***").field("installation", &self.installation).finish()
    }
}

impl App {
    /// An App by its id (or client id) and its key as GitHub gives it: PEM, PKCS#1 or PKCS#8.
    ///
    /// # Errors
    /// Class `Config`; the text says nothing of the key.
    pub fn new(id: &str, key: &Secret, installation: Option<u64>) -> Result<Self, Fault> {
        let refuse = |why: &str| Fault::new(Class::Config, format!("the App's key {why}"));
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.') {
            return Err(Fault::new(Class::Config, "the App's id is its number or its client id"));
        }
        let der = PrivateKeyDer::from_pem_slice(key.expose().as_bytes()).map_err(|_| refuse("is no PEM private key"))?;
        let key = match &der {
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
            PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
            _ => return Err(refuse("is no RSA key")),
        };
        Ok(Self { id: id.to_owned(), key: Arc::new(key.map_err(|_| refuse("is no RSA key of at least 2048 bits"))?), installation })
    }

    /// The id, for names of slots.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// A JSON Web Token that says who we are, for some minutes.
    pub(super) fn claim(&self, now: Timestamp) -> Result<Secret, Fault> {
        let now = now.as_second();
        let claims = json!({ "iat": now - EARLY, "exp": now + LIFE, "iss": self.id });
        let part = |value: &serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(&json!({ "alg": "RS256", "typ": "JWT" })), part(&claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature)
            .map_err(|_| Fault::new(Class::Local, "the App's claim can't be signed"))?;
        Ok(Secret::new(format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))))
    }
}

/// A token of an installation.
#[derive(Debug, Clone)]
pub(super) struct Minted {
    /// The token.
    pub(super) token: Secret,
    /// When it is given up.
    pub(super) until: Instant,
}

impl Minted {
    /// A token that lives so long, counted from when it was asked for.
    pub(super) fn new(token: Secret, life: Duration, asked: Instant) -> Self {
        Self { token, until: asked + life.saturating_sub(MARGIN).max(life / 2) }
    }
}

/// One token, behind a lock that whoever fetches it holds: the others wait for that fetch.
pub(super) type Slot = Arc<tokio::sync::Mutex<Option<Minted>>>;

/// Tokens by installation, and installations by owner. Memory only.
#[derive(Debug, Default)]
pub(super) struct Installations {
    slots: Mutex<HashMap<u64, Slot>>,
    by_owner: tokio::sync::Mutex<HashMap<String, u64>>,
}

impl Installations {
    /// The slot of an installation's token.
    pub(super) fn slot(&self, installation: u64) -> Slot {
        Arc::clone(self.slots.lock().unwrap_or_else(PoisonError::into_inner).entry(installation).or_default())
    }

    /// The installations found so far; held while one is looked up.
    pub(super) async fn by_owner(&self) -> tokio::sync::MutexGuard<'_, HashMap<String, u64>> {
        self.by_owner.lock().await
    }
}
