//! What a rebuild must pass before it begins, in this order: people, dates, facts, parents.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::decision::{Code, Decision};
use super::due::{self, Base, Due};
use super::input::{Input, NO_ENGINE};
use super::look::{self, Look};
use super::platforms::Platforms;
use super::record::{self, Facts};
use super::{Busy, One, Outcome, Send, key};
use crate::base::Class;
use crate::model::rebuild::{HeldWhy, Rebuild, RebuildStatus};
use crate::model::state::Discovery;
use crate::model::{Digest, ImageName, ImageState, Trigger};
use crate::plan::observed::DockerfileFact;
use crate::plan::{Observation, Reason, planner};

/// A rebuild that is due.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) name: ImageName,
    /// Where its state is.
    pub(super) place: usize,
    pub(super) at: Timestamp,
    pub(super) urgent: bool,
    /// How many images that it builds on, one on another, are rebuilt before it.
    pub(super) wave: usize,
    /// The one that it waits for.
    pub(super) parent: Option<ImageName>,
    pub(super) trigger: Trigger,
    rebuild: Rebuild,
}

impl Candidate {
    /// What builds on it waits for it.
    pub(super) fn busy(&self) -> Busy {
        Busy { wave: self.wave, content_since: self.rebuild.content_since.unwrap_or(self.at) }
    }

    /// Records that it begins: a claim, or that others may begin it.
    pub(super) fn begin(self, input: &Input<'_>, state: &mut Arc<ImageState>) -> (Decision, Option<Reason>, Option<Send>) {
        let at = input.observed.at;
        let mut rebuild = self.rebuild;
        let bases = record::bases(&rebuild);
        if !self.trigger.is_ours() {
            let code = if self.trigger == Trigger::Kargo { Code::Eligible } else { Code::NoTrigger };
            if let Some(before) = state.rebuild.as_ref().filter(|before| before.key == rebuild.key) {
                return (Decision::new(code, format!("since {}, for {bases}", written(before.since))), None, None);
            }
            Arc::make_mut(state).rebuild = Some(rebuild);
            return (Decision::new(code, format!("for {bases}")), Some(Reason::rebuild_eligible(format!("for {bases}"))), None);
        }
        record::claim(&mut rebuild, input.holder, at);
        let send = Send { image: self.name, key: rebuild.key.clone(), claimed_at: at };
        let evidence = format!("by {}, attempt {}, for {bases}", input.holder, rebuild.attempt);
        let decision = Decision::new(Code::Claimed, evidence).until(rebuild.expires_at);
        let reason = Reason::rebuild_claimed(format!("attempt {}, for {bases}", rebuild.attempt));
        Arc::make_mut(state).rebuild = Some(rebuild);
        (decision, Some(reason), Some(send))
    }
}

fn written(at: Timestamp) -> String {
    crate::format::state_file::written(at)
}

impl One<'_, '_> {
    fn at(&self) -> Timestamp {
        self.input.observed.at
    }

    /// An image that builds on itself: nothing begins, and what is on its way goes on.
    pub(super) fn in_cycle(&mut self) -> Outcome {
        due::settle(self.states, &mut self.state);
        match self.go_on(&Look::None) {
            Some(outcome) => outcome,
            None => Outcome::Decided(Decision::new(Code::Cycle, format!("it builds on {}", self.state.base_images.join(", "))), None),
        }
    }

