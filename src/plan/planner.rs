//! The planner: from what is wanted, recorded and observed to the states that should be recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::abreast::Abreast;
use super::bases::Bases;
use super::choice::{self, Choices};
use super::desired::Desired;
use super::enrollment::Enrollment;
use super::found::Found;
use super::observed::{DockerfileFact, Observation, Observed, Unknown};
use super::prune::{self, Held};
use super::reason::Reason;
use super::rebuild::{Decision, Send};
use super::recorded::Recorded;
use crate::base::{Class, Fingerprint};
use crate::model::ledger::{Ledger, Seen};
use crate::model::state::{BaseState, Discovery, ImageState};
use crate::model::{Diagnostic, Digest, Entry, EntryKind, ImageName, ImageReference, Kind, Place, Severity, Snapshot, Subject};

/// Everything a plan is made from.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The two commits.
    pub snapshot: &'a Snapshot,
    /// What people want.
    pub desired: &'a Desired,
    /// What earlier passes wrote down.
    pub recorded: &'a Recorded,
    /// Which images build on which.
    pub bases: &'a Bases,
    /// What was seen.
    pub observed: &'a Observed,
    /// Which tags of external images count.
    pub choices: &'a Choices,
    /// The images the user asked for; empty means all.
    pub only: &'a BTreeSet<ImageName>,
    /// Prunes of images that the brake has let go.
    pub prunes: &'a prune::Verdict,
    /// IDs that release the brake.
    pub approvals: &'a BTreeSet<String>,
}

/// What should be recorded after the pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Hash of all that it rests on, times left out: the same world gives the same id.
    pub id: String,
    /// States of enrolled images. One that nothing changes is the recorded one.
    pub images: BTreeMap<ImageName, Arc<ImageState>>,
    /// States of base images.
    pub bases: BTreeMap<ImageName, BaseState>,
    /// Files of these stay exactly as they are.
    pub kept: BTreeSet<Subject>,
    /// Files of these go.
    pub prunes: BTreeMap<Subject, Reason>,
    /// Why the state of a subject changes.
    pub reasons: BTreeMap<Subject, Reason>,
    /// What the brake holds.
    pub held: Vec<Held>,
    /// What could not be learned.
    pub unknown: Vec<Unknown>,
    /// The tag that is the best of each image whose tags were looked at.
    pub chosen: BTreeMap<ImageName, ImageReference>,
    /// Findings about entries and Dockerfiles.
    pub diagnostics: Vec<Diagnostic>,
    /// What is decided about rebuilds.
    pub decisions: BTreeMap<ImageName, Decision>,
    /// What this process may send once the plan is published.
    pub sends: Vec<Send>,
    /// The first moment at which the same world may give other decisions.
    pub wake_at: Option<Timestamp>,
}

/// The tag of a managed image that is watched: its version, else `latest`.
pub fn managed_tag(state: Option<&ImageState>) -> &str {
    // What was chosen while it was somebody else's is no version of ours.
    let state = state.filter(|state| state.watch.as_ref().is_none_or(|watch| watch.tag().is_some()));
    state.and_then(|state| state.current_version.as_deref()).filter(|tag| crate::model::policy::is_tag(tag)).unwrap_or("latest")
}

/// The reference that the ledger of an enrolled image is about: one tag, or the one that was chosen last.
pub fn watched(entry: &Entry, state: Option<&ImageState>) -> Option<ImageReference> {
    let tag = match &entry.kind {
        EntryKind::Managed(_) => managed_tag(state),
        EntryKind::External(policy) => policy.tag().or_else(|| state?.current_version.as_deref())?,
    };
    Some(entry.tagged(tag))
}

/// The references whose digests the plan needs, each once.
pub fn wanted_digests(desired: &Desired, recorded: &Recorded, bases: &Bases, only: &BTreeSet<ImageName>) -> BTreeSet<ImageReference> {
    let mut out = BTreeSet::new();
    let mut of_selected = BTreeSet::new();
    for (name, entry) in desired.entries.iter().filter(|(name, _)| only.is_empty() || only.contains(*name)) {
        // Which tag is the best of many is not on record.
        if choice::policy_of(entry).is_none() {
            out.extend(watched(entry, recorded.images.get(name).map(Arc::as_ref)));
        }
        of_selected.extend(bases.of.get(name).into_iter().flatten().cloned());
    }
    for (name, image) in &bases.wanted {
        if image.tag.is_some() && (only.is_empty() || of_selected.contains(name.as_str())) {
            out.insert(image.clone());
        }
    }
    out
}

