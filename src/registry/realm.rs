//! Which hosts may be told a registry's credentials: the rule against stolen tokens.

use url::Url;

use super::endpoint::{Endpoint, authority_of, listed, speaks_plain};
use super::options::RegistryOptions;
use crate::base::{Class, Fault, SafeUrl, fault};

/// Registries whose own token service is on another host.
///
/// Those that answer for themselves (`ghcr.io`, `quay.io`, `gcr.io`, `*.pkg.dev`, `public.ecr.aws`, `*.azurecr.io`)
/// need no line here.
const KNOWN: &[(&str, &str)] = &[
    ("docker.io", "auth.docker.io"),
    ("registry.gitlab.com", "gitlab.com"),
    ("docker.elastic.co", "docker-auth.elastic.co"),
    ("lscr.io", "ghcr.io"),
    ("registry.digitalocean.com", "api.digitalocean.com"),
];

/// The token service that a challenge of `endpoint` names, if it may be asked.
///
/// It must be the registry's own host (any port), one of [`KNOWN`], or one the operator allows; spoken to by TLS,
/// or in plain HTTP only when the registry itself is and the host may be.
pub(super) fn check(endpoint: &Endpoint, realm: &str, options: &RegistryOptions) -> Result<Url, Fault> {
    let name = &endpoint.authority;
    let url = Url::parse(realm).map_err(|_| {
        Fault::new(Class::Malformed, format!("{name} names a token service that is no absolute URL: '{}'", fault::foreign(realm)))
    })?;
    let plain_here = endpoint.plain() && speaks_plain(&url, options);
    if url.scheme() != "https" && !(url.scheme() == "http" && plain_here) {
        return Err(Fault::new(Class::Denied, format!("{name} names a token service without TLS: {}", SafeUrl::from(url))));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Fault::new(Class::Malformed, format!("{name} names a token service with a user in its URL")));
    }
    let same_host = url.host().is_some() && url.host() == endpoint.base.host();
    let known = KNOWN.iter().any(|(registry, host)| *registry == endpoint.registry && authority_of(&url) == *host);
    let by_operator = options.allowed_realms.iter().any(|(registry, hosts)| {
        (*registry == endpoint.registry || Some(registry.as_str()) == endpoint.base.host_str()) && listed(hosts, &url)
    });
    if same_host || known || by_operator {
        return Ok(url);
    }
    let host = authority_of(&url);
    Err(Fault::new(Class::Denied, format!("{name} sends us for a token to {host}, which is not trusted with its credentials"))
        .hint(format!("if {host} is the token service of {name}, allow it with --token-realm {name}={host}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn realm_table() {
        let options = RegistryOptions {
            allowed_realms: [("registry.example.com".to_owned(), ["sso.example.com".to_owned()].into())].into(),
            ..RegistryOptions::default()
        };
        // registry, realm, expected: None = may be asked
        let table = [
            ("docker.io", "https://auth.docker.io/token", None),
            ("docker.io", "http://auth.docker.io/token", Some(Class::Denied)),
            ("docker.io", "https://auth.docker.io.evil.example/token", Some(Class::Denied)),
            ("docker.io", "https://auth.docker.io:8443/token", Some(Class::Denied)),
            ("docker.io", "https://auth.docker.io@evil.example/token", Some(Class::Malformed)),
            ("docker.io", "https://169.254.169.254/latest", Some(Class::Denied)),
            ("docker.io", "/token", Some(Class::Malformed)),
            ("docker.io", "ftp://auth.docker.io/", Some(Class::Denied)),
            ("ghcr.io", "https://ghcr.io/token", None),
            ("ghcr.io", "https://auth.docker.io/token", Some(Class::Denied)),
            ("quay.io", "https://quay.io/v2/auth", None),
            ("registry.gitlab.com", "https://gitlab.com/jwt/auth", None),
            ("registry.example.com", "https://sso.example.com/token", None),
            ("registry.example.com:5000", "https://sso.example.com/token", None),
            ("registry.example.com:5000", "https://registry.example.com:5001/token", None),
            ("other.example.com", "https://sso.example.com/token", Some(Class::Denied)),
            ("127.0.0.1:5000", "http://127.0.0.1:5001/token", None),
            ("127.0.0.1:5000", "http://127.0.0.2:5001/token", Some(Class::Denied)),
            ("127.0.0.1:5000", "http://evil.example/token", Some(Class::Denied)),
            ("evil.example", "http://127.0.0.1:5000/token", Some(Class::Denied)),
        ];
        for (registry, realm, expected) in table {
            let endpoint = Endpoint::new(registry, &options).unwrap();
            assert_eq!(check(&endpoint, realm, &options).err().map(|f| f.class), expected, "{registry} {realm}");
        }
    }
}