    pub(super) fn decide(&mut self, busy: &BTreeMap<ImageName, Busy>) -> Outcome {
        let before = self.prior;
        due::pins(self.states, &mut self.state, self.fact);
        due::settle(self.states, &mut self.state);
        let is_new = |base: &&String| before.is_none_or(|before| !before.built_from.contains_key(*base));
        let baseline: Vec<&str> = self.state.built_from.keys().filter(is_new).map(String::as_str).collect();
        let is_baseline = !baseline.is_empty();
        if is_baseline && before.is_some() {
            self.reasons.push(Reason::baseline(format!("counts as built from {}", baseline.join(", "))));
        }
        // An image that follows its bases, and has no rebuild, has nothing that these steps could change.
        let is_open = !self.state.unbuilt.is_empty() || self.state.rebuild.is_some();
        let platforms = self.compare_platforms();
        let look = look::take(self.states, self.answers, &mut self.state);
        if is_open {
            due::settle(self.states, &mut self.state);
        }
        if let Some(outcome) = self.go_on(&look) {
            return outcome;
        }
        if is_open {
            due::settle(self.states, &mut self.state);
        }
        let due = due::due(self.states, &self.state, self.build.rebuild_delay);
        self.tell_of_moves(before, due.as_ref());
        match self.stopped(due.as_ref(), &look, platforms, is_baseline) {
            Some(decision) => {
                self.withdraw(&decision);
                Outcome::Decided(decision, None)
            }
            None => Outcome::Due(Box::new(self.candidate(due.as_ref(), busy))),
        }
    }

    /// Goes on with what is recorded of a rebuild; nothing when another may begin.
    fn go_on(&mut self, look: &Look) -> Option<Outcome> {
        let at = self.at();
        let urgent = self.input.urgent.contains(&self.state.name);
        let rebuild = self.state.rebuild.clone()?;
        let is_new = self.state.ledger.current.is_some() && self.state.ledger.current != rebuild.from;
        let moved_after = self.state.ledger.moved_at().is_some_and(|moved| moved >= rebuild.since);
        let seen = match rebuild.status {
            RebuildStatus::Claimed | RebuildStatus::Sent => false,
            // Whoever was told to rebuild it pushed something, and nothing in it speaks against the new base.
            RebuildStatus::Eligible => is_new && (*look == Look::Proven || (*look == Look::Unknown && moved_after)),
            _ => is_new && *look == Look::Proven,
        };
        if rebuild.is_in_flight() || seen {
            let lease = (rebuild.key.clone(), rebuild.claimed_at.unwrap_or(rebuild.since));
            let facts = Facts {
                at,
                holder: self.input.holder,
                trigger: self.build.rebuilt_by(),
                run: self.answers.runs.get(&self.state.name),
                result: self.input.results.get(&lease),
                look: if seen { &Look::Proven } else { look },
                stopped: self.people().is_some()
                    || self.input.snapshot.rewritten
                    || self.input.offline
                    || self.input.lacks_engine(self.build),
                offline: self.input.offline,
            };
            let step = record::advance(Arc::make_mut(&mut self.state), &facts);
            let claimed_at = self.state.rebuild.as_ref().and_then(|rebuild| rebuild.claimed_at).unwrap_or(at);
            let send = step.may_send.then(|| Send { image: self.state.name.clone(), key: rebuild.key, claimed_at });
            self.reasons.extend(step.reason);
            return step.decision.map(|decision| Outcome::Decided(decision, send));
        }
        if *look == Look::Proven {
            // What it was for is there, whoever did it.
            Arc::make_mut(&mut self.state).rebuild = None;
            return None;
        }
        if rebuild.status == RebuildStatus::Eligible || urgent {
            return None;
        }
        if self.inputs_changed(&rebuild) {
            self.reasons.push(Reason::rebuild_dropped("its base, or its entry, is another now"));
            Arc::make_mut(&mut self.state).rebuild = None;
            return None;
        }
        match rebuild.status {
            RebuildStatus::Failed if rebuild.next_at.is_some_and(|next| at < next) => {
                Some(Outcome::Decided(record::failed(&rebuild), None))
            }
            RebuildStatus::Held => Some(Outcome::Decided(record::held(&rebuild), None)),
            _ => None,
        }
    }

