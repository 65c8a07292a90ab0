//! The first lines of every file Plimsoll writes: who made it, from what, and the hash of the rest.
//!
//! A file without this head is foreign and never touched; a file whose body no longer matches its
//! head was edited by hand. The two lines are a comment of the file's own format.

use crate::base::Fingerprint;

const MADE: &str = "Made by Plimsoll from ";
const STAMP: &str = "plimsoll: ";

/// How a format writes comments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// `# …`: YAML.
    Hash,
    /// `<!-- … -->`: Markdown.
    Markup,
    /// `{# … #}`: skeletons that Backstage's scaffolder fills in. What it makes must not say that Plimsoll made
    /// it, and must not begin with the line break behind the comment: a block that sets an unused name takes that.
    Skeleton,
}

impl Style {
    const ALL: [Self; 3] = [Self::Hash, Self::Markup, Self::Skeleton];

    /// The style of a file, by its ending.
    pub fn of_path(path: &str) -> Self {
        match path.rsplit_once('.').map(|(_, ending)| ending) {
            Some("md") => Self::Markup,
            Some("njk") => Self::Skeleton,
            _ => Self::Hash,
        }
    }

    /// What stands before and after the text of the first and of the second line.
    fn frame(self) -> [(&'static str, &'static str); 2] {
        match self {
            Self::Hash => [("# ", ""), ("# ", "")],
            Self::Markup => [("<!-- ", " -->"), ("<!-- ", " -->")],
            Self::Skeleton => [("{# ", ""), ("   ", " #}{% set made = true -%}")],
        }
    }
}

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

/// `body` with its head before it, as YAML has it.
pub fn with_head(subject: &str, made_from: &str, body: &str) -> String {
    styled(Style::Hash, subject, made_from, body)
}

/// `body` with its head before it, in the comments of a format.
pub fn styled(style: Style, subject: &str, made_from: &str, body: &str) -> String {
    let [(open, close), (second_open, second_close)] = style.frame();
    let first = format!("{open}{MADE}{made_from}. Edits here are put right at the next pass.{close}");
    format!("{first}\n{second_open}{STAMP}{subject} {}{second_close}\n{body}", hash(body))
}

/// Reads the head of `content`; `None` when the file is not ours.
pub fn read(content: &[u8]) -> Option<Head<'_>> {
    let text = std::str::from_utf8(content).ok()?;
    let (first, rest) = text.split_once('\n')?;
    let (second, body) = rest.split_once('\n')?;
    Style::ALL.iter().find_map(|style| {
        let [(open, _), (second_open, second_close)] = style.frame();
        first.strip_prefix(open)?.strip_prefix(MADE)?;
        let stamp = second.trim_end_matches('\r').strip_prefix(second_open)?.strip_suffix(second_close)?.strip_prefix(STAMP)?;
        let (subject, recorded) = stamp.split_once(' ')?;
        Some(Head { subject, intact: recorded == hash(body), body })
    })
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
        for path in ["state/images/portal.yaml", "docs/index.md", "skeleton.yaml.njk", "mkdocs.yml"] {
            let written = styled(Style::of_path(path), "images/portal", "images.yaml", "name: portal\n");
            let head = read(written.as_bytes()).unwrap();
            assert_eq!((head.subject, head.intact, head.body), ("images/portal", true, "name: portal\n"));
            assert!(!read(written.replace("portal\n", "other\n").as_bytes()).is_some_and(|head| head.intact));
        }
        for foreign in
            ["", "name: portal\n", "# Made by Plimsoll from x\nname: portal\n", "\u{feff}", "<!-- Made by Plimsoll from x\n# a b\n"]
        {
            assert_eq!(read(foreign.as_bytes()), None);
        }
    }
}
