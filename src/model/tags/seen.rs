//! The record of `FirstSeen`: which tags of a repository we saw, and when first, by our own clock.
//!
//! The newest stand with their date; of older ones it is only kept that they were there, so that a long list never
//! makes an old tag look new. A date is written once and never moves.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::base::Fingerprint;
use crate::model::Digest;

/// How many tags of an image are kept with their date, newest first.
pub const DATED: usize = 50;

/// A tag of an external image and when we first saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenTag {
    /// The tag.
    pub tag: String,
    /// What it pointed at when it was first chosen; nothing while it never was.
    pub digest: Option<Digest>,
    /// When it was first listed, by our clock.
    pub seen_at: Timestamp,
}

/// The tags that were seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sightings {
    /// The newest, at most [`DATED`]: by date, then by the tag's bytes, the last one first.
    pub tags: Vec<SeenTag>,
    /// Marks of those that were seen before all of `tags`.
    pub before: BTreeSet<u32>,
    /// Another expression lets tags through than when a list was last taken in.
    pub edited: bool,
}

impl Sightings {
    /// Takes in a complete list of the tags that may be chosen, as it was at `at`. Whether any was new.
    ///
    /// The first list is a baseline: all of it was seen at once. When another expression lets other tags through, those
    /// are no news either while any tag with a date is still there. What the list lacks keeps its
    /// date until newer tags push it out: replicas of a registry may disagree, and a tag that shows again is not new.
    pub fn see<'t>(&mut self, list: impl IntoIterator<Item = &'t str>, at: Timestamp) -> bool {
        let edited = std::mem::take(&mut self.edited);
        let list: BTreeSet<&str> = list.into_iter().collect();
        let dated: BTreeSet<&str> = self.tags.iter().map(|seen| seen.tag.as_str()).collect();
        let unknown: Vec<&str> = list.iter().copied().filter(|tag| !dated.contains(tag) && !self.before.contains(&mark(tag))).collect();
        if unknown.is_empty() {
            return false;
        }
        if edited && dated.iter().any(|tag| list.contains(tag)) {
            self.before.extend(unknown.into_iter().map(mark));
        } else {
            self.tags.extend(unknown.into_iter().map(|tag| SeenTag { tag: tag.to_owned(), digest: None, seen_at: at }));
        }
        self.tags.sort_by(|left, right| (right.seen_at, &right.tag).cmp(&(left.seen_at, &left.tag)));
        let pushed_out = self.tags.split_off(self.tags.len().min(DATED));
        self.before.extend(pushed_out.iter().map(|seen| mark(&seen.tag)));
        // Marks are kept of what is listed only, so they never outgrow the list.
        let listed: BTreeSet<u32> = list.into_iter().map(mark).collect();
        self.before.retain(|mark| listed.contains(mark));
        true
    }

    /// When a tag was first seen; one without a date was seen before all that have one.
    pub fn first_seen(&self, tag: &str) -> Option<Timestamp> {
        let dated = self.tags.iter().find(|seen| seen.tag == tag).map(|seen| seen.seen_at);
        dated.or_else(|| self.before.contains(&mark(tag)).then_some(Timestamp::MIN))
    }

    /// Notes what a tag points at, unless that is noted already.
    pub fn note(&mut self, tag: &str, digest: &Digest) {
        if let Some(seen) = self.tags.iter_mut().find(|seen| seen.tag == tag) {
            seen.digest.get_or_insert_with(|| digest.clone());
        }
    }
}