    /// Whether a rebuild that ended badly was for another base, or another entry.
    fn inputs_changed(&self, rebuild: &Rebuild) -> bool {
        if rebuild.why == Some(HeldWhy::Reverted) {
            // What people took back need not have been recorded with a key that can be told again.
            return !self.wanted().iter().any(|(base, digest)| rebuild.to.get(base) == Some(digest));
        }
        let wanted = self.wanted();
        let current = |(base, digest): (&String, &Digest)| {
            Base::of(self.states, base).is_some_and(|base| base.ledger.current.as_ref() == Some(digest))
        };
        // People may have asked for it although no base had moved.
        let same = if wanted.is_empty() { rebuild.to.iter().all(current) } else { wanted == rebuild.to };
        !same || key::key(&self.state.name, self.build, rebuild) != rebuild.key
    }

    /// The digests that a rebuild is for: those of the bases that moved.
    fn wanted(&self) -> BTreeMap<String, Digest> {
        let current = |name: &String| Some((name.clone(), Base::of(self.states, name)?.ledger.current.clone()?));
        self.state.unbuilt.keys().filter_map(current).collect()
    }

    fn is_first_build(&self) -> bool {
        self.state.ledger.current.is_none() && self.build.rebuilt_by() == Trigger::Docker
    }

    /// Whether the image, for which nothing is due yet, will be rebuilt as soon as one that it builds on is: then what
    /// builds on it waits too, or it would be rebuilt twice for one move.
    pub(super) fn follows(&self, busy: &BTreeMap<ImageName, Busy>) -> Option<Busy> {
        if !self.state.unbuilt.is_empty() || !self.build.auto_rebuild || self.build.rebuilt_by() == Trigger::None || self.people().is_some()
        {
            return None;
        }
        let parents = self.state.base_images.iter().filter(|name| !self.state.pinned.contains(name));
        let parents = parents.filter_map(|name| busy.get(name.as_str()));
        let soon = parents.filter(|parent| self.build.rebuild_delay.after(parent.content_since, 1).is_some_and(|date| date <= self.at()));
        soon.max().map(|parent| Busy { wave: parent.wave + 1, ..*parent })
    }

    /// A person's word that nothing is to be begun.
    fn people(&self) -> Option<Decision> {
        if let Some(reason) = &self.entry.hold {
            return Some(Decision::new(Code::Held, reason.clone()));
        }
        let frozen = self.input.desired.freeze.holds(&self.state.name, self.at())?;
        Some(Decision::new(Code::Frozen, frozen.reason).until(frozen.until))
    }

    /// Why it does not begin now, if it does not.
    fn stopped(&self, due: Option<&Due>, look: &Look, platforms: Platforms, baseline: bool) -> Option<Decision> {
        // A rebuild that people asked for is tried again as any other.
        let asked = due.is_none() && self.state.rebuild.as_ref().is_some_and(|rebuild| rebuild.status == RebuildStatus::Failed);
        let urgent = asked || self.input.urgent.contains(&self.state.name);
        if due.is_none() && !urgent && !self.is_first_build() {
            return Some(self.nothing_due(look, platforms, baseline));
        }
        if let Some(decision) = self.people() {
            return Some(decision);
        }
        if !self.build.auto_rebuild && !urgent {
            return Some(Decision::new(Code::NotAuto, self.moves(due)));
        }
        if let Some(due) = due.filter(|due| !urgent && self.at() < due.at) {
            let code = if due.capped { Code::Capped } else { Code::Waiting };
            return Some(Decision::new(code, self.moves(Some(due))).until(Some(due.at)));
        }
        if self.input.offline {
            return Some(Decision::new(Code::Unknown, "nobody was asked: offline"));
        }
        match self.build.rebuilt_by() {
            Trigger::Github | Trigger::Gitlab if !self.input.forge => {
                return Some(Decision::new(Code::NoCredential, self.build.source.provider.word()));
            }
            Trigger::Docker if !self.input.engine => return Some(Decision::new(Code::NoEngine, NO_ENGINE)),
            _ => {}
        }
        if let Some(decision) = self.unknown() {
            return Some(decision);
        }
        if urgent {
            return None;
        }
        if let Some(decision) = self.settling() {
            return Some(decision);
        }
        match (platforms, look) {
            (Platforms::Missing(decision) | Platforms::Fault(decision), _) => Some(decision),
            (_, Look::Fault(fault)) => Some(Decision::new(Code::Unknown, fault.text.clone())),
            (_, Look::None) if !self.is_first_build() && self.state.rebuild.is_none() && self.is_open() => {
                Some(Decision::new(Code::Unknown, "the image was not looked into"))
            }
            _ => None,
        }
    }

