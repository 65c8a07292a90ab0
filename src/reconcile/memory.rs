//! What the loop remembers between passes, so that nothing is asked before its time and nothing is done when
//! nothing moved. Losing it costs one full pass.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::due::{self, Intervals, Look, Looks};
use super::effects::Claims;
use super::observe::{self, SourceKey, SourceLook};
use super::outcome::Outcome;
use super::parsed::Parsed;
use super::pass::World;
use super::tag_lists::TagMemory;
use crate::base::Fault;
use crate::model::ledger::{Ledger, SETTLE};
use crate::model::{CommitId, Digest, ImageName, ImageReference, ImageState, Snapshot};
use crate::plan::{Desired, Observation, Plan, Recorded, planner, recorded};

/// What the loop remembers.
#[derive(Debug, Default)]
pub struct Memory {
    /// Digests of tags.
    pub(super) digests: Looks<ImageReference, Observation<Digest>>,
    /// Tags of repositories.
    pub(super) tags: TagMemory,
    /// Files of source repositories.
    pub(super) files: Looks<SourceKey, SourceLook>,
    /// Dockerfiles that were parsed.
    pub(super) parsed: Parsed,
    /// Where the last pass left the record branch; nothing when that is not known.
    tip: Option<CommitId>,
    /// The base images that the last pass left in the states of images with a source repository.
    left: BTreeMap<ImageName, Vec<String>>,
    /// The last pass, when it had nothing to do.
    rest: Option<Rest>,
    /// What this process claimed and sent.
    pub(super) claims: Claims,
    /// The process lives on after the pass: then what it leaves in memory counts for more than a few milliseconds.
    pub(super) lasts: bool,
}

/// A pass that had nothing to do.
#[derive(Debug)]
struct Rest {
    snapshot: Snapshot,
    outcome: Outcome,
}

impl Memory {
    /// The memory of a loop, with nothing in it yet.
    pub fn of_loop() -> Self {
        Self { lasts: true, ..Self::default() }
    }

    /// The short way: neither commit moved, so only registries and source repositories can have news, and only
    /// what is due is asked. Nothing when the pass must plan.
    pub(super) async fn unmoved(&mut self, world: &World<'_>, snapshot: &Snapshot, at: Timestamp, now: Duration) -> Option<Outcome> {
        let due = self.digests.take_due(now);
        let due_files = self.files.take_due(now);
        let due_tags = self.tags.take_due(now);
        // Whatever is taken out is put back by asking; a pass that plans asks by itself.
        let rest = self.rest.take_if(|rest| rest.snapshot == *snapshot && rest.outcome.wake_at.is_none_or(|wake| wake > at));
        let Some(rest) = rest else {
            self.rest = None;
            return None;
        };
        let mut same = self.tags.again(world, due_tags, now).await;
        for (key, answer) in observe::source_files(due_files.keys().cloned().collect(), world.sources, world.progress).await {
            if let Some(before) = due_files.get(&key) {
                same &= match (&before.answer, &answer) {
                    (Ok(before), Ok(now)) => before.content == now.content,
                    (Err(before), Err(now)) => before.class == now.class,
                    _ => false,
                };
                self.note_file(key, answer, before.every, now);
            }
        }
        for (reference, answer) in observe::digests(due.keys().cloned().collect(), world.registry, world.progress).await {
            if let Some(before) = due.get(&reference) {
                same &= match (&before.answer, &answer) {
                    (Observation::Known(before), Observation::Known(now)) => before == now,
                    (Observation::Unknown(before), Observation::Unknown(now)) => before.class == now.class,
                    _ => false,
                };
                self.note_digest(reference, answer, before.every, now);
            }
        }
        if !same {
            return None;
        }
        let outcome = rest.outcome.clone();
        self.rest = Some(rest);
        Some(outcome)
    }

    /// Asks for the source files that are wanted and not known, and forgets those that are not wanted.
    pub(super) async fn see_files(&mut self, world: &World<'_>, wanted: BTreeSet<SourceKey>, intervals: &Intervals, now: Duration) {
        self.files.retain(|key, _| wanted.contains(key));
        let missing = wanted.into_iter().filter(|key| self.files.get(key).is_none()).collect();
        for (key, answer) in observe::source_files(missing, world.sources, world.progress).await {
            self.note_file(key, answer, intervals.managed, now);
        }
    }

    /// Asks for the digests that are wanted and not known, and forgets those that are not wanted.
    pub(super) async fn see_digests(
        &mut self,
        world: &World<'_>,
        wanted: &BTreeSet<ImageReference>,
        desired: &Desired,
        intervals: &Intervals,
        now: Duration,
    ) {
        self.digests.retain(|reference, _| wanted.contains(reference));
        let managed: BTreeSet<(&str, &str)> = desired
            .entries
            .values()
            .filter(|entry| entry.build().is_some())
            .map(|entry| (entry.registry.as_str(), entry.repository.as_str()))
            .collect();
        let missing = wanted.iter().filter(|reference| self.digests.get(reference).is_none()).cloned().collect();
        for (reference, answer) in observe::digests(missing, world.registry, world.progress).await {
            let ours = managed.contains(&(reference.registry.as_str(), reference.repository.as_str()));
            let every = intervals.of(&reference, ours);
            self.note_digest(reference, answer, every, now);
        }
    }

