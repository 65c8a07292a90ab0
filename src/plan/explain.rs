//! What there is to say of one image: a closed set of facts, each with its evidence. Pure, like the plan it reads.

mod rebuilds;
mod tags;

use jiff::Timestamp;

use super::choice::TagLists;
use super::desired::Desired;
use super::observed::Unknown;
use super::planner::{Plan, watched};
use super::prune::{self, Held};
use super::recorded::{Recorded, identity};
use crate::base::Class;
use crate::model::ledger::{Ledger, SETTLE};
use crate::model::state::{BaseState, Discovery};
use crate::model::{
    Diagnostic, Entry, EntryKind, ImageGraph, ImageName, ImageReference, ImageState, Kind, Provider, Severity, Strategy, Subject,
};

pub use rebuilds::decision;
pub use tags::{Rejected, Tags, tags};

/// What a fact answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// What is so.
    State,
    /// Why it is so.
    Why,
    /// What happens next, and what would change that.
    Next,
    /// What is decided on its rebuild, or on those of the images that build on it.
    Rebuild,
    /// What could not be learned.
    Unknown,
}

impl Topic {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 5] = [Self::State, Self::Why, Self::Next, Self::Rebuild, Self::Unknown];

    /// The word in text and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Why => "why",
            Self::Next => "next",
            Self::Rebuild => "rebuild",
            Self::Unknown => "unknown",
        }
    }
}

/// One fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// What it answers.
    pub topic: Topic,
    /// Stable word for scripts.
    pub code: &'static str,
    /// The evidence, one line.
    pub text: String,
    /// The moment it is about, when there is one.
    pub at: Option<Timestamp>,
}

impl Fact {
    /// The same fact with the moment it is about.
    #[must_use]
    pub fn at(mut self, at: Option<Timestamp>) -> Self {
        self.at = at;
        self
    }
}

macro_rules! facts {
    ($($topic:ident $name:ident = $code:literal, $doc:literal;)*) => {
        impl Fact {
            /// Every code there is: topic, code, meaning.
            pub const ALL: &'static [(Topic, &'static str, &'static str)] = &[$((Topic::$topic, $code, $doc)),*];
            $(
                #[doc = $doc]
                pub fn $name(text: impl Into<String>) -> Self {
                    Self { topic: Topic::$topic, code: $code, text: text.into(), at: None }
                }
            )*
        }
    };
}

facts! {
    State managed = "managed", "Plimsoll knows how the image is built.";
    State external = "external", "The image is somebody else's, and its tags are watched.";
    State base = "base", "A Dockerfile here builds on the image.";
    State watched = "watched", "What is looked at in the registry.";
    State tag = "tag", "The tag that counts of an external image whose tags are watched, and why it is the best.";
    State no_tag = "no-tag", "No tag is recorded.";
    State tags = "tags", "How many tags there are.";
    State digest = "digest", "The digest that counts, and since when.";
    State no_digest = "no-digest", "No digest is recorded.";
    State builds_on = "builds-on", "The images that its Dockerfile names.";
    State used_by = "used-by", "The images here that build on it.";
    Why enrolled = "enrolled", "Where its entry is, and since when it is recorded.";
    Why found = "found", "When a Dockerfile first named it.";
    Why baseline = "baseline", "The digest is the first one that was seen: a baseline, no move.";
    Why moved = "moved", "Its tag moved from one digest to another.";
    Why returning = "returning", "A digest of the past shows again and must stand for ten minutes before it counts.";
    Why tag_waits = "tag-waits", "The best tag is another one, whose digest is not accepted yet.";
    Why rejected = "rejected", "A tag that is not chosen, and the first rule that rejects it.";
    Why rejected_more = "rejected-more", "How many more tags are not chosen, by rule.";
    Why no_entry = "no-entry", "No entry names it any more.";
    Why broken_entry = "broken-entry", "Its entry can't be used, so all that is recorded of it stays.";
    Why unreadable_state = "unreadable-state", "Its state file can't be read, so it is left as it is.";
    Why never_read = "never-read", "Its Dockerfile has never been read.";
    Why discovery_failed = "discovery-failed", "Its Dockerfile can't be used; the last good base images stand.";
    Why hold = "hold", "A person's word in its entry holds it.";
    Why finding = "finding", "A finding about its entry, Dockerfile or state.";
    Next change = "change", "What the next pass writes down, and why.";
    Next nothing = "nothing", "The record is as it should be.";
    Next pruned = "pruned", "The next pass takes it away.";
    Next held = "held", "What would be done is held.";
    Next kept = "kept", "What is recorded of it stays as it is.";
    Next settles = "settles", "When the returning digest counts.";
    Next eligible = "eligible", "From when on it may follow the last move of a base image.";
    Next no_rebuild = "no-rebuild", "Its entry says that a moved base image does not rebuild it.";
    Next followers = "followers", "From when on images here may follow its last move.";
    Rebuild evidence = "evidence", "The facts that the decision rests on.";
    Rebuild changed_by = "changed-by", "What would change the decision.";
    Rebuild on_record = "on-record", "How far its rebuild is by the record, and since when.";
    Rebuild unbuilt = "unbuilt", "A base that moved since it was built, and since when there is content that it lacks.";
    Rebuild waits = "waits", "An image here that its last moves are not built into yet, and from when on it may be rebuilt.";
    Unknown unknown = "unknown", "What was asked and not answered, and why.";
    Unknown not_asked = "not-asked", "What was not asked, by choice.";
}