    /// Whether it is not known whether the image contains the new bases already.
    fn is_open(&self) -> bool {
        let targets = look::targets(self.states, &self.state);
        !targets.is_empty() && look::examined(&self.state, &targets).is_none()
    }

    fn nothing_due(&self, look: &Look, platforms: Platforms, baseline: bool) -> Decision {
        let named = || {
            let built = self.state.built_from.iter().map(|(base, digest)| format!("{base}@{}", digest.short()));
            built.collect::<Vec<_>>().join(", ")
        };
        if self.state.ledger.current.is_none() {
            let own = self.entry.tagged(planner::managed_tag(Some(&self.state)));
            return match self.input.observed.digests.get(&own) {
                Some(Observation::Unknown(fault)) if fault.class != Class::Missing => Decision::new(Code::Unknown, fault.text.clone()),
                _ => Decision::new(Code::NeverBuilt, format!("{} is not there", own.familiar())),
            };
        }
        let taken_back = |name: &String| Some((name.clone(), Base::of(self.states, name)?.ledger.reverted.clone()?));
        if let Some((base, tenure)) = self.state.base_images.iter().find_map(taken_back) {
            return Decision::new(Code::Reverted, format!("{base}@{} was taken back", tenure.digest.short()));
        }
        if !self.state.pinned.is_empty() && self.state.pinned.len() == self.state.base_images.len() {
            return Decision::new(Code::Pinned, self.state.pinned.join(", "));
        }
        match platforms {
            Platforms::Other(base) => return Decision::new(Code::OtherPlatform, base),
            _ if *look == Look::Proven => return Decision::new(Code::Proven, named()),
            _ => {}
        }
        Decision::new(if baseline { Code::Baseline } else { Code::UpToDate }, named())
    }

    /// Something that the decision needs and that did not answer. Recorded facts stand; nothing begins on them.
    fn unknown(&self) -> Option<Decision> {
        match self.fact {
            Some(Observation::Unknown(fault)) => return Some(Decision::new(Code::Unknown, fault.text.clone())),
            Some(Observation::Known(DockerfileFact::Refused { message, .. })) => {
                return Some(Decision::new(Code::DockerfileRefused, message.clone()));
            }
            _ if self.state.discovery == Discovery::Failed => {
                return Some(Decision::new(Code::DockerfileRefused, "at the last look"));
            }
            _ => {}
        }
        let own = self.entry.tagged(planner::managed_tag(Some(&self.state)));
        let bases = self.state.base_images.iter().filter(|name| !self.state.pinned.contains(name));
        let mut asked = bases.filter_map(|name| Base::of(self.states, name)).map(|base| base.image()).chain([own.clone()]);
        asked.find_map(|image| match self.input.observed.digests.get(&image) {
            Some(Observation::Unknown(fault)) if !(image == own && fault.class == Class::Missing && self.is_first_build()) => {
                Some(Decision::new(Code::Unknown, fault.text.clone()))
            }
            _ => None,
        })
    }

    fn settling(&self) -> Option<Decision> {
        let ledgers = self.state.unbuilt.keys().filter_map(|name| Some((name, Base::of(self.states, name)?.ledger)));
        let mut returning = ledgers.filter_map(|(name, ledger)| Some((name, ledger.returning.as_ref()?)));
        returning.next().map(|(name, tenure)| {
            let until = tenure.seen_at.saturating_add(crate::model::ledger::SETTLE).ok();
            Decision::new(Code::Settling, format!("{name} shows {} again", tenure.digest.short())).until(until)
        })
    }

