//! Content digests as OCI defines them.

use std::fmt;

/// `sha256:` and 64, `sha384:` and 96, or `sha512:` and 128 lower-case hexadecimal digits: the algorithms of
/// OCI's go-digest, whose rules decide what other tools accept.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(String);

/// Why a text is no digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// Not of the form `algorithm:hex`.
    #[error("not of the form algorithm:hex")]
    Format,
    /// An algorithm other than sha256, sha384 and sha512.
    #[error("only sha256, sha384 and sha512 digests are supported")]
    Algorithm,
    /// The wrong number of digits for the algorithm.
    #[error("wrong number of digits for its algorithm")]
    Length,
}

impl Digest {
    /// Parses `sha256:…`, `sha384:…` or `sha512:…`.
    ///
    /// # Errors
    /// [`DigestError`] says which rule was broken.
    pub fn parse(text: &str) -> Result<Self, DigestError> {
        let end = text.bytes().position(|byte| byte == b':').ok_or(DigestError::Format)?;
        let (algorithm, hex) = (&text[..end], &text[end + 1..]);
        let length = match algorithm {
            "sha256" => 64,
            "sha384" => 96,
            "sha512" => 128,
            _ if !algorithm.is_empty() && algorithm.bytes().all(|b| b.is_ascii_alphanumeric() || b"+._-".contains(&b)) => {
                return Err(DigestError::Algorithm);
            }
            _ => return Err(DigestError::Format),
        };
        // To the end whatever is found, so that many digits are looked at in one step.
        let digits = hex.bytes().fold(true, |digits, b| digits & matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if hex.is_empty() || !digits {
            return Err(DigestError::Format);
        }
        if hex.len() != length {
            return Err(DigestError::Length);
        }
        Ok(Self(text.to_owned()))
    }

    /// The whole text, `sha256:…`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The digits alone.
    pub fn hex(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, hex)| hex)
    }

    /// Twelve digits: enough for people to tell digests apart.
    pub fn short(&self) -> &str {
        self.hex().get(..12).unwrap_or_default()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
