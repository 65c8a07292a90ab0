//! The dates that base images are recorded with: from when on each image may follow the last move.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::states::States;
use crate::model::{BaseState, Delay, Entry, ImageName, Subject};
use crate::plan::abreast::Abreast;
use crate::plan::{Plan, Reason};

/// An image that follows a base otherwise than after the usual delay.
struct Own<'a> {
    image: &'a ImageName,
    delay: Delay,
    /// Since when the base has content that the image was not built from.
    since: Option<Timestamp>,
}

/// Brings the dates up to date, once it is known which moves each image was not built from: an image whose base keeps
/// moving waits no longer than twice its delay.
pub(super) fn record(plan: &mut Plan, states: &mut States<'_>) {
    let input = states.input;
    let mut bases = states.take_bases();
    let mut own: BTreeMap<&ImageName, Vec<Own<'_>>> = BTreeMap::new();
    let mut entries = Abreast::of(&input.desired.entries);
    for (image, named) in &input.bases.of {
        let Some(build) = entries.at(image).and_then(Entry::build).filter(|build| build.auto_rebuild) else { continue };
        let unbuilt = states.image(image.as_str()).map(|state| &state.unbuilt).filter(|unbuilt| !unbuilt.is_empty());
        if build.rebuild_delay == Delay::WEEK && unbuilt.is_none() {
            continue;
        }
        for (base, _) in named.iter().filter_map(|base| input.bases.wanted.get_key_value(base.as_str())) {
            let since = unbuilt.and_then(|unbuilt| unbuilt.get(base.as_str())).map(|unbuilt| unbuilt.since);
            own.entry(base).or_default().push(Own { image, delay: build.rebuild_delay, since });
        }
    }
    for (name, state) in &mut bases {
        let dates = dates(state, own.get(name).map_or(&[], Vec::as_slice));
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
    states.put_bases(bases);
}

/// `default` for the usual delay, and each image whose date is another. Nothing until the base has moved once.
fn dates(state: &BaseState, own: &[Own<'_>]) -> BTreeMap<String, Option<Timestamp>> {
    let moved = state.ledger.moved_at();
    let default = moved.and_then(|at| Delay::WEEK.after(at, 1));
    let mut out = BTreeMap::from([("default".to_owned(), default)]);
    for Own { image, delay, since } in own {
        let usual = moved.and_then(|at| delay.after(at, 1));
        let cap = since.and_then(|at| delay.after(at, 2));
        let date = usual.map(|usual| cap.map_or(usual, |cap| cap.min(usual)));
        if *delay != Delay::WEEK || date != default {
            out.insert(image.to_string(), date);
        }
    }
    out
}
