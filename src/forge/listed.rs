//! What paths are at one commit, and how that is kept.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::kept_files::LARGEST;
use crate::base::{Class, Fault};
use crate::model::{BlobId, RepoPath};

/// What a path is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Listed {
    /// A regular file: its blob, and its size when the listing told it.
    File {
        sha: String,
        size: Option<u64>,
        /// It may be run: its mode is 100755.
        program: bool,
    },
    /// A symbolic link.
    Symlink,
    /// A directory or submodule.
    Other,
    /// Nothing.
    Absent,
}

/// Why a path is no file that can be read.
pub(super) fn file_fault(path: &RepoPath, listed: Option<&Listed>, place: &str) -> Fault {
    match listed {
        Some(Listed::File { size, .. }) => {
            let size = size.unwrap_or_default();
            Fault::new(Class::Limit, format!("{path}: the file has {size} bytes, more than the {LARGEST} that are read"))
        }
        Some(Listed::Symlink) => Fault::new(Class::Missing, format!("{path}: a symlink is never followed")),
        Some(Listed::Other) => Fault::new(Class::Missing, format!("{path} is no file")),
        Some(Listed::Absent) | None => Fault::new(Class::Missing, format!("there is no file {path} in {place}")),
    }
}

/// A line a path: what it is, its blob or `-`, its size or `-`, the path.
pub(super) fn write(listing: &BTreeMap<String, Listed>) -> Vec<u8> {
    let mut out = String::new();
    for (path, listed) in listing {
        let (word, sha, size) = match listed {
            Listed::File { sha, size, program } => {
                let word = if *program { "program" } else { "file" };
                (word, sha.as_str(), size.map_or("-".to_owned(), |size| size.to_string()))
            }
            Listed::Symlink => ("symlink", "-", "-".to_owned()),
            Listed::Other => ("other", "-", "-".to_owned()),
            Listed::Absent => ("absent", "-", "-".to_owned()),
        };
        let _ = writeln!(out, "{word} {sha} {size} {path}");
    }
    out.into_bytes()
}

/// The listing again; `None` when it is none.
pub(super) fn read(bytes: &[u8]) -> Option<BTreeMap<String, Listed>> {
    let line = |line: &str| {
        let mut words = line.splitn(4, ' ');
        let (word, sha, size, path) = (words.next()?, words.next()?, words.next()?, words.next()?);
        let listed = match word {
            "file" | "program" => {
                Listed::File { sha: BlobId::parse(sha)?.as_str().to_owned(), size: size.parse().ok(), program: word == "program" }
            }
            "symlink" => Listed::Symlink,
            "other" => Listed::Other,
            "absent" => Listed::Absent,
            _ => return None,
        };
        Some((path.to_owned(), listed))
    };
    std::str::from_utf8(bytes).ok()?.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_read_as_it_was_written() {
        let sha = "8ab686eafeb1f44702738c8b0f24f2567c36da6d".to_owned();
        let listing = BTreeMap::from([
            ("a b/Dockerfile".to_owned(), Listed::File { sha: sha.clone(), size: Some(12), program: true }),
            ("b".to_owned(), Listed::File { sha, size: None, program: false }),
            ("c".to_owned(), Listed::Symlink),
            ("d".to_owned(), Listed::Other),
            ("e".to_owned(), Listed::Absent),
        ]);
        assert_eq!(read(&write(&listing)), Some(listing));
        assert_eq!(read(b"file nonsense - x\n"), None);
        assert_eq!(read(b"file\n"), None);
    }
}
