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
    /// Mirrors by registry, each `HOST` or `HOST/PATH`, asked first and in this order. When one can't answer, the next
    /// is asked, and the registry itself in the end. What a mirror says of a tag is believed as far as the mirror is.
    pub mirrors: BTreeMap<String, Vec<String>>,
    /// Files of certificates in PEM that are trusted beside the system's.
    pub certificates: Vec<PathBuf>,
    /// Most tags of one repository. A list that is longer is refused, never cut.
    pub most_tags: usize,
    /// Where answers are kept between runs. `None`: nowhere.
    pub cache: Option<PathBuf>,
    /// Most bytes kept there. What was not used for longest goes first.
    pub cache_bytes: u64,
    /// What requests call themselves.
    pub user_agent: String,
}

impl Default for RegistryOptions {
    /// 16 jobs, 5 s to connect, 30 s in all, TLS everywhere but on loopback; 10,000 tags a repository; no cache.
    fn default() -> Self {
        Self {
            jobs: 16,
            connect_timeout: Duration::from_secs(5),
            total_timeout: Duration::from_secs(30),
            plain_http_hosts: BTreeSet::new(),
            tls_hosts: BTreeSet::new(),
            allowed_realms: BTreeMap::new(),
            docker_config: None,
            mirrors: BTreeMap::new(),
            certificates: Vec::new(),
            most_tags: 10_000,
            cache: None,
            cache_bytes: 256 << 20,
            user_agent: concat!("plimsoll/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}
