//! What a pass did outside of git, and what it does it with.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::plan::rebuild::SendResult;
use crate::ports::images::Images;

/// The outside beyond git and tags: only there when somebody may be asked.
#[derive(Clone, Copy)]
pub struct Outside<'a> {
    /// What registries tell beside digests.
    pub images: &'a dyn Images,
    /// The random name of this process, for claims.
    pub holder: &'a str,
}

/// Something that was done outside of git, or tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// What makes it one and the same.
    pub key: String,
    /// `dispatch`, `pipeline` or `build`.
    pub kind: &'static str,
    /// The image it is for.
    pub target: String,
    /// How it ended.
    pub status: EffectStatus,
    /// Why it was done, or what stood in its way.
    pub reason: String,
}

/// How an effect ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EffectStatus {
    /// It was taken.
    Sent,
    /// It had been sent before, and was found.
    Adopted,
    /// It was certainly not taken.
    Refused,
    /// It may have been taken; nothing is sent again before that is known.
    Unconfirmed,
    /// It was not sent now: the claim is gone, its lease too short, or something could not be read.
    NotSent,
}

impl EffectStatus {
    /// The word in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Adopted => "adopted",
            Self::Refused => "refused",
            Self::Unconfirmed => "unconfirmed",
            Self::NotSent => "not-sent",
        }
    }

    /// Whether the pass is only partly done with it.
    pub fn is_failure(self) -> bool {
        !matches!(self, Self::Sent | Self::Adopted)
    }
}

/// A claim: its key and the time it was made.
pub(super) type Lease = (String, Timestamp);

/// What this process knows of its claims. It lives in memory only: a process that is gone holds none.
#[derive(Debug, Default)]
pub struct Claims {
    /// When each lease began, by the clock that nobody sets.
    pub(super) began: BTreeMap<Lease, Duration>,
    /// What became of what was sent.
    pub(super) results: BTreeMap<Lease, SendResult>,
    /// There are results that no commit holds yet.
    pub(super) news: bool,
}

impl Claims {
    /// Forgets claims that are on record no more.
    pub(super) fn retain(&mut self, is_recorded: impl Fn(&Lease) -> bool) {
        self.began.retain(|lease, _| is_recorded(lease));
        self.results.retain(|lease, _| is_recorded(lease));
    }
}
