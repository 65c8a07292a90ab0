//! Addresses of git repositories: which are taken, and how they are shown.

use std::fmt;

use crate::base::{Class, Fault};

/// How a repository is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// TLS.
    Https,
    /// No TLS: only by the operator's leave.
    Http,
    /// `ssh://` or `user@host:path`.
    Ssh,
    /// A path of this machine.
    File,
}

impl Protocol {
    /// git's word for it, as in `protocol.<word>.allow`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Http => "http",
            Self::Ssh => "ssh",
            Self::File => "file",
        }
    }
}

/// A checked address. Its `Display` and `Debug` never show a user's name on http(s).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RemoteUrl {
    protocol: Protocol,
    text: String,
}

fn refused(text: &str) -> Fault {
    Fault::new(Class::Config, text)
}

impl RemoteUrl {
    /// Parses an address. Anything git would run, or take for an option, is refused.
    ///
    /// # Errors
    /// [`Class::Config`]; the text never repeats the address, which may hold a password.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        if text.is_empty() || text.len() > 2048 || text.chars().any(|c| c.is_control() || c == ' ') {
            return Err(refused("the address is empty, too long, or has blanks or control characters in it"));
        }
        if text.starts_with('-') {
            return Err(refused("an address does not start with `-`"));
        }
        if let Some((scheme, rest)) = text.split_once("://") {
            let protocol = match scheme {
                "https" => Protocol::Https,
                "http" => Protocol::Http,
                "ssh" => Protocol::Ssh,
                "file" => return Self::file(text, rest),
                _ => return Err(refused("only https, ssh, http and file addresses are taken")),
            };
            return Self::with_host(protocol, text, rest);
        }
        // git runs whatever stands before `::` as a program.
        if text.contains("::") {
            return Err(refused("addresses of the form helper::… run programs and are not taken"));
        }
        match text.split_once(':') {
            Some((host, path)) if !host.contains('/') => {
                let name = host.rsplit('@').next().unwrap_or_default();
                if !is_host(name) || host.starts_with('-') || path.is_empty() || path.starts_with('-') {
                    return Err(refused("this is not user@host:path"));
                }
                Ok(Self { protocol: Protocol::Ssh, text: text.to_owned() })
            }
            _ => Ok(Self { protocol: Protocol::File, text: text.to_owned() }),
        }
    }

    fn file(text: &str, path: &str) -> Result<Self, Fault> {
        if path.starts_with('/') {
            Ok(Self { protocol: Protocol::File, text: text.to_owned() })
        } else {
            Err(refused("a file address is file:///absolute/path"))
        }
    }

    fn with_host(protocol: Protocol, text: &str, rest: &str) -> Result<Self, Fault> {
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, host) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
        let (name, port) = match host.strip_prefix('[').and_then(|host| host.split_once(']')) {
            Some((address, port)) if address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':' || b == b'.') => {
                ("ip", port.strip_prefix(':'))
            }
            Some(_) => return Err(refused("this is no IPv6 address")),
            None => host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port))),
        };
        if !is_host(name) || port.is_some_and(|port| port.is_empty() || !port.bytes().all(|b| b.is_ascii_digit())) {
            return Err(refused("the address has no valid host"));
        }
        if path.is_empty() {
            return Err(refused("the address names a host and no repository"));
        }
        if let Some(user) = user {
            let hint = "use a git credential helper, or PLIMSOLL_GIT_TOKEN";
            if user.contains(':') || (protocol != Protocol::Ssh && !user.is_empty()) {
                return Err(refused("the address has a user or password in it, and addresses end up in logs").hint(hint));
            }
            if user.starts_with('-') {
                return Err(refused("a user's name does not start with `-`"));
            }
        }
        if path.contains(['?', '#']) {
            return Err(refused("the address has a query in it"));
        }
        Ok(Self { protocol, text: text.to_owned() })
    }

    /// How it is reached.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// The address as git gets it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// `scheme://host[:port]` of an http(s) address: what credentials are bound to.
    pub fn origin(&self) -> Option<String> {
        let (scheme, rest) = self.text.split_once("://")?;
        matches!(self.protocol, Protocol::Https | Protocol::Http)
            .then(|| format!("{scheme}://{}", rest.split('/').next().unwrap_or_default()))
    }

    /// Whether it leads to this machine: only then is `http` taken without leave.
    pub fn is_loopback(&self) -> bool {
        let host = self.text.split_once("://").and_then(|(_, rest)| rest.split('/').next()).unwrap_or_default();
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        name == "localhost" || name == "[::1]" || name.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback())
    }
}

/// A DNS name or IPv4 address; a leading `-` would be an option to ssh.
fn is_host(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('-')
        && name.len() <= 253
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

impl fmt::Display for RemoteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for RemoteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, expected) in [
            ("https://github.com/acme/portal.git", Some(Protocol::Https)),
            ("https://git.example:8443/a", Some(Protocol::Https)),
            ("http://127.0.0.1:3000/a.git", Some(Protocol::Http)),
            ("https://[::1]:3000/a.git", Some(Protocol::Https)),
            ("ssh://git@github.com/acme/portal", Some(Protocol::Ssh)),
            ("git@github.com:acme/portal.git", Some(Protocol::Ssh)),
            ("file:///srv/config.git", Some(Protocol::File)),
            ("../config", Some(Protocol::File)),
            (".", Some(Protocol::File)),
            ("", None),
            ("ext::sh -c id", None),
            ("ext::sh", None),
            ("fd::7", None),
            ("--upload-pack=touch x", None),
            ("-oProxyCommand=x", None),
            ("ssh://-oProxyCommand=x/y", None),
            ("-x@host:path", None),
            ("git@-host:path", None),
            ("host:-path", None),
            ("git://github.com/a", None),
            ("https://user:secret@github.com/a", None),
            ("https://token@github.com/a", None),
            ("https://github.com", None),
            ("https://github.com/a?x=y", None),
            ("https://a b/c", None),
            ("https://a\n/c", None),
            ("file://host/x", None),
            ("https:///x", None),
        ] {
            let got = RemoteUrl::parse(text);
            assert_eq!(got.as_ref().ok().map(RemoteUrl::protocol), expected, "{text}");
            assert!(!format!("{got:?}").contains("secret"));
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in ".{0,60}") {
            let _ = RemoteUrl::parse(&text);
        }
    }
}
