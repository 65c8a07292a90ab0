//! Sends what cannot be repeated, once: after its claim is published, after a fresh look that still shows it, and
//! with enough of the lease left.
//!
//! A kill at any moment is safe. Before the claim is published nothing was sent; after that the claim stands,
//! and whoever takes it over asks the forge first.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::ask::workflow;
use super::effects::{Claims, Effect, EffectStatus};
use super::pass::World;
use crate::base::{Class, Fault};
use crate::format::state_file;
use crate::format::yaml::Limits;
use crate::model::rebuild::{CONFIRM_WITHIN, LEASE, LEAST_LEASE, Rebuild, RebuildStatus, TAKE_OVER_WAIT};
use crate::model::{Entry, ImageName, ImageState, Subject, Trigger};
use crate::plan::rebuild::{Send, SendResult};
use crate::plan::{Desired, Plan};
use crate::ports::forge::{Dispatch, Forge, Found, Sent, Workflow};

/// Longest text that is sent as the reason, in characters.
const LONGEST_REASON: usize = 200;

/// Sends what the plan lets this process send. `now` is the moment, by the clock that nobody sets, at which the
/// pass began: claims that it made are as old as that.
pub(super) async fn send(world: &World<'_>, desired: &Desired, plan: &Plan, claims: &mut Claims, now: Duration) -> Vec<Effect> {
    let at_claim = |send: &&Send| plan.images.get(&send.image).and_then(|state| state.rebuild.as_ref()).is_some();
    let sends: Vec<&Send> = plan.sends.iter().filter(at_claim).collect();
    let Some(forge) = world.forge.filter(|_| !sends.is_empty()) else { return Vec::new() };
    for send in &sends {
        claims.began.entry((send.key.clone(), send.claimed_at)).or_insert(now);
    }
    let mut out = Vec::new();
    let recorded = match fresh(world, &sends).await {
        Ok(recorded) => recorded,
        Err(fault) => {
            out.extend(sends.iter().map(|send| effect(send, desired, EffectStatus::NotSent, format!("before sending: {}", fault.text))));
            return out;
        }
    };
    world.progress.begin("sending rebuilds", Some(sends.len() as u64));
    for send in sends {
        let (status, reason) = match recorded.get(&send.image) {
            Some(state) => one(world, forge, desired, send, state, claims).await,
            None => (EffectStatus::NotSent, "the branch no longer shows the claim".to_owned()),
        };
        out.push(effect(send, desired, status, reason));
        world.progress.advance();
    }
    out
}

/// When the first claim that this process took over, and has not sent, may be sent.
pub(super) fn taken_over(world: &World<'_>, plan: &Plan) -> Option<Timestamp> {
    let holder = world.outside?.holder;
    let own = plan.images.values().filter_map(|state| state.rebuild.as_ref()).filter(|rebuild| {
        rebuild.status == RebuildStatus::Claimed && rebuild.taken_from.is_some() && rebuild.holder.as_deref() == Some(holder)
    });
    own.filter_map(|rebuild| rebuild.claimed_at?.checked_add(TAKE_OVER_WAIT).ok()).min()
}

fn effect(send: &Send, desired: &Desired, status: EffectStatus, reason: String) -> Effect {
    let trigger = desired.entries.get(&send.image).and_then(Entry::build).map(crate::model::Build::rebuilt_by);
    let kind = match trigger {
        Some(Trigger::Gitlab) => "pipeline",
        Some(Trigger::Docker) => "build",
        _ => "dispatch",
    };
    Effect { key: send.key.clone(), kind, target: send.image.to_string(), status, reason }
}

/// The states, as the branch shows them now, of the images whose claims it still shows.
async fn fresh(world: &World<'_>, sends: &[&Send]) -> Result<BTreeMap<ImageName, ImageState>, Fault> {
    let snapshot = world.repository.snapshot().await?;
    let commit = snapshot.record.filter(|_| !snapshot.rewritten);
    let commit = commit.ok_or_else(|| Fault::new(Class::Refused, "people rewrote the record branch; nothing is sent in this pass"))?;
    let paths: Vec<String> = sends.iter().map(|send| Subject::image(&send.image).state_path()).collect();
    let listing = world.repository.list(&commit, &paths.iter().map(String::as_str).collect::<Vec<_>>())?;
    let mut out = BTreeMap::new();
    for (send, path) in sends.iter().zip(&paths) {
        let Some(file) = listing.files.get(path) else { continue };
        let bytes = world.repository.read(&file.blob, Limits::FILE.bytes as u64)?;
        let Ok(state) = state_file::read_image(&send.image, &bytes) else { continue };
        if state.rebuild.as_ref().is_some_and(|rebuild| is_ours(world, rebuild, send)) {
            out.insert(send.image.clone(), state);
        }
    }
    Ok(out)
}