/// What the facts are taken from.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// What people want.
    pub desired: &'a Desired,
    /// What earlier passes wrote down.
    pub recorded: &'a Recorded,
    /// What should be recorded now.
    pub plan: &'a Plan,
    /// Who builds on whom.
    pub graph: &'a ImageGraph,
    /// Findings of the pass.
    pub diagnostics: &'a [Diagnostic],
    /// What the pass would hold.
    pub held: &'a [Held],
    /// Tags of the repositories that were looked at.
    pub lists: &'a TagLists,
}

/// The subject that people mean by `text`: a name, or a reference to an image that is known.
pub fn subject(input: &Input<'_>, text: &str) -> Option<Subject> {
    if let Ok(name) = ImageName::parse(text) {
        let image = Subject::image(&name);
        if input.desired.entries.contains_key(&name)
            || input.recorded.images.contains_key(&name)
            || input.desired.broken.contains(&name)
            || input.recorded.unreadable.contains(&image)
        {
            return Some(image);
        }
        let base = Subject::base(&name);
        if input.plan.bases.contains_key(&name) || input.recorded.bases.contains_key(&name) || input.recorded.unreadable.contains(&base) {
            return Some(base);
        }
    }
    let reference = identity(&ImageReference::parse(text).ok()?);
    let bases = || input.plan.bases.values().chain(input.recorded.bases.values());
    if let Some(base) = bases().find(|base| identity(&base.image) == reference) {
        return Some(Subject::base(&base.name));
    }
    let same = |entry: &&Entry| entry.registry == reference.registry && entry.repository == reference.repository;
    input.desired.entries.values().find(same).map(|entry| Subject::image(&entry.name))
}

/// The reference whose digest is the subject's.
pub fn reference(input: &Input<'_>, subject: &Subject) -> Option<ImageReference> {
    match subject.kind {
        Kind::Image => {
            let state = input.recorded.images.get(&subject.name).map(AsRef::as_ref);
            input.plan.chosen.get(&subject.name).cloned().or_else(|| watched(input.desired.entries.get(&subject.name)?, state))
        }
        Kind::BaseImage => base(input, &subject.name).map(|state| identity(&state.image)).filter(|image| image.tag.is_some()),
    }
}

fn base<'a>(input: &Input<'a>, name: &ImageName) -> Option<&'a BaseState> {
    input.plan.bases.get(name).or_else(|| input.recorded.bases.get(name))
}

/// All facts about a subject, by topic.
pub fn explain(input: &Input<'_>, subject: &Subject) -> Vec<Fact> {
    let mut facts = Vec::new();
    next(&mut facts, input, subject);
    match subject.kind {
        Kind::Image => {
            image(&mut facts, input, &subject.name);
            tags::of_image(&mut facts, input, subject);
            rebuilds::of_image(&mut facts, input, subject);
        }
        Kind::BaseImage => base_image(&mut facts, input, &subject.name),
    }
    rebuilds::waiting(&mut facts, input, &subject.name);
    if input.recorded.unreadable.contains(subject) {
        facts.push(Fact::unreadable_state(format!("{} can't be read, so nothing of it is changed", subject.state_path())));
    }
    findings(&mut facts, input, subject);
    unknown(&mut facts, input, subject);
    facts.sort_by_key(|fact| fact.topic);
    facts
}

