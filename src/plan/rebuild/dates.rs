//! The dates that base images are recorded with: from when on each image may follow the last move.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::input::Input;
use crate::model::{BaseState, Delay, ImageName, Subject};
use crate::plan::{Plan, Reason, planner};

/// Brings the dates up to date, once it is known which moves each image was not built from: an image whose base keeps
/// moving waits no longer than twice its delay.
pub(super) fn record(plan: &mut Plan, input: &Input<'_>) {
    let dependents = planner::dependents(input.bases, input.desired);
    let mut bases = std::mem::take(&mut plan.bases);
    for (name, state) in &mut bases {
        let dates = dates(plan, input, state, dependents.get(name));
        if state.eligible_at == dates {
            continue;
        }
        state.eligible_at = dates;
        state.last_checked = Some(input.observed.at);
        let subject = Subject::base(name);
        if !plan.reasons.contains_key(&subject) {
            let reason = Reason::dependents_changed("the images that build on it, or the dates from which on they may follow it, changed");
            plan.add_reasons(subject, &[reason]);
        }
    }
    plan.bases = bases;
}

/// `default` for the usual delay, and each image whose date is another. Nothing until the base has moved once.
fn dates(
    plan: &Plan,
    input: &Input<'_>,
    state: &BaseState,
    dependents: Option<&Vec<(String, Delay)>>,
) -> BTreeMap<String, Option<Timestamp>> {
    let after = |at: Timestamp, delay: Delay, times: i32| {
        let wait = SignedDuration::try_from(delay.duration()).unwrap_or(SignedDuration::MAX);
        at.checked_add(wait.checked_mul(times)?).ok()
    };
    let moved = state.ledger.moved_at();
    let default = moved.and_then(|at| after(at, Delay::WEEK, 1));
    let mut out = BTreeMap::from([("default".to_owned(), default)]);
    for (image, delay) in dependents.into_iter().flatten() {
        let known = ImageName::parse(image).ok().and_then(|name| plan.images.get(&name).or_else(|| input.recorded.images.get(&name)));
        let first = known.and_then(|image| image.unbuilt.get(state.name.as_str())).map(|unbuilt| unbuilt.since);
        let usual = moved.and_then(|at| after(at, *delay, 1));
        let cap = first.and_then(|at| after(at, *delay, 2));
        let date = usual.map(|usual| cap.map_or(usual, |cap| cap.min(usual)));
        if *delay != Delay::WEEK || date != default {
            out.insert(image.clone(), date);
        }
    }
    out
}
