//! Rebuilds: who rebuilds an image, and what is recorded of a rebuild that is on its way.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{Digest, Value};

/// How long a claim is its holder's.
pub const LEASE: SignedDuration = SignedDuration::from_mins(10);

/// How much of the lease must be left when something is sent: more than any call to a forge may take.
pub const LEAST_LEASE: SignedDuration = SignedDuration::from_secs(60);

/// How long a claim that was taken over waits before the forge is asked whether the earlier holder sent it.
/// A forge may list a run a little after it took the dispatch.
pub const TAKE_OVER_WAIT: SignedDuration = SignedDuration::from_mins(2);

/// How long a rebuild of which nothing certain is known waits for the registry to show the proof.
pub const CONFIRM_WITHIN: SignedDuration = SignedDuration::from_hours(24);

/// How often a rebuild is tried. The second and the third need a failure that was seen.
pub const ATTEMPTS: u32 = 3;

/// Who rebuilds an image. Exactly one does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Trigger {
    /// A GitHub workflow, dispatched from here.
    Github,
    /// A GitLab pipeline, triggered from here.
    Gitlab,
    /// An engine beside Plimsoll.
    Docker,
    /// A Kargo Stage, which follows what is recorded here.
    Kargo,
    /// Nobody: it is only recorded that a rebuild is due.
    None,
}

impl Trigger {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Github, Self::Gitlab, Self::Docker, Self::Kargo, Self::None];

    /// The word in files.
    pub fn word(self) -> &'static str {
        match self {
            Self::Github => "github",
            Self::Gitlab => "gitlab",
            Self::Docker => "docker",
            Self::Kargo => "kargo",
            Self::None => "none",
        }
    }

    /// The trigger of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|trigger| trigger.word() == word)
    }

    /// Whether Plimsoll itself starts the rebuild, so that it needs a claim.
    pub fn is_ours(self) -> bool {
        matches!(self, Self::Github | Self::Gitlab | Self::Docker)
    }
}

/// How far a rebuild is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RebuildStatus {
    /// Due, and somebody else starts it: Kargo may promote while this stands.
    Eligible,
    /// Claimed by a holder, who may have sent it.
    Claimed,
    /// The forge took it.
    Sent,
    /// The attempt ended badly; another follows at `next_at`.
    Failed,
    /// Given up until an input changes or people ask for it.
    Held,
}

impl RebuildStatus {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Eligible, Self::Claimed, Self::Sent, Self::Failed, Self::Held];

    /// The word in files.
    pub fn word(self) -> &'static str {
        match self {
            Self::Eligible => "eligible",
            Self::Claimed => "claimed",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Held => "held",
        }
    }

    /// The status of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.word() == word)
    }
}

/// Why a rebuild is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HeldWhy {
    /// It may have been sent, and neither the forge nor the registry showed a result in time.
    Unconfirmed,
    /// Every attempt failed.
    Attempts,
    /// People took back the commit that recorded it.
    Reverted,
}

impl HeldWhy {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Unconfirmed, Self::Attempts, Self::Reverted];

    /// The word in files.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unconfirmed => "unconfirmed",
            Self::Attempts => "attempts",
            Self::Reverted => "reverted",
        }
    }

    /// The cause of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|why| why.word() == word)
    }
}

/// A rebuild that is due, on its way, or given up. It is gone from the state once it is proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuild {
    /// What makes it one and the same for everybody: a hash of image, workflow, branch, digests and attempt.
    pub key: String,
    /// From 1.
    pub attempt: u32,
    /// How far it is.
    pub status: RebuildStatus,
    /// When the status began.
    pub since: Timestamp,
    /// Who claimed it: a random name of one process.
    pub holder: Option<String>,
    /// When the claim was made or taken over.
    pub claimed_at: Option<Timestamp>,
    /// From when on another may take the claim over.
    pub expires_at: Option<Timestamp>,
    /// Whose claim it was before it was taken over.
    pub taken_from: Option<String>,
    /// The forge's id of the run.
    pub run: Option<String>,
    /// Where people look at the run.
    pub url: Option<String>,
    /// When the next attempt may follow.
    pub next_at: Option<Timestamp>,
    /// The image's digest when the rebuild began.
    pub from: Option<Digest>,
    /// What it should be built from: digests by base.
    pub to: BTreeMap<String, Digest>,
    /// When the newest of `to` was first seen.
    pub content_since: Option<Timestamp>,
    /// Why it is held.
    pub why: Option<HeldWhy>,
    /// One line for people: the failure, or what was not seen.
    pub note: Option<String>,
    /// Keys we do not know, in their order.
    pub extra: Vec<(String, Value)>,
}

impl Rebuild {
    /// A first attempt that nobody has claimed, for bases still to be named.
    pub fn unclaimed(status: RebuildStatus, since: Timestamp) -> Self {
        Self {
            key: String::new(),
            attempt: 1,
            status,
            since,
            holder: None,
            claimed_at: None,
            expires_at: None,
            taken_from: None,
            run: None,
            url: None,
            next_at: None,
            from: None,
            to: BTreeMap::new(),
            content_since: None,
            why: None,
            note: None,
            extra: Vec::new(),
        }
    }

    /// Whether somebody may be working on it, so that a second one must not begin.
    pub fn is_in_flight(&self) -> bool {
        matches!(self.status, RebuildStatus::Claimed | RebuildStatus::Sent)
    }
}

/// A base that moved and that the image was not rebuilt for yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unbuilt {
    /// When the first digest that it was not built from was first seen. It stands however often the base moves
    /// after that, so that a base that moves daily can't postpone for ever.
    pub since: Timestamp,
    /// The digest of the base whose platforms were compared with those of the one it was built from.
    pub compared: Option<Digest>,
    /// Wanted platforms that the compared digest lacks.
    pub missing: Vec<String>,
}

/// What a look into an image told about its bases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// It contains a base that it should no longer contain.
    NotProven,
    /// Neither the old nor the new base can be seen in it.
    Unknown,
}

impl Verdict {
    /// The word in files.
    pub fn word(self) -> &'static str {
        match self {
            Self::NotProven => "not-proven",
            Self::Unknown => "unknown",
        }
    }

    /// The verdict of a word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::NotProven, Self::Unknown].into_iter().find(|verdict| verdict.word() == word)
    }
}

/// A look into an image that did not prove it, kept so that the same question is not asked again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// The image's digest.
    pub digest: Digest,
    /// The bases' digests it was held against.
    pub against: BTreeMap<String, Digest>,
    /// What was found.
    pub verdict: Verdict,
}