    fn note_file(&mut self, key: SourceKey, answer: SourceLook, every: Duration, now: Duration) {
        // All files of one branch are due together: they cost one look.
        let name = format!("{} {}", key.0.url, key.0.branch.as_deref().unwrap_or_default());
        let due = due::after(&name, now, every, answer.as_ref().err());
        self.files.insert(key, Look { answer, every, due });
    }

    fn note_digest(&mut self, reference: ImageReference, answer: Observation<Digest>, every: Duration, now: Duration) {
        let fault: Option<&Fault> = match &answer {
            Observation::Known(_) => None,
            Observation::Unknown(fault) => Some(fault),
        };
        let due = due::after(&reference.canonical(), now, every, fault);
        self.digests.insert(reference, Look { answer, every, due });
    }

    /// Forgets what may be older than the record. When somebody else wrote the record since the last pass, an
    /// answer that the record does not agree with is asked for again: taken as news, it would turn facts back.
    pub(super) fn dispute(&mut self, snapshot: &Snapshot, desired: &Desired, recorded: &Recorded) {
        if self.tip.is_some() && self.tip == snapshot.record {
            return;
        }
        let mut held: BTreeMap<ImageReference, &Ledger> = BTreeMap::new();
        for (name, entry) in &desired.entries {
            let Some(state) = recorded.images.get(name) else { continue };
            held.extend(planner::watched(entry, Some(state)).map(|image| (image, &state.ledger)));
        }
        held.extend(recorded.bases.values().map(|state| (recorded::identity(&state.image), &state.ledger)));
        self.digests.retain(|reference, answer| match (answer, held.get(reference)) {
            (Observation::Known(digest), Some(ledger)) => {
                ledger.returning.is_none() && ledger.current.as_ref().is_none_or(|current| current == digest)
            }
            _ => true,
        });
        self.tags.dispute(desired, recorded);
        let disputed: BTreeSet<SourceKey> = observe::wanted_files(desired.entries.iter().filter_map(|(name, entry)| {
            let (build, state) = (entry.build()?, recorded.images.get(name)?);
            (self.left.get(name) != Some(&state.base_images)).then_some((name, build))
        }));
        self.files.retain(|key, _| !disputed.contains(key));
    }

    /// Has the next pass look again at what a build pushed, or found to be another than was seen.
    pub(super) fn doubt(&mut self, references: &BTreeSet<ImageReference>) {
        self.digests.retain(|reference, _| !references.contains(reference));
    }

    /// Something was sent that no commit tells of yet: another pass should follow at once.
    pub fn has_news(&self) -> bool {
        self.claims.news
    }

    /// What is on record now knows of every result so far, and of no other claims than those of `plan`.
    pub(super) fn recorded(&mut self, plan: &Plan) {
        let of = |state: &Arc<ImageState>| state.rebuild.as_ref().and_then(|rebuild| Some((rebuild.key.clone(), rebuild.claimed_at?)));
        let leases: BTreeSet<_> = plan.images.values().filter_map(of).collect();
        self.claims.retain(|lease| leases.contains(lease));
        self.claims.news = false;
    }

    /// A pass ended with nothing to do: the next one may rest on it.
    pub(super) fn rest(&mut self, snapshot: &Snapshot, outcome: &Outcome) {
        self.rest = Some(Rest { snapshot: snapshot.clone(), outcome: outcome.clone() });
    }

    /// The record branch is at `tip`, as this pass left it.
    pub(super) fn leave(&mut self, tip: Option<CommitId>) {
        self.tip = tip;
    }

    /// Keeps what a plan means for later looks: digests of the past that show again are looked at when they have
    /// stood long enough.
    pub(super) fn keep(&mut self, desired: &Desired, plan: &Plan, at: Timestamp, now: Duration) {
        self.left.clear();
        self.tags.keep(desired, plan);
        for (name, state) in &plan.images {
            if observe::has_source_branch(desired, name) {
                self.left.insert(name.clone(), state.base_images.clone());
            }
        }
        let images = plan.images.values().filter(|state| state.ledger.returning.is_some());
        let shown = |state: &ImageState| plan.chosen.get(&state.name).cloned().or_else(|| tagged(desired, state));
        let of_images = images.filter_map(|state| Some((shown(state)?, &state.ledger)));
        let of_bases = plan.bases.values().map(|state| (recorded::identity(&state.image), &state.ledger));
        for (reference, ledger) in of_images.chain(of_bases) {
            if let Some(tenure) = &ledger.returning {
                let stood = at.duration_since(tenure.seen_at);
                let left = Duration::try_from(SETTLE - stood).unwrap_or_default();
                self.digests.sooner(&reference, now.saturating_add(left));
            }
        }
    }
}

/// The reference that the ledger of an enrolled image is about.
pub(super) fn tagged(desired: &Desired, state: &ImageState) -> Option<ImageReference> {
    planner::watched(desired.entries.get(&state.name)?, Some(state))
}

/// The first moment at which a returning digest may be accepted.
pub(super) fn settles_at(plan: &Plan) -> Option<Timestamp> {
    let ledgers = plan.images.values().map(|state| &state.ledger).chain(plan.bases.values().map(|state| &state.ledger));
    ledgers.filter_map(|ledger| ledger.returning.as_ref()?.seen_at.checked_add(SETTLE).ok()).min()
}
