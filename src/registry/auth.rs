//! How a registry wants to be asked: learned from its first 401, remembered for its host.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};
use tokio::time::Instant;
use url::Url;

use super::challenge::{self, Challenge};
use super::endpoint::Endpoint;
use super::options::RegistryOptions;
use super::realm;
use crate::base::{Class, Fault};

/// How long a refusal that holds for a whole host is remembered, so that wrong credentials don't lock an account.
const DENIAL_KEPT: Duration = Duration::from_secs(300);

/// What a registry wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Scheme {
    /// Nobody has asked yet, or no answer told.
    #[default]
    Unknown,
    /// Nothing.
    Open,
    /// User and password with each request.
    Basic,
    /// A token from `realm`.
    Bearer {
        /// The token service, already checked.
        realm: Url,
        /// The registry's name there.
        service: Option<String>,
    },
}

/// What is known about one host.
#[derive(Debug, Default)]
pub(super) struct Host {
    memory: Mutex<Memory>,
    /// It wants nothing, and nothing stands against asking it: what is read instead of the memory for each question.
    open: AtomicBool,
    first: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Memory {
    scheme: Scheme,
    tried: bool,
    denied: Option<(Instant, Fault)>,
}

/// The right to be the one who finds out; others wait until it is dropped.
pub(super) type FirstTurn<'a> = tokio::sync::MutexGuard<'a, ()>;

impl Host {
    /// Waits while another request finds out what the host wants, so that only one meets the 401.
    ///
    /// `Some` to the one who shall find out. Once somebody has tried, nobody waits any more: a host that hangs must not
    /// be asked in single file.
    pub(super) async fn first_turn(&self) -> Option<FirstTurn<'_>> {
        if !self.undecided() {
            return None;
        }
        let turn = self.first.lock().await;
        self.undecided().then_some(turn)
    }

    /// Whether it is known to want nothing, and nothing stands against asking it.
    pub(super) fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    fn undecided(&self) -> bool {
        let memory = self.lock();
        memory.scheme == Scheme::Unknown && !memory.tried
    }

    /// A first request came to its end, whatever it was.
    pub(super) fn tried(&self) {
        self.lock().tried = true;
    }

    pub(super) fn scheme(&self) -> Scheme {
        self.lock().scheme.clone()
    }

    /// The host answered a request without credentials.
    pub(super) fn opened(&self) {
        let mut memory = self.lock();
        if memory.scheme == Scheme::Unknown {
            memory.scheme = Scheme::Open;
        }
        self.told(&memory);
    }

    /// Reads the challenges of a 401, and remembers what they ask for; a fault when none can be met.
    pub(super) fn learn(&self, endpoint: &Endpoint, headers: &HeaderMap, options: &RegistryOptions) -> Result<(), Fault> {
        match choose(endpoint, headers, options) {
            Ok(scheme) => {
                let mut memory = self.lock();
                memory.scheme = scheme;
                self.told(&memory);
                Ok(())
            }
            Err(fault) => {
                if fault.class == Class::Denied {
                    self.deny(&fault);
                }
                Err(fault)
            }
        }
    }

    /// Answers all questions to this host with `fault` for a while.
    pub(super) fn deny(&self, fault: &Fault) {
        let mut memory = self.lock();
        memory.denied = Some((Instant::now() + DENIAL_KEPT, fault.clone()));
        self.told(&memory);
    }

    /// The fault that stands for the whole host, if there is one.
    pub(super) fn denied(&self) -> Result<(), Fault> {
        let mut memory = self.lock();
        match &memory.denied {
            Some((until, fault)) if *until > Instant::now() => Err(fault.clone()),
            Some(_) => {
                memory.denied = None;
                self.told(&memory);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// The memory has changed; it is locked still.
    fn told(&self, memory: &Memory) {
        self.open.store(memory.scheme == Scheme::Open && memory.denied.is_none(), Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All challenges of an answer.
pub(super) fn challenges(headers: &HeaderMap) -> Vec<Challenge> {
    headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|v| v.to_str().ok()).flat_map(challenge::parse).collect()
}

/// Tokens before passwords: a token opens one repository for a minute, a password everything for ever.
fn choose(endpoint: &Endpoint, headers: &HeaderMap, options: &RegistryOptions) -> Result<Scheme, Fault> {
    let name = &endpoint.authority;
    let found = challenges(headers);
    if let Some(bearer) = found.iter().find(|c| c.scheme == "bearer") {
        let realm = bearer
            .param("realm")
            .ok_or_else(|| Fault::new(Class::Malformed, format!("{name} wants a token and names no token service")))?;
        let realm = realm::check(endpoint, realm, options)?;
        return Ok(Scheme::Bearer { realm, service: bearer.param("service").map(str::to_owned) });
    }
    if found.iter().any(|c| c.scheme == "basic") {
        return Ok(Scheme::Basic);
    }
    Err(Fault::new(Class::Malformed, format!("{name} answered 401 without a challenge that can be met (Bearer or Basic)")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choice_table() {
        let options = RegistryOptions::default();
        let endpoint = Endpoint::new("ghcr.io", &options).unwrap();
        let bearer = |service: Option<&str>| {
            Ok(Scheme::Bearer { realm: Url::parse("https://ghcr.io/token").unwrap(), service: service.map(str::to_owned) })
        };
        let table: [(&[&str], Result<Scheme, Class>); 8] = [
            (&["Bearer realm=\"https://ghcr.io/token\",service=\"ghcr.io\""], bearer(Some("ghcr.io"))),
            (&["Basic realm=\"x\"", "Bearer realm=\"https://ghcr.io/token\""], bearer(None)),
            (&["Basic realm=x, Bearer realm=\"https://ghcr.io/token\",service=\"\""], bearer(None)),
            (&["Basic realm=x"], Ok(Scheme::Basic)),
            (&["Bearer realm=\"https://evil.example/token\", Basic realm=x"], Err(Class::Denied)),
            (&["Bearer service=x"], Err(Class::Malformed)),
            (&["Negotiate"], Err(Class::Malformed)),
            (&[], Err(Class::Malformed)),
        ];
        for (values, expected) in table {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(WWW_AUTHENTICATE, value.parse().unwrap());
            }
            assert_eq!(choose(&endpoint, &headers, &options).map_err(|f| f.class), expected, "{values:?}");
        }
    }
}