fn image(facts: &mut Vec<Fact>, input: &Input<'_>, name: &ImageName) {
    let entry = input.desired.entries.get(name);
    let state = input.plan.images.get(name).or_else(|| input.recorded.images.get(name));
    match entry.map(|entry| (&entry.kind, entry)) {
        Some((EntryKind::Managed(build), entry)) => {
            let place = match (build.source.provider, &build.source.repo) {
                (Provider::Local, _) | (_, None) => "in this repository".to_owned(),
                (_, Some(repo)) => format!("in {repo}"),
            };
            facts.push(Fact::managed(format!("managed image {}, built from {} {place}", entry.repo_url(), build.source.dockerfile)));
        }
        Some((EntryKind::External(policy), entry)) => {
            facts.push(Fact::external(format!("external image {}, built by others", entry.repo_url())));
            if policy.strategy != Strategy::Digest {
                let among = policy.allow_tags.as_deref().map_or_else(String::new, |tags| format!(" among tags like {tags}"));
                let range = policy.constraint.as_deref().map_or_else(String::new, |range| format!(" in {range}"));
                facts.push(Fact::watched(format!("watched: the best tag by {}{range}{among}", policy.strategy.word())));
            }
        }
        None if input.desired.broken.contains(name) => {
            facts.push(Fact::broken_entry("its entry can't be used; `plimsoll validate` names the place"));
        }
        None => facts.push(Fact::no_entry("no entry names it any more")),
    }
    let one = entry.filter(|entry| super::choice::policy_of(entry).is_none());
    if let Some(reference) = one.and_then(|entry| watched(entry, input.recorded.images.get(name).map(AsRef::as_ref))) {
        facts.push(Fact::watched(format!("watched: the digest of {}", reference.familiar())));
    }
    if let Some(entry) = entry {
        let since = input.recorded.images.get(name).map(|state| state.enrolled_at);
        facts.push(Fact::enrolled(format!("enrolled by {}:{}", entry.defined_in, entry.line)).at(since));
        if let Some(word) = &entry.hold {
            facts.push(Fact::hold(format!("held by its entry: {word}")));
        }
    }
    let Some(state) = state else { return };
    ledger(facts, &state.ledger, entry.is_some_and(|entry| entry.build().is_some()));
    if entry.is_some_and(|entry| entry.build().is_some()) {
        match state.discovery {
            Discovery::Pending => facts.push(Fact::never_read("its Dockerfile has not been read yet, so its base images are not known")),
            Discovery::Failed => facts.push(Fact::discovery_failed("its Dockerfile can't be used; the last good base images stand")),
            Discovery::Success | Discovery::External => {}
        }
        facts.push(Fact::builds_on(match (state.base_images.as_slice(), state.discovery) {
            ([], Discovery::Success) => "builds on nothing: it begins from scratch".to_owned(),
            ([], _) => "what it builds on is not known yet".to_owned(),
            (bases, _) => format!("builds on {}", bases.join(", ")),
        }));
    }
    used_by(facts, input, name);
    eligible(facts, input, entry, state);
}

fn base_image(facts: &mut Vec<Fact>, input: &Input<'_>, name: &ImageName) {
    let Some(state) = base(input, name) else { return };
    facts.push(Fact::base(format!("base image {}, built by others", state.image.familiar())));
    match &state.image.tag {
        Some(_) => facts.push(Fact::watched(format!("watched: the digest of {}", identity(&state.image).familiar()))),
        None => facts.push(Fact::watched("watched: nothing, because it is pinned by its digest")),
    }
    facts.push(Fact::found("a Dockerfile first named it").at(Some(state.first_discovered)));
    if state.image.tag.is_some() {
        ledger(facts, &state.ledger, false);
    }
    used_by(facts, input, name);
    for (whose, at) in &state.eligible_at {
        if let Some(at) = at {
            let who = if whose == "default" { "images with the usual delay of 7d" } else { whose.as_str() };
            facts.push(Fact::followers(format!("{who} may follow its last move")).at(Some(*at)));
        }
    }
}

fn used_by(facts: &mut Vec<Fact>, input: &Input<'_>, name: &ImageName) {
    let direct: Vec<&str> = input.graph.dependents(name.as_str()).map(ImageName::as_str).collect();
    if direct.is_empty() {
        return;
    }
    let all = input.graph.reached(name.as_str()).len();
    let shown = direct.iter().take(8).copied().collect::<Vec<_>>().join(", ");
    let more = if direct.len() > 8 { format!(" and {} more", direct.len() - 8) } else { String::new() };
    let through = if all > direct.len() { format!("; with those that build on them it is {all}") } else { String::new() };
    facts.push(Fact::used_by(format!("used by {shown}{more}{through}")));
}

fn ledger(facts: &mut Vec<Fact>, ledger: &Ledger, managed: bool) {
    match (&ledger.current, ledger.moved_at(), &ledger.previous) {
        (None, ..) if managed => facts.push(Fact::no_digest("no digest is recorded: the tag was never seen in its registry")),
        (None, ..) => facts.push(Fact::no_digest("no digest is recorded: its registry has not answered for it yet")),
        (Some(digest), None, _) => {
            let seen = ledger.history.first().map(|tenure| tenure.seen_at);
            facts.push(Fact::digest(format!("its digest is {digest}")).at(seen));
            facts.push(Fact::baseline("the first digest that was seen; it has not moved since").at(seen));
        }
        (Some(digest), Some(at), previous) => {
            facts.push(Fact::digest(format!("its digest is {digest}")).at(Some(at)));
            let before = previous.as_ref().map_or_else(|| "another digest".to_owned(), |digest| digest.short().to_owned());
            facts.push(Fact::moved(format!("its tag moved from {before} to {}", digest.short())).at(Some(at)));
        }
    }
    if let Some(tenure) = &ledger.returning {
        facts.push(Fact::returning(format!("{} shows again", tenure.digest.short())).at(Some(tenure.seen_at)));
        let settles = tenure.seen_at.checked_add(SETTLE).ok();
        facts.push(Fact::settles("it counts once it has stood for ten minutes").at(settles));
    }
}

