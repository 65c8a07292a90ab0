//! Which tag of an external image counts: what has to be asked for it, what the answers mean, and what is recorded.
//!
//! Tag and digest are recorded together, once the digest is accepted by the ledger. A list that could not be read
//! changes neither.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::observed::{Observation, Unknown};
use super::planner::{Input, Plan, told};
use super::{Desired, Reason, Recorded};
use crate::base::{Class, Fault, Fingerprint};
use crate::model::ledger::Seen;
use crate::model::policy;
use crate::model::tags::{Candidate, Selector, Sightings, Verdict, Wish};
use crate::model::{
    Diagnostic, Digest, Entry, EntryKind, ImageName, ImageReference, ImageState, Place, Severity, Strategy, TagPolicy, Value,
};

/// Most images of one repository that are asked when they were made.
pub const MOST_DATED: usize = 200;

/// A repository whose tags have to be known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TagQuestion {
    /// Registry host.
    pub registry: String,
    /// Repository path.
    pub repository: String,
    /// Of tags that one of these expressions lets through it has to be known when their images were made. The empty
    /// one lets all through.
    pub dated: BTreeSet<String>,
}

/// The complete tag list of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagList {
    /// Its tags.
    pub tags: Vec<String>,
    /// When the images of some were made, by their own word; those that say nothing, or are no images, have no date.
    pub dates: Observation<BTreeMap<String, Option<Timestamp>>>,
}

/// Tag lists by registry and repository.
pub type TagLists = BTreeMap<(String, String), Observation<Arc<TagList>>>;

/// What the tags of an image came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The tag.
    pub best: Best,
    /// `FirstSeen`: what the record is after this list; nothing when the list is not known.
    pub sightings: Option<Sightings>,
}

/// The best tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Best {
    /// This one.
    Tag(String),
    /// None of so many fits.
    None(usize),
    /// It can't be told, and why.
    Unknown(Fault),
}

/// Choices by image.
pub type Choices = BTreeMap<ImageName, Choice>;

/// The policy of an entry whose tag has to be chosen: external, and not one tag by its digest.
pub fn policy_of(entry: &Entry) -> Option<&TagPolicy> {
    match &entry.kind {
        EntryKind::External(policy) if policy.strategy != Strategy::Digest => Some(policy),
        _ => None,
    }
}

/// Why a policy's best tag is the best.
pub fn why_best(policy: &TagPolicy) -> String {
    match (policy.strategy, &policy.constraint) {
        (Strategy::SemVer, Some(range)) => format!("the highest version in {range}"),
        (Strategy::SemVer, None) => "the highest version".to_owned(),
        (Strategy::Lexical, _) => "the last in lexical order".to_owned(),
        (Strategy::NewestBuild, _) => "the newest by build date".to_owned(),
        (Strategy::FirstSeen, _) => "the newest by when it was first seen here".to_owned(),
        (Strategy::Digest, _) => "the only tag that is watched".to_owned(),
    }
}

/// What has to be asked for the selected images: one question a repository, however many entries watch it.
pub fn questions(desired: &Desired, only: &BTreeSet<ImageName>) -> BTreeSet<TagQuestion> {
    let mut dated: BTreeMap<(&str, &str), BTreeSet<String>> = BTreeMap::new();
    for (name, entry) in &desired.entries {
        let Some(policy) = policy_of(entry).filter(|_| only.is_empty() || only.contains(name)) else { continue };
        let wanted = dated.entry((&entry.registry, &entry.repository)).or_default();
        if policy.strategy == Strategy::NewestBuild {
            wanted.insert(policy.allow_tags.clone().unwrap_or_default());
        }
    }
    let question = |((registry, repository), dated): ((&str, &str), _)| TagQuestion {
        registry: registry.to_owned(),
        repository: repository.to_owned(),
        dated,
    };
    dated.into_iter().map(question).collect()
}

/// The tags of a list whose images have to be asked when they were made.
///
/// # Errors
/// When there are more than are asked: the newest of a part would be a guess.
pub fn to_date(question: &TagQuestion, tags: &[String]) -> Result<Vec<String>, Fault> {
    let compiled: Vec<_> = question.dated.iter().filter_map(|pattern| policy::compile(pattern).ok()).collect();
    let out: Vec<String> = tags.iter().filter(|tag| compiled.iter().any(|pattern| pattern.is_match(tag))).cloned().collect();
    if out.len() > MOST_DATED {
        let text = format!("NewestBuild asks {MOST_DATED} images at most when they were made, and {} tags may be chosen", out.len());
        return Err(Fault::new(Class::Limit, text).hint("narrow `allowTags`, or choose `FirstSeen`, which asks none"));
    }
    Ok(out)
}

