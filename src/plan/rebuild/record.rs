//! How the record of a rebuild goes on: from a claim to a run, a proof, another attempt, or a hold.
//!
//! The rules are those of a claim that any number of Plimsolls may see: only its holder sends, an expired one
//! may be taken over, and nothing is sent again unless it is certain that it was not sent before.

use jiff::{SignedDuration, Timestamp};

use super::decision::{Code, Decision};
use super::input::{RunFact, RunName, SendResult};
use super::look::Look;
use crate::base::{Class, Fault};
use crate::model::ledger::Tenure;
use crate::model::rebuild::{ATTEMPTS, CONFIRM_WITHIN, HeldWhy, LEASE, Rebuild, RebuildStatus, TAKE_OVER_WAIT};
use crate::model::{Digest, ImageState, Trigger, Value};
use crate::plan::{Observation, Reason};

/// How long the second and the third attempt wait after a failure.
const BACK_OFF: [SignedDuration; 2] = [SignedDuration::from_mins(10), SignedDuration::from_hours(1)];

/// What the record of one image goes on from.
pub(super) struct Facts<'a> {
    /// Now.
    pub(super) at: Timestamp,
    /// This process.
    pub(super) holder: &'a str,
    /// Who rebuilds the image.
    pub(super) trigger: Trigger,
    /// What the forge said of the run.
    pub(super) run: Option<&'a Observation<RunFact>>,
    /// What became of what this process sent.
    pub(super) result: Option<&'a SendResult>,
    /// What the look into the image's new digest gave.
    pub(super) look: &'a Look,
    /// People, or a freeze, say that nothing more is to be begun; or nothing can be, since there is no engine here.
    pub(super) stopped: bool,
    /// Nobody outside is asked.
    pub(super) offline: bool,
}

/// How it went on.
pub(super) struct Step {
    /// The decision; nothing when the rebuild is over.
    pub(super) decision: Option<Decision>,
    /// What is written into the commit.
    pub(super) reason: Option<Reason>,
    /// This process may send it now, once it is published.
    pub(super) may_send: bool,
}

impl Step {
    fn stay(decision: Decision) -> Self {
        Self { decision: Some(decision), reason: None, may_send: false }
    }

    fn told(decision: Decision, reason: Reason) -> Self {
        Self { decision: Some(decision), reason: Some(reason), may_send: false }
    }
}

/// Goes on with a rebuild that is in flight.
pub(super) fn advance(state: &mut ImageState, facts: &Facts<'_>) -> Step {
    let Some(mut rebuild) = state.rebuild.take() else {
        return Step { decision: None, reason: None, may_send: false };
    };
    let was_sent = learn(&mut rebuild, facts);
    let is_new = state.ledger.current.is_some() && state.ledger.current != rebuild.from;
    let same_again = matches!(facts.result, Some(SendResult::Built(digest)) if Some(digest) == rebuild.from.as_ref());
    let ended_well = ended_well(&rebuild, facts);
    let accepted = match facts.look {
        Look::Proven => is_new,
        // Nobody can see a base of a stage that only gives files. That the run for it ended well, and that a
        // digest followed, is then all there is.
        Look::Unknown => is_new && ended_well,
        // An image without bases has nothing to be proven.
        Look::None => is_new && ended_well && rebuild.to.is_empty(),
        _ => false,
    };
    if accepted || same_again {
        return complete(state, &rebuild, facts.at, same_again);
    }
    let mut step = match facts.run {
        Some(Observation::Known(RunFact::Failed(run, word))) => fail(&mut rebuild, facts.at, &format!("run {} ended with {word}", run.id)),
        _ if matches!(facts.result, Some(SendResult::NotTaken(fault)) if !may_be_sent_again(facts.trigger, fault))
            && rebuild.status == RebuildStatus::Claimed =>
        {
            let why = match facts.result {
                Some(SendResult::NotTaken(fault)) => fault.text.clone(),
                _ => String::new(),
            };
            fail(&mut rebuild, facts.at, &why)
        }
        _ if ended_well && is_new && *facts.look == Look::NotProven => {
            let digest = state.ledger.current.as_ref().map(Digest::short).unwrap_or_default();
            fail(&mut rebuild, facts.at, &format!("the new digest {digest} still contains the old base"))
        }
        _ => match rebuild.status {
            RebuildStatus::Claimed => claimed(&mut rebuild, facts),
            _ => sent(&mut rebuild, facts, ended_well, is_new),
        },
    };
    if was_sent && step.reason.is_none() {
        let run = rebuild.run.as_ref().map_or_else(|| "without a word of the run".to_owned(), |id| format!("as run {id}"));
        step.reason = Some(Reason::rebuild_sent(format!("the forge took it {run}")));
    }
    state.rebuild = Some(rebuild);
    step
}

