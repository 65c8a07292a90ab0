//! A fault on its way up, with what may be tried about it.

use std::time::Duration;

use crate::base::{Class, Fault};

/// What the caller may do about a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// Nothing: the same request gets the same answer, or must not be sent.
    Never,
    /// Ask once more after a jittered wait.
    Backoff,
    /// Ask once more, but not before this time has passed.
    After(Duration),
}

/// A fault and its remedy.
#[derive(Debug)]
pub(super) struct Trouble {
    /// What the user sees if nothing helps.
    pub(super) fault: Fault,
    /// What may help.
    pub(super) again: Again,
    /// Whether it holds for all that could be asked there, not just for this question.
    pub(super) whole_host: bool,
}

impl Trouble {
    /// A fault that asking again won't mend.
    pub(super) fn last(class: Class, text: impl Into<String>) -> Self {
        Fault::new(class, text).into()
    }

    /// A transient fault worth another try.
    pub(super) fn transient(text: impl Into<String>) -> Self {
        Self { fault: Fault::new(Class::Transient, text), again: Again::Backoff, whole_host: false }
    }
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self { fault, again: Again::Never, whole_host: false }
    }
}
