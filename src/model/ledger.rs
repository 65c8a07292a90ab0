//! The first-seen ledger: which digest a tag held, from when on, by our own clock.

use jiff::{SignedDuration, Timestamp};

use super::Digest;

/// How many tenures are kept, newest first.
pub const TENURES: usize = 10;

/// How long a digest that returns must stand before its new tenure is accepted. A registry whose replicas
/// disagree shows two digests in turn; without this each look would be a move.
pub const SETTLE: SignedDuration = SignedDuration::from_mins(10);

/// A tag held `digest` from `seen_at` on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenure {
    /// The digest.
    pub digest: Digest,
    /// When we first saw it.
    pub seen_at: Timestamp,
}

/// What a tag holds, and held.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    /// The accepted digest.
    pub current: Option<Digest>,
    /// The one before it.
    pub previous: Option<Digest>,
    /// When the current tenure began; nothing while the first sight stands.
    pub last_updated: Option<Timestamp>,
    /// Tenures, newest first, at most [`TENURES`].
    pub history: Vec<Tenure>,
    /// A digest of the past that shows again and has not stood long enough yet.
    pub returning: Option<Tenure>,
    /// A digest that people took back by reverting our commit, and when. It is not accepted again until the tag
    /// shows another one.
    pub reverted: Option<Tenure>,
}

/// What a look at a tag meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// Nothing new.
    Unchanged,
    /// The first look: a baseline, not a move.
    First,
    /// A digest never seen under this tag.
    Moved,
    /// A digest of the past shows again; it must stand until the time given.
    Returning(Timestamp),
    /// A digest of the past has stood long enough.
    Returned,
    /// The returning digest is gone again before its time.
    Settled,
}

impl Ledger {
    /// Whether a look that gives `digest` would find nothing new and change nothing.
    pub fn shows(&self, digest: &Digest) -> bool {
        self.current.as_ref() == Some(digest) && self.returning.is_none() && self.reverted.is_none()
    }

    /// Takes in what the registry answered at `at`. Calling it again with the same answer changes nothing.
    pub fn see(&mut self, digest: &Digest, at: Timestamp, since: Option<Timestamp>) -> Seen {
        let freed = match &self.reverted {
            Some(reverted) if reverted.digest == *digest => return Seen::Unchanged,
            _ => self.reverted.take().is_some(),
        };
        let Some(current) = &self.current else {
            self.current = Some(digest.clone());
            self.history.insert(0, Tenure { digest: digest.clone(), seen_at: at });
            self.history.truncate(TENURES);
            return Seen::First;
        };
        if current == digest {
            return if self.returning.take().is_some() || freed { Seen::Settled } else { Seen::Unchanged };
        }
        if self.history.iter().any(|tenure| tenure.digest == *digest) {
            match &self.returning {
                Some(tenure) if tenure.digest == *digest => {
                    if at.duration_since(tenure.seen_at) < SETTLE {
                        return Seen::Unchanged;
                    }
                    let began = tenure.seen_at;
                    self.begin(digest, began, since);
                    return Seen::Returned;
                }
                _ => {
                    self.returning = Some(Tenure { digest: digest.clone(), seen_at: at });
                    return Seen::Returning(at.saturating_add(SETTLE).unwrap_or(at));
                }
            }
        }
        self.begin(digest, at, since);
        Seen::Moved
    }

    /// Starts a tenure. A record that an earlier tool wrote may know its current digest and no history: the
    /// digest that goes is then written down first, as seen `since`.
    fn begin(&mut self, digest: &Digest, at: Timestamp, since: Option<Timestamp>) {
        if let Some(gone) = self.current.take() {
            if !self.history.iter().any(|tenure| tenure.digest == gone) {
                let seen_at = self.last_updated.or(since).unwrap_or(at).min(at);
                self.history.insert(0, Tenure { digest: gone.clone(), seen_at });
            }
            self.previous = Some(gone);
        }
        self.history.insert(0, Tenure { digest: digest.clone(), seen_at: at });
        self.history.truncate(TENURES);
        self.current = Some(digest.clone());
        self.last_updated = Some(at);
        self.returning = None;
    }

    /// When the current digest's tenure began, once the tag has moved at all.
    pub fn moved_at(&self) -> Option<Timestamp> {
        self.last_updated
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn digest(letter: char) -> Digest {
        Digest::parse(&format!("sha256:{}", letter.to_string().repeat(64))).unwrap()
    }

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + minute * 60).unwrap()
    }

    /// Plays `minute:digest` looks and prints what each meant, then the history.
    fn play(looks: &str) -> String {
        let mut ledger = Ledger::default();
        let mut out = Vec::new();
        for look in looks.split_whitespace() {
            let (minute, letter) = look.split_once(':').unwrap();
            let seen = ledger.see(&digest(letter.chars().next().unwrap()), at(minute.parse().unwrap()), None);
            out.push(match seen {
                Seen::Returning(_) => "returning".to_owned(),
                other => format!("{other:?}").to_lowercase(),
            });
        }
        let history: String = ledger.history.iter().filter_map(|tenure| tenure.digest.hex().chars().next()).collect();
        format!("{} | {history}", out.join(" "))
    }

    #[test]
    fn looks_and_what_they_mean() {
        for (looks, expected) in [
            ("0:a 60:a", "first unchanged | a"),
            ("0:a 60:b 61:b", "first moved unchanged | ba"),
            ("0:a 60:b 120:a 121:a 130:a", "first moved returning unchanged returned | aba"),
            ("0:a 60:b 120:a 125:b 131:a 140:a 141:a", "first moved returning settled returning unchanged returned | aba"),
            ("0:a 1:b 2:c 3:d", "first moved moved moved | dcba"),
        ] {
            assert_eq!(play(looks), expected, "{looks}");
        }
    }

    #[test]
    fn a_record_without_history_keeps_its_old_digest_when_it_moves() {
        let mut ledger = Ledger { current: Some(digest('a')), ..Ledger::default() };
        assert_eq!(ledger.see(&digest('b'), at(9), Some(at(1))), Seen::Moved);
        assert_eq!(ledger.history, [Tenure { digest: digest('b'), seen_at: at(9) }, Tenure { digest: digest('a'), seen_at: at(1) }]);
    }

    proptest! {
        #[test]
        fn the_same_look_again_changes_nothing(looks in proptest::collection::vec((0i64..40, 0u8..4), 1..40)) {
            let mut ledger = Ledger::default();
            let mut minute = 0;
            for (later, letter) in looks {
                minute += later;
                let digest = digest(char::from(b'a' + letter));
                ledger.see(&digest, at(minute), None);
                let before = ledger.clone();
                prop_assert_eq!(ledger.see(&digest, at(minute), None), Seen::Unchanged);
                prop_assert_eq!(&ledger, &before);
                prop_assert!(ledger.history.len() <= TENURES);
                prop_assert_eq!(ledger.history.first().map(|tenure| &tenure.digest), ledger.current.as_ref());
            }
        }
    }
}
