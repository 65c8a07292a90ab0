//! What Backstage accepts in a field, as its catalog's own validators decide it (catalog-model 1.10).

/// Longest name of an entity, label value, tag.
pub(in crate::render) const LONGEST: usize = 63;

/// A name: 1 to 63 letters and digits, inside also `-`, `_` and `.`.
pub(in crate::render) fn is_name(text: &str) -> bool {
    let edge = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_alphanumeric());
    text.len() <= LONGEST
        && edge(text.bytes().next())
        && edge(text.bytes().next_back())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

/// A namespace: a DNS label.
pub(in crate::render) fn is_namespace(text: &str) -> bool {
    text.len() <= LONGEST
        && !text.is_empty()
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// A kind: a letter, then letters and digits.
pub(in crate::render) fn is_kind(text: &str) -> bool {
    text.len() <= LONGEST && text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// The key of an annotation or label: a name, with or without a DNS name and `/` before it.
pub(in crate::render) fn is_key(text: &str) -> bool {
    match text.split_once('/') {
        None => is_name(text),
        Some((prefix, name)) => prefix.len() <= 253 && prefix.split('.').all(is_namespace) && is_name(name),
    }
}

/// The value of a label: a name, or nothing. Digests and repositories are none.
pub(in crate::render) fn is_label_value(text: &str) -> bool {
    text.is_empty() || is_name(text)
}

/// A tag: 1 to 63 of `[a-z0-9:+#]`, in parts with one `-` between them.
pub(in crate::render) fn is_tag(text: &str) -> bool {
    let part = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b":+#".contains(&b));
    text.len() <= LONGEST && text.split('-').all(part)
}

/// A reference, `[kind:][namespace/]name`. The catalog itself takes almost any text, and the relation then
/// leads nowhere.
pub(in crate::render) fn is_reference(text: &str) -> bool {
    let (kind, rest) = text.split_once(':').map_or((None, text), |(kind, rest)| (Some(kind), rest));
    let (namespace, name) = rest.split_once('/').map_or((None, rest), |(namespace, name)| (Some(namespace), name));
    kind.is_none_or(is_kind) && namespace.is_none_or(is_namespace) && is_name(name)
}

/// A reference that says its kind, as lists of relations want it.
pub(in crate::render) fn is_full_reference(text: &str) -> bool {
    text.contains(':') && is_reference(text)
}

/// The address of a link. The catalog takes `javascript:` too, and its pages then run it.
pub(in crate::render) fn is_link(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https" | "mailto"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a live catalog accepted (`true`) and refused when it was asked.
    #[test]
    fn fields() {
        let (long, longer) = ("a".repeat(63), "a".repeat(64));
        let names = [("Node_22.1-B", true), ("a--b", true), ("a..b", true), (&long, true), (&longer, false), ("", false)];
        let refused = ["node:22", "library/node", "a+b", "-a", "a.", "ä"].map(|text| (text, false));
        for (text, good) in names.into_iter().chain(refused) {
            assert_eq!(is_name(text), good, "{text}");
        }
        for (text, good) in [("default", true), ("a--b", true), (&long, true), ("A", false), ("a.b", false), ("a_b", false), ("", false)] {
            assert_eq!(is_namespace(text), good, "{text}");
        }
        for (text, good) in
            [("image-factory.io/digest", true), ("a", true), ("a/b/c", false), ("A.b/c", false), ("a/", false), ("/a", false)]
        {
            assert_eq!(is_key(text), good, "{text}");
        }
        let digits = "0".repeat(64);
        for (text, good) in [("", true), ("a.b", true), ("sha256:ab", false), ("a/b", false), (&digits, false)] {
            assert_eq!(is_label_value(text), good, "{text}");
        }
        for (text, good) in [
            ("node:22", true),
            ("c++", true),
            ("c#", true),
            ("a-b", true),
            (&long, true),
            (&longer, false),
            ("A", false),
            ("3.12", false),
            ("a_b", false),
            ("a/b", false),
            ("a--b", false),
            ("-a", false),
            ("", false),
        ] {
            assert_eq!(is_tag(text), good, "{text}");
        }
        for (text, short, full) in [
            ("group:default/web", true, true),
            ("resource:node-22", true, true),
            ("web", true, false),
            ("ops/web", true, false),
            ("", false, false),
            ("resource:library/node:22", false, false),
            ("any text", false, false),
            (":a", false, false),
            ("a/", false, false),
        ] {
            assert_eq!((is_reference(text), is_full_reference(text)), (short, full), "{text}");
        }
        for (text, good) in
            [("https://acme.example/x", true), ("mailto:a@acme.example", true), ("javascript:alert(1)", false), ("ghcr.io/x/y", false)]
        {
            assert_eq!(is_link(text), good, "{text}");
        }
    }
}
