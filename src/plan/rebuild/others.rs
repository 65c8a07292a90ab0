//! Images that a pass does not decide on, because it was asked for others only: what builds on them waits for them
//! all the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::states::States;
use super::{Busy, due, is_busy};
use crate::model::{Discovery, Entry, ImageName, ImageState, Rebuild, Trigger};

/// Counts those that are on their way, and notes which are waited for: those on their way, and those that are due as
/// far as the record tells.
pub(super) fn note(states: &States<'_>, busy: &mut BTreeMap<ImageName, Busy>) -> usize {
    let others = states.input.recorded.images.iter().filter(|(name, _)| !states.decides_on(name.as_str()));
    let mut count = 0;
    for (name, state) in others {
        count += usize::from(state.rebuild.as_ref().is_some_and(Rebuild::is_in_flight));
        if let Some(busied) = is_busy(&states.input, state).or_else(|| is_due(states, state)) {
            busy.insert(name.clone(), busied);
        }
    }
    count
}

/// Whether the next whole pass would begin its rebuild. One that nothing can begin is not waited for.
fn is_due(states: &States<'_>, state: &Arc<ImageState>) -> Option<Busy> {
    let input = &states.input;
    let entry = input.desired.entries.get(&state.name)?;
    let build = Entry::build(entry).filter(|build| build.auto_rebuild)?;
    let at = input.observed.at;
    let stopped = entry.hold.is_some()
        || state.rebuild.is_some()
        || state.discovery == Discovery::Failed
        || input.desired.freeze.holds(&state.name, at).is_some()
        || match build.rebuilt_by() {
            Trigger::Github | Trigger::Gitlab => !input.forge,
            Trigger::Docker => !input.engine,
            Trigger::Kargo => false,
            Trigger::None => true,
        };
    if stopped {
        return None;
    }
    let mut state = Arc::clone(state);
    due::settle(states, &mut state);
    let due = due::due(states, &state, build.rebuild_delay).filter(|due| due.at <= at)?;
    Some(Busy { wave: 0, content_since: due.newest })
}