/// Plans one pass.
pub fn plan(input: Input<'_>) -> Plan {
    let mut plan = Plan { id: plan_id(&input), ..Plan::default() };
    plan.kept.extend(input.recorded.unreadable.iter().cloned());
    plan.kept.extend(input.prunes.kept.iter().cloned());
    plan.held.extend(input.prunes.held.clone());
    for name in input.recorded.images.keys() {
        if !input.desired.entries.contains_key(name) && prune::is_protected(input.desired, input.recorded, name) {
            plan.kept.insert(Subject::image(name));
        }
    }
    // A broken entry may be one that was never recorded; then there is nothing of it to keep.
    plan.kept.extend(input.desired.broken.iter().filter(|name| !input.desired.entries.contains_key(*name)).map(Subject::image));
    let found = Found::default();
    let mut beside = Beside {
        recorded: Abreast::of(&input.recorded.images),
        bases: Abreast::of(&input.bases.of),
        dockerfiles: Abreast::of(&input.observed.dockerfiles),
    };
    let mut images = Vec::with_capacity(input.desired.entries.len());
    for (name, entry) in &input.desired.entries {
        let known = Known {
            prior: beside.recorded.at(name),
            bases: beside.bases.at(name).map_or(&[], Vec::as_slice),
            dockerfile: beside.dockerfiles.at(name),
        };
        images.extend(plan_image(&mut plan, &input, &found, name, entry, &known));
    }
    plan.images = images.into_iter().collect();
    plan_bases(&mut plan, &input, &found);
    for subject in &input.prunes.released {
        plan.prunes.insert(subject.clone(), Reason::pruned("no entry names it any more"));
    }
    for (reference, observation) in &input.observed.digests {
        if let Observation::Unknown(why) = observation {
            let expected = why.class == Class::Missing && is_unpublished(&input, &found, reference);
            if !expected {
                plan.unknown.push(Unknown { what: reference.canonical(), why: why.clone() });
            }
        }
    }
    plan
}

/// Maps of all images, walked beside the entries.
struct Beside<'a> {
    recorded: Abreast<'a, ImageName, Arc<ImageState>>,
    bases: Abreast<'a, ImageName, Vec<String>>,
    dockerfiles: Abreast<'a, ImageName, Observation<DockerfileFact>>,
}

/// What is known of one image.
struct Known<'a> {
    prior: Option<&'a Arc<ImageState>>,
    bases: &'a [String],
    dockerfile: Option<&'a Observation<DockerfileFact>>,
}

/// A managed image that was never published has no tag yet; that is a fact, not a failure.
fn is_unpublished<'a>(input: &Input<'a>, found: &Found<'a>, reference: &ImageReference) -> bool {
    let entry = found.managed(input, reference);
    entry.is_some_and(|entry| input.recorded.images.get(&entry.name).is_none_or(|state| state.ledger.current.is_none()))
}

