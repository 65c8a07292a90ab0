//! Where a registry named in a reference is reached, and how.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use super::options::RegistryOptions;
use crate::base::{Class, Fault, fault};

/// Docker Hub's name in references. Its API answers elsewhere.
const DOCKER_HUB: &str = "docker.io";
const DOCKER_HUB_API: &str = "registry-1.docker.io";

/// A registry's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// `https://registry-1.docker.io/`, with a path of `/`.
    pub(super) base: Url,
    /// The registry as references and credentials name it: `docker.io`, `localhost:5000`.
    pub(super) registry: String,
    /// `registry-1.docker.io`, `localhost:5000`: for people.
    pub(super) authority: String,
    near: bool,
}

impl Endpoint {
    /// The address of `registry`; a fault of class `Config` when it is no `host[:port]`.
    pub(super) fn new(registry: &str, options: &RegistryOptions) -> Result<Self, Fault> {
        let refuse = || Fault::new(Class::Config, format!("'{}' is not a registry host", fault::foreign(registry)));
        let registry = match registry.to_ascii_lowercase() {
            name if name == "index.docker.io" || name == DOCKER_HUB_API => DOCKER_HUB.to_owned(),
            name => name,
        };
        let authority = if registry == DOCKER_HUB { DOCKER_HUB_API } else { &registry };
        let mut base = Url::parse(&format!("https://{authority}/")).map_err(|_| refuse())?;
        let name = authority_of(&base);
        // The URL parser accepts userinfo, paths, and hosts like `2130706433`; a registry name has none of these.
        if name != authority && format!("{name}:443") != *authority {
            return Err(refuse());
        }
        if speaks_plain(&base, options) {
            // `https` drops a port of 443 and `http` one of 80, so the plain form is read from the name again.
            base = Url::parse(&format!("http://{authority}/")).map_err(|_| refuse())?;
        }
        Ok(Self { authority: authority_of(&base), near: base.scheme() == "http" && is_loopback(&base), base, registry })
    }

    /// Whether this registry is spoken to without TLS.
    pub(super) fn plain(&self) -> bool {
        self.base.scheme() == "http"
    }

    /// Whether it is on this machine and spoken to without TLS.
    pub(super) fn near(&self) -> bool {
        self.near
    }

    /// The URL of a path and query, written as a URL has them.
    pub(super) fn at(&self, path: &str) -> Result<Url, Fault> {
        // Not by joining, which would take `//` for the beginning of another host.
        let base = self.base.as_str().trim_end_matches('/');
        Url::parse(&[base, path].concat()).map_err(|error| Fault::new(Class::Internal, format!("own URL: {error}")))
    }
}

/// `host` or `host:port` of a URL; the scheme's own port is left out.
pub(super) fn authority_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Whether plain HTTP may be spoken to the host of `url`: a loopback host, or one the operator lists.
pub(super) fn speaks_plain(url: &Url, options: &RegistryOptions) -> bool {
    !listed(&options.tls_hosts, url) && (is_loopback(url) || listed(&options.plain_http_hosts, url))
}

/// Whether a list of `host` and `host:port` names the host of `url`.
pub(super) fn listed(hosts: &BTreeSet<String>, url: &Url) -> bool {
    url.host_str().is_some_and(|host| hosts.contains(host) || hosts.contains(&authority_of(url)))
}

/// `localhost`, `127.0.0.0/8` and `::1`, by name; nothing is looked up.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// Whether `url` names an address that means something only near this machine, where a far server has no
/// business to send us.
pub(super) fn is_inward(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => inward_v4(ip),
        Some(Host::Ipv6(ip)) => ip.to_ipv4_mapped().map_or_else(|| inward_v6(ip), inward_v4),
        None => true,
    }
}

fn inward_v4(ip: Ipv4Addr) -> bool {
    ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified()
}

fn inward_v6(ip: Ipv6Addr) -> bool {
    ip.is_loopback() || ip.is_unspecified() || ip.is_unique_local() || ip.is_unicast_link_local()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoint_table() {
        let options = RegistryOptions {
            plain_http_hosts: ["registry.lan".to_owned(), "mirror.lan:5000".to_owned()].into(),
            tls_hosts: ["localhost:5443".to_owned()].into(),
            ..RegistryOptions::default()
        };
        let table = [
            ("docker.io", Some("https://registry-1.docker.io/")),
            ("index.docker.io", Some("https://registry-1.docker.io/")),
            ("ghcr.io", Some("https://ghcr.io/")),
            ("GHCR.io", Some("https://ghcr.io/")),
            ("registry.example.com:443", Some("https://registry.example.com/")),
            ("localhost:5000", Some("http://localhost:5000/")),
            ("localhost:80", Some("http://localhost/")),
            ("localhost:443", Some("http://localhost:443/")),
            ("127.9.8.7", Some("http://127.9.8.7/")),
            ("[::1]:5000", Some("http://[::1]:5000/")),
            ("localhost:5443", Some("https://localhost:5443/")),
            ("registry.lan:8080", Some("http://registry.lan:8080/")),
            ("mirror.lan:5000", Some("http://mirror.lan:5000/")),
            ("mirror.lan:5001", Some("https://mirror.lan:5001/")),
            ("localhost.evil.example", Some("https://localhost.evil.example/")),
            ("2130706433", None),
            ("0x7f.1", None),
            ("a.example@evil.example", None),
            ("a.example/path", None),
            ("a.example?x", None),
            ("a.example:99999", None),
            ("", None),
            ("a b", None),
        ];
        for (registry, expected) in table {
            let found = Endpoint::new(registry, &options).ok().map(|e| e.base.to_string());
            assert_eq!(found.as_deref(), expected, "{registry}");
        }
    }

    #[test]
    fn inward_table() {
        let table = [
            ("http://169.254.169.254/", true),
            ("https://10.0.0.1/", true),
            ("https://[::ffff:7f00:1]/", true),
            ("https://[fe80::1]/", true),
            ("https://2130706433/", true),
            ("https://localhost/", true),
            ("https://8.8.8.8/", false),
            ("https://ghcr.io/", false),
        ];
        for (url, expected) in table {
            assert_eq!(is_inward(&Url::parse(url).unwrap()), expected, "{url}");
        }
    }
}
