//! Colour, only where it is wanted.

use std::borrow::Cow;
use std::io::IsTerminal;

use super::super::args::Color;

/// Whether, and which, escape codes are written.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Style {
    on: bool,
}

impl Style {
    /// Colour on a terminal unless `NO_COLOR` is set (no-color.org), or as the user said.
    pub(in super::super) fn of(color: Color, stream: &impl IsTerminal) -> Self {
        let wanted =
            std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        Self {
            on: match color {
                Color::Always => true,
                Color::Never => false,
                Color::Auto => wanted && stream.is_terminal(),
            },
        }
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.on { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    pub(in super::super) fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    pub(in super::super) fn bad(self, text: &str) -> String {
        self.paint("31", text)
    }

    pub(super) fn odd(self, text: &str) -> String {
        self.paint("33", text)
    }

    pub(in super::super) fn heading(self, text: &str) -> String {
        self.paint("1", text)
    }

    pub(in super::super) fn strong(self, text: &str) -> String {
        self.paint("1", text)
    }

    pub(in super::super) fn faint(self, text: &str) -> String {
        self.paint("2", text)
    }
}

/// Text of others as one may show it: what a terminal would obey, or what would turn the reading order round, is
/// written as an escape.
pub(in super::super) fn printable(text: &str) -> Cow<'_, str> {
    let obeyed =
        |c: char| (c.is_control() && c != '\t') || matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if !text.contains(obeyed) {
        return Cow::Borrowed(text);
    }
    text.chars().map(|c| if obeyed(c) { c.escape_default().to_string() } else { c.to_string() }).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        for (text, expected) in
            [("a\tä/b.yaml", "a\tä/b.yaml"), ("\u{1b}[31m", "\\u{1b}[31m"), ("a\rb", "a\\rb"), ("\u{202e}x", "\\u{202e}x")]
        {
            assert_eq!(printable(text), expected);
        }
    }
}
