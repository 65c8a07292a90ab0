//! A build's log as it comes: the last lines are kept, and values of build arguments never are.

use std::collections::{BTreeMap, VecDeque};

use crate::base::fault::foreign;

/// Lines that are kept for the fault of a failed build.
const KEPT: usize = 30;
/// Longest text of those lines in a fault, in characters.
const LONGEST: usize = 4000;
/// Longest line that is waited for, in bytes.
const LONGEST_LINE: usize = 64 << 10;
/// Values shorter than this are hidden only where they stand alone.
const SHORT: usize = 4;

/// The tail of a log.
#[derive(Debug, Default)]
pub(super) struct Log {
    hidden: Vec<String>,
    lines: VecDeque<String>,
    /// The beginning of a line whose end has not come yet: a value may be sent in two halves.
    open: String,
}

impl Log {
    /// A log that hides the values of `arguments`.
    pub(super) fn new(arguments: &BTreeMap<String, String>) -> Self {
        // Of a value of several lines, each is hidden.
        let lines = arguments.values().flat_map(|value| value.lines()).map(str::trim);
        let mut hidden: Vec<String> = lines.filter(|line| !line.is_empty()).map(str::to_owned).collect();
        // The longest first: one value may be a part of another.
        hidden.sort_by_key(|value| std::cmp::Reverse(value.len()));
        Self { hidden, ..Self::default() }
    }

    /// Takes in what the engine sent, and gives the lines that it ends as they may be shown.
    pub(super) fn take(&mut self, text: &str) -> Vec<String> {
        self.open.push_str(text);
        match self.open.rfind(['\n', '\r']) {
            Some(end) => {
                let rest = self.open.split_off(end + 1);
                let whole = std::mem::replace(&mut self.open, rest);
                self.keep(&whole)
            }
            None if self.open.len() > LONGEST_LINE => self.end(),
            None => Vec::new(),
        }
    }

    /// Takes the last line as ended.
    pub(super) fn end(&mut self) -> Vec<String> {
        let rest = std::mem::take(&mut self.open);
        self.keep(&rest)
    }

    fn keep(&mut self, text: &str) -> Vec<String> {
        let text = self.scrubbed(text);
        let lines: Vec<String> = text.split(['\n', '\r']).map(foreign).filter(|line| !line.is_empty()).collect();
        for line in &lines {
            if self.lines.len() == KEPT {
                self.lines.pop_front();
            }
            self.lines.push_back(line.clone());
        }
        lines
    }

    /// Foreign text without the values.
    pub(super) fn scrubbed(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for value in &self.hidden {
            text = if value.chars().count() < SHORT { alone(&text, value) } else { text.replace(value, "***") };
        }
        text
    }

    /// The last lines as one.
    pub(super) fn tail(&self) -> String {
        let joined = self.lines.iter().map(String::as_str).collect::<Vec<_>>().join(" | ");
        let count = joined.chars().count();
        if count <= LONGEST { joined } else { joined.chars().skip(count - LONGEST).collect() }
    }
}

/// Replaces `value` where no letter or digit stands beside it.
fn alone(text: &str, value: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(value) {
        let (before, tail) = rest.split_at(at);
        let after = tail.get(value.len()..).unwrap_or_default();
        let word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let inside =
            word(before.chars().next_back().or(out.chars().next_back().filter(|_| before.is_empty()))) || word(after.chars().next());
        out.push_str(before);
        out.push_str(if inside { value } else { "***" });
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_build_arguments_are_hidden() {
        let arguments = [("TOKEN", "s3cret"), ("LEVEL", "3"), ("EMPTY", ""), ("LONGER", "s3cret-er")];
        let mut log = Log::new(&arguments.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
        for (text, expected) in [
            ("+ login s3cret\n", vec!["+ login ***"]),
            ("s3cret-er\n", vec!["***"]),
            ("LEVEL=3 of 13, 3\n", vec!["LEVEL=*** of 13, ***"]),
            ("33 3\n", vec!["33 ***"]),
            ("a\r\n\u{1b}[31mb\n", vec!["a", "[31mb"]),
            ("\n", vec![]),
            ("half s3c", vec![]),
            ("ret\nnext", vec!["half ***"]),
        ] {
            assert_eq!(log.take(text), expected, "{text}");
        }
        assert_eq!(log.end(), ["next"]);
    }

    #[test]
    fn each_line_of_a_value_is_hidden() {
        let mut log = Log::new(&BTreeMap::from([("KEY".to_owned(), "-----BEGIN\nabcdef\n".to_owned())]));
        assert_eq!(log.take("x abcdef y\n"), ["x *** y"]);
    }

    #[test]
    fn the_last_thirty_lines_are_kept() {
        let mut log = Log::default();
        for line in 0..100 {
            log.take(&format!("line {line}\n"));
        }
        let tail = log.tail();
        assert!(tail.starts_with("line 70 | ") && tail.ends_with(" | line 99"), "{tail}");
        for _ in 0..30 {
            log.take(&format!("{}\n", "y".repeat(300)));
        }
        assert_eq!(log.tail().chars().count(), LONGEST);
    }

    proptest::proptest! {
        #[test]
        fn no_value_gets_through(text in "[ab3=, ]{0,40}", value in "[ab3]{4,6}") {
            let log = Log::new(&BTreeMap::from([("A".to_owned(), value.clone())]));
            proptest::prop_assert!(!log.scrubbed(&text).contains(&value));
        }
    }
}
