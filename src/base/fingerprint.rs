//! Short hashes for names, ids and heads of files.

use sha2::{Digest as _, Sha256};

/// SHA-256 of parts, each ended so that no two lists of parts run together.
#[derive(Default)]
pub struct Fingerprint(Sha256);

impl Fingerprint {
    /// Of one text.
    pub fn of(text: &str) -> Self {
        let mut fingerprint = Self::default();
        fingerprint.add(text);
        fingerprint
    }

    /// Adds a part.
    pub fn add(&mut self, part: &str) {
        self.0.update(part);
        self.0.update([0]);
    }

    /// The first `bytes` bytes in lower-case hexadecimal; 32 is all of them.
    pub fn hex(self, bytes: usize) -> String {
        let digits = self.0.finalize();
        hex(digits.get(..bytes).unwrap_or(&digits))
    }
}

/// Bytes in lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).filter_map(|digit| DIGITS.get(usize::from(digit))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_together() {
        let of = |parts: &[&str]| {
            let mut fingerprint = Fingerprint::default();
            for part in parts {
                fingerprint.add(part);
            }
            fingerprint.hex(4)
        };
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
        assert_eq!(of(&["ab"]), Fingerprint::of("ab").hex(4));
        assert_eq!(of(&[]), "e3b0c442");
    }
}
