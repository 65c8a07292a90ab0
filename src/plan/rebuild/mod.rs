//! Rebuilds: which images are due, in which order, and how those that are on their way go on.
//!
//! A second step after the plan of states, in three parts: [`questions`] says what has to be asked, the shell
//! asks, and [`decide`] turns the answers into records, decisions, and the list of what this process may send
//! once the records are published.

mod dates;
mod decision;
mod due;
mod gates;
mod input;
mod key;
mod look;
mod others;
mod platforms;
mod proof;
mod record;
mod select;
mod states;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::observed::DockerfileFact;
use super::planner::Plan;
use super::{Observation, Reason, Unknown};
use crate::base::fault::AFTER_REPAIR;
use crate::base::{Class, Fault, Fingerprint};
use crate::model::rebuild::{CONFIRM_WITHIN, RebuildStatus};
use crate::model::{Build, Entry, ImageName, ImageState, Rebuild, Subject, Trigger};
use states::{Order, States};

pub use decision::{Code, Decision};
pub use input::{Answers, BaseQuestion, Input, InsideQuestion, Questions, RunFact, RunName, RunQuestion, SendResult};
pub use proof::{Finding, find};

/// Something that this process may send now, once its claim is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Send {
    /// The image.
    pub image: ImageName,
    /// The key of its claim.
    pub key: String,
    /// When the claim was made.
    pub claimed_at: Timestamp,
}

/// What has to be asked. Brings what is recorded of bases up to date first, so that only what is open is asked.
pub fn questions(plan: &mut Plan, input: &Input<'_>) -> Questions {
    let mut out = Questions::default();
    let mut states = States::take(plan, input);
    for place in states.order().places {
        let Some((entry, fact)) = states.slot(place).and_then(|slot| Some((slot.entry?, slot.fact))) else { continue };
        let Some(build) = entry.build() else { continue };
        let Some(mut state) = states.take_out(place) else { continue };
        due::pins(&states, &mut state, fact);
        due::settle(&states, &mut state);
        select::run(&mut out, build, &state);
        select::platforms(&mut out, &states, build, &state);
        select::inside(&mut out, &states, entry, build, &state);
        states.put(place, state, None);
    }
    states.put_back(plan);
    out
}

/// Decides on every managed image of the plan.
pub fn decide(plan: &mut Plan, input: &Input<'_>, answers: &Answers) {
    let mut busy: BTreeMap<ImageName, Busy> = BTreeMap::new();
    let mut open: Vec<gates::Candidate> = Vec::new();
    let mut states = States::take(plan, input);
    let mut in_flight = others::note(&states, &mut busy);
    let Order { places, cyclic } = states.order();
    for place in places {
        let slot = states.slot(place).and_then(|slot| Some((slot.entry?, slot.fact, slot.prior.map(Arc::as_ref))));
        let Some((entry, fact, prior)) = slot else { continue };
        let Some(build) = entry.build() else { continue };
        let Some(state) = states.take_out(place) else { continue };
        let mut one = One { states: &states, input, answers, place, entry, build, fact, prior, state, reasons: Vec::new() };
        let outcome = if cyclic.contains(&place) { one.in_cycle() } else { one.decide(&busy) };
        let follows = one.follows(&busy);
        let One { state, reasons, .. } = one;
        let decided = match outcome {
            Outcome::Decided(decision, send) => {
                if state.rebuild.as_ref().is_some_and(Rebuild::is_in_flight) {
                    in_flight += 1;
                }
                // An image that is due as soon as something answers is waited for as well.
                let stalled = decision.code == Code::Unknown && !state.unbuilt.is_empty();
                let stalled = stalled.then_some(Busy { wave: 0, content_since: input.observed.at });
                if let Some(busied) = is_busy(input, &state).or(follows).or(stalled) {
                    busy.insert(entry.name.clone(), busied);
                }
                plan.sends.extend(send);
                Some(decision)
            }
            Outcome::Due(candidate) => {
                busy.insert(entry.name.clone(), candidate.busy());
                open.push(*candidate);
                None
            }
        };
        put(plan, &mut states, place, state, &reasons, decided);
    }
    begin(plan, &mut states, open, in_flight);
    dates::record(plan, &mut states);
    states.put_back(plan);
    finish(plan, input, answers);
}

/// One image while it is decided on.
struct One<'a, 'b> {
    states: &'b States<'a>,
    input: &'b Input<'a>,
    answers: &'b Answers,
    /// Where its state is put back.
    place: usize,
    entry: &'a Entry,
    build: &'a Build,
    /// What its Dockerfile says.
    fact: Option<&'a Observation<DockerfileFact>>,
    /// Its state as it is recorded.
    prior: Option<&'a ImageState>,
    state: Arc<ImageState>,
    reasons: Vec<Reason>,
}

/// What came of it.
enum Outcome {
    Decided(Decision, Option<Send>),
    Due(Box<gates::Candidate>),
}

/// An image that what builds on it waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Busy {
    /// How many images, one on another, are rebuilt before it.
    wave: usize,
    /// Since when what its rebuild brings in is known.
    content_since: Timestamp,
}

