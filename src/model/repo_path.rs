//! Paths inside a git tree.

use std::fmt;

/// Longest accepted path, in bytes.
const LONGEST: usize = 1024;

/// A relative, `/`-separated path that stays inside its tree: no `..`, no `.git` component, nothing absolute.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RepoPath(String);

/// Why a text is no [`RepoPath`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RepoPathError {
    /// Nothing there.
    #[error("the path is empty")]
    Empty,
    /// More than 1,024 bytes.
    #[error("the path is longer than 1,024 bytes")]
    TooLong,
    /// Starts at a root or a drive.
    #[error("the path is absolute; it is read from the top of the repository")]
    Absolute,
    /// `..` would leave the repository, or at least the place that was reviewed.
    #[error("the path has a `..` part")]
    Parent,
    /// `.git` in any spelling that a file system might fold to it.
    #[error("the path has a `.git` part")]
    Git,
    /// A control character, backslash, or empty part.
    #[error("the path has a backslash, a control character or an empty part")]
    Character,
}

impl RepoPath {
    /// Parses a path as people write it: a leading `./` and `.` parts are dropped.
    ///
    /// # Errors
    /// [`RepoPathError`] says which rule was broken.
    pub fn parse(text: &str) -> Result<Self, RepoPathError> {
        if text.is_empty() {
            return Err(RepoPathError::Empty);
        }
        if text.len() > LONGEST {
            return Err(RepoPathError::TooLong);
        }
        if text.starts_with('/') || text.as_bytes().get(1) == Some(&b':') {
            return Err(RepoPathError::Absolute);
        }
        if text.chars().any(|c| c.is_control() || c == '\\') {
            return Err(RepoPathError::Character);
        }
        let mut parts = Vec::new();
        for part in text.split('/') {
            match part {
                "." => {}
                "" => return Err(RepoPathError::Character),
                ".." => return Err(RepoPathError::Parent),
                _ if folds_to_git(part) => return Err(RepoPathError::Git),
                _ => parts.push(part),
            }
        }
        if parts.is_empty() {
            return Err(RepoPathError::Empty);
        }
        Ok(Self(parts.join("/")))
    }

    /// The path, without a leading `/` or `./`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `.git` as HFS+ (ignorable code points) and NTFS (`git~1`, trailing dots and spaces) would fold it,
/// after git's own `verify_path`.
fn folds_to_git(part: &str) -> bool {
    let folded: String = part
        .chars()
        .filter(|c| !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}'))
        .collect();
    let folded = folded.trim_end_matches(['.', ' ']).to_ascii_lowercase();
    folded == ".git" || folded == "git~1" || folded.starts_with(".git:")
}

impl fmt::Display for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