/// Chooses for each image whose tags were looked at.
pub fn choose(desired: &Desired, recorded: &Recorded, lists: &TagLists, only: &BTreeSet<ImageName>, at: Timestamp) -> Choices {
    let mut out = Choices::new();
    for (name, entry) in desired.entries.iter().filter(|(name, _)| only.is_empty() || only.contains(*name)) {
        let Some(policy) = policy_of(entry) else { continue };
        let choice = match lists.get(&(entry.registry.clone(), entry.repository.clone())) {
            None => continue,
            Some(Observation::Unknown(fault)) => Choice { best: Best::Unknown(fault.clone()), sightings: None },
            Some(Observation::Known(list)) => one(entry, policy, recorded.images.get(name).map(Arc::as_ref), list, at),
        };
        out.insert(name.clone(), choice);
    }
    out
}

fn one(entry: &Entry, policy: &TagPolicy, prior: Option<&ImageState>, list: &TagList, at: Timestamp) -> Choice {
    let sightings = (policy.strategy == Strategy::FirstSeen).then(|| {
        let same = prior.filter(|state| watches(state, entry));
        let mut sightings = same.map(|state| state.sightings.clone()).unwrap_or_default();
        sightings.edited |= same.is_some_and(|state| is_edited(state, policy));
        let pattern = policy.allow_tags.as_deref().map(policy::compile);
        let is_match = |tag: &&str| pattern.as_ref().is_none_or(|pattern| pattern.as_ref().is_ok_and(|pattern| pattern.is_match(tag)));
        sightings.see(list.tags.iter().map(String::as_str).filter(is_match), at);
        sightings
    });
    let best = match verdicts(policy, list, sightings.as_ref()) {
        Err(fault) => Best::Unknown(fault),
        Ok(verdicts) => {
            let count = verdicts.len();
            let chosen = verdicts.into_iter().find(|(_, verdict)| *verdict == Verdict::Chosen(0));
            chosen.map_or(Best::None(count), |(tag, _)| Best::Tag(tag))
        }
    };
    Choice { best, sightings }
}

/// What becomes of each tag of a list.
///
/// # Errors
/// When it can't be told: a date is not known, or the policy can't be followed.
pub fn verdicts(policy: &TagPolicy, list: &TagList, sightings: Option<&Sightings>) -> Result<Vec<(String, Verdict)>, Fault> {
    let no_dates = BTreeMap::new();
    let dates = match (&list.dates, policy.strategy) {
        (Observation::Known(dates), _) => dates,
        (Observation::Unknown(fault), Strategy::NewestBuild) => return Err(fault.clone()),
        (Observation::Unknown(_), _) => &no_dates,
    };
    let selector = Selector::new(&Wish { limit: 1, ..Wish::from(policy) }).map_err(|error| Fault::new(Class::Config, error.to_string()))?;
    let candidate = |tag: &String| Candidate {
        tag: tag.clone(),
        created: dates.get(tag).copied().flatten(),
        first_seen: sightings.and_then(|sightings| sightings.first_seen(tag)),
        platforms: Vec::new(),
    };
    let candidates: Vec<Candidate> = list.tags.iter().map(candidate).collect();
    let verdicts = selector.explain(&candidates);
    Ok(candidates.into_iter().map(|candidate| candidate.tag).zip(verdicts).collect())
}

/// The references whose digests the choices need.
pub fn wanted(desired: &Desired, choices: &Choices) -> BTreeSet<ImageReference> {
    let best = choices.iter().filter_map(|(name, choice)| match &choice.best {
        Best::Tag(tag) => Some(desired.entries.get(name)?.tagged(tag)),
        Best::None(_) | Best::Unknown(_) => None,
    });
    best.collect()
}

/// Whether a state is about the repository of its entry.
fn watches(state: &ImageState, entry: &Entry) -> bool {
    let is = |key: &str, text: &str| state.enrollment.entries().iter().any(|(name, value)| name == key && *value == Value::from(text));
    is("registry", &entry.registry) && is("repository", &entry.repository)
}

