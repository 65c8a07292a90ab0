//! References and what they mean, as tables.

use proptest::prelude::*;

use super::*;

const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

#[test]
fn references_are_normalised() {
    // input, canonical, familiar
    let table = [
        ("node", "docker.io/library/node:latest", "node:latest"),
        ("node:22", "docker.io/library/node:22", "node:22"),
        ("library/node:22", "docker.io/library/node:22", "node:22"),
        ("docker.io/node", "docker.io/library/node:latest", "node:latest"),
        ("index.docker.io/node", "docker.io/library/node:latest", "node:latest"),
        ("acme/portal", "docker.io/acme/portal:latest", "acme/portal:latest"),
        ("library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"),
        ("ghcr.io/a/b:1", "ghcr.io/a/b:1", "ghcr.io/a/b:1"),
        ("localhost/a", "localhost/a:latest", "localhost/a:latest"),
        ("localhost:5000/a", "localhost:5000/a:latest", "localhost:5000/a:latest"),
        ("host:5000/a:t", "host:5000/a:t", "host:5000/a:t"),
        ("Acme/app", "Acme/app:latest", "Acme/app:latest"),
        ("[::1]:5000/a", "[::1]:5000/a:latest", "[::1]:5000/a:latest"),
        ("[fe80::1]/a/b:t", "[fe80::1]/a/b:t", "[fe80::1]/a/b:t"),
        ("127.0.0.1:80/a", "127.0.0.1:80/a:latest", "127.0.0.1:80/a:latest"),
        ("a.b:t", "docker.io/library/a.b:t", "a.b:t"),
        ("a__b/c--d/e.f:T_-.1", "docker.io/a__b/c--d/e.f:T_-.1", "a__b/c--d/e.f:T_-.1"),
        ("docker.io/a.b/c:1", "docker.io/a.b/c:1", "docker.io/a.b/c:1"),
        ("docker.io/docker.io/c:1", "docker.io/docker.io/c:1", "docker.io/docker.io/c:1"),
        ("docker.io/index.docker.io/c:1", "docker.io/index.docker.io/c:1", "docker.io/index.docker.io/c:1"),
        ("docker.io/localhost/c:1", "docker.io/localhost/c:1", "docker.io/localhost/c:1"),
    ];
    for (input, canonical, familiar) in table {
        let parsed = ImageReference::parse(input).unwrap_or_else(|e| panic!("{input}: {e}"));
        assert_eq!(parsed.canonical(), canonical, "{input}");
        assert_eq!(parsed.to_string(), canonical, "{input}");
        assert_eq!(parsed.familiar(), familiar, "{input}");
    }
}

#[test]
fn a_digest_implies_no_tag() {
    let pinned = ImageReference::parse(&format!("node@sha256:{HEX}")).unwrap();
    assert_eq!(pinned.tag, None);
    assert_eq!(pinned.canonical(), format!("docker.io/library/node@sha256:{HEX}"));
    let both = ImageReference::parse(&format!("node:22@sha256:{HEX}")).unwrap();
    assert_eq!(both.familiar(), format!("node:22@sha256:{HEX}"));
    assert_eq!(both.repo_url(), "docker.io/library/node");
    for (algorithm, digits) in [("sha384", 96), ("sha512", 128)] {
        assert!(ImageReference::parse(&format!("a@{algorithm}:{}", "a".repeat(digits))).is_ok(), "{algorithm}");
    }
}

#[test]
fn what_breaks_a_rule_is_refused_with_its_word() {
    let long = format!("a/{}", "b".repeat(254));
    let long_tag = format!("a:{}", "b".repeat(129));
    let table: &[(&str, &str)] = &[
        ("", "format"),
        (" node", "format"),
        ("node ", "format"),
        ("node:", "format"),
        (":22", "format"),
        ("node@", "format"),
        ("node@sha256:abc", "format"),
        ("/node", "format"),
        ("a//b", "format"),
        ("a/", "format"),
        ("-a", "format"),
        ("a-", "format"),
        ("a..b", "format"),
        ("a___b", "format"),
        ("a._b", "format"),
        ("a:b:c", "format"),
        ("a:.b", "format"),
        ("a:é", "format"),
        ("a:١", "format"),
        ("é", "format"),
        ("host:port/a", "format"),
        ("host:/a", "format"),
        ("-host.io/a", "format"),
        ("a_b.c/d", "format"),
        ("[::1/a", "format"),
        ("[]/a", "format"),
        ("[::1]x/a", "format"),
        ("::1/a", "format"),
        ("https://ghcr.io/a", "format"),
        (&long_tag, "format"),
        ("Node", "uppercase"),
        ("acme/Portal", "uppercase"),
        ("ghcr.io/Acme/portal", "uppercase"),
        ("É", "uppercase"),
        (HEX, "hex64"),
        (&long, "too-long"),
    ];
    for (input, word) in table {
        assert_eq!(ImageReference::parse(input).map_err(ReferenceError::word), Err(*word), "{input}");
    }
    let upper = HEX.to_uppercase();
    let digests = [
        (format!("a@md5:{}", &HEX[..32]), "digest-algorithm"),
        (format!("a@sha256:{}", &HEX[..40]), "digest-length"),
        (format!("a@sha256:{upper}"), "digest-format"),
        (format!("a:t@SHA256:{HEX}"), "digest-format"),
        (format!("a@sha256:{HEX}0"), "digest-length"),
        (format!("a@sha256:{}", &HEX[..31]), "format"),
    ];
    for (input, word) in digests {
        assert_eq!(ImageReference::parse(&input).map_err(ReferenceError::word), Err(word), "{input}");
    }
}

#[test]
fn lengths_are_counted_without_the_registry() {
    assert!(ImageReference::parse(&"a".repeat(247)).is_ok());
    assert_eq!(ImageReference::parse(&"a".repeat(248)), Err(ReferenceError::TooLong));
    assert!(ImageReference::parse(&format!("ghcr.io/{}", "a".repeat(255))).is_ok());
    assert!(ImageReference::parse(&format!("a:{}", "b".repeat(128))).is_ok());
}

proptest! {
    #[test]
    fn any_text_is_answered(text in "\\PC*") {
        let _ = ImageReference::parse(&text);
    }

    #[test]
    fn printing_and_parsing_is_the_identity(
        text in "((localhost|[a-zA-Z][a-z-]{0,4}[a-z]\\.io|docker\\.io|\\[::1\\])(:[0-9]{1,4})?/)?(library/)?[a-z0-9]{1,5}([._]|__|--)?[a-z0-9]{1,4}(\\.[a-z])?(/[a-z]{1,6}){0,2}(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,6})?(@sha256:[0-9a-f]{64})?"
    ) {
        if let Ok(parsed) = ImageReference::parse(&text) {
            prop_assert_eq!(ImageReference::parse(&parsed.canonical()), Ok(parsed.clone()));
            prop_assert_eq!(ImageReference::parse(&parsed.familiar()), Ok(parsed));
        }
    }
}
