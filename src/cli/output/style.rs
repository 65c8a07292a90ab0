//! How much of a terminal there is: colour, width and length, only where they are wanted.

use std::borrow::Cow;
use std::io::IsTerminal;

use super::super::args::Color;

/// Most lines of a list on a terminal; the rest is counted.
const LONGEST_LIST: usize = 40;

/// How one stream is written to.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Style {
    on: bool,
    /// Columns; nothing where lines may be as long as they are.
    width: Option<usize>,
    /// Lines of a list; nothing where lists are whole.
    longest: Option<usize>,
}

/// What the environment says of colour and width.
#[derive(Debug, Clone, Default)]
struct Surroundings {
    /// What a variable says of colour, wherever the stream goes.
    color: Option<bool>,
    /// The terminal shows none.
    dumb: bool,
    columns: Option<usize>,
    terminal: bool,
    terminal_columns: Option<usize>,
}

impl Surroundings {
    fn of(stream: &impl IsTerminal) -> Self {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let terminal = stream.is_terminal();
        let forced = || set("CLICOLOR_FORCE").filter(|value| value != "0").map(|_| true);
        Self {
            color: set("NO_COLOR").map(|_| false).or_else(forced),
            dumb: set("TERM").is_some_and(|term| term == "dumb") || set("CLICOLOR").is_some_and(|value| value == "0"),
            columns: set("COLUMNS").and_then(|text| text.parse().ok()).filter(|columns| *columns > 0),
            terminal,
            terminal_columns: terminal.then(terminal_size::terminal_size).flatten().map(|(width, _)| usize::from(width.0)),
        }
    }
}

impl Style {
    /// Colour on a terminal unless `NO_COLOR` is set (no-color.org), or as the user said; `CLICOLOR_FORCE` (bixense.com)
    /// is for pipes that end at a terminal. Width from `COLUMNS`, else the terminal's. `all` leaves lists whole.
    pub(in super::super) fn of(color: Color, all: bool, stream: &impl IsTerminal) -> Self {
        Self::in_surroundings(color, all, &Surroundings::of(stream))
    }

    fn in_surroundings(color: Color, all: bool, around: &Surroundings) -> Self {
        Self {
            on: match color {
                Color::Always => true,
                Color::Never => false,
                Color::Auto => around.color.unwrap_or(around.terminal && !around.dumb),
            },
            width: around.columns.or(around.terminal_columns),
            longest: (around.terminal && !all).then_some(LONGEST_LIST),
        }
    }

    /// The first lines of a list, and how many are left out.
    pub(in super::super) fn shown<T>(self, list: &[T]) -> (&[T], usize) {
        match self.longest {
            Some(longest) if list.len() > longest => (list.get(..longest).unwrap_or(list), list.len() - longest),
            _ => (list, 0),
        }
    }

    /// The line that stands for what is left out.
    pub(in super::super) fn left_out(self, count: usize, what: &str) -> String {
        if count == 0 { String::new() } else { format!("{}\n", self.faint(&format!("… and {count} more {what}; --all shows all"))) }
    }

    /// Columns of the terminal, or as many as anybody may want.
    pub(in super::super) fn width(self) -> usize {
        self.width.unwrap_or(usize::MAX)
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

    pub(in super::super) fn odd(self, text: &str) -> String {
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

/// `text` in at most `width` columns; what is cut off shows as `…`.
pub(in super::super) fn cut(text: &str, width: usize) -> Cow<'_, str> {
    if text.chars().count() <= width {
        return Cow::Borrowed(text);
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect::<String>().into()
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
    fn colour_is_for_terminals_and_for_those_who_ask() {
        let terminal = Surroundings { terminal: true, ..Surroundings::default() };
        let pipe = Surroundings::default();
        for (what, color, around, expected) in [
            ("a terminal", Color::Auto, terminal.clone(), true),
            ("a pipe", Color::Auto, pipe.clone(), false),
            ("NO_COLOR", Color::Auto, Surroundings { color: Some(false), ..terminal.clone() }, false),
            ("TERM=dumb", Color::Auto, Surroundings { dumb: true, ..terminal.clone() }, false),
            ("CLICOLOR_FORCE on a pipe", Color::Auto, Surroundings { color: Some(true), ..pipe.clone() }, true),
            ("--color always", Color::Always, Surroundings { color: Some(false), ..pipe.clone() }, true),
            ("--color never", Color::Never, Surroundings { color: Some(true), ..terminal.clone() }, false),
        ] {
            assert_eq!(Style::in_surroundings(color, false, &around).on, expected, "{what}");
        }
    }

    #[test]
    fn lists_are_cut_on_a_terminal_alone_and_width_follows_it() {
        let list: Vec<usize> = (0..100).collect();
        let terminal = Surroundings { terminal: true, terminal_columns: Some(80), ..Surroundings::default() };
        let style = |all, around: &Surroundings| Style::in_surroundings(Color::Never, all, around);
        let cut = style(false, &terminal);
        assert_eq!((cut.shown(&list).0.len(), cut.shown(&list).1, cut.width()), (40, 60, 80));
        assert_eq!(cut.left_out(60, "files"), "… and 60 more files; --all shows all\n");
        assert_eq!(style(true, &terminal).shown(&list).1, 0);
        assert_eq!(style(false, &Surroundings::default()).shown(&list).1, 0);
        assert_eq!(style(false, &Surroundings { columns: Some(60), ..terminal }).width(), 60);
    }

    #[test]
    fn what_is_cut_off_shows() {
        for (text, width, expected) in [("portal", 6, "portal"), ("portal", 4, "por…"), ("äöü", 2, "ä…"), ("x", 0, "…")] {
            assert_eq!(cut(text, width), expected);
        }
    }

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        for (text, expected) in
            [("a\tä/b.yaml", "a\tä/b.yaml"), ("\u{1b}[31m", "\\u{1b}[31m"), ("a\rb", "a\\rb"), ("\u{202e}x", "\\u{202e}x")]
        {
            assert_eq!(printable(text), expected);
        }
    }
}
