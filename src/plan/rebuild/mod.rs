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
mod proof;
mod record;
mod select;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::planner::Plan;
use super::{Observation, Reason, Unknown};
use crate::base::{Fault, Fingerprint};
use crate::model::rebuild::{CONFIRM_WITHIN, RebuildStatus};
use crate::model::{Build, Entry, ImageGraph, ImageName, ImageState, Rebuild, Subject, Trigger};

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
    for name in order(plan) {
        let Some(build) = input.desired.entries.get(&name).and_then(Entry::build) else { continue };
        let Some(mut state) = plan.images.remove(&name) else { continue };
        gates::pins(plan, input, &mut state);
        due::settle(plan, input, &mut state);
        select::run(&mut out, build, &state);
        select::platforms(&mut out, plan, input, build, &state);
        select::inside(&mut out, plan, input, build, &state);
        plan.images.insert(name, state);
    }
    out
}

/// Decides on every managed image of the plan.
pub fn decide(plan: &mut Plan, input: &Input<'_>, answers: &Answers) {
    let graph = graph(plan);
    let cyclic: BTreeSet<ImageName> = graph.cycles().into_iter().flatten().collect();
    let mut busy: BTreeMap<ImageName, Busy> = BTreeMap::new();
    let mut open: Vec<gates::Candidate> = Vec::new();
    let mut in_flight = others::note(plan, input, &mut busy);
    for name in order(plan) {
        let Some((entry, build)) = input.desired.entries.get(&name).and_then(|entry| Some((entry, entry.build()?))) else { continue };
        let Some(state) = plan.images.remove(&name) else { continue };
        let mut one = One { plan, input, answers, entry, build, state, reasons: Vec::new() };
        let outcome = if cyclic.contains(&name) { one.in_cycle() } else { one.decide(&graph, &busy) };
        let follows = one.follows(&busy);
        let One { state, reasons, .. } = one;
        match outcome {
            Outcome::Decided(decision, send) => {
                if state.rebuild.as_ref().is_some_and(Rebuild::is_in_flight) {
                    in_flight += 1;
                }
                // An image that is due as soon as something answers is waited for as well.
                let stalled = decision.code == Code::Unknown && !state.unbuilt.is_empty();
                let stalled = stalled.then_some(Busy { wave: 0, content_since: input.observed.at });
                if let Some(busied) = is_busy(input, &state).or(follows).or(stalled) {
                    busy.insert(name.clone(), busied);
                }
                plan.sends.extend(send);
                plan.decisions.insert(name.clone(), decision);
            }
            Outcome::Due(candidate) => {
                busy.insert(name.clone(), candidate.busy());
                open.push(*candidate);
            }
        }
        put(plan, input, state, &reasons);
    }
    begin(plan, input, open, in_flight);
    dates::record(plan, input);
    finish(plan, input, answers);
}

/// One image while it is decided on.
struct One<'a, 'b> {
    plan: &'b Plan,
    input: &'b Input<'a>,
    answers: &'b Answers,
    entry: &'a Entry,
    build: &'a Build,
    state: ImageState,
    reasons: Vec<Reason>,
}

/// What came of it.
enum Outcome {
    Decided(Decision, Option<Send>),
    Due(Box<gates::Candidate>),
}

/// Images before those that build on them; those in a cycle, for which there is no order, at the end.
fn order(plan: &Plan) -> Vec<ImageName> {
    let graph = graph(plan);
    let all: BTreeSet<ImageName> = plan.images.keys().cloned().collect();
    let mut out: Vec<ImageName> = graph.waves(&all).into_iter().flatten().collect();
    let placed: BTreeSet<ImageName> = out.iter().cloned().collect();
    out.extend(all.difference(&placed).cloned());
    out
}

fn graph(plan: &Plan) -> ImageGraph {
    ImageGraph::new(plan.images.iter().map(|(name, state)| (name.clone(), state.base_images.iter().cloned().collect())))
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
    let trigger = input.desired.entries.get(&state.name).and_then(Entry::build).map(Build::rebuilt_by);
    let rebuild = state.rebuild.as_ref()?;
    let waited_for = match rebuild.status {
        RebuildStatus::Claimed | RebuildStatus::Sent | RebuildStatus::Failed => true,
        RebuildStatus::Eligible => trigger == Some(Trigger::Kargo) && input.observed.at.duration_since(rebuild.since) < CONFIRM_WITHIN,
        RebuildStatus::Held => false,
    };
    waited_for.then(|| Busy { wave: 0, content_since: rebuild.content_since.unwrap_or(rebuild.since) })
}

/// Begins what is due: urgent ones at once, then those that have been due longest, as many as may be on their way.
fn begin(plan: &mut Plan, input: &Input<'_>, mut open: Vec<gates::Candidate>, mut in_flight: usize) {
    let most = usize::try_from(input.desired.settings.rebuild.max_concurrent).unwrap_or(usize::MAX);
    open.sort_by(|a, b| (!a.urgent, a.at, &a.name).cmp(&(!b.urgent, b.at, &b.name)));
    for candidate in open {
        let name = candidate.name.clone();
        let Some(mut state) = plan.images.remove(&name) else { continue };
        let mut reasons = Vec::new();
        let decision = if let Some(parent) = &candidate.parent {
            Decision::new(Code::ParentRebuilding, format!("it builds on {parent}; wave {}", candidate.wave + 1))
        } else if candidate.trigger.is_ours() && in_flight >= most && !candidate.urgent {
            Decision::new(Code::MaxInFlight, format!("{in_flight} are on their way, at most {most}"))
        } else if candidate.trigger.is_ours() && input.snapshot.rewritten {
            Decision::new(Code::Rewritten, "the record branch does not descend from the head that was seen last")
        } else {
            in_flight += usize::from(candidate.trigger.is_ours());
            let (decision, reason, send) = candidate.begin(input, &mut state);
            reasons.extend(reason);
            plan.sends.extend(send);
            decision
        };
        plan.decisions.insert(name, decision);
        put(plan, input, state, &reasons);
    }
}

/// Puts a state back, with its reasons and the time of the check that changed it.
fn put(plan: &mut Plan, input: &Input<'_>, mut state: ImageState, reasons: &[Reason]) {
    let subject = Subject::image(&state.name);
    plan.add_reasons(subject, reasons);
    if input.recorded.images.get(&state.name).is_none_or(|prior| *prior != state) {
        state.last_discovery = Some(input.observed.at);
    }
    plan.images.insert(state.name.clone(), state);
}

/// When a pass may decide otherwise, what is held, and the plan's id.
fn finish(plan: &mut Plan, input: &Input<'_>, answers: &Answers) {
    let at = input.observed.at;
    let in_flight = plan.images.values().any(|state| state.rebuild.as_ref().is_some_and(Rebuild::is_in_flight));
    let dates = plan.decisions.values().filter_map(|decision| decision.at).filter(|date| *date > at);
    let freeze = input.desired.freeze.next_change(at);
    plan.wake_at = if in_flight { Some(at) } else { dates.chain(freeze).min() };
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
