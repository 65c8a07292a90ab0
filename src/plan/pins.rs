//! Digest pins of Dockerfiles: which there should be, from what is recorded. Nothing is asked of a registry.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::desired::Desired;
use super::planner::managed_tag;
use super::recorded::Recorded;
use crate::format::dockerfile::BuildOptions;
use crate::format::dockerfile::edit::{self, Unpinnable};
use crate::model::ledger::Ledger;
use crate::model::{Delay, Digest, Entry, ImageReference};

/// A Dockerfile and the entries that are built from it.
#[derive(Debug, Clone)]
pub struct Text<'a> {
    /// Its content.
    pub text: &'a str,
    /// Managed entries; at least one.
    pub entries: Vec<&'a Entry>,
}

/// One pin that moves, or is new.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pin {
    /// Line of the instruction, from 1.
    pub line: usize,
    /// The image and its tag.
    pub image: ImageReference,
    /// The digest that stands there, if one does.
    pub from: Option<Digest>,
    /// The digest that should.
    pub to: Digest,
}

/// What should be done to one file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FilePins {
    /// Its content with the pins; `None` when nothing is to be done.
    pub after: Option<String>,
    /// The pins that move.
    pub pins: Vec<Pin>,
    /// References that can't be pinned, each with why.
    pub skipped: Vec<Unpinnable>,
}

/// What is known about one reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Every pin of it should be this.
    Pin(Digest),
    /// Its tag moved lately: pins stay as they are until then.
    Waits(Timestamp),
    /// No digest of it is recorded.
    Unrecorded,
}

/// The pins of all files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pins {
    /// By file, in the order given.
    pub files: Vec<FilePins>,
    /// What holds for each reference, so that one has one digest everywhere.
    pub verdicts: BTreeMap<ImageReference, Verdict>,
}

/// Plans the pins of `texts`.
pub fn pins(texts: &[Text<'_>], desired: &Desired, recorded: &Recorded, now: Timestamp) -> Pins {
    let mut uses: BTreeMap<ImageReference, (Delay, BTreeSet<Option<Digest>>)> = BTreeMap::new();
    for text in texts {
        for entry in &text.entries {
            let Some(build) = entry.build() else { continue };
            let found = edit::references(text.text, &options(entry)).unwrap_or_default();
            for place in found.pinnable {
                // The most patient of those who share a reference decides for all.
                let (delay, pinned) = uses.entry(place.image).or_insert_with(|| (build.rebuild_delay, BTreeSet::new()));
                *delay = (*delay).max(build.rebuild_delay);
                pinned.insert(place.pinned);
            }
        }
    }
    let verdicts: BTreeMap<ImageReference, Verdict> = uses
        .into_iter()
        .map(|(image, (delay, pinned))| {
            let verdict = ledger_of(&image, desired, recorded).map_or(Verdict::Unrecorded, |ledger| verdict(ledger, delay, &pinned, now));
            (image, verdict)
        })
        .collect();
    let digests = verdicts
        .iter()
        .filter_map(|(image, verdict)| match verdict {
            Verdict::Pin(digest) => Some((image.clone(), digest.clone())),
            Verdict::Waits(_) | Verdict::Unrecorded => None,
        })
        .collect();
    Pins { files: texts.iter().map(|text| file(text, &digests)).collect(), verdicts }
}

/// How an entry's Dockerfile is read.
fn options(entry: &Entry) -> BuildOptions {
    let Some(build) = entry.build() else { return BuildOptions::default() };
    BuildOptions {
        build_args: build.source.build_args.clone(),
        platform: build.platforms.first().cloned(),
        build_platform: None,
        target: build.source.target.clone(),
    }
}

/// The record of a tag: of the image we build ourselves, else of the base image.
fn ledger_of<'a>(image: &ImageReference, desired: &Desired, recorded: &'a Recorded) -> Option<&'a Ledger> {
    let ledger = match desired.managed_as(&image.registry, &image.repository) {
        Some(entry) => {
            let state = recorded.images.get(&entry.name).filter(|state| image.tag.as_deref() == Some(managed_tag(Some(state))))?;
            &state.ledger
        }
        None => &recorded.bases.get(recorded.base_named(image)?)?.ledger,
    };
    ledger.current.is_some().then_some(ledger)
}

