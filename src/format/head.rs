//! The first lines of every file Plimsoll writes: who made it, from what, and the hash of the rest.
//!
//! A file without this head is foreign and never touched; a file whose body no longer matches its
//! head was edited by hand.

use crate::base::Fingerprint;

const FIRST: &str = "# Made by Plimsoll from ";
const SECOND: &str = "# plimsoll: ";

/// What the head of a file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head<'a> {
    /// The entry the file was made for: `images/portal`.
    pub subject: &'a str,
    /// Whether the body is the one that was written.
    pub intact: bool,
    /// Everything after the head.
    pub body: &'a str,
}

/// `body` with its head before it.
pub fn with_head(subject: &str, made_from: &str, body: &str) -> String {
    format!("{FIRST}{made_from}. Edits here are put right at the next pass.\n{SECOND}{subject} {}\n{body}", hash(body))
}

/// Reads the head of `content`; `None` when the file is not ours.
pub fn read(content: &[u8]) -> Option<Head<'_>> {
    let text = std::str::from_utf8(content).ok()?;
    let (first, rest) = text.split_once('\n')?;
    let (second, body) = rest.split_once('\n')?;
    if !first.starts_with(FIRST) {
        return None;
    }
    let (subject, recorded) = second.trim_end_matches('\r').strip_prefix(SECOND)?.split_once(' ')?;
    Some(Head { subject, intact: recorded == hash(body), body })
}

/// 128 bits of SHA-256: enough to notice an edit, short enough to read past.
fn hash(body: &str) -> String {
    Fingerprint::of(body).hex(16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_tells_ours_from_edited_from_foreign() {
        let written = with_head("images/portal", "images.yaml", "name: portal\n");
        let head = read(written.as_bytes()).unwrap();
        assert_eq!((head.subject, head.intact, head.body), ("images/portal", true, "name: portal\n"));
        assert!(!read(written.replace("portal\n", "other\n").as_bytes()).is_some_and(|head| head.intact));
        for foreign in ["", "name: portal\n", "# Made by Plimsoll from x\nname: portal\n", "\u{feff}"] {
            assert_eq!(read(foreign.as_bytes()), None);
        }
    }
}