/// What was chosen of somebody else's tags is no version of an image that is built here, or of one tag by its digest.
/// What was seen of another repository, or under another policy, is no record of this one.
pub(super) fn leave(entry: &Entry, prior: Option<&ImageState>, state: &mut Arc<ImageState>) {
    let Some((prior, watch)) = prior.and_then(|prior| Some((prior, prior.watch.as_ref()?))) else { return };
    if watch.strategy == Strategy::Digest {
        return;
    }
    let state = Arc::make_mut(state);
    let policy = policy_of(entry);
    if policy.is_none() {
        state.current_version = None;
    }
    match policy.filter(|policy| policy.strategy == Strategy::FirstSeen && watches(prior, entry)) {
        None => state.sightings = Sightings::default(),
        Some(policy) => state.sightings.edited |= is_edited(prior, policy),
    }
}

/// Takes the choice into the state of its image.
pub(super) fn record(plan: &mut Plan, input: &Input<'_>, entry: &Entry, state: &mut Arc<ImageState>, reasons: &mut Vec<Reason>) {
    let (Some(policy), Some(choice)) = (policy_of(entry), input.choices.get(&entry.name)) else { return };
    let state = Arc::make_mut(state);
    let newest = state.sightings.tags.first().map(|seen| seen.tag.clone());
    if let Some(sightings) = &choice.sightings {
        state.sightings.clone_from(sightings);
    }
    let reason = match &choice.best {
        Best::Tag(tag) => follow(plan, input, entry, policy, tag, state),
        Best::None(count) => {
            plan.diagnostics.push(no_tag(entry, *count));
            None
        }
        Best::Unknown(why) => {
            let what = format!("tags of {}", entry.repo_url());
            if !plan.unknown.iter().any(|unknown| unknown.what == what) {
                plan.unknown.push(Unknown { what, why: why.clone() });
            }
            None
        }
    };
    // The date of what is new is written down at once, whatever it points at.
    let new = state.sightings.tags.first().filter(|seen| Some(&seen.tag) != newest.as_ref());
    let seen = || Some(Reason::tag_seen(format!("{} is listed for the first time", entry.tagged(&new?.tag).familiar())));
    reasons.extend(reason.or_else(seen));
}

/// Looks at the digest of the best tag.
fn follow(plan: &mut Plan, input: &Input<'_>, entry: &Entry, policy: &TagPolicy, tag: &str, state: &mut ImageState) -> Option<Reason> {
    let image = entry.tagged(tag);
    plan.chosen.insert(entry.name.clone(), image.clone());
    let Some(Observation::Known(digest)) = input.observed.digests.get(&image) else { return None };
    let before = state.ledger.current.as_ref().map(Digest::short).unwrap_or_default().to_owned();
    let seen = state.ledger.see(digest, input.observed.at, Some(state.enrolled_at));
    let (name, now) = (image.familiar(), digest.short());
    if state.ledger.current.as_ref() != Some(digest) {
        return told(&seen, &name, &before, now);
    }
    state.sightings.note(tag, digest);
    let was = state.current_version.replace(tag.to_owned());
    if was.as_deref() == Some(tag) {
        return told(&seen, &name, &before, now);
    }
    let was = was.map_or_else(String::new, |was| format!(", not {was}"));
    let best = why_best(policy);
    Some(match seen {
        Seen::First => Reason::first_seen(format!("{name} is {best}: {now}")),
        _ if before == now => Reason::tag_chosen(format!("{name} is {best}{was}: {now} as before")),
        _ => Reason::tag_chosen(format!("{name} is {best}{was}: from {before} to {now}")),
    })
}

/// Whether another expression lets tags through than before.
fn is_edited(prior: &ImageState, policy: &TagPolicy) -> bool {
    prior.watch.as_ref().is_some_and(|before| before.allow_tags != policy.allow_tags)
}

fn no_tag(entry: &Entry, count: usize) -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        code: "no-tag",
        place: Place { file: entry.defined_in.clone(), line: entry.line, column: 1 },
        message: format!("none of the {count} tags of {} is one that `{}` may choose", entry.repo_url(), entry.name),
        hint: Some(format!("`plimsoll explain {}` names the rule that rejects each", entry.name)),
    }
}

/// Adds what was chosen to the hash of a plan.
pub(super) fn add_to(id: &mut Fingerprint, choices: &Choices) {
    for (name, choice) in choices {
        id.add(name.as_str());
        match &choice.best {
            Best::Tag(tag) => id.add(tag),
            Best::None(_) => id.add(""),
            Best::Unknown(_) => id.add("?"),
        }
        for seen in choice.sightings.iter().flat_map(|sightings| &sightings.tags) {
            id.add(&seen.tag);
        }
    }
}

#[cfg(test)]
pub(in crate::plan) mod tests {
    use super::*;