/// Whether what builds on the image waits for it. Somebody else's rebuild is waited for a day at most.
fn is_busy(input: &Input<'_>, state: &ImageState) -> Option<Busy> {
    let rebuild = state.rebuild.as_ref()?;
    let trigger = input.desired.entries.get(&state.name).and_then(Entry::build).map(Build::rebuilt_by);
    let waited_for = match rebuild.status {
        RebuildStatus::Claimed | RebuildStatus::Sent | RebuildStatus::Failed => true,
        RebuildStatus::Eligible => trigger == Some(Trigger::Kargo) && input.observed.at.duration_since(rebuild.since) < CONFIRM_WITHIN,
        RebuildStatus::Held => false,
    };
    waited_for.then(|| Busy { wave: 0, content_since: rebuild.content_since.unwrap_or(rebuild.since) })
}

/// Begins what is due: urgent ones at once, then those that have been due longest, as many as may be on their way.
fn begin(plan: &mut Plan, states: &mut States<'_>, mut open: Vec<gates::Candidate>, mut in_flight: usize) {
    let input = states.input;
    let most = usize::try_from(input.desired.settings.rebuild.max_concurrent).unwrap_or(usize::MAX);
    open.sort_by(|a, b| (!a.urgent, a.at, &a.name).cmp(&(!b.urgent, b.at, &b.name)));
    for candidate in open {
        let place = candidate.place;
        let Some(mut state) = states.take_out(place) else { continue };
        let mut reasons = Vec::new();
        let decision = if let Some(parent) = &candidate.parent {
            Decision::new(Code::ParentRebuilding, format!("it builds on {parent}; wave {}", candidate.wave + 1))
        } else if candidate.trigger.is_ours() && in_flight >= most && !candidate.urgent {
            Decision::new(Code::MaxInFlight, format!("{in_flight} are on their way, at most {most}"))
        } else if candidate.trigger.is_ours() && input.snapshot.rewritten {
            Decision::new(Code::Rewritten, "the record branch does not descend from the head that was seen last")
        } else {
            in_flight += usize::from(candidate.trigger.is_ours());
            let (decision, reason, send) = candidate.begin(&input, &mut state);
            reasons.extend(reason);
            plan.sends.extend(send);
            decision
        };
        put(plan, states, place, state, &reasons, Some(decision));
    }
}

/// Puts a state back, with its reasons, the time of the check that changed it, and what is decided.
fn put(plan: &mut Plan, states: &mut States<'_>, place: usize, mut state: Arc<ImageState>, reasons: &[Reason], decision: Option<Decision>) {
    plan.add_reasons(Subject::image(&state.name), reasons);
    match states.slot(place).and_then(|slot| slot.prior) {
        Some(prior) if Arc::ptr_eq(prior, &state) => {}
        // What came back to what is recorded is the recorded state again.
        Some(prior) if *prior == state => state = Arc::clone(prior),
        _ => Arc::make_mut(&mut state).last_discovery = Some(states.input.observed.at),
    }
    states.put(place, state, decision);
}

/// When to ask again what did not answer. What tags point at has looks of its own, at intervals; these questions are asked
/// by a pass that plans, and by no other.
fn unanswered(answers: &Answers, at: Timestamp) -> Option<Timestamp> {
    let inside = answers.inside.values().filter_map(Observation::fault);
    let platforms = answers.platforms.values().filter_map(Observation::fault);
    // What a tag points at and is not there may be on its way there, from another machine of the registry.
    let wait = |fault: &Fault| fault.repeat_after().unwrap_or(AFTER_REPAIR).max(fault.retry_after.unwrap_or_default());
    at.checked_add(inside.chain(platforms).filter(|fault| fault.class != Class::Offline).map(wait).min()?).ok()
}

/// When a pass may decide otherwise, what is held, and the plan's id.
fn finish(plan: &mut Plan, input: &Input<'_>, answers: &Answers) {
    let at = input.observed.at;
    let in_flight = plan.images.values().any(|state| state.rebuild.as_ref().is_some_and(Rebuild::is_in_flight));
    let dates = plan.decisions.values().filter_map(|decision| decision.at).filter(|date| *date > at);
    let freeze = input.desired.freeze.next_change(at);
    plan.wake_at = if in_flight { Some(at) } else { dates.chain(freeze).chain(unanswered(answers, at)).min() };
    for (name, decision) in &plan.decisions {
        if matches!(decision.code, Code::HeldAttempts | Code::HeldUnconfirmed) {
            plan.held.push(super::prune::Held { what: format!("rebuild of {name}"), why: decision.evidence.clone(), approve: None });
        }
    }
    let unknown = |what: String, why: &Fault| Unknown { what, why: why.clone() };
    let runs = answers.runs.iter().filter_map(|(name, run)| Some(unknown(format!("run for {name}"), run.fault()?)));
    let inside = answers.inside.iter().filter_map(|(name, inside)| Some(unknown(format!("contents of {name}"), inside.fault()?)));
    let platforms =
        answers.platforms.iter().filter_map(|(image, index)| Some(unknown(format!("platforms of {}", image.familiar()), index.fault()?)));
    plan.unknown.extend(runs.chain(inside).chain(platforms));
    let mut id = Fingerprint::of(&plan.id);
    for (name, run) in &answers.runs {
        id.add(name.as_str());
        id.add(&match run {
            Observation::Known(fact) => format!("{fact:?}"),
            Observation::Unknown(_) => "?".to_owned(),
        });
    }
    for (name, decision) in &plan.decisions {
        id.add(name.as_str());
        id.add(decision.code.word());
    }
    plan.id = id.hex(16);
}