/// A pin moves to the digest that the tag holds, once its tenure is older than the delay. A tag that moves more
/// often than that is followed at the latest after twice the delay since the first tenure that is not pinned.
fn verdict(ledger: &Ledger, delay: Delay, pinned: &BTreeSet<Option<Digest>>, now: Timestamp) -> Verdict {
    let Some(current) = ledger.current.clone() else { return Verdict::Unrecorded };
    let there = pinned.iter().all(|pin| pin.as_ref() == Some(&current));
    // The first sight is a baseline: it is what builds use already.
    let Some(newest) = ledger.moved_at().filter(|_| !there) else { return Verdict::Pin(current) };
    let first = ledger.history.iter().take_while(|tenure| !pinned.contains(&Some(tenure.digest.clone()))).last();
    let first = first.map_or(newest, |tenure| tenure.seen_at);
    let after = |at: Timestamp, times: u32| delay.after(at, times).unwrap_or(Timestamp::MAX);
    let at = after(newest, 1).min(after(first, 2));
    if at <= now { Verdict::Pin(current) } else { Verdict::Waits(at) }
}

fn file(text: &Text<'_>, digests: &BTreeMap<ImageReference, Digest>) -> FilePins {
    let mut after = text.text.to_owned();
    let (mut moved, mut skipped) = (BTreeSet::new(), BTreeSet::new());
    for entry in &text.entries {
        let options = options(entry);
        // A file that no builder reads is a finding of `validate`.
        let Ok(found) = edit::references(&after, &options) else { continue };
        skipped.extend(found.unpinnable.iter().cloned());
        let Some(edited) = edit::pinned(&after, &found, &options, digests) else {
            let why = "a pin would change what else the file means; pin it by hand".to_owned();
            skipped.extend(found.pinnable.iter().map(|place| Unpinnable {
                line: place.line,
                raw: place.image.familiar(),
                why: why.clone(),
            }));
            continue;
        };
        for place in found.pinnable {
            let Some(to) = digests.get(&place.image).filter(|to| place.pinned.as_ref() != Some(*to)) else { continue };
            moved.insert(Pin { line: place.line, image: place.image, from: place.pinned, to: to.clone() });
        }
        after = edited;
    }
    FilePins { after: (after != text.text).then_some(after), pins: moved.into_iter().collect(), skipped: skipped.into_iter().collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ledger::Tenure;

    const DAY: i64 = 86_400;

    fn digest(letter: char) -> Digest {
        Digest::parse(&format!("sha256:{}", letter.to_string().repeat(64))).unwrap()
    }

    fn at(day: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + day * DAY).unwrap()
    }

    /// `0a 3b`: on day 0 the tag held `a`, from day 3 on `b`.
    fn ledger(tenures: &str) -> Ledger {
        let mut ledger = Ledger::default();
        for tenure in tenures.split_whitespace() {
            let (day, letter) = tenure.split_at(tenure.len() - 1);
            ledger.see(&digest(letter.chars().next().unwrap()), at(day.parse().unwrap()), None);
        }
        assert!(ledger.history.iter().all(|tenure: &Tenure| tenure.seen_at >= at(0)));
        ledger
    }

    #[test]
    fn pins_follow_the_ledger_after_the_delay() {
        // Tenures, pins, today with a delay of seven days → what is pinned, or the day it waits for.
        for (tenures, pinned, today, expected) in [
            ("", "-", 0, "unrecorded"),
            ("0a", "-", 0, "a"),
            ("0a", "a", 0, "a"),
            ("0a 3b", "a", 4, "day 10"),
            ("0a 3b", "a", 10, "b"),
            ("0a 3b", "-", 4, "day 10"),
            ("0a 3b", "b", 4, "b"),
            ("0a 3b", "a b", 4, "day 10"),
            ("0a 3b 9c", "a", 12, "day 16"),
            ("0a 3b 9c", "b", 12, "day 16"),
            ("0a 3b 9c 15d", "a", 16, "day 17"),
            ("0a 3b 9c 15d", "a", 17, "d"),
            ("0a 3b", "e", 9, "day 10"),
        ] {
            let pinned = pinned.split(' ').map(|pin| (pin != "-").then(|| digest(pin.chars().next().unwrap()))).collect();
            let told = match verdict(&ledger(tenures), Delay::WEEK, &pinned, at(today)) {
                Verdict::Pin(digest) => digest.hex().chars().take(1).collect(),
                Verdict::Waits(until) => format!("day {}", (until.as_second() - at(0).as_second()) / DAY),
                Verdict::Unrecorded => "unrecorded".to_owned(),
            };
            assert_eq!(told, expected, "{tenures}, {pinned:?}, day {today}");
        }
    }
}