fn is_ours(world: &World<'_>, rebuild: &Rebuild, send: &Send) -> bool {
    rebuild.status == RebuildStatus::Claimed
        && rebuild.key == send.key
        && rebuild.claimed_at == Some(send.claimed_at)
        && rebuild.holder.as_deref() == world.outside.map(|outside| outside.holder)
}

async fn one(
    world: &World<'_>,
    forge: &dyn Forge,
    desired: &Desired,
    send: &Send,
    state: &ImageState,
    claims: &mut Claims,
) -> (EffectStatus, String) {
    let not_sent = |why: &str| (EffectStatus::NotSent, why.to_owned());
    let (Some(entry), Some(rebuild)) = (desired.entries.get(&send.image), state.rebuild.as_ref()) else {
        return not_sent("the entry is gone");
    };
    let Some(workflow) = entry.build().and_then(workflow) else { return not_sent("the entry names no workflow") };
    let lease = (send.key.clone(), send.claimed_at);
    let taken_over = rebuild.taken_from.is_some();
    let since = if taken_over { send.claimed_at.saturating_sub(CONFIRM_WITHIN).unwrap_or(send.claimed_at) } else { send.claimed_at };
    match forge.find(&workflow, &send.key, since).await {
        // A branch that was rewritten, or a process that died, may have forgotten that it was sent.
        Ok(Found::Run(run)) => {
            let reason = format!("run {} has this key", run.id);
            claims.results.insert(lease, SendResult::Run(run.id));
            claims.news = true;
            return (EffectStatus::Adopted, reason);
        }
        Ok(Found::Inconclusive(why)) if taken_over => return not_sent(&why),
        Ok(Found::Absent | Found::Inconclusive(_)) => {}
        Err(fault) => return not_sent(&fault.text),
    }
    if !has_time(world, rebuild, claims, &lease) {
        return not_sent("too little of the lease is left; it will be taken over");
    }
    let dispatch = dispatch(workflow, entry, state, rebuild);
    // Whatever happens from here on, it may have been sent.
    claims.results.insert(lease.clone(), SendResult::Lost);
    claims.news = true;
    let (result, told) = match forge.dispatch(&dispatch).await {
        Ok(Sent::Run(id)) => {
            let reason = format!("run {id}");
            (SendResult::Run(id), (EffectStatus::Sent, reason))
        }
        Ok(Sent::Accepted) => (SendResult::Accepted, (EffectStatus::Sent, "taken, without a word of the run".to_owned())),
        Err(fault) if matches!(fault.class, Class::Transient | Class::Malformed | Class::Internal) => {
            let reason = fault.text.clone();
            (SendResult::Lost, (EffectStatus::Unconfirmed, reason))
        }
        Err(fault) => {
            let reason = fault.text.clone();
            (SendResult::NotTaken(fault), (EffectStatus::Refused, reason))
        }
    };
    claims.results.insert(lease, result);
    told
}

/// Whether enough of the lease is left, by the clock that nobody sets and by the one that others see.
fn has_time(world: &World<'_>, rebuild: &Rebuild, claims: &Claims, lease: &super::effects::Lease) -> bool {
    let Some(began) = claims.began.get(lease) else { return false };
    let (whole, enough) = (duration(LEASE), duration(LEAST_LEASE));
    let left = whole.saturating_sub(world.clock.monotonic().saturating_sub(*began));
    let latest = rebuild.expires_at.and_then(|expires| expires.checked_sub(LEAST_LEASE).ok());
    left >= enough && latest.is_some_and(|latest| world.clock.now() <= latest)
}

fn duration(time: SignedDuration) -> Duration {
    Duration::try_from(time).unwrap_or_default()
}

/// The request, with what a workflow may want to know. A workflow gets only the inputs that it declares.
fn dispatch(workflow: Workflow, entry: &Entry, state: &ImageState, rebuild: &Rebuild) -> Dispatch {
    let list = |items: Vec<String>| items.join(" ");
    let old = rebuild.to.keys().map(|base| state.built_from.get(base).map_or("none", |digest| digest.as_str()).to_owned());
    let new = rebuild.to.values().map(|digest| digest.as_str().to_owned());
    let bases: Vec<String> = rebuild.to.iter().map(|(base, digest)| format!("{base}@{}", digest.short())).collect();
    let reason: String = format!("plimsoll: {} moved", bases.join(", ")).chars().take(LONGEST_REASON).collect();
    let inputs = [
        ("plimsoll_key", rebuild.key.clone()),
        ("image", entry.repo_url()),
        ("base_image", list(rebuild.to.keys().cloned().collect())),
        ("base_digest", list(new.collect())),
        ("old_base_digest", list(old.collect())),
        ("reason", reason),
    ];
    Dispatch { workflow, key: rebuild.key.clone(), inputs: inputs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect() }
}
