//! Names of Kubernetes objects in settings.

/// RFC 1123 label, the form of namespaces: lower-case letters, digits and inner `-`, at most 63.
pub(super) fn is_namespace(text: &str) -> bool {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty() && text.len() <= 63 && text.chars().all(good) && !text.starts_with('-') && !text.ends_with('-')
}

/// RFC 1123 subdomain, the form of most names: labels with dots between them, at most 253.
pub(super) fn is_dns_name(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_namespace)
}

/// An `https://` address without credentials, query, fragment, blank or quote.
pub(super) fn is_plain_https(text: &str) -> bool {
    let rest = text.strip_prefix("https://").unwrap_or_default();
    let good = |c: char| c.is_ascii_alphanumeric() || "-._~/:%+".contains(c);
    !rest.is_empty() && text.len() <= 1000 && rest.chars().all(good) && rest.starts_with(|c: char| c.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        for (text, namespace, name) in [
            ("a", true, true),
            ("a-1", true, true),
            ("a.b", false, true),
            ("", false, false),
            ("-a", false, false),
            ("a..b", false, false),
            ("A", false, false),
        ] {
            assert_eq!((is_namespace(text), is_dns_name(text)), (namespace, name), "{text}");
        }
        for (text, good) in [
            ("https://git.acme.example/x/y.git", true),
            ("https://user:secret@git.acme.example/x", false),
            ("http://git.acme.example/x", false),
            ("https://", false),
            ("https://a/${{ x }}", false),
            ("https://a b", false),
        ] {
            assert_eq!(is_plain_https(text), good, "{text}");
        }
    }
}
