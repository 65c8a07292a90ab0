//! Colour, only where it is wanted.

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

    pub(super) fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    pub(super) fn bad(self, text: &str) -> String {
        self.paint("31", text)
    }

    pub(super) fn odd(self, text: &str) -> String {
        self.paint("33", text)
    }

    pub(in super::super) fn heading(self, text: &str) -> String {
        self.paint("1", text)
    }

    pub(super) fn strong(self, text: &str) -> String {
        self.paint("1", text)
    }

    pub(super) fn faint(self, text: &str) -> String {
        self.paint("2", text)
    }
}