/// Takes in what the forge, or this process, knows of the run; says whether that it was sent is news.
fn learn(rebuild: &mut Rebuild, facts: &Facts<'_>) -> bool {
    let found = match facts.run {
        Some(Observation::Known(RunFact::Running(run) | RunFact::Succeeded(run) | RunFact::Failed(run, _))) => Some(Some(run.clone())),
        _ => match facts.result {
            Some(SendResult::Run(id)) => Some(Some(RunName { id: id.clone(), url: None })),
            Some(SendResult::Accepted | SendResult::Built(_)) => Some(None),
            _ => None,
        },
    };
    let Some(run) = found else { return false };
    let was_claimed = rebuild.status == RebuildStatus::Claimed;
    if was_claimed {
        rebuild.status = RebuildStatus::Sent;
        rebuild.since = facts.at;
    }
    if let Some(run) = run {
        rebuild.url = run.url.or(rebuild.url.take());
        rebuild.run = Some(run.id);
    }
    was_claimed
}

/// Whether the run is known to have ended well. What an engine beside us built is sent only once it is pushed.
fn ended_well(rebuild: &Rebuild, facts: &Facts<'_>) -> bool {
    matches!(facts.run, Some(Observation::Known(RunFact::Succeeded(_))))
        || (facts.trigger == Trigger::Docker && rebuild.status == RebuildStatus::Sent)
}

/// Whether what was not taken may be sent again under the same claim, and was no attempt. An engine that is not there, is
/// full, or lets nobody in says nothing of the image: three such answers must not hold it once the engine is well again.
fn may_be_sent_again(trigger: Trigger, fault: &Fault) -> bool {
    fault.class.may_pass() || (trigger == Trigger::Docker && matches!(fault.class, Class::Local | Class::Denied))
}

fn complete(state: &mut ImageState, rebuild: &Rebuild, at: Timestamp, same_again: bool) -> Step {
    for (base, digest) in &rebuild.to {
        if state.base_images.contains(base) && (state.unbuilt.contains_key(base) || same_again) {
            state.built_from.insert(base.clone(), digest.clone());
            state.unbuilt.remove(base);
        }
    }
    let current = state.ledger.current.clone();
    let text = current.as_ref().map_or_else(String::new, |digest| format!("{} is built from {}", digest.short(), bases(rebuild)));
    state.rebuilt = current.map(|digest| Tenure { digest, seen_at: rebuild.content_since.unwrap_or(at) });
    state.last_built = Some(Value::Text(crate::format::state_file::written(at)));
    state.examined = None;
    Step { decision: None, reason: Some(Reason::rebuilt(text)), may_send: false }
}

/// `node-22@0123456789ab, alpine-3@…`
pub(super) fn bases(rebuild: &Rebuild) -> String {
    let names = rebuild.to.iter().map(|(base, digest)| format!("{base}@{}", digest.short()));
    names.collect::<Vec<_>>().join(", ")
}

fn fail(rebuild: &mut Rebuild, at: Timestamp, why: &str) -> Step {
    let again = usize::try_from(rebuild.attempt.saturating_sub(1)).ok().and_then(|failed| BACK_OFF.get(failed));
    rebuild.note = Some(why.to_owned());
    rebuild.since = at;
    let Some(wait) = again.filter(|_| rebuild.attempt < ATTEMPTS) else {
        rebuild.next_at = None;
        return hold(rebuild, HeldWhy::Attempts, at);
    };
    rebuild.status = RebuildStatus::Failed;
    rebuild.next_at = Some(at.saturating_add(*wait).unwrap_or(at));
    let text = format!("attempt {} of {ATTEMPTS} failed: {why}", rebuild.attempt);
    Step::told(failed(rebuild), Reason::rebuild_failed(text))
}

