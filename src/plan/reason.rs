//! Why a file changes: a closed set of codes, each with its evidence in words.

/// One reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// Stable word for scripts.
    pub code: &'static str,
    /// The evidence, one line.
    pub text: String,
}

macro_rules! reasons {
    ($($name:ident = $code:literal, $doc:literal;)*) => {
        impl Reason {
            /// Every code there is, with what it means.
            pub const ALL: &'static [(&'static str, &'static str)] = &[$(($code, $doc)),*];
            $(
                #[doc = $doc]
                pub fn $name(text: impl Into<String>) -> Self {
                    Self { code: $code, text: text.into() }
                }
            )*
        }
    };
}

reasons! {
    enrolled = "enrolled", "A new entry.";
    entry_edited = "entry-edited", "People edited its entry.";
    discovered = "discovered", "Its Dockerfile names other base images than before.";
    discovery_failed = "discovery-failed", "Its Dockerfile can't be used; the last good bases stand.";
    base_found = "base-found", "A Dockerfile names a base image that was not known.";
    first_seen = "first-seen", "The first look at its tag: a baseline.";
    tag_chosen = "tag-chosen", "Another tag is the best one by its policy.";
    tag_seen = "tag-seen", "A tag is listed that was not listed before.";
    digest_moved = "digest-moved", "Its tag points at a digest never seen under it.";
    digest_returning = "digest-returning", "Its tag points at a digest of the past, which must stand for ten minutes.";
    digest_returned = "digest-returned", "A digest of the past has stood for ten minutes.";
    digest_settled = "digest-settled", "A digest of the past showed for less than ten minutes.";
    dependents_changed = "dependents-changed", "Other images build on it, or may follow it from another date on.";
    promoted = "promoted", "The base image is built here now: its upstream watch ends.";
    demoted = "demoted", "The image is no longer built here and still used: it is watched upstream again.";
    repaired = "repaired", "What an earlier tool recorded wrongly is written right.";
    baseline = "baseline", "A base seen for the first time counts as what the image is built from.";
    base_moved = "base-moved", "A base of the image moved: a rebuild will be due.";
    other_platform = "other-platform", "A base moved only for platforms that the image is not built for.";
    proven = "proven", "The image was shown to contain its bases as they are now.";
    rebuild_eligible = "rebuild-eligible", "A rebuild is due, and somebody else begins it.";
    rebuild_claimed = "rebuild-claimed", "A rebuild is due, and this Plimsoll sends it once this commit is published.";
    rebuild_taken_over = "rebuild-taken-over", "A claim expired, and the forge shows no run of it.";
    rebuild_sent = "rebuild-sent", "The forge took the rebuild.";
    rebuilt = "rebuilt", "The rebuild is proven: the new digest contains the new base.";
    rebuild_failed = "rebuild-failed", "An attempt to rebuild failed; another follows.";
    rebuild_held = "rebuild-held", "A rebuild is given up until an input changes.";
    rebuild_dropped = "rebuild-dropped", "A rebuild is no longer wanted as it was recorded.";
    reverted = "reverted", "People took back a commit of Plimsoll's: what it recorded is held.";
    canonical = "canonical", "The same facts in canonical form.";
    hand_edited = "hand-edited", "The file was edited by hand and is put right.";
    rendered = "rendered", "What it is rendered from changed.";
    unwatched = "unwatched", "It is no longer watched.";
    pruned = "pruned", "Nothing wants it any more.";
}
