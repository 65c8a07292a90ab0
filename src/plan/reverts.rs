//! What people took back: facts that our last commit recorded, and that the branch shows as they were before.
//!
//! The rule looks at states, not at words of commits: a `git revert`, an older file checked out and committed, and
//! a squash of either are one and the same. A digest that was taken back is not accepted again until its tag shows
//! another; a rebuild that was taken back is held until its base, or its entry, is another.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::reason::Reason;
use super::recorded::Recorded;
use crate::model::ledger::{Ledger, Tenure};
use crate::model::rebuild::{HeldWhy, Rebuild, RebuildStatus};
use crate::model::{Digest, ImageState, Subject};

/// Notes in `recorded` what is taken back of what `own`, the state as our last commit left it, says. Only states
/// that differ need be in `own`.
pub fn hold(own: &Recorded, recorded: &mut Recorded, at: Timestamp) -> BTreeMap<Subject, Reason> {
    let mut out = BTreeMap::new();
    for (name, state) in &mut recorded.bases {
        let Some(before) = own.bases.get(name) else { continue };
        if let Some(digest) = digest(&before.ledger, &mut state.ledger, at) {
            out.insert(Subject::base(name), reason(&digest));
        }
    }
    for (name, state) in &mut recorded.images {
        let Some(before) = own.images.get(name) else { continue };
        let state = Arc::make_mut(state);
        if let Some(digest) = digest(&before.ledger, &mut state.ledger, at) {
            out.insert(Subject::image(name), reason(&digest));
        }
        if let Some(reason) = rebuild(before, state, at) {
            out.insert(Subject::image(name), reason);
        }
    }
    out
}

fn reason(digest: &Digest) -> Reason {
    Reason::reverted(format!("people took {} back; it counts again once the tag has shown another digest", digest.short()))
}

/// The digest that was taken back: the tag shows one now that it held before.
fn digest(own: &Ledger, now: &mut Ledger, at: Timestamp) -> Option<Digest> {
    let (taken, current) = (own.current.as_ref()?, now.current.as_ref()?);
    let is_earlier = own.history.iter().skip(1).any(|tenure| tenure.digest == *current) || own.previous.as_ref() == Some(current);
    if taken == current || !is_earlier || now.reverted.is_some() {
        return None;
    }
    now.reverted = Some(Tenure { digest: taken.clone(), seen_at: at });
    Some(taken.clone())
}

/// The rebuild that was taken back: a claim, or that it was done.
fn rebuild(own: &ImageState, now: &mut ImageState, at: Timestamp) -> Option<Reason> {
    let open = |rebuild: &Option<Rebuild>| rebuild.clone().filter(|rebuild| rebuild.status != RebuildStatus::Held);
    let taken = match (open(&own.rebuild), open(&now.rebuild)) {
        (Some(taken), now) if now.as_ref() != Some(&taken) => taken,
        (None, Some(again)) if own.rebuild.is_none() => again,
        (None, None) if own.rebuild.is_none() && now.rebuild.is_none() => {
            let undone = own.built_from.iter().filter(|(base, digest)| now.built_from.get(*base).is_some_and(|before| before != *digest));
            let to: BTreeMap<String, Digest> = undone.map(|(base, digest)| (base.clone(), digest.clone())).collect();
            if to.is_empty() {
                return None;
            }
            Rebuild { to, ..empty(at) }
        }
        _ => return None,
    };
    now.rebuild = Some(Rebuild {
        status: RebuildStatus::Held,
        why: Some(HeldWhy::Reverted),
        note: Some("people took back the commit that recorded it".to_owned()),
        since: at,
        next_at: None,
        ..taken
    });
    Some(Reason::reverted("people took its rebuild back; it is held until its base, or its entry, is another"))
}

fn empty(at: Timestamp) -> Rebuild {
    Rebuild { key: "reverted".to_owned(), ..Rebuild::unclaimed(RebuildStatus::Held, at) }
}
