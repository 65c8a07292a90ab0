//! What there is to say of the tags of an external image: which one is chosen and why, and which rule rejects each other.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::{Fact, Input};
use crate::model::tags::{Rejection, Verdict};
use crate::model::{Entry, ImageState, Kind, Strategy, Subject, TagPolicy};
use crate::plan::Observation;
use crate::plan::choice::{self, TagList};

/// Most rejected tags that are told one by one in words.
const TOLD: usize = 20;

/// A tag that is not chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// The tag.
    pub tag: String,
    /// The first rule that rejects it.
    pub rule: Rejection,
    /// When it was first seen, where that is on record.
    pub seen_at: Option<Timestamp>,
}

/// What became of all tags of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tags {
    /// Whether the registry said so; else it is what the record holds.
    pub listed: bool,
    /// The best one.
    pub best: Option<String>,
    /// The others: those that came closest first, then by the tag's bytes, the last one first.
    pub rejected: Vec<Rejected>,
}

/// What became of the tags of a subject; nothing where no tag is chosen among many, or none is known.
pub fn tags(input: &Input<'_>, subject: &Subject) -> Option<Tags> {
    let (entry, policy) = chosen_among_many(input, subject)?;
    let state = input.plan.images.get(&subject.name).or_else(|| input.recorded.images.get(&subject.name));
    let sightings = state.map(|state| &state.sightings);
    let (list, listed) = match input.lists.get(&(entry.registry.clone(), entry.repository.clone())) {
        Some(Observation::Known(list)) => (Arc::clone(list), true),
        _ => (Arc::new(on_record(policy, state?)?), false),
    };
    let verdicts = choice::verdicts(policy, &list, sightings).ok()?;
    let (mut best, mut rejected) = (None, Vec::new());
    for (tag, verdict) in verdicts {
        match verdict {
            Verdict::Chosen(_) => best = Some(tag),
            Verdict::Rejected(rule) => {
                let seen_at = sightings.and_then(|sightings| sightings.first_seen(&tag)).filter(|at| *at != Timestamp::MIN);
                rejected.push(Rejected { tag, rule, seen_at });
            }
        }
    }
    rejected.sort_by(|left, right| (right.rule, right.seen_at, &right.tag).cmp(&(left.rule, left.seen_at, &left.tag)));
    Some(Tags { listed, best, rejected })
}

fn chosen_among_many<'a>(input: &Input<'a>, subject: &Subject) -> Option<(&'a Entry, &'a TagPolicy)> {
    let entry = input.desired.entries.get(&subject.name).filter(|_| subject.kind == Kind::Image)?;
    Some((entry, choice::policy_of(entry)?))
}

/// The tags that the record holds: with `FirstSeen` those that have a date.
fn on_record(policy: &TagPolicy, state: &ImageState) -> Option<TagList> {
    if policy.strategy != Strategy::FirstSeen || state.sightings.tags.is_empty() {
        return None;
    }
    let tags = state.sightings.tags.iter().map(|seen| seen.tag.clone()).collect();
    Some(TagList { tags, dates: Observation::Known(BTreeMap::new()) })
}

/// The chosen tag, and what rejects the others.
pub(super) fn of_image(facts: &mut Vec<Fact>, input: &Input<'_>, subject: &Subject) {
    let Some((_, policy)) = chosen_among_many(input, subject) else { return };
    let state = input.plan.images.get(&subject.name).or_else(|| input.recorded.images.get(&subject.name));
    let version = state.and_then(|state| state.current_version.as_deref());
    let why = choice::why_best(policy);
    let tags = tags(input, subject);
    let best = tags.as_ref().and_then(|tags| tags.best.as_deref());
    match (version, best) {
        (Some(version), Some(best)) if version == best => facts.push(Fact::tag(format!("its tag is {version}: {why}"))),
        (Some(version), _) => facts.push(Fact::tag(format!("its tag is {version}, as recorded"))),
        (None, _) => facts.push(Fact::no_tag("no tag of it is recorded yet")),
    }
    if let Some(best) = best.filter(|best| Some(*best) != version) {
        facts.push(Fact::tag_waits(format!("{best} is {why}, and its digest is not accepted yet")));
    }
    let Some(Tags { listed, rejected, .. }) = &tags else { return };
    let all = rejected.len() + usize::from(best.is_some());
    facts.push(Fact::tags(match (*listed, best) {
        (true, Some(_)) => format!("its registry lists {all} tags; one is chosen"),
        (true, None) => format!("its registry lists {all} tags; none fits"),
        (false, _) => format!("on record are {all} tags; its registry was not asked, or did not answer"),
    }));
    for Rejected { tag, rule, seen_at } in rejected.iter().take(TOLD) {
        facts.push(Fact::rejected(format!("not {tag}: {}", meaning(*rule, policy, best, &why))).at(*seen_at));
    }
    if rejected.len() > TOLD {
        let mut rules: Vec<(&str, usize)> = Vec::new();
        for Rejected { rule, .. } in rejected.iter().skip(TOLD) {
            match rules.iter_mut().find(|(word, _)| *word == rule.word()) {
                Some((_, count)) => *count += 1,
                None => rules.push((rule.word(), 1)),
            }
        }
        let counts: Vec<String> = rules.into_iter().map(|(word, count)| format!("{count} by {word}")).collect();
        facts.push(Fact::rejected_more(format!("and {} more: {}", rejected.len() - TOLD, counts.join(", "))));
    }
}

