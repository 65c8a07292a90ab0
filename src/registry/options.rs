//! What an operator may set about registries.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

/// Operator settings of a [`RegistryClient`](super::RegistryClient). None of them comes from a config repository.
///
/// Hosts are written as in an image reference: `registry.example.com` (any port) or `registry.example.com:5000`
/// (this port only).
#[derive(Debug, Clone)]
pub struct RegistryOptions {
    /// Questions asked at the same time, over all hosts. At least 1.
    pub jobs: usize,
    /// Longest wait for a connection, TLS included.
    pub connect_timeout: Duration,
    /// Longest time for one question with all its tries, tokens and redirects; waiting for a free job is not counted.
    /// A single answer may stay silent for a third of it.
    pub total_timeout: Duration,
    /// Hosts spoken to in plain HTTP. Loopback hosts (`localhost`, `127.0.0.0/8`, `::1`) are so without being listed.
    pub plain_http_hosts: BTreeSet<String>,
    /// Hosts spoken to in TLS although they are loopback hosts. Wins over `plain_http_hosts`.
    pub tls_hosts: BTreeSet<String>,
    /// Further hosts trusted to give out tokens, by registry host. Added to the shipped table.
    pub allowed_realms: BTreeMap<String, BTreeSet<String>>,
    /// The directory with Docker's `config.json`, or such a file. `None`: `$DOCKER_CONFIG`, else `~/.docker`.
    pub docker_config: Option<PathBuf>,
    /// What requests call themselves.
    pub user_agent: String,
}

impl Default for RegistryOptions {
    /// 16 jobs, 5 s to connect, 30 s in all, TLS everywhere but on loopback.
    fn default() -> Self {
        Self {
            jobs: 16,
            connect_timeout: Duration::from_secs(5),
            total_timeout: Duration::from_secs(30),
            plain_http_hosts: BTreeSet::new(),
            tls_hosts: BTreeSet::new(),
            allowed_realms: BTreeMap::new(),
            docker_config: None,
            user_agent: concat!("plimsoll/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}