    fn moves(&self, due: Option<&Due>) -> String {
        let moved = due.map_or_else(String::new, |due| {
            let digest = Base::of(self.states, &due.base).and_then(|base| base.ledger.current.clone());
            format!("{} is {} since {}", due.base, digest.as_ref().map_or("unknown", |digest| digest.short()), written(due.newest))
        });
        match self.state.unbuilt.len() {
            0 | 1 => moved,
            count => format!("{moved}; {count} bases moved"),
        }
    }

    /// A base that moved is told once, with the date.
    fn tell_of_moves(&mut self, before: Option<&ImageState>, due: Option<&Due>) {
        let known: BTreeSet<&String> = before.map(|before| before.unbuilt.keys().collect()).unwrap_or_default();
        let new: Vec<&str> = self.state.unbuilt.keys().filter(|name| !known.contains(name)).map(String::as_str).collect();
        if let (false, Some(due)) = (new.is_empty(), due) {
            self.reasons.push(Reason::base_moved(format!("{} moved; a rebuild is due at {}", new.join(", "), written(due.at))));
        }
        let gone = known.into_iter().any(|name| !self.state.unbuilt.contains_key(name));
        if gone && self.reasons.is_empty() {
            self.reasons.push(Reason::proven("its bases are what it is built from"));
        }
    }

    /// What others might begin is taken back when it may not begin now. What is unknown takes nothing back.
    fn withdraw(&mut self, decision: &Decision) {
        let eligible = self.state.rebuild.as_ref().is_some_and(|rebuild| rebuild.status == RebuildStatus::Eligible);
        if eligible && decision.code != Code::Unknown && !self.input.offline {
            Arc::make_mut(&mut self.state).rebuild = None;
            self.reasons.push(Reason::rebuild_dropped(format!("{}: {}", decision.code.word(), decision.evidence)));
        }
        // A failed or held rebuild whose bases are back where they were is over.
        if due_nothing(decision.code) && self.state.unbuilt.is_empty() && self.state.rebuild.is_some() {
            Arc::make_mut(&mut self.state).rebuild = None;
            self.reasons.push(Reason::rebuild_dropped("its bases are what it is built from"));
        }
    }

    fn candidate(&self, due: Option<&Due>, busy: &BTreeMap<ImageName, Busy>) -> Candidate {
        let at = self.at();
        let urgent = self.input.urgent.contains(&self.state.name);
        let mut to = self.wanted();
        if to.is_empty() {
            let current = |name: &String| Some((name.clone(), Base::of(self.states, name)?.ledger.current.clone()?));
            to = self.state.base_images.iter().filter(|name| !self.state.pinned.contains(name)).filter_map(current).collect();
        }
        let attempt = match &self.state.rebuild {
            Some(before) if before.status != RebuildStatus::Eligible => before.attempt.saturating_add(1),
            _ => 1,
        };
        let mut rebuild = Rebuild {
            attempt,
            from: self.state.ledger.current.clone(),
            to,
            content_since: Some(due.map_or(at, |due| due.newest)),
            ..Rebuild::unclaimed(RebuildStatus::Eligible, at)
        };
        rebuild.key = key::key(&self.state.name, self.build, &rebuild);
        let parents = self.state.base_images.iter().filter_map(|name| busy.get_key_value(name.as_str()));
        let parent = parents.map(|(name, busy)| (busy.wave, name.clone())).max().filter(|_| !urgent);
        Candidate {
            name: self.state.name.clone(),
            place: self.place,
            at: due.map_or(at, |due| due.at),
            urgent,
            wave: parent.as_ref().map_or(0, |(wave, _)| wave + 1),
            parent: parent.map(|(_, name)| name),
            trigger: self.build.rebuilt_by(),
            rebuild,
        }
    }
}

/// Whether a decision says that there is nothing to rebuild for.
fn due_nothing(code: Code) -> bool {
    matches!(code, Code::UpToDate | Code::Baseline | Code::Proven | Code::OtherPlatform | Code::Pinned)
}