/// The state to record of one image. It is copied once something changes: nearly all images stay as they are.
fn plan_image<'a>(
    plan: &mut Plan,
    input: &Input<'a>,
    found: &Found<'a>,
    name: &ImageName,
    entry: &Entry,
    known: &Known<'_>,
) -> Option<(ImageName, Arc<ImageState>)> {
    let subject = Subject::image(name);
    let prior = known.prior;
    if input.recorded.unreadable.contains(&subject) {
        return None;
    }
    if !input.only.is_empty() && !input.only.contains(name) {
        // Nothing is recorded for an image that was never enrolled and that the user did not ask for.
        if prior.is_some() {
            plan.kept.insert(subject);
        }
        return None;
    }
    let at = input.observed.at;
    let mut state = prior.map_or_else(|| Arc::new(ImageState::enrolled(name.clone(), at)), Arc::clone);
    let mut reasons = Vec::new();
    if state.defined_in.as_ref() != Some(&entry.defined_in) {
        Arc::make_mut(&mut state).defined_in = Some(entry.defined_in.clone());
    }
    let enrollment = Enrollment::of(entry, &state.enrollment);
    if !enrollment.is(&state.enrollment) {
        if prior.is_some() {
            reasons.push(Reason::entry_edited(format!("its entry at {}:{} changed", entry.defined_in, entry.line)));
        }
        let taken = enrollment.taken();
        Arc::make_mut(&mut state).enrollment = taken;
    }
    choice::leave(entry, prior.map(Arc::as_ref), &mut state);
    let tag = match &entry.kind {
        EntryKind::Managed(_) => {
            if state.watch.is_some() {
                Arc::make_mut(&mut state).watch = None;
            }
            discover(plan, entry, known, &mut state, &mut reasons);
            Some(managed_tag(prior.map(Arc::as_ref)))
        }
        EntryKind::External(policy) => {
            if state.watch.as_ref() != Some(policy) || state.discovery != Discovery::External || !state.base_images.is_empty() {
                let state = Arc::make_mut(&mut state);
                state.watch = Some(policy.clone());
                state.discovery = Discovery::External;
                state.base_images.clear();
            }
            choice::record(plan, input, entry, &mut state, &mut reasons);
            policy.tag()
        }
    };
    if let Some(tag) = tag {
        inherit(input, found, entry, tag, &mut state, &mut reasons);
        if let Some(Observation::Known(digest)) =
            found.digest(input, &entry.registry, &entry.repository, tag).filter(|seen| !is_old(seen, &state.ledger))
        {
            let since = state.enrolled_at;
            look(&mut Arc::make_mut(&mut state).ledger, input, &entry.tagged(tag), digest, since, &mut reasons);
        }
    }
    if prior.is_none() {
        reasons.insert(0, Reason::enrolled(format!("enrolled at {}:{}", entry.defined_in, entry.line)));
    }
    match prior {
        Some(prior) if Arc::ptr_eq(prior, &state) => {}
        Some(prior) if *prior == state => state = Arc::clone(prior),
        _ => Arc::make_mut(&mut state).last_discovery = Some(at),
    }
    plan.note(subject, &reasons);
    Some((name.clone(), state))
}

/// Takes in what the image's Dockerfile says. Unknown leaves everything as recorded.
fn discover(plan: &mut Plan, entry: &Entry, known: &Known<'_>, state: &mut Arc<ImageState>, reasons: &mut Vec<Reason>) {
    let name = &entry.name;
    let dockerfile = entry.build().map_or("", |build| build.source.dockerfile.as_str());
    match known.dockerfile {
        Some(Observation::Known(DockerfileFact::Bases(_))) => {
            let found = known.bases;
            if state.base_images == found && state.discovery == Discovery::Success {
                return;
            }
            reasons.push(Reason::discovered(if found.is_empty() {
                format!("{dockerfile} builds from scratch")
            } else {
                format!("{dockerfile} builds on {}", found.join(", "))
            }));
            let state = Arc::make_mut(state);
            state.base_images = found.to_vec();
            state.discovery = Discovery::Success;
        }
        Some(Observation::Known(DockerfileFact::Refused { line, message })) => {
            if state.discovery != Discovery::Failed {
                reasons.push(Reason::discovery_failed(format!("{dockerfile}: {message}")));
                Arc::make_mut(state).discovery = Discovery::Failed;
            }
            let (place, hint) = match line {
                0 => (
                    Place { file: entry.defined_in.clone(), line: entry.line, column: 1 },
                    format!("correct `dockerfile` of `{name}`, or commit the file"),
                ),
                line => (
                    Place { file: dockerfile.to_owned(), line: *line, column: 1 },
                    format!("`{name}` keeps the base images of its last good Dockerfile"),
                ),
            };
            plan.diagnostics.push(Diagnostic {
                severity: Severity::Error,
                code: "bad-dockerfile",
                place,
                message: message.clone(),
                hint: Some(hint),
            });
        }
        Some(Observation::Unknown(why)) => {
            plan.unknown.push(Unknown { what: format!("Dockerfile of {name}"), why: why.clone() });
        }
        None => {}
    }
}