/// The decision while a failed attempt waits for the next.
pub(super) fn failed(rebuild: &Rebuild) -> Decision {
    let why = rebuild.note.as_deref().unwrap_or("it failed");
    Decision::new(Code::Failed, format!("attempt {} of {ATTEMPTS}: {why}", rebuild.attempt)).until(rebuild.next_at)
}

fn hold(rebuild: &mut Rebuild, why: HeldWhy, at: Timestamp) -> Step {
    rebuild.status = RebuildStatus::Held;
    rebuild.why = Some(why);
    rebuild.since = at;
    let decision = held(rebuild);
    let reason = Reason::rebuild_held(decision.evidence.clone());
    Step::told(decision, reason)
}

/// The decision while it is held.
pub(super) fn held(rebuild: &Rebuild) -> Decision {
    let note = rebuild.note.as_deref().unwrap_or_default();
    match rebuild.why {
        Some(HeldWhy::Attempts) => Decision::new(Code::HeldAttempts, format!("{} attempts failed, the last one: {note}", rebuild.attempt)),
        Some(HeldWhy::Reverted) => Decision::new(Code::Reverted, format!("the rebuild for {}: {note}", bases(rebuild))),
        Some(HeldWhy::Unconfirmed) | None => Decision::new(Code::HeldUnconfirmed, note),
    }
}

fn claimed(rebuild: &mut Rebuild, facts: &Facts<'_>) -> Step {
    let claimed_at = rebuild.claimed_at.unwrap_or(rebuild.since);
    let expires_at = rebuild.expires_at.unwrap_or(claimed_at);
    let mine = rebuild.holder.as_deref() == Some(facts.holder);
    let certainly_not = match facts.trigger {
        // Building the same image twice is harmless: it is named by its content.
        Trigger::Docker => true,
        _ => {
            matches!(facts.run, Some(Observation::Known(RunFact::Absent)))
                || (mine && matches!(facts.result, Some(SendResult::NotTaken(_))))
        }
    };
    let holder = rebuild.holder.clone().unwrap_or_default();
    if facts.at < expires_at {
        let taken = rebuild.taken_from.is_some();
        let waited = claimed_at.saturating_add(TAKE_OVER_WAIT).unwrap_or(claimed_at);
        let code = if taken { Code::TakenOver } else { Code::Claimed };
        let evidence = format!("by {holder}, attempt {}, for {}", rebuild.attempt, bases(rebuild));
        let mut step = Step::stay(Decision::new(code, evidence).until(Some(if taken && facts.at < waited { waited } else { expires_at })));
        let certain = !taken || (certainly_not && (facts.at >= waited || facts.trigger == Trigger::Docker));
        // What was sent under this lease is never sent again under it, unless the forge said that it did not take it.
        let unsent = match facts.result {
            None => true,
            Some(SendResult::NotTaken(fault)) => may_be_sent_again(facts.trigger, fault),
            Some(_) => false,
        };
        step.may_send = mine && certain && unsent && !facts.stopped;
        return step;
    }
    let evidence = format!("claimed by {holder}; the lease ended without a word of a run");
    if !facts.trigger.is_ours() {
        return unconfirmed(rebuild, facts, claimed_at, &evidence);
    }
    match facts.run {
        // It was not sent, and nothing is to be from here: there is nothing to wait for, or to give up.
        _ if certainly_not && facts.stopped => {
            Step::stay(Decision::new(Code::Claimed, format!("by {holder}, whose lease ended; it was not sent")))
        }
        _ if certainly_not => {
            let decision = format!("from {holder}, attempt {}", rebuild.attempt);
            rebuild.taken_from = Some(holder.clone());
            claim(rebuild, facts.holder, facts.at);
            let waited = facts.at.saturating_add(TAKE_OVER_WAIT).unwrap_or(facts.at);
            let mut step = Step::told(
                Decision::new(Code::TakenOver, decision).until(Some(waited)),
                Reason::rebuild_taken_over(format!("the claim of {holder} expired; the forge shows no run")),
            );
            step.may_send = facts.trigger == Trigger::Docker;
            step
        }
        Some(Observation::Unknown(fault)) => unconfirmed(rebuild, facts, claimed_at, &format!("the forge did not answer: {}", fault.text)),
        Some(Observation::Known(RunFact::Inconclusive(why))) => {
            unconfirmed(rebuild, facts, claimed_at, &format!("the forge can't tell: {why}"))
        }
        _ => unconfirmed(rebuild, facts, claimed_at, &evidence),
    }
}

