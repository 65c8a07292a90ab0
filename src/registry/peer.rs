//! Who is asked, and what all requests to it share, found once and then held by whoever asks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::header::{ACCEPT, HOST, HeaderMap, HeaderValue, USER_AGENT};

use super::gate::Gate;
use super::manifest::ACCEPTED;
use super::near::{Bounds, Lines};
use super::waits::Waits;

/// One host.
#[derive(Debug)]
pub(super) struct Peer {
    /// `host:port`.
    pub(super) host: Arc<str>,
    /// Whether it may be asked right now.
    pub(super) gate: Gate,
    /// Connections of our own, for when it is on this machine.
    pub(super) lines: Arc<Lines>,
}

/// All hosts met so far, by `host:port`.
#[derive(Debug)]
pub(super) struct Peers {
    known: Mutex<HashMap<String, Arc<Peer>>>,
    waits: Waits,
    user_agent: HeaderValue,
    bounds: Bounds,
}

impl Peers {
    /// Hosts whose longer waits are kept in `waits`.
    pub(super) fn new(waits: Waits, user_agent: HeaderValue, bounds: Bounds) -> Self {
        Self { known: Mutex::default(), waits, user_agent, bounds }
    }

    /// The host of that name.
    pub(super) fn of(&self, host: &str) -> Arc<Peer> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(peer) = known.get(host) {
            return Arc::clone(peer);
        }
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(ACCEPTED));
        // What the URL parser names as host is one: this does not fail.
        if let Ok(host) = HeaderValue::from_str(host) {
            headers.insert(HOST, host);
        }
        headers.insert(USER_AGENT, self.user_agent.clone());
        let name: Arc<str> = host.into();
        let lines = Arc::new(Lines::new(Arc::clone(&name), headers, self.bounds));
        let peer = Arc::new(Peer { gate: Gate::new(Arc::clone(&name), self.waits.clone()), host: name, lines });
        Arc::clone(known.entry(host.to_owned()).or_insert(peer))
    }
}
