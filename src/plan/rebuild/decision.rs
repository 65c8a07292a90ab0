//! What is decided for a managed image, in one closed set of codes, each with its evidence and its date.

use jiff::Timestamp;

/// A decision about one image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Which.
    pub code: Code,
    /// The facts it rests on, one line.
    pub evidence: String,
    /// The moment at which it may change by itself.
    pub at: Option<Timestamp>,
}

macro_rules! codes {
    ($($name:ident = $word:literal, $meaning:literal, $change:literal;)*) => {
        /// Every decision there is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code {
            $(#[doc = $meaning] $name,)*
        }

        impl Code {
            /// All of them, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its word in JSON. Stable.
            pub fn word(self) -> &'static str {
                match self { $(Self::$name => $word),* }
            }

            /// What it means, as a sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning),* }
            }

            /// What would change it, as a sentence.
            pub fn change(self) -> &'static str {
                match self { $(Self::$name => $change),* }
            }
        }
    };
}

codes! {
    UpToDate = "up-to-date", "It is built from what its bases are now.", "A base that moves.";
    Baseline = "baseline", "Its bases are seen for the first time: they count as what it is built from.", "A base that moves after this.";
    Proven = "proven", "Its current digest was shown to contain its bases as they are now.", "A base that moves after this.";
    OtherPlatform = "other-platform", "Its base moved only for platforms that it is not built for.", "A move that touches one of its platforms.";
    Pinned = "pinned", "Its Dockerfile names its bases by digest, so a rebuild would change nothing.", "Another digest in the Dockerfile.";
    NotAuto = "not-auto", "A base moved, and the entry says `autoRebuild: false`.", "`autoRebuild: true`, or `plimsoll rebuild IMAGE --now`.";
    Unknown = "unknown", "Something that the decision needs could not be read; nothing is started on a guess.", "An answer from where the fault came from.";
    DockerfileRefused = "dockerfile-refused", "Its Dockerfile can't be used, so a rebuild would fail.", "A Dockerfile that a build accepts.";
    Cycle = "cycle", "It builds on itself through other images, so there is no order to rebuild in.", "A Dockerfile that breaks the cycle.";
    Settling = "settling", "Its base shows a digest of the past, which counts once it has stood for ten minutes.", "Ten minutes without another move.";
    PlatformMissing = "platform-missing", "The new base lacks a platform that the image is built for.", "A digest of the base that has all wanted platforms.";
    Waiting = "waiting", "Its base moved, and `rebuildDelay` has not passed since.", "The date, or `plimsoll rebuild IMAGE --now`.";
    Capped = "capped", "Its base keeps moving; the rebuild waits no longer than twice `rebuildDelay` from the first move.", "The date, or `plimsoll rebuild IMAGE --now`.";
    ParentRebuilding = "parent-rebuilding", "It is due, and an image that it builds on is being rebuilt: it follows in a later wave, once.", "The end of the parent's rebuild.";
    MaxInFlight = "max-in-flight", "It is due, and as many rebuilds as are allowed at once are on their way.", "A rebuild that ends, or a higher `rebuild.maxConcurrent`.";
    Rewritten = "rewritten", "It is due, and people rewrote the record branch: nothing that can't be repeated is begun in this pass.", "The next pass.";
    Held = "held", "The entry says `hold`.", "An entry without `hold`.";
    Frozen = "frozen", "`freeze.yaml` covers it.", "The end of the window, or an edit of `freeze.yaml`.";
    Reverted = "reverted", "People took back the commit that recorded this rebuild.", "A base with another digest, an edited entry, or `plimsoll rebuild IMAGE --now`.";
    NoTrigger = "no-trigger", "It is due, and its entry names nobody who rebuilds it.", "A `trigger`, or a `workflow` in its `source`.";
    NoCredential = "no-credential", "It is due, and the operator gave no credential for its forge.", "A credential for the forge.";
    NoEngine = "no-engine", "It is due, and there is no engine to build it on.", "An engine that Plimsoll may use: `--engine` or `--docker-host`.";
    Eligible = "eligible", "It is due, and Kargo may promote now.", "A digest that contains the new base.";
    Claimed = "claimed", "It is claimed: one Plimsoll sends it, and the others wait.", "The forge's answer, or the end of the lease.";
    TakenOver = "taken-over", "The claim of another was taken over; the forge is asked before anything is sent.", "Two minutes, and a conclusive answer of the forge.";
    Unconfirmed = "unconfirmed", "It may have been sent, and the forge can't tell; the registry's proof is waited for.", "A digest that contains the new base, or the date.";
    Sent = "sent", "The forge took it, and the run has not ended.", "The end of the run.";
    AwaitingDigest = "awaiting-digest", "The run succeeded, and the registry shows no new digest yet.", "A new digest, or the date.";
    ProofMissing = "proof-missing", "There is a new digest, and it is not shown to contain the new base.", "A digest that contains the new base.";
    Failed = "failed", "The attempt failed; another follows.", "The date, a base with another digest, or `plimsoll rebuild IMAGE --now`.";
    HeldAttempts = "held-attempts", "Every attempt failed; nothing more is tried.", "A base with another digest, an edited entry, or `plimsoll rebuild IMAGE --now`.";
    HeldUnconfirmed = "held-unconfirmed", "For a day neither forge nor registry showed whether it happened; nothing is sent on a guess.", "A digest that contains the new base, another digest of the base, or `plimsoll rebuild IMAGE --now`.";
    NeverBuilt = "never-built", "It was never published, and Plimsoll does not build it.", "Its first push.";
}

impl Decision {
    /// A decision that stands until the world changes.
    pub fn new(code: Code, evidence: impl Into<String>) -> Self {
        Self { code, evidence: evidence.into(), at: None }
    }

    /// The same decision with the moment at which it may change by itself.
    #[must_use]
    pub fn until(mut self, at: Option<Timestamp>) -> Self {
        self.at = at;
        self
    }
}
