//! Names of images: given by people for their own, derived from the reference for base images.

use std::borrow::Borrow;
use std::fmt;

use super::ImageReference;

/// Longest name, in bytes. Kubernetes names derived from it are cut further, by `render`.
const LONGEST: usize = 128;

/// A name that is safe as a file name on every system: `[a-z0-9]`, then `[a-z0-9._-]`, no `..`, at most 128 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImageName(String);

impl ImageName {
    /// Parses a name.
    ///
    /// # Errors
    /// A sentence that says what is expected.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const WANTED: &str = "a name is lower-case letters, digits, `-`, `_` and `.`, and starts and ends with a letter or digit";
        if text.is_empty() {
            return Err("the name is empty");
        }
        if text.len() > LONGEST {
            return Err("the name is longer than 128 characters");
        }
        let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        let inner = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b));
        if !inner || !edge(text.chars().next()) || !edge(text.chars().next_back()) || text.contains("..") {
            return Err(WANTED);
        }
        Ok(Self(text.to_owned()))
    }

    /// The normal form of a base image's name: repository without registry and `library/`, then its tag
    /// (`node-22-bookworm-slim`), or twelve digits of its digest when it has no tag.
    pub fn of_base(reference: &ImageReference) -> Self {
        let repository = reference.repository.strip_prefix("library/").unwrap_or(&reference.repository);
        let version = match (&reference.tag, &reference.digest) {
            (Some(tag), _) => tag.as_str(),
            (None, Some(digest)) => digest.short(),
            (None, None) => "latest",
        };
        let mut name = String::new();
        for c in format!("{repository}-{version}").chars() {
            let c = if c.is_ascii_alphanumeric() || c == '.' || c == '_' { c.to_ascii_lowercase() } else { '-' };
            if !(c == '.' && name.ends_with('.')) && name.len() < LONGEST - 8 {
                name.push(c);
            }
        }
        let name = name.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        Self(if name.is_empty() { "image".to_owned() } else { name.to_owned() })
    }

    /// The same name with a suffix, for when two images would share one.
    #[must_use]
    pub fn suffixed(&self, suffix: &str) -> Self {
        Self(format!("{}-{suffix}", self.0))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for ImageName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for text in ["portal", "a", "node-22-bookworm-slim", "python-3.12-slim", "a_b", "0"] {
            assert!(ImageName::parse(text).is_ok(), "{text}");
        }
        for text in ["", "Portal", "-a", "a-", ".a", "a..b", "a/b", "a b", "ä", "a\n", "{{x}}", "..", &"a".repeat(129)] {
            assert!(ImageName::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn names_of_bases() {
        let reference = |registry: &str, repository: &str, tag: &str| ImageReference {
            registry: registry.into(),
            repository: repository.into(),
            tag: Some(tag.into()),
            digest: None,
        };
        for (image, expected) in [
            (reference("docker.io", "library/node", "22-bookworm-slim"), "node-22-bookworm-slim"),
            (reference("docker.io", "library/python", "3.12-slim"), "python-3.12-slim"),
            (reference("ghcr.io", "a/b", "1"), "a-b-1"),
            (reference("localhost:5000", "a__b", "V1.0_X"), "a__b-v1.0_x"),
        ] {
            let name = ImageName::of_base(&image);
            assert_eq!(name.as_str(), expected);
            assert_eq!(ImageName::parse(name.as_str()), Ok(name));
        }
    }
}
