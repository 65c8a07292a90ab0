//! One error type for everything that crosses the edge, sorted by what the reader can do about it.

use std::fmt;
use std::time::Duration;

/// Longest foreign text (a server's answer, a child's stderr) kept in a fault, in characters.
const FOREIGN_TEXT_LIMIT: usize = 400;

/// What a fault asks of us: wait, ask a person, or give up on this one item.
///
/// The classes are few on purpose: retry, back-off, outcome and exit code all follow from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// What people wrote can't be used; it stays so until they edit it.
    Config,
    /// Credentials are missing, wrong, or not enough. Trying again at once only locks accounts.
    Denied,
    /// The other side answered, and the thing is not there.
    Missing,
    /// The other side asked us to slow down (HTTP 429, or a rate-limit header at zero).
    Limited,
    /// Network, time-out, 5xx: may well work next time.
    Transient,
    /// The other side answered something that can't be believed or parsed.
    Malformed,
    /// The other side understood, and refused by its own rules (branch protection, a hook).
    Refused,
    /// A limit of ours was met (size, depth, count, time).
    Limit,
    /// Not asked, by the user's choice (`--offline`). Not a failure.
    Offline,
    /// A local resource failed: disk, permissions, a missing program.
    Local,
    /// A defect of Plimsoll's own.
    Internal,
}

/// How soon a look is repeated that failed in a way that may pass by itself.
const SOON: Duration = Duration::from_secs(60);

/// How soon a look is repeated that failed until somebody does something.
pub const AFTER_REPAIR: Duration = Duration::from_secs(300);

impl Class {
    /// The word used in JSON, logs and metrics. Stable.
    pub fn word(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Denied => "denied",
            Self::Missing => "missing",
            Self::Limited => "limited",
            Self::Transient => "transient",
            Self::Malformed => "malformed",
            Self::Refused => "refused",
            Self::Limit => "limit",
            Self::Offline => "offline",
            Self::Local => "local",
            Self::Internal => "internal",
        }
    }

    /// Whether the same request may succeed later without anyone doing anything.
    pub fn may_pass(self) -> bool {
        matches!(self, Self::Limited | Self::Transient)
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Why something could not be done: class, cause, and the next step for a person.
///
/// The text is one line, printable, and holds no secret: build it from validated names,
/// [`SafeUrl`](super::SafeUrl)s, and foreign text passed through [`foreign`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Fault {
    /// What may be done about it.
    pub class: Class,
    /// Object and cause, in that order: `docker.io/library/node:22: 429 Too Many Requests`.
    pub text: String,
    /// The next step, when there is one worth naming.
    pub hint: Option<String>,
    /// How long the other side asked us to wait.
    pub retry_after: Option<Duration>,
}

impl Fault {
    /// A fault of `class` with its one-line `text`.
    pub fn new(class: Class, text: impl Into<String>) -> Self {
        Self { class, text: text.into(), hint: None, retry_after: None }
    }

    /// The same fault with the next step named.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same fault with the wait that the other side asked for.
    #[must_use]
    pub fn retry_after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait;
        self
    }

    /// How long to wait before the look that failed with it is repeated, not counting what the other side asked for; nothing
    /// when it is an answer like any other, for which the usual interval holds.
    pub fn repeat_after(&self) -> Option<Duration> {
        match self.class {
            Class::Missing | Class::Offline => None,
            class if class.may_pass() => Some(SOON),
            _ => Some(AFTER_REPAIR),
        }
    }

    /// The same fault with `prefix: ` before its text, naming the object it happened to.
    #[must_use]
    pub fn of(mut self, prefix: &str) -> Self {
        self.text = format!("{prefix}: {}", self.text);
        self
    }
}

/// Foreign text made safe to print: one line, control characters gone, cut at 400 characters.
///
/// ```
/// assert_eq!(plimsoll::base::fault::foreign("a\r\n\u{1b}[31mb"), "a [31mb");
/// ```
pub fn foreign(text: &str) -> String {
    let mut out = String::new();
    for (count, word) in text.split(|c: char| c.is_control() || c.is_whitespace()).filter(|w| !w.is_empty()).enumerate() {
        if count > 0 {
            out.push(' ');
        }
        // Bidirectional controls can make a terminal show something else than what was sent.
        out.extend(word.chars().filter(|c| !matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')));
        if out.chars().count() > FOREIGN_TEXT_LIMIT {
            return out.chars().take(FOREIGN_TEXT_LIMIT).chain("…".chars()).collect();
        }
    }
    out
}
