//! Sends what cannot be repeated, once: after its claim is published, after a fresh look that still shows it, and
//! with enough of the lease left. Builds of our own begin in the same way, and may outlive their lease: one that is
//! repeated elsewhere makes the same image.
//!
//! A kill at any moment is safe. Before the claim is published nothing was sent; after that the claim stands,
//! and whoever takes it over asks the forge first.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::ask::workflow;
use super::builds;
use super::effects::{Claims, Effect, EffectStatus};
use super::observe::join_all;
use super::pass::World;
use crate::base::{Class, Fault};
use crate::format::state_file;
use crate::format::yaml::Limits;
use crate::model::rebuild::{CONFIRM_WITHIN, LEASE, LEAST_LEASE, Rebuild, RebuildStatus, TAKE_OVER_WAIT};
use crate::model::{CommitId, Entry, ImageName, ImageReference, ImageState, Subject, Trigger};
use crate::plan::rebuild::{Send, SendResult};
use crate::plan::{Desired, Plan, planner};
use crate::ports::forge::{Dispatch, Forge, Found, Sent, Workflow};

/// Longest text that is sent as the reason, in characters.
const LONGEST_REASON: usize = 200;

/// Sends what the plan lets this process send. `now` is the moment, by the clock that nobody sets, at which the
/// pass began: claims that it made are as old as that. `config` is the commit that the plan was made from.
///
/// Gives the effects, and the tags of which builds know more than was seen.
pub(super) async fn send(
    world: &World<'_>,
    config: &CommitId,
    desired: &Desired,
    plan: &Plan,
    claims: &mut Claims,
    now: Duration,
) -> (Vec<Effect>, BTreeSet<ImageReference>) {
    let at_claim = |send: &&Send| plan.images.get(&send.image).and_then(|state| state.rebuild.as_ref()).is_some();
    let can = |send: &&Send| if is_built_here(desired, send) { world.workshop.is_some() } else { world.forge.is_some() };
    let sends: Vec<&Send> = plan.sends.iter().filter(at_claim).filter(can).collect();
    let (mut out, mut moved) = (Vec::new(), BTreeSet::new());
    if sends.is_empty() {
        return (out, moved);
    }
    for send in &sends {
        claims.began.entry((send.key.clone(), send.claimed_at)).or_insert(now);
    }
    let recorded = match fresh(world, &sends).await {
        Ok(recorded) => recorded,
        Err(fault) => {
            out.extend(sends.iter().map(|send| effect(send, desired, EffectStatus::NotSent, format!("before sending: {}", fault.text))));
            return (out, moved);
        }
    };
    world.progress.begin("sending rebuilds", Some(sends.len() as u64));
    let mut builds = Vec::new();
    for send in sends {
        let (status, reason) = match (recorded.get(&send.image), world.forge, world.workshop) {
            (None, ..) => (EffectStatus::NotSent, "the branch no longer shows the claim".to_owned()),
            (Some(state), _, Some(shop)) if is_built_here(desired, send) => match startable(world, desired, send, state, claims) {
                Ok(entry) => {
                    builds.push((send, entry, shop, builds::bases(desired, plan, state)));
                    continue;
                }
                Err(why) => (EffectStatus::NotSent, why.to_owned()),
            },
            (Some(state), Some(forge), _) => one(world, forge, desired, send, state, claims).await,
            (Some(_), ..) => continue,
        };
        out.push(effect(send, desired, status, reason));
        world.progress.advance();
    }
    // All at once: how many there are is bounded by how many may be on their way.
    let built = builds.into_iter().map(|(send, entry, shop, bases)| async move {
        let tag = planner::managed_tag(plan.images.get(&send.image).map(std::sync::Arc::as_ref));
        let result = builds::build(shop, config, entry, tag, &bases).await;
        (send, entry.tagged(tag), bases, result)
    });
    for (send, image, bases, result) in join_all(built).await {
        moved.insert(image);
        let (result, status, reason) = match result {
            Ok(digest) => (SendResult::Built(digest.clone()), EffectStatus::Sent, format!("built and pushed {}", digest.short())),
            Err(fault) => {
                // A base may have moved on.
                moved.extend(bases.into_keys());
                let reason = fault.text.clone();
                let status = if fault.class.may_pass() { EffectStatus::NotSent } else { EffectStatus::Refused };
                (SendResult::NotTaken(builds::without_log(fault)), status, reason)
            }
        };
        claims.results.insert((send.key.clone(), send.claimed_at), result);
        claims.news = true;
        out.push(effect(send, desired, status, reason));
    }
    (out, moved)
}

fn is_built_here(desired: &Desired, send: &Send) -> bool {
    trigger(desired, send) == Some(Trigger::Docker)
}

fn trigger(desired: &Desired, send: &Send) -> Option<Trigger> {
    desired.entries.get(&send.image).and_then(Entry::build).map(crate::model::Build::rebuilt_by)
}

/// The entry of a build that may begin now, or why it may not.
fn startable<'a>(
    world: &World<'_>,
    desired: &'a Desired,
    send: &Send,
    state: &ImageState,
    claims: &Claims,
) -> Result<&'a Entry, &'static str> {
    let (Some(entry), Some(rebuild)) = (desired.entries.get(&send.image), state.rebuild.as_ref()) else {
        return Err("the entry is gone");
    };
    let lease = (send.key.clone(), send.claimed_at);
    if has_time(world, rebuild, claims, &lease) { Ok(entry) } else { Err("too little of the lease is left; it will be taken over") }
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
    let kind = match trigger(desired, send) {
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
