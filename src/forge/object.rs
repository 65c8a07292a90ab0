//! Ids of git blobs.

use sha1::{Digest as _, Sha1};
use sha2::Sha256;

use crate::base::fingerprint::hex;

/// The id of a content in a SHA-1 repository.
pub(super) fn blob_id(content: &[u8]) -> String {
    hex(&Sha1::new_with_prefix(head(content)).chain_update(content).finalize())
}

/// Whether `id` is that of `content`, in a SHA-1 or a SHA-256 repository.
pub(super) fn is_blob(id: &str, content: &[u8]) -> bool {
    match id.len() {
        40 => blob_id(content) == id,
        _ => hex(&Sha256::new_with_prefix(head(content)).chain_update(content).finalize()) == id,
    }
}

fn head(content: &[u8]) -> String {
    format!("blob {}\0", content.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_those_of_git() {
        assert!(is_blob("e69de29bb2d1d6434b8b29ae775ad8c2e48c5391", b""));
        assert!(is_blob("473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813", b""));
        assert!(!is_blob("e69de29bb2d1d6434b8b29ae775ad8c2e48c5391", b"x") && !is_blob("", b""));
        assert_eq!(blob_id(b"hello\n"), "ce013625030ba8dba906f756967f9e9ca394464a");
    }
}