/// Makes a claim: from `at` on it is `holder`'s for one lease.
pub(super) fn claim(rebuild: &mut Rebuild, holder: &str, at: Timestamp) {
    rebuild.status = RebuildStatus::Claimed;
    rebuild.since = at;
    rebuild.holder = Some(holder.to_owned());
    rebuild.claimed_at = Some(at);
    rebuild.expires_at = Some(at.saturating_add(LEASE).unwrap_or(at));
}

fn unconfirmed(rebuild: &mut Rebuild, facts: &Facts<'_>, since: Timestamp, why: &str) -> Step {
    let until = since.saturating_add(CONFIRM_WITHIN).unwrap_or(since);
    if facts.at >= until && !facts.offline {
        rebuild.note = Some(format!("{why}; no proof came within a day"));
        return hold(rebuild, HeldWhy::Unconfirmed, facts.at);
    }
    Step::stay(Decision::new(Code::Unconfirmed, why).until(Some(until)))
}

fn sent(rebuild: &mut Rebuild, facts: &Facts<'_>, ended_well: bool, is_new: bool) -> Step {
    let run = rebuild.run.clone().map_or_else(|| "the forge took it and gave no run".to_owned(), |id| format!("run {id}"));
    let until = rebuild.since.saturating_add(CONFIRM_WITHIN).unwrap_or(rebuild.since);
    match facts.run {
        Some(Observation::Known(RunFact::Running(_))) => Step::stay(Decision::new(Code::Sent, run)),
        _ if facts.at >= until && !facts.offline => {
            let seen = if ended_well { "succeeded" } else { "was not seen to end" };
            rebuild.note = Some(format!("{run} {seen}, and no proof came within a day"));
            hold(rebuild, HeldWhy::Unconfirmed, facts.at)
        }
        _ if is_new => Step::stay(Decision::new(Code::ProofMissing, run).until(Some(until))),
        _ if ended_well => Step::stay(Decision::new(Code::AwaitingDigest, run).until(Some(until))),
        Some(Observation::Unknown(fault)) => Step::stay(Decision::new(Code::Sent, format!("{run}; {}", fault.text)).until(Some(until))),
        _ => Step::stay(Decision::new(Code::Sent, run).until(Some(until))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::state_file;
    use crate::model::ImageName;

    const STATE: &[u8] = b"name: app\nenrolledAt: '2026-01-02T03:04:05Z'\nlastDiscovery: null\ndiscoveryStatus: success\n\
        enrollment: {registry: ghcr.io, repository: a/app}\nbaseImages: []\ncurrentVersion: null\ncurrentDigest: null\nlastBuilt: null\n";

    #[test]
    fn an_engine_in_trouble_is_no_attempt() {
        let at: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let named = state_file::read_image(&ImageName::parse("app").unwrap(), STATE).unwrap();
        // who rebuilds, what it answered, whether that was an attempt
        for (trigger, class, attempt) in [
            (Trigger::Docker, Class::Local, false),
            (Trigger::Docker, Class::Denied, false),
            (Trigger::Docker, Class::Transient, false),
            (Trigger::Docker, Class::Refused, true),
            (Trigger::Github, Class::Denied, true),
            (Trigger::Github, Class::Limited, false),
        ] {
            let mut state = named.clone();
            let mut rebuild = Rebuild::unclaimed(RebuildStatus::Claimed, at);
            claim(&mut rebuild, "me", at);
            state.rebuild = Some(rebuild);
            let result = SendResult::NotTaken(Fault::new(class, "no"));
            let facts =
                Facts { at, holder: "me", trigger, run: None, result: Some(&result), look: &Look::None, stopped: false, offline: false };
            let step = advance(&mut state, &facts);
            let status = state.rebuild.unwrap().status;
            assert_eq!((status == RebuildStatus::Failed, step.may_send), (attempt, !attempt), "{trigger:?} {class}");
        }
    }
}