/// The mark of a tag. Of four hundred thousand new tags about one has the mark of one of ten thousand old ones, and is
/// taken for old.
fn mark(tag: &str) -> u32 {
    u32::from_str_radix(&Fingerprint::of(tag).hex(4), 16).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + minute * 60).unwrap()
    }

    /// Plays `minute:tag,tag,…` lists, `!` for one after an edit; gives the dated tags as `tag@minute`, newest first,
    /// and the number of those before.
    fn play(lists: &str) -> String {
        let mut sightings = Sightings::default();
        for list in lists.split_whitespace() {
            let (minute, tags) = list.split_once(':').unwrap();
            sightings.edited |= minute.ends_with('!');
            let tags = tags.split(',').filter(|tag| !tag.is_empty());
            sightings.see(tags, at(minute.trim_end_matches('!').parse().unwrap()));
        }
        let minutes = |seen: &SeenTag| (seen.seen_at.as_second() - at(0).as_second()) / 60;
        let dated: Vec<String> = sightings.tags.iter().map(|seen| format!("{}@{}", seen.tag, minutes(seen))).collect();
        format!("{} +{}", dated.join(" "), sightings.before.len())
    }

    #[test]
    fn lists_and_what_is_recorded() {
        for (lists, expected) in [
            ("", " +0"),
            ("0:b,a,c", "c@0 b@0 a@0 +0"),
            ("0:a,b 60:b,a", "b@0 a@0 +0"),
            ("0:a,b 60:b,a,0", "0@60 b@0 a@0 +0"),
            // What is gone keeps its date, and is no news when it is back.
            ("0:a,b 60:a 120:a,b", "b@0 a@0 +0"),
            ("0:a,b 60: 120:a,b", "b@0 a@0 +0"),
            ("0: 60:a", "a@60 +0"),
            // Another expression: no news while something with a date is still let through, else a baseline.
            ("0:a,b 60!:b,c,d 120:b,c,d,e", "e@120 b@0 a@0 +2"),
            ("0:a,b 60!:c,d", "d@60 c@60 b@0 a@0 +0"),
        ] {
            assert_eq!(play(lists), expected, "{lists}");
        }
    }

    #[test]
    fn a_long_list_is_bounded_and_its_old_tags_stay_old() {
        let tags: Vec<String> = (0..300).map(|number| format!("t{number:03}")).collect();
        let list = || tags.iter().map(String::as_str);
        let mut sightings = Sightings::default();
        assert!(sightings.see(list(), at(0)));
        assert_eq!((sightings.tags.len(), sightings.before.len()), (DATED, 250));
        assert_eq!(sightings.tags[0].tag, "t299");
        assert!(!sightings.see(list(), at(60)), "nothing is new");
        assert!(sightings.see(list().chain(["a"]), at(60)));
        assert_eq!((sightings.tags[0].tag.as_str(), sightings.before.len()), ("a", 251));
        assert_eq!(sightings.first_seen("t000"), Some(Timestamp::MIN));
        assert_eq!((sightings.first_seen("t299"), sightings.first_seen("never")), (Some(at(0)), None));
        // Old tags that the registry no longer has leave no mark.
        assert!(sightings.see(["a", "b", "t299"], at(120)));
        assert_eq!((sightings.tags.len(), sightings.before.len()), (DATED, 0));
    }

    fn letters(set: u16) -> Vec<String> {
        (0..12).filter(|bit| set >> bit & 1 == 1).map(|bit| char::from(b'a' + bit).to_string()).collect()
    }

    proptest! {
        #[test]
        fn dates_never_move_and_the_order_of_a_list_does_not_count(lists in proptest::collection::vec((0i64..40, any::<u16>()), 1..20)) {
            let (mut one, mut other) = (Sightings::default(), Sightings::default());
            let mut minute = 0;
            for (later, set) in lists {
                minute += later;
                let tags = letters(set);
                let before = one.clone();
                one.see(tags.iter().map(String::as_str), at(minute));
                other.see(tags.iter().rev().map(String::as_str), at(minute));
                prop_assert_eq!(&one, &other);
                for seen in &before.tags {
                    prop_assert_eq!(one.first_seen(&seen.tag), Some(seen.seen_at), "{}", seen.tag);
                }
                for tag in &tags {
                    prop_assert!(one.first_seen(tag).is_some());
                }
                let again = one.clone();
                prop_assert!(!one.see(tags.iter().map(String::as_str), at(minute + 1)));
                prop_assert_eq!(&one, &again);
            }
        }
    }
}
