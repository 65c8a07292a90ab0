//! Texts of people in Markdown, each made inert.

use std::fmt::Write as _;

/// Text without line breaks and other control characters.
pub(super) fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_control() || c.is_whitespace()).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Text that Markdown, HTML and Mermaid read as itself: one line, everything but letters, digits, blanks and a
/// few harmless signs as character references.
pub(super) fn text(text: &str) -> String {
    let line = one_line(text);
    let mut out = String::new();
    let mut chars = line.chars().peekable();
    let mut before = ' ';
    while let Some(c) = chars.next() {
        let within = before.is_ascii_alphanumeric() && chars.peek().is_some_and(char::is_ascii_alphanumeric);
        // A stop behind a digit and before a blank would make a list.
        let harmless = !c.is_ascii()
            || c.is_ascii_alphanumeric()
            || " ,;/()%".contains(c)
            || (within && ".-:".contains(c))
            || (c == '.' && before.is_ascii_alphabetic());
        if harmless {
            out.push(c);
        } else {
            let _ = write!(out, "&#{};", u32::from(c));
        }
        before = c;
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    #[test]
    fn texts_are_inert() {
        for (text, expected) in [
            ("Customer portal", "Customer portal"),
            ("ghcr.io/acme/portal:1.2-slim", "ghcr.io/acme/portal:1.2-slim"),
            ("<b>|x|</b>", "&#60;b&#62;&#124;x&#124;&#60;/b&#62;"),
            ("a\n\n# b", "a &#35; b"),
            ("- a", "&#45; a"),
            ("1. a", "1&#46; a"),
            ("A stop. And on.", "A stop. And on."),
            ("[x](javascript:y)", "&#91;x&#93;(javascript:y)"),
            ("{{ x }} ${{ y }}", "&#123;&#123; x &#125;&#125; &#36;&#123;&#123; y &#125;&#125;"),
            ("`*_~", "&#96;&#42;&#95;&#126;"),
        ] {
            assert_eq!(super::text(text), expected);
        }
    }

    proptest! {
        #[test]
        fn no_text_leaves_its_line(text in any::<String>()) {
            let inert = super::text(&text);
            let is_active = inert.contains(['<', '>', '|', '`', '*', '_', '[', ']', '{', '}', '$', '\\', '"', '\'']);
            prop_assert!(!is_active, "{}", inert);
            prop_assert!(!inert.chars().any(char::is_control));
            prop_assert!(!inert.starts_with(['-', '+', '=', '.', ' ']));
        }
    }
}
