//! Values as YAML text: every string in double quotes that all YAML readers take for exactly that string.

use std::fmt::Write as _;

/// Writes `text` as a double-quoted scalar. Beside what JSON escapes, everything that YAML 1.1 readers take
/// for a line break or refuse as unprintable is written as an escape.
pub(super) fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if is_awkward(c) => {
                // Writing into a string does not fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Control characters, the line breaks of YAML 1.1, direction marks that make a review show another text than
/// the one that is there, the byte order mark, and the two that are no characters. All are below U+10000.
fn is_awkward(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::format::yaml::{self, Content, Limits};

    #[test]
    fn what_readers_disagree_on_is_escaped() {
        for (given, expected) in [
            ("plain", r#""plain""#),
            (r#"a"b\c"#, r#""a\"b\\c""#),
            (">=7.2 <9", r#"">=7.2 <9""#),
            ("a\nb", r#""a\nb""#),
            ("\u{85}\u{2028}\u{feff}\u{202e}\u{7f}", r#""\u0085\u2028\ufeff\u202e\u007f""#),
            ("grüße 🎉", r#""grüße 🎉""#),
        ] {
            assert_eq!(text(given), expected);
        }
    }

    proptest! {
        #[test]
        fn quoted_text_reads_back(given in any::<String>()) {
            let node = yaml::read(format!("a: {}\n", text(&given)).as_bytes(), Limits::FILE).unwrap().unwrap();
            prop_assert_eq!(&node.map().unwrap().get("a").unwrap().content, &Content::Scalar { text: given.clone(), plain: false });
            let other: std::collections::BTreeMap<String, String> = serde_saphyr::from_str(&format!("a: {}\n", text(&given))).unwrap();
            prop_assert_eq!(&other["a"], &given);
        }
    }
}