fn meaning(rule: Rejection, policy: &TagPolicy, best: Option<&str>, why: &str) -> String {
    let meant = |key: &str, value: &Option<String>| value.as_ref().map_or_else(String::new, |value| format!(" ({key}: {value})"));
    match (rule, best) {
        (Rejection::BeyondLimit, Some(best)) => format!("it may be chosen, but {best} is {why}"),
        (Rejection::NotAllowed, _) => format!("{}{}", rule.meaning(), meant("allowTags", &policy.allow_tags)),
        (Rejection::OutOfRange | Rejection::PreRelease, _) => format!("{}{}", rule.meaning(), meant("constraint", &policy.constraint)),
        _ => rule.meaning().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Class, Fault};
    use crate::model::ImageGraph;
    use crate::model::tags::{SeenTag, Sightings};
    use crate::plan::{Desired, Plan, Recorded};

    fn at(day: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + day * 86_400).unwrap()
    }

    fn entry(strategy: Strategy, constraint: Option<&str>, allow: Option<&str>) -> Entry {
        crate::plan::choice::tests::entry("app", strategy, constraint, allow)
    }

    /// What is told, without the moments, for a list (or none, offline) and a record.
    fn told(entry: Entry, list: Option<&[&str]>, version: Option<&str>, seen: &[(&str, i64)]) -> Vec<String> {
        let name = entry.name.clone();
        let mut state = ImageState::enrolled(name.clone(), at(0));
        state.current_version = version.map(str::to_owned);
        let seen = seen.iter().map(|(tag, day)| SeenTag { tag: (*tag).to_owned(), digest: None, seen_at: at(*day) });
        state.sightings = Sightings { tags: seen.collect(), ..Sightings::default() };
        let key = (entry.registry.clone(), entry.repository.clone());
        let listed = match list {
            Some(tags) => Observation::Known(Arc::new(TagList {
                tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
                dates: Observation::Known(BTreeMap::new()),
            })),
            None => Observation::Unknown(Fault::new(Class::Offline, "not asked")),
        };
        let desired = Desired { entries: BTreeMap::from([(name.clone(), entry)]), ..Desired::default() };
        let recorded = Recorded { images: BTreeMap::from([(name.clone(), std::sync::Arc::new(state))]), ..Recorded::default() };
        let input = Input {
            desired: &desired,
            recorded: &recorded,
            plan: &Plan::default(),
            graph: &ImageGraph::new(BTreeMap::new()),
            diagnostics: &[],
            held: &[],
            lists: &BTreeMap::from([(key, listed)]),
        };
        let mut facts = Vec::new();
        of_image(&mut facts, &input, &Subject::image(&name));
        facts.into_iter().map(|fact| fact.text).collect()
    }

    #[test]
    fn each_rejected_tag_has_its_rule() {
        let semver = || entry(Strategy::SemVer, Some(">=1.0.0 <2.0.0"), Some("^v?[0-9]"));
        assert_eq!(
            told(semver(), Some(&["1.2.0", "1.3.0", "2.0.0", "latest", "1.4.0-rc1", "1.5", "07x"]), Some("1.3.0"), &[]),
            [
                "its tag is 1.3.0: the highest version in >=1.0.0 <2.0.0",
                "its registry lists 7 tags; one is chosen",
                "not 1.2.0: it may be chosen, but 1.3.0 is the highest version in >=1.0.0 <2.0.0",
                "not 2.0.0: it is outside the range (constraint: >=1.0.0 <2.0.0)",
                "not 1.4.0-rc1: it is a pre-release, and the range's groups that would hold it name none (constraint: >=1.0.0 <2.0.0)",
                "not 1.5: it is a version, but not written strictly",
                "not 07x: it is no version",
                "not latest: no allow expression matches it (allowTags: ^v?[0-9])",
            ]
        );
        assert_eq!(
            told(semver(), Some(&["1.3.0"]), Some("1.2.0"), &[])[..2],
            ["its tag is 1.2.0, as recorded", "1.3.0 is the highest version in >=1.0.0 <2.0.0, and its digest is not accepted yet"]
        );
        assert_eq!(
            told(semver(), Some(&["latest"]), None, &[])[..2],
            ["no tag of it is recorded yet", "its registry lists 1 tags; none fits"]
        );
    }

    #[test]
    fn offline_the_record_tells_what_it_holds() {
        assert_eq!(told(entry(Strategy::Lexical, None, None), None, Some("b"), &[]), ["its tag is b, as recorded"]);
        assert_eq!(
            told(entry(Strategy::FirstSeen, None, None), None, Some("a"), &[("a", 3), ("c", 1), ("b", 1)]),
            [
                "its tag is a: the newest by when it was first seen here",
                "on record are 3 tags; its registry was not asked, or did not answer",
                "not c: it may be chosen, but a is the newest by when it was first seen here",
                "not b: it may be chosen, but a is the newest by when it was first seen here",
            ]
        );
    }

    #[test]
    fn a_long_list_is_cut_with_a_count() {
        let tags: Vec<String> = (0..70).map(|number| if number < 30 { format!("t{number:02}") } else { format!("x{number}") }).collect();
        let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
        let told = told(entry(Strategy::Lexical, None, Some("^t")), Some(&tags), Some("t29"), &[]);
        assert_eq!(told.len(), 2 + TOLD + 1);
        assert_eq!(told[2], "not t28: it may be chosen, but t29 is the last in lexical order");
        assert_eq!(told[2 + TOLD], "and 49 more: 9 by beyond-limit, 40 by not-allowed");
    }
}