/// From when on the image may follow moves of its base images. The dates are those of the bases' states.
fn eligible(facts: &mut Vec<Fact>, input: &Input<'_>, entry: Option<&Entry>, state: &ImageState) {
    let Some(build) = entry.and_then(Entry::build) else { return };
    if !build.auto_rebuild {
        facts.push(Fact::no_rebuild("autoRebuild is off: a moved base image does not rebuild it"));
        return;
    }
    for base_name in state.base_images.iter().filter_map(|base| ImageName::parse(base).ok()) {
        if let Some(at) = base(input, &base_name).and_then(|base| rebuilds::follows_at(base, build, state)) {
            let text = format!("it may follow the last move of {base_name}, {} after it at the latest", build.rebuild_delay);
            facts.push(Fact::eligible(text).at(Some(at)));
        }
    }
}

fn findings(facts: &mut Vec<Fact>, input: &Input<'_>, subject: &Subject) {
    let entry = input.desired.entries.get(&subject.name).filter(|_| subject.kind == Kind::Image);
    let dockerfile = entry.and_then(Entry::build).map(|build| build.source.dockerfile.as_str());
    let quoted = format!("`{}`", subject.name);
    for finding in input.diagnostics {
        let place = &finding.place;
        let about = place.file == subject.state_path()
            || dockerfile == Some(place.file.as_str())
            || entry.is_some_and(|entry| place.file == entry.defined_in && place.line == entry.line)
            || (subject.kind == Kind::Image && finding.message.contains(&quoted));
        if about {
            let word = if finding.severity == Severity::Error { "" } else { "warning: " };
            let hint = finding.hint.as_deref().map_or_else(String::new, |hint| format!("; {hint}"));
            facts.push(Fact::finding(format!("{}:{}:{}: {word}{}{hint}", place.file, place.line, place.column, finding.message)));
        }
    }
}

fn next(facts: &mut Vec<Fact>, input: &Input<'_>, subject: &Subject) {
    let held: Vec<&Held> = input.held.iter().filter(|held| held.what.contains(subject.name.as_str())).collect();
    facts.extend(held.iter().map(|held| {
        let release = held.approve.as_ref().map_or_else(String::new, |id| format!("; --approve {id} releases it"));
        Fact::held(format!("{}: {}{release}", held.what, held.why))
    }));
    if let Some(reason) = input.plan.prunes.get(subject) {
        facts.push(Fact::pruned(format!("the next pass takes it away: {}", reason.text)));
    } else if let Some(reason) = input.plan.reasons.get(subject) {
        facts.push(Fact::change(format!("the next pass writes down: {}", reason.text)));
    } else if input.plan.kept.contains(subject) {
        if !held.is_empty() {
            return;
        }
        let why = if subject.kind == Kind::Image && prune::is_protected(input.desired, input.recorded, &subject.name) {
            "the file of its entry can't be read whole"
        } else {
            "it can't be told whether it is wanted"
        };
        facts.push(Fact::kept(format!("what is recorded of it stays as it is: {why}")));
    } else {
        facts.push(Fact::nothing("nothing to do: the record is as it should be"));
    }
}

fn unknown(facts: &mut Vec<Fact>, input: &Input<'_>, subject: &Subject) {
    let mut wanted: Vec<String> = reference(input, subject).iter().map(ImageReference::canonical).collect();
    if subject.kind == Kind::Image {
        wanted.push(format!("Dockerfile of {}", subject.name));
        wanted.extend(input.desired.entries.get(&subject.name).map(|entry| format!("tags of {}", entry.repo_url())));
        let bases = input.plan.images.get(&subject.name).map(|state| state.base_images.as_slice()).unwrap_or_default();
        let bases = bases.iter().filter_map(|name| base(input, &ImageName::parse(name).ok()?));
        wanted.extend(bases.map(|base| identity(&base.image).canonical()));
    }
    for Unknown { what, why } in input.plan.unknown.iter().filter(|unknown| wanted.contains(&unknown.what)) {
        facts.push(if why.class == Class::Offline {
            Fact::not_asked(format!("{what}: not asked"))
        } else {
            let hint = why.hint.as_deref().map_or_else(String::new, |hint| format!("; {hint}"));
            Fact::unknown(format!("{what}: {}{hint}", why.text))
        });
    }
}
