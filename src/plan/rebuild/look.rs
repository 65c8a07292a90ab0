//! Looks into an image: what they mean for what it was built from.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::due::Base;
use super::input::{Answers, BaseQuestion};
use super::proof::{self, Finding};
use super::states::States;
use crate::base::{Class, Fault};
use crate::model::rebuild::{Examined, Verdict};
use crate::model::{Digest, ImageState};
use crate::plan::Observation;

/// What is known of the bases that an image should contain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Look {
    /// It was not looked at.
    None,
    /// It could not be looked at.
    Fault(Fault),
    /// It contains all of them.
    Proven,
    /// It still contains an old one.
    NotProven,
    /// Some can't be seen in it, and no old one can.
    Unknown,
}

/// The bases that an image should contain and is not known to: those that moved, and those of its rebuild.
pub(super) fn targets(states: &States<'_>, state: &ImageState) -> Vec<BaseQuestion> {
    let wanted = state.rebuild.as_ref().map(|rebuild| &rebuild.to);
    let mut names: Vec<&String> = state.unbuilt.keys().chain(wanted.into_iter().flat_map(BTreeMap::keys)).collect();
    names.sort();
    names.dedup();
    let question = |name: &String| {
        let base = Base::of(states, name)?;
        let before = state.built_from.get(name);
        let mut digests = base.digests_after(before);
        if let Some(digest) = wanted.and_then(|wanted| wanted.get(name)).filter(|digest| !digests.contains(digest)) {
            digests.push(digest.clone());
        }
        let before = before.filter(|before| !digests.contains(before)).cloned();
        Some(BaseQuestion { name: name.clone(), image: base.image(), wanted: digests, before })
    };
    names.into_iter().filter(|name| state.base_images.contains(name) && !state.pinned.contains(name)).filter_map(question).collect()
}

/// What a look is held against: the newest digest of each base.
pub(super) fn against(targets: &[BaseQuestion]) -> BTreeMap<String, Digest> {
    targets.iter().filter_map(|base| Some((base.name.clone(), base.wanted.first()?.clone()))).collect()
}

/// Whether the same question was already answered without a proof.
pub(super) fn examined(state: &ImageState, targets: &[BaseQuestion]) -> Option<Verdict> {
    let examined = state.examined.as_ref()?;
    (Some(&examined.digest) == state.ledger.current.as_ref() && examined.against == against(targets)).then_some(examined.verdict)
}

/// Takes in the look at an image, if there was one: what is proven is what it was built from.
pub(super) fn take(states: &States<'_>, answers: &Answers, state: &mut Arc<ImageState>) -> Look {
    let targets = targets(states, state);
    if targets.is_empty() {
        return Look::None;
    }
    match examined(state, &targets) {
        Some(Verdict::NotProven) => return Look::NotProven,
        Some(Verdict::Unknown) => return Look::Unknown,
        None => {}
    }
    let Some(current) = state.ledger.current.clone() else { return Look::None };
    let findings: Vec<Finding> = match answers.inside.get(&state.name) {
        None => return Look::None,
        Some(Observation::Unknown(fault)) if !is_about_content(fault) => return Look::Fault(fault.clone()),
        // What is there and makes no sense tells nothing, now and later.
        Some(Observation::Unknown(_)) => targets.iter().map(|_| Finding::Unknown).collect(),
        Some(Observation::Known(inside)) if inside.digest != current => return Look::None,
        Some(Observation::Known(inside)) => targets.iter().map(|base| proof::find(inside, base)).collect(),
    };
    let state = Arc::make_mut(state);
    let mut is_older = false;
    for (base, finding) in targets.iter().zip(&findings) {
        if let Finding::Proven(digest) = finding {
            is_older |= state.rebuild.as_ref().and_then(|rebuild| rebuild.to.get(&base.name)).is_some_and(|to| is_before(base, digest, to));
            state.built_from.insert(base.name.clone(), digest.clone());
            state.unbuilt.remove(&base.name);
        }
    }
    // Somebody built it from a base that is newer than before, and older than the one a rebuild is for.
    let verdict = if findings.contains(&Finding::NotProven) || is_older {
        Verdict::NotProven
    } else if findings.contains(&Finding::Unknown) {
        Verdict::Unknown
    } else {
        state.examined = None;
        return Look::Proven;
    };
    state.examined = Some(Examined { digest: current, against: against(&targets), verdict });
    if verdict == Verdict::NotProven { Look::NotProven } else { Look::Unknown }
}

/// Whether a digest of a base came before another one.
fn is_before(base: &BaseQuestion, digest: &Digest, other: &Digest) -> bool {
    let age = |digest: &Digest| base.wanted.iter().position(|wanted| wanted == digest);
    age(digest) > age(other)
}

/// Whether a fault says that there is nothing to be learned, rather than that nothing was learned.
fn is_about_content(fault: &Fault) -> bool {
    matches!(fault.class, Class::Missing | Class::Malformed | Class::Limit)
}
