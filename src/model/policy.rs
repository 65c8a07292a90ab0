//! Which tags of an external image count.

use regex::{Regex, RegexBuilder};

/// Largest compiled regular expression, in bytes. The engine is linear in time; this bounds its memory.
const REGEX_LIMIT: usize = 256 << 10;

/// How the best tag is chosen among those allowed, in Kargo's words, and one of our own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Strategy {
    /// One mutable tag, watched by its digest.
    Digest,
    /// The highest semantic version.
    SemVer,
    /// The last in lexical order.
    Lexical,
    /// The newest by build date.
    NewestBuild,
    /// The newest by when Plimsoll first saw the tag.
    FirstSeen,
}

impl Strategy {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Digest, Self::SemVer, Self::Lexical, Self::NewestBuild, Self::FirstSeen];

    /// The word in files.
    pub fn word(self) -> &'static str {
        match self {
            Self::Digest => "Digest",
            Self::SemVer => "SemVer",
            Self::Lexical => "Lexical",
            Self::NewestBuild => "NewestBuild",
            Self::FirstSeen => "FirstSeen",
        }
    }

    /// The strategy of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|strategy| strategy.word() == word)
    }
}

/// What is watched upstream, resolved: a `Digest` policy always names its one tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagPolicy {
    /// How the best tag is chosen.
    pub strategy: Strategy,
    /// The one tag of a `Digest` policy, or the version range of a `SemVer` one.
    pub constraint: Option<String>,
    /// Tags that may be chosen, as a regular expression.
    pub allow_tags: Option<String>,
}

impl TagPolicy {
    /// The policy that watches exactly `tag`.
    pub fn of_tag(tag: &str) -> Self {
        Self { strategy: Strategy::Digest, constraint: Some(tag.to_owned()), allow_tags: Some(exactly(tag)) }
    }

    /// The tag that is asked for its digest, when there is exactly one.
    pub fn tag(&self) -> Option<&str> {
        match self.strategy {
            Strategy::Digest => self.constraint.as_deref(),
            _ => None,
        }
    }
}

/// Compiles an `allowTags` expression, which is RE2's, with a bound on its size.
///
/// # Errors
/// What is wrong, in the engine's words.
pub fn compile(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(&super::re2::translated(pattern)?)
        .size_limit(REGEX_LIMIT)
        .build()
        .map_err(|error| crate::base::fault::foreign(&error.to_string()))
}

/// The anchored expression that matches `tag` and nothing else: `^3\.12-slim$`.
pub fn exactly(tag: &str) -> String {
    let mut out = String::from("^");
    for c in tag.chars() {
        // Of the characters a tag may hold, only the dot means something to a regular expression.
        if c == '.' {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('$');
    out
}

/// The one tag an anchored expression without operators matches, or `None` when it could match others.
pub fn literal(pattern: &str) -> Option<String> {
    let inner = pattern.strip_prefix('^')?.strip_suffix('$')?;
    let mut tag = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        let c = match c {
            '\\' => chars.next().filter(|c| matches!(c, '.' | '-' | '_' | '+'))?,
            c if c.is_ascii_alphanumeric() || c == '-' || c == '_' => c,
            _ => return None,
        };
        tag.push(c);
    }
    is_tag(&tag).then_some(tag)
}

/// Whether `text` is a tag as distribution/reference defines it: `[\w][\w.-]{0,127}`, ASCII only.
pub fn is_tag(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    text.len() <= 128 && text.bytes().next().is_some_and(word) && text.bytes().all(|b| word(b) || b == b'.' || b == b'-')
}

/// Reads an expression that an earlier tool escaped twice (`^3\\.12\\-slim$`): such a text matches no tag.
/// Gives the tag it was meant for.
pub fn twice_escaped(pattern: &str) -> Option<String> {
    pattern.contains("\\\\").then(|| literal(&pattern.replace("\\\\", "\\"))).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literal_expressions() {
        for (pattern, expected) in [
            ("^22-bookworm-slim$", Some("22-bookworm-slim")),
            (r"^3\.12-slim$", Some("3.12-slim")),
            (r"^3\.12\-slim$", Some("3.12-slim")),
            ("^3.12-slim$", None),
            ("22", None),
            ("^22", None),
            ("^(22|23)$", None),
            (r"^\d+$", None),
            ("^$", None),
        ] {
            assert_eq!(literal(pattern).as_deref(), expected, "{pattern}");
        }
        assert_eq!(twice_escaped(r"^3\\.12\\-slim$").as_deref(), Some("3.12-slim"));
        assert_eq!(twice_escaped(r"^3\.12-slim$"), None);
    }

    proptest::proptest! {
        #[test]
        fn exactly_matches_its_own_tag_and_is_literal(tag in "[A-Za-z0-9_][A-Za-z0-9._-]{0,20}") {
            let pattern = exactly(&tag);
            proptest::prop_assert!(compile(&pattern).unwrap().is_match(&tag));
            proptest::prop_assert_eq!(literal(&pattern), Some(tag));
        }
    }
}