    /// An external entry of `ghcr.io/acme/app`.
    pub(in crate::plan) fn entry(name: &str, strategy: Strategy, constraint: Option<&str>, allow: Option<&str>) -> Entry {
        let policy = TagPolicy { strategy, constraint: constraint.map(str::to_owned), allow_tags: allow.map(str::to_owned) };
        Entry {
            name: ImageName::parse(name).unwrap(),
            registry: "ghcr.io".to_owned(),
            repository: "acme/app".to_owned(),
            kind: EntryKind::External(policy),
            defined_in: "images.yaml".to_owned(),
            line: 1,
            hold: None,
            catalog: BTreeMap::new(),
            tags: Vec::new(),
            links: Vec::new(),
        }
    }

    fn at(day: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + day * 86_400).unwrap()
    }

    /// The best tag of a list; days on which images were made after `@`.
    fn best(strategy: Strategy, constraint: Option<&str>, allow: Option<&str>, list: &str) -> String {
        let entry = entry("app", strategy, constraint, allow);
        let name = entry.name.clone();
        let desired = Desired { entries: BTreeMap::from([(name.clone(), entry)]), ..Desired::default() };
        let tags = list.split_whitespace().map(|tag| tag.split_once('@').map_or((tag, None), |(tag, day)| (tag, day.parse().ok().map(at))));
        let (tags, dates) = tags.map(|(tag, date)| (tag.to_owned(), (tag.to_owned(), date))).unzip();
        let list = TagList { tags, dates: Observation::Known(dates) };
        let lists = TagLists::from([(("ghcr.io".to_owned(), "acme/app".to_owned()), Observation::Known(Arc::new(list)))]);
        match &choose(&desired, &Recorded::default(), &lists, &BTreeSet::new(), at(0))[&name].best {
            Best::Tag(tag) => tag.clone(),
            Best::None(count) => format!("none of {count}"),
            Best::Unknown(why) => why.class.word().to_owned(),
        }
    }

    #[test]
    fn the_best_tag_of_each_policy() {
        use Strategy::{FirstSeen, Lexical, NewestBuild, SemVer};
        for (strategy, constraint, allow, list, expected) in [
            (SemVer, Some(">=1 <2"), None, "1.9.0 1.10.0 2.0.0 latest", "1.10.0"),
            (SemVer, None, Some("^v"), "v1.0.0 2.0.0", "v1.0.0"),
            (SemVer, Some("latest"), None, "1.0.0", "config"),
            (SemVer, Some("^3"), None, "1.0.0 2.0.0", "none of 2"),
            (Lexical, None, Some("^20"), "2026-01 2026-02 latest", "2026-02"),
            (NewestBuild, None, None, "a@3 b@2 c", "a"),
            (NewestBuild, None, Some("^[bc]"), "a@3 b@2 c", "b"),
            (NewestBuild, None, None, "a@3 b@3", "b"),
            (FirstSeen, None, None, "a c b", "c"),
            (FirstSeen, None, None, "", "none of 0"),
        ] {
            assert_eq!(best(strategy, constraint, allow, list), expected, "{strategy:?} {constraint:?} {allow:?} of {list}");
        }
    }

    #[test]
    fn a_repository_is_asked_once_and_only_some_dates() {
        let entries = [
            entry("digest", Strategy::Digest, Some("1"), None),
            entry("lexical", Strategy::Lexical, None, Some("^l")),
            entry("newest", Strategy::NewestBuild, None, Some("^n")),
            entry("semver", Strategy::SemVer, None, None),
        ]
        .map(|entry| (entry.name.clone(), entry));
        let desired = Desired { entries: entries.into(), ..Desired::default() };
        let one = |only: &[&str]| questions(&desired, &only.iter().map(|name| ImageName::parse(name).unwrap()).collect());
        assert!(one(&["digest"]).is_empty());
        let asked = one(&[]);
        assert_eq!(asked.len(), 1);
        let question = asked.first().unwrap();
        assert_eq!(question.dated, BTreeSet::from(["^n".to_owned()]));
        let tags: Vec<String> = (0..=MOST_DATED).map(|number| format!("n{number}")).collect();
        assert_eq!(to_date(question, &tags).unwrap_err().class, Class::Limit);
        assert_eq!(to_date(question, &["l".to_owned(), "n".to_owned()]).unwrap(), ["n"]);
        assert!(to_date(one(&["lexical"]).first().unwrap(), &tags).unwrap().is_empty());
    }
}