/// A base image that is promoted keeps what was learned of its tag.
fn inherit<'a>(input: &Input<'a>, found: &Found<'a>, entry: &Entry, tag: &str, state: &mut Arc<ImageState>, reasons: &mut Vec<Reason>) {
    if state.ledger != Ledger::default() || state.watch.is_some() {
        return;
    }
    if let Some(base) = found.base(input, entry, tag).filter(|base| base.ledger != Ledger::default()) {
        Arc::make_mut(state).ledger = base.ledger.clone();
        reasons.push(Reason::promoted(format!("{} was a base image of others", entry.tagged(tag).familiar())));
    }
}

/// Whether a look gave what is recorded.
fn is_old(seen: &Observation<Digest>, ledger: &Ledger) -> bool {
    matches!(seen, Observation::Known(digest) if ledger.shows(digest))
}

/// Looks at the observed digest of a tag.
fn look(ledger: &mut Ledger, input: &Input<'_>, image: &ImageReference, digest: &Digest, since: Timestamp, reasons: &mut Vec<Reason>) {
    let before = ledger.current.as_ref().map(Digest::short).unwrap_or_default().to_owned();
    let seen = ledger.see(digest, input.observed.at, Some(since));
    reasons.extend(told(&seen, &image.familiar(), &before, digest.short()));
}

/// A look in words; nothing when it brought nothing new.
pub(super) fn told(seen: &Seen, name: &str, before: &str, now: &str) -> Option<Reason> {
    Some(match seen {
        Seen::Unchanged => return None,
        Seen::First => Reason::first_seen(format!("{name} is {now}")),
        Seen::Moved => Reason::digest_moved(format!("{name} moved from {before} to {now}")),
        Seen::Returned => Reason::digest_returned(format!("{name} is back at {now}, from {before}")),
        Seen::Returning(until) => Reason::digest_returning(format!(
            "{name} shows {now} again; it counts if it stands until {}",
            crate::format::state_file::written(*until)
        )),
        Seen::Settled => Reason::digest_settled(format!("{name} stays at {now}")),
    })
}

fn plan_bases<'a>(plan: &mut Plan, input: &Input<'a>, found: &Found<'a>) {
    let at = input.observed.at;
    let is_known = |name: &ImageName| input.recorded.bases.contains_key(name);
    let dependents = if input.bases.wanted.keys().all(is_known) { BTreeMap::new() } else { first_dependents(input) };
    for (name, image) in &input.bases.wanted {
        let subject = Subject::base(name);
        if input.recorded.unreadable.contains(&subject) {
            continue;
        }
        let prior = input.recorded.bases.get(name);
        let mut reasons = Vec::new();
        let mut state = prior.cloned().unwrap_or_else(|| BaseState::found(name.clone(), image.clone(), at));
        if prior.is_none() {
            discovered(input, found, image, &dependents, &mut state, &mut reasons);
        } else if state.was_twice_escaped {
            reasons.push(Reason::repaired("its recorded allowTags was escaped twice and matched nothing"));
        }
        if state.watch.is_none() && image.tag.is_some() {
            state.watch = image.tag.as_deref().map(crate::model::TagPolicy::of_tag);
            reasons.push(Reason::demoted(format!("{} is watched upstream again", image.familiar())));
        }
        if let Some(Observation::Known(digest)) = input.observed.digests.get(image) {
            look(&mut state.ledger, input, image, digest, state.first_discovered, &mut reasons);
        }
        if prior.is_none_or(|prior| *prior != state) {
            state.last_checked = Some(at);
        }
        plan.note(subject, &reasons);
        plan.bases.insert(name.clone(), state);
    }
    prune_bases(plan, input);
}

fn discovered<'a>(
    input: &Input<'a>,
    found: &Found<'a>,
    image: &ImageReference,
    dependents: &BTreeMap<&ImageName, &ImageName>,
    state: &mut BaseState,
    reasons: &mut Vec<Reason>,
) {
    let by = dependents.get(&state.name).map_or_else(String::new, |first| format!(", first by {first}"));
    reasons.push(Reason::base_found(format!("{} is built on{by}", image.familiar())));
    // It was built here until now: what was learned of its tag stays.
    if let Some(before) = found.built(input, image) {
        state.ledger = before.ledger.clone();
        reasons.push(Reason::demoted(format!("{} is no longer built here", before.name)));
    }
}

