//! What one pass looks at: named git objects, never a moving branch.

use std::fmt;

/// A commit's object id in lower-case hexadecimal (40 digits for SHA-1, 64 for SHA-256 repositories).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommitId(String);

/// A blob's object id in lower-case hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlobId(String);

macro_rules! object_id {
    ($name:ident) => {
        impl $name {
            /// Parses a full object id; abbreviations are refused.
            pub fn parse(text: &str) -> Option<Self> {
                let whole = matches!(text.len(), 40 | 64) && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
                whole.then(|| Self(text.to_owned()))
            }

            /// The whole id.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The first eight digits, for people.
            pub fn short(&self) -> &str {
                self.0.get(..8).unwrap_or_default()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

object_id!(CommitId);
object_id!(BlobId);

/// The two commits one pass reads: people's config, and our record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The commit that `plimsoll.yaml`, `images.yaml` and the rest are read from.
    pub config: CommitId,
    /// The commit that `state/` and `rendered/` are read from, and the parent of what we publish.
    /// `None` when the record branch does not exist yet.
    pub record: Option<CommitId>,
    /// Our newest commit that `record` descends from, when somebody else committed since. `None` when `record` is
    /// ours itself, and when none is found within 1,000 commits.
    pub ours: Option<CommitId>,
    /// The record branch no longer descends from the head we last saw: people rewrote it.
    pub rewritten: bool,
}
