//! Names that go into URLs, and where an API is.

use std::fmt::Write as _;

use url::Url;

use crate::base::{Class, Fault, fault};

/// Checks `owner/name`; with `groups` also more parts, as GitLab has them.
pub(super) fn repo(text: &str, groups: bool) -> Result<&str, Fault> {
    let parts: Vec<&str> = text.split('/').collect();
    let word = |part: &&str| {
        !part.is_empty()
            && part.len() <= 255
            && **part != *"."
            && **part != *".."
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    let count = if groups { (2..=20).contains(&parts.len()) } else { parts.len() == 2 };
    if count && parts.iter().all(word) {
        Ok(text)
    } else {
        Err(Fault::new(Class::Config, format!("`{}` is no repository of this forge: it is owner/name", fault::foreign(text))))
    }
}

/// A number that a forge gave us, on its way back into a URL.
pub(super) fn number(text: &str) -> Result<&str, Fault> {
    let good = !text.is_empty() && text.len() <= 20 && text.bytes().all(|b| b.is_ascii_digit());
    good.then_some(text).ok_or_else(|| Fault::new(Class::Config, format!("`{}` is no number of a run", fault::foreign(text))))
}

/// Text as one segment of a path, or a value of a query.
pub(super) fn segment(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// Text as several segments: `/` stays.
pub(super) fn segments(text: &str) -> String {
    text.split('/').map(segment).collect::<Vec<_>>().join("/")
}

/// An API's address from the operator: https, or http on this machine, without user, query or fragment.
///
/// # Errors
/// Class `Config`, naming `option`.
pub fn api(option: &str, text: &str) -> Result<Url, Fault> {
    let refuse = |why: &str| Err(Fault::new(Class::Config, format!("{option}: {why}")));
    let Ok(mut url) = Url::parse(text) else { return refuse("this is no URL") };
    let loopback = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => return refuse("the URL names no host"),
    };
    if url.scheme() != "https" && !(url.scheme() == "http" && loopback) {
        return refuse("it is an https URL; http is for this machine only");
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return refuse("the URL has a user, a query or a fragment in it");
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

/// Where git finds repositories of the forge whose API this is: `api.github.com` is `github.com`,
/// `api.SUB.ghe.com` is `SUB.ghe.com`, and a server of one's own serves both from one host.
pub(super) fn clone_url(api: &Url, repo: &str) -> String {
    let host = api.host_str().unwrap_or_default();
    let host = if host == "api.github.com" || host.ends_with(".ghe.com") { host.strip_prefix("api.").unwrap_or(host) } else { host };
    let port = api.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{host}{port}/{repo}.git", api.scheme())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_of_forges() {
        for (text, github, gitlab) in [
            ("acme/portal", true, true),
            ("acme/.github", true, true),
            ("acme/team/portal", false, true),
            ("acme", false, false),
            ("acme/..", false, false),
            ("acme/../../user", false, false),
            ("acme/a b", false, false),
            ("acme/a?x", false, false),
            ("/portal", false, false),
            ("", false, false),
        ] {
            assert_eq!((repo(text, false).is_ok(), repo(text, true).is_ok()), (github, gitlab), "{text}");
        }
        assert!(number("9000000001").is_ok() && number("").is_err() && number("1/../2").is_err());
        assert_eq!(segments("docker files/é#1/x"), "docker%20files/%C3%A9%231/x");
    }

    #[test]
    fn addresses_of_apis() {
        for (text, expected) in [
            ("https://api.github.com", Some("https://github.com/acme/portal.git")),
            ("https://github.example:8443/api/v3/", Some("https://github.example:8443/acme/portal.git")),
            ("https://api.acme.ghe.com", Some("https://acme.ghe.com/acme/portal.git")),
            ("http://127.0.0.1:3000", Some("http://127.0.0.1:3000/acme/portal.git")),
            ("http://github.example", None),
            ("https://user@github.example", None),
            ("https://github.example?x", None),
            ("github.example", None),
        ] {
            let got = api("--github-api", text).ok().map(|url| clone_url(&url, "acme/portal"));
            assert_eq!(got.as_deref(), expected, "{text}");
        }
    }
}