/// The first image that builds on each base, of those that rebuild by themselves.
fn first_dependents<'a>(input: &Input<'a>) -> BTreeMap<&'a ImageName, &'a ImageName> {
    let mut out = BTreeMap::new();
    let mut entries = Abreast::of(&input.desired.entries);
    for (image, bases) in &input.bases.of {
        if entries.at(image).and_then(Entry::build).is_some_and(|build| build.auto_rebuild) {
            for (base, _) in bases.iter().filter_map(|base| input.bases.wanted.get_key_value(base.as_str())) {
                out.entry(base).or_insert(image);
            }
        }
    }
    out
}

fn prune_bases(plan: &mut Plan, input: &Input<'_>) {
    for (name, ours) in &input.bases.promoted {
        plan.prunes.insert(Subject::base(name), Reason::promoted(format!("{ours} builds it here now")));
    }
    let gone = |name: &&ImageName| !input.bases.wanted.contains_key(*name) && !input.bases.promoted.contains_key(*name);
    let unwanted: BTreeSet<Subject> =
        input.recorded.bases.keys().filter(gone).map(Subject::base).filter(|subject| !input.recorded.foreign.contains(subject)).collect();
    // An entry that could not be read may build on any of them, and so may images the user did not ask for.
    if input.bases.frozen || !input.only.is_empty() {
        plan.kept.extend(unwanted);
        return;
    }
    let verdict = prune::brake(Kind::BaseImage, unwanted, input.bases.wanted.len(), input.approvals);
    plan.held.extend(verdict.held);
    plan.kept.extend(verdict.kept);
    for subject in verdict.released {
        plan.prunes.insert(subject, Reason::pruned("no Dockerfile names it any more"));
    }
}

impl Plan {
    /// Several reasons for one file are told as one, the first giving the code.
    fn note(&mut self, subject: Subject, reasons: &[Reason]) {
        if let Some(first) = reasons.first() {
            let text = reasons.iter().map(|reason| reason.text.as_str()).collect::<Vec<_>>().join("; ");
            self.reasons.insert(subject, Reason { code: first.code, text });
        }
    }
}

impl Plan {
    /// Puts reasons that came from elsewhere before those that are there.
    pub fn explain(&mut self, reasons: BTreeMap<Subject, Reason>) {
        for (subject, reason) in reasons {
            let after = self.reasons.remove(&subject);
            let all: Vec<Reason> = std::iter::once(reason).chain(after).collect();
            self.note(subject, &all);
        }
    }

    /// Adds reasons to those that are there.
    pub(super) fn add_reasons(&mut self, subject: Subject, reasons: &[Reason]) {
        if reasons.is_empty() {
            return;
        }
        let before = self.reasons.remove(&subject);
        let all: Vec<Reason> = before.into_iter().chain(reasons.iter().cloned()).collect();
        self.note(subject, &all);
    }
}

/// Hash of snapshot, observations without their times, and version. The desired state is the snapshot's.
fn plan_id(input: &Input<'_>) -> String {
    let mut id = Fingerprint::default();
    choice::add_to(&mut id, input.choices);
    let mut add = |text: &str| id.add(text);
    add(env!("CARGO_PKG_VERSION"));
    add(input.snapshot.config.as_str());
    add(input.snapshot.record.as_ref().map_or("", |commit| commit.as_str()));
    input.only.iter().for_each(|name| add(name.as_str()));
    input.approvals.iter().for_each(|id| add(id));
    for (name, fact) in &input.observed.dockerfiles {
        add(name.as_str());
        match fact {
            Observation::Known(DockerfileFact::Bases(images)) => images.iter().for_each(|image| add(&image.canonical())),
            Observation::Known(DockerfileFact::Refused { message, .. }) => add(message),
            Observation::Unknown(_) => add("?"),
        }
    }
    for (reference, digest) in &input.observed.digests {
        add(&reference.canonical());
        add(match digest {
            Observation::Known(digest) => digest.as_str(),
            Observation::Unknown(_) => "?",
        });
    }
    id.hex(16)
}
