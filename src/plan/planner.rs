//! The planner: from what is wanted, recorded and observed to the states that should be recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::abreast::Abreast;
use super::bases::Bases;
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
use crate::model::{Delay, Diagnostic, Digest, Entry, EntryKind, ImageName, ImageReference, Kind, Place, Severity, Snapshot, Subject};

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
    state.and_then(|state| state.current_version.as_deref()).filter(|tag| crate::model::policy::is_tag(tag)).unwrap_or("latest")
}

/// The references whose digests the plan needs, each once.
pub fn wanted_digests(desired: &Desired, recorded: &Recorded, bases: &Bases, only: &BTreeSet<ImageName>) -> BTreeSet<ImageReference> {
    let mut out = BTreeSet::new();
    let mut of_selected = BTreeSet::new();
    for (name, entry) in desired.entries.iter().filter(|(name, _)| only.is_empty() || only.contains(*name)) {
        match &entry.kind {
            EntryKind::Managed(_) => {
                out.insert(entry.tagged(managed_tag(recorded.images.get(name).map(Arc::as_ref))));
            }
            EntryKind::External(policy) => out.extend(policy.tag().map(|tag| entry.tagged(tag))),
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
    let (name, now) = (image.familiar(), digest.short());
    match ledger.see(digest, input.observed.at, Some(since)) {
        Seen::Unchanged => {}
        Seen::First => reasons.push(Reason::first_seen(format!("{name} is {now}"))),
        Seen::Moved => reasons.push(Reason::digest_moved(format!("{name} moved from {before} to {now}"))),
        Seen::Returned => reasons.push(Reason::digest_returned(format!("{name} is back at {now}, from {before}"))),
        Seen::Returning(until) => reasons.push(Reason::digest_returning(format!(
            "{name} shows {now} again; it counts if it stands until {}",
            crate::format::state_file::written(until)
        ))),
        Seen::Settled => reasons.push(Reason::digest_settled(format!("{name} stays at {now}"))),
    }
}

fn plan_bases<'a>(plan: &mut Plan, input: &Input<'a>, found: &Found<'a>) {
    let at = input.observed.at;
    let dependents = dependents(input);
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
        let eligible = eligible(&state, dependents.get(name));
        if state.eligible_at != eligible && reasons.is_empty() {
            reasons.push(Reason::dependents_changed("the images that build on it, or their delays, changed"));
        }
        state.eligible_at = eligible;
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
    dependents: &BTreeMap<&ImageName, Dependents<'_>>,
    state: &mut BaseState,
    reasons: &mut Vec<Reason>,
) {
    let by = dependents.get(&state.name).map_or_else(String::new, |images| format!(", first by {}", images.first));
    reasons.push(Reason::base_found(format!("{} is built on{by}", image.familiar())));
    // It was built here until now: what was learned of its tag stays.
    if let Some(before) = found.built(input, image) {
        state.ledger = before.ledger.clone();
        reasons.push(Reason::demoted(format!("{} is no longer built here", before.name)));
    }
}

/// Who builds on a base: only images that rebuild by themselves.
struct Dependents<'a> {
    first: &'a ImageName,
    /// Those with another delay than the usual one.
    delays: Vec<(&'a ImageName, Delay)>,
}

/// Who builds on each base.
fn dependents<'a>(input: &Input<'a>) -> BTreeMap<&'a ImageName, Dependents<'a>> {
    let mut out: BTreeMap<&ImageName, Dependents<'_>> = BTreeMap::new();
    let mut entries = Abreast::of(&input.desired.entries);
    for (image, bases) in &input.bases.of {
        let Some(build) = entries.at(image).and_then(Entry::build).filter(|build| build.auto_rebuild) else { continue };
        for (base, _) in bases.iter().filter_map(|base| input.bases.wanted.get_key_value(base.as_str())) {
            let dependents = out.entry(base).or_insert_with(|| Dependents { first: image, delays: Vec::new() });
            if build.rebuild_delay != Delay::WEEK {
                dependents.delays.push((image, build.rebuild_delay));
            }
        }
    }
    out
}

/// When dependents may follow the base's last move: nothing until it has moved once.
fn eligible(state: &BaseState, dependents: Option<&Dependents<'_>>) -> BTreeMap<String, Option<Timestamp>> {
    let after = |delay: Delay| {
        let wait = SignedDuration::try_from(delay.duration()).unwrap_or(SignedDuration::MAX);
        state.ledger.moved_at().and_then(|at| at.checked_add(wait).ok())
    };
    let mut out = BTreeMap::from([("default".to_owned(), after(Delay::WEEK))]);
    for (image, delay) in dependents.into_iter().flat_map(|images| &images.delays) {
        out.insert(image.to_string(), after(*delay));
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
