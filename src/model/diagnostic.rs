//! What is said about a file people wrote: where, why, and what to do.

use std::fmt;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// What it names is left out of the pass.
    Error,
    /// The pass goes on with it.
    Warning,
}

impl Severity {
    /// The word in messages and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// A place in a file, both numbers from 1; 0 where a whole file is meant.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Path from the top of the config repository, or a name such as `state/images/portal.yaml`.
    pub file: String,
    /// Line.
    pub line: usize,
    /// Column, in characters.
    pub column: usize,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// A stable word, for scripts: `unknown-key`, `bad-reference`.
    pub code: &'static str,
    /// Where.
    pub place: Place,
    /// The cause, one line.
    pub message: String,
    /// The next step.
    pub hint: Option<String>,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { file, line, column } = &self.place;
        match line {
            0 => write!(f, "{file}: {}: {}", self.severity.word(), self.message)?,
            _ => write!(f, "{file}:{line}:{column}: {}: {}", self.severity.word(), self.message)?,
        }
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, " ({hint})"))
    }
}
