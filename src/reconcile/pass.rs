//! One pass, from snapshot to outcome. The only file that knows the order of things.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::ask;
use super::builds::Workshop;
use super::changes::{self, Difference};
use super::due::Intervals;
use super::effects::Outside;
use super::memory::{self, Memory};
use super::message::message;
use super::observe;
use super::outcome::{Change, Outcome, Status};
use super::read::{self, Unusable};
use super::reverts;
use super::send;
use super::workflows;
use crate::base::Fault;
use crate::model::{Diagnostic, ImageName, Kind, Place, Severity, Snapshot, Subject};
use crate::plan::choice::{self, TagLists};
use crate::plan::prune::Held;
use crate::plan::{Desired, Observed, Plan, Recorded, bases, planner, prune, rebuild, reverts as plan_reverts};
use crate::ports::forge::Forge;
use crate::ports::{Clock, Listing, Progress, Proposal, Publication, Registry, Repository, Sources};
use crate::render::{self, Document, View};

/// How often a lost race is planned again before the pass gives up.
const TRIES: u32 = 10;

/// Everything outside, as one pass sees it.
pub struct World<'a> {
    /// The config repository.
    pub repository: &'a dyn Repository,
    /// Source repositories; `None` when offline.
    pub sources: Option<&'a dyn Sources>,
    /// Forges; `None` when offline, or without a credential for any.
    pub forge: Option<&'a dyn Forge>,
    /// Registries.
    pub registry: &'a dyn Registry,
    /// Time.
    pub clock: &'a dyn Clock,
    /// Whoever watches.
    pub progress: &'a dyn Progress,
    /// What registries tell beside digests, and who we are; `None` when offline.
    pub outside: Option<Outside<'a>>,
    /// What images with `trigger: docker` are built with; `None` when offline, or when the operator allows no builds here.
    pub workshop: Option<Workshop<'a>>,
}

/// What the user asked for.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Only these images; empty means all.
    pub only: BTreeSet<ImageName>,
    /// Plan and stop.
    pub dry_run: bool,
    /// Images to rebuild now, whatever their delay.
    pub urgent: BTreeSet<ImageName>,
    /// IDs that release held prunes.
    pub approvals: BTreeSet<String>,
    /// The config repository's address as it may be shown, for the commit's trailers.
    pub repo_url: Option<String>,
    /// Whether templates of the config repository are used.
    pub allow_templates: bool,
    /// Render only what a cluster applies, for a stream of it.
    pub applied_only: bool,
    /// How often the loop looks at things. A pass without memory looks at everything.
    pub intervals: Intervals,
}

/// A plan and its manifests, before they are held against what is there.
struct Planned {
    listing: Listing,
    approvals: BTreeSet<String>,
    desired: Desired,
    recorded: Recorded,
    plan: Plan,
    rendered: render::Rendered,
    diagnostics: Vec<Diagnostic>,
    lists: TagLists,
}

/// One draft: a plan and what it would change.
struct Draft {
    plan: Plan,
    difference: Difference,
    desired: Desired,
    documents: BTreeMap<String, Document>,
    diagnostics: Vec<Diagnostic>,
    lists: TagLists,
}

/// The two clocks, read once at the start of a pass.
#[derive(Clone, Copy)]
struct Now {
    /// For facts that are written down. Files keep whole seconds; deciding on finer times would make a pass on its
    /// own output differ.
    wall: Timestamp,
    /// For intervals.
    monotonic: Duration,
}

impl Now {
    fn read(clock: &dyn Clock) -> Self {
        let wall = Timestamp::from_second(clock.now().as_second()).unwrap_or(Timestamp::UNIX_EPOCH);
        Self { wall, monotonic: clock.monotonic() }
    }
}

/// A pass up to its plan, for commands that look and change nothing.
#[derive(Debug, Default)]
pub struct Drafted {
    /// The commits it looked at; nothing when the settings can't be used.
    pub snapshot: Option<Snapshot>,
    /// Findings of config, Dockerfiles, state and rendering.
    pub diagnostics: Vec<Diagnostic>,
    /// What people want.
    pub desired: Desired,
    /// What earlier passes wrote down.
    pub recorded: Recorded,
    /// Tags of the repositories that were looked at.
    pub lists: TagLists,
    /// What should be recorded.
    pub plan: Plan,
    /// Manifests by path.
    pub documents: BTreeMap<String, Document>,
    /// Files that a pass would change.
    pub changes: Vec<Change>,
    /// What a pass would hold.
    pub held: Vec<Held>,
    /// The settings can't be used.
    pub invalid: bool,
}

/// Plans and renders without changing anything.
///
/// # Errors
/// When the repository can't be read; what is wrong with its files is in the findings.
pub async fn drafted(world: &World<'_>, options: &Options) -> Result<Drafted, Fault> {
    let snapshot = world.repository.snapshot().await?;
    match draft(world, options, &snapshot, Now::read(world.clock), &mut Memory::default()).await {
        Ok((Draft { plan, difference, desired, documents, diagnostics, lists }, recorded)) => Ok(Drafted {
            lists,
            snapshot: Some(snapshot),
            held: plan.held.iter().chain(&difference.held).cloned().collect(),
            changes: difference.changes,
            diagnostics,
            desired,
            recorded,
            plan,
            documents,
            invalid: false,
        }),
        Err(Unusable::Invalid(diagnostics)) => Ok(Drafted { diagnostics, invalid: true, ..Drafted::default() }),
        Err(Unusable::Fault(fault)) => Err(fault),
    }
}

/// The same without a look at the manifests that are there: nothing is said of changes and of what is held by a
/// difference.
///
/// # Errors
/// As [`drafted`].
pub async fn rendered(world: &World<'_>, options: &Options) -> Result<Drafted, Fault> {
    let snapshot = world.repository.snapshot().await?;
    match planned(world, options, &snapshot, Now::read(world.clock), &mut Memory::default(), &["state"]).await {
        Ok(Planned { desired, recorded, plan, rendered, diagnostics, .. }) => Ok(Drafted {
            snapshot: Some(snapshot),
            held: plan.held.clone(),
            diagnostics,
            desired,
            recorded,
            plan,
            documents: rendered.documents,
            ..Drafted::default()
        }),
        Err(Unusable::Invalid(diagnostics)) => Ok(Drafted { diagnostics, invalid: true, ..Drafted::default() }),
        Err(Unusable::Fault(fault)) => Err(fault),
    }
}

/// Runs one pass. Passes that share a memory have the same options.
pub async fn pass(world: &World<'_>, options: &Options, memory: &mut Memory) -> Outcome {
    let outcome = attempt(world, options, memory).await.unwrap_or_else(|unusable| match unusable {
        Unusable::Invalid(diagnostics) => Outcome::failed(diagnostics, true),
        Unusable::Fault(fault) => Outcome::failed(vec![finding(&fault)], false),
    });
    world.progress.end();
    outcome
}

async fn attempt(world: &World<'_>, options: &Options, memory: &mut Memory) -> Result<Outcome, Unusable> {
    let now = Now::read(world.clock);
    for attempt in 0..TRIES {
        world.progress.begin("looking at the config repository", None);
        let snapshot = world.repository.snapshot().await?;
        if let Some(outcome) = memory.unmoved(world, &snapshot, now.wall, now.monotonic).await {
            return Ok(outcome);
        }
        // What was seen in this pass stays seen when it plans again.
        let (mut draft, _) = draft(world, options, &snapshot, now, memory).await?;
        memory.keep(&draft.desired, &draft.plan, now.wall, now.monotonic);
        memory.leave(snapshot.record.clone());
        let mut outcome = outcome(world, &snapshot, &mut draft);
        if outcome.changes.is_empty() {
            if options.dry_run {
                return Ok(outcome);
            }
            memory.recorded(&draft.plan);
            memory.rest(&snapshot, &outcome);
            return Ok(sent(world, &snapshot, &draft, memory, now, outcome).await);
        }
        if options.dry_run {
            outcome.status = Status::Planned;
            return Ok(outcome);
        }
        let proposal = proposal(world, options, &snapshot, &draft, &outcome.changes, now.wall);
        world.progress.begin("publishing", None);
        match world.repository.publish(&proposal).await.inspect_err(|_| memory.leave(None))? {
            Publication::Published(commit) => {
                memory.leave(Some(commit.clone()));
                outcome.commit = Some(commit);
                outcome.status = Status::Published;
                memory.recorded(&draft.plan);
                return Ok(sent(world, &snapshot, &draft, memory, now, outcome).await);
            }
            Publication::Refused(why) => return Ok(held(outcome, "publishing the record", why)),
            Publication::Declined(why) => return Ok(held(outcome, "moving the branch", why)),
            Publication::Moved => {
                tracing::info!(attempt, "the branch moved; planning again from its new tip");
                world.clock.sleep(pause(attempt)).await;
            }
        }
    }
    let mut outcome = Outcome::failed(Vec::new(), false);
    outcome.held.push(Held {
        what: "publishing the record".into(),
        why: format!("the branch moved, or was locked, {TRIES} times in a row; if nobody pushes, look for a lock that was left beside it"),
        approve: None,
    });
    outcome.status = Status::Held;
    Ok(outcome)
}

/// The end of a pass: what is claimed on the branch is sent.
async fn sent(world: &World<'_>, snapshot: &Snapshot, draft: &Draft, memory: &mut Memory, now: Now, mut outcome: Outcome) -> Outcome {
    let (effects, moved) = send::send(world, &snapshot.config, &draft.desired, &draft.plan, &mut memory.claims, now.monotonic).await;
    memory.doubt(&moved);
    outcome.effects = effects;
    if outcome.is_partial() && (outcome.status == Status::Published || !outcome.effects.is_empty()) {
        outcome.status = Status::Partial;
    }
    outcome
}

/// A growing pause with jitter, so that several Plimsolls do not meet again.
fn pause(attempt: u32) -> Duration {
    let ceiling = 250u64.saturating_mul(1 << attempt.min(6)).min(15_000);
    Duration::from_millis(fastrand::u64(ceiling / 4..=ceiling))
}

async fn draft(
    world: &World<'_>,
    options: &Options,
    snapshot: &Snapshot,
    now: Now,
    memory: &mut Memory,
) -> Result<(Draft, Recorded), Unusable> {
    let planned = planned(world, options, snapshot, now, memory, &["state", "rendered"]).await?;
    let Planned { listing, approvals, desired, recorded, plan, rendered, diagnostics, lists } = planned;
    let untouched = untouched(&plan, &rendered);
    let difference = changes::difference(world.repository, &listing, &plan, &rendered.documents, &untouched, &approvals)?;
    Ok((Draft { plan, difference, desired, documents: rendered.documents, diagnostics, lists }, recorded))
}

/// Everything up to the manifests. `record` names the directories of the record branch that are listed.
async fn planned(
    world: &World<'_>,
    options: &Options,
    snapshot: &Snapshot,
    now: Now,
    memory: &mut Memory,
    record: &[&str],
) -> Result<Planned, Unusable> {
    world.progress.begin("reading config and record", None);
    let desired = read::desired(world.repository, &snapshot.config)?;
    if let Some(stranger) = options.only.iter().find(|name| !desired.entries.contains_key(*name)) {
        let fault = Fault::new(crate::base::Class::Config, format!("no image `{stranger}` is enrolled"))
            .hint("`--only` takes the `name` of an entry");
        return Err(Unusable::Fault(fault));
    }
    let listing = match &snapshot.record {
        Some(commit) => world.repository.list(commit, record)?,
        None => Listing::default(),
    };
    let mut recorded = read::recorded(world.repository, &listing, memory.lasts);
    let taken_back = match &snapshot.ours {
        Some(commit) => plan_reverts::hold(&reverts::own(world.repository, commit, &listing)?, &mut recorded, now.wall),
        None => BTreeMap::new(),
    };
    let builds = || observe::selected(&desired.entries, &options.only);
    memory.dispute(snapshot, &desired, &recorded);
    memory.see_files(world, observe::wanted_files(builds()), &options.intervals, now.monotonic).await;
    let dockerfiles = observe::dockerfiles(builds().collect::<Vec<_>>().into_iter(), world.repository, &snapshot.config, memory)?;

    let approvals: BTreeSet<String> = options.approvals.union(&desired.settings.approvals).cloned().collect();
    let prunes = image_prunes(&desired, &recorded, options, &approvals);
    let mut kept = prunes.kept.clone();
    kept.extend(desired.broken.iter().map(Subject::image));
    kept.extend(
        recorded
            .images
            .keys()
            .filter(|name| !desired.entries.contains_key(*name) && prune::is_protected(&desired, &recorded, name))
            .map(Subject::image),
    );
    let linked = bases::link(&desired, &recorded, &dockerfiles, &kept);
    let lists = memory.tags.see(world, choice::questions(&desired, &options.only), &options.intervals, now.monotonic).await;
    let choices = choice::choose(&desired, &recorded, &lists, &options.only, now.wall);
    let wanted = &planner::wanted_digests(&desired, &recorded, &linked, &options.only) | &choice::wanted(&desired, &choices);
    memory.see_digests(world, &wanted, &desired, &options.intervals, now.monotonic).await;
    let digests =
        wanted.into_iter().filter_map(|reference| memory.digests.get(&reference).cloned().map(|seen| (reference, seen))).collect();
    let observed = Observed { at: now.wall, dockerfiles, digests };

    world.progress.begin("planning", None);
    let mut plan = planner::plan(planner::Input {
        snapshot,
        desired: &desired,
        recorded: &recorded,
        bases: &linked,
        observed: &observed,
        choices: &choices,
        only: &options.only,
        prunes: &prunes,
        approvals: &approvals,
    });
    let rebuilds = rebuild::Input {
        snapshot,
        desired: &desired,
        recorded: &recorded,
        bases: &linked,
        observed: &observed,
        holder: world.outside.map_or("", |outside| outside.holder),
        offline: world.outside.is_none(),
        forge: world.forge.is_some(),
        engine: world.workshop.is_some(),
        urgent: &options.urgent,
        results: &memory.claims.results,
    };
    let questions = rebuild::questions(&mut plan, &rebuilds);
    let answers = ask::ask(world, &desired, &questions).await;
    rebuild::decide(&mut plan, &rebuilds, &answers);
    plan.explain(taken_back);
    let (templates, refused) =
        if options.allow_templates { read::templates(world.repository, &snapshot.config)? } else { (BTreeMap::new(), Vec::new()) };
    let rendered = render::render(View {
        settings: &desired.settings,
        entries: &desired.entries,
        images: &plan.images,
        bases: &plan.bases,
        kept: &plan.kept,
        templates: &templates,
        applied_only: options.applied_only,
    });
    let mut diagnostics = desired.diagnostics.clone();
    diagnostics.extend(workflows::findings(&desired, world.repository, &snapshot.config)?);
    diagnostics.extend(recorded.diagnostics.iter().cloned());
    diagnostics.extend(plan.diagnostics.iter().cloned());
    diagnostics.extend(refused);
    diagnostics.extend(rendered.faults().map(finding));
    diagnostics.extend(rendered.warnings.iter().map(|fault| Diagnostic { severity: Severity::Warning, ..finding(fault) }));
    if snapshot.rewritten {
        let message = "the record branch was rewritten by people since the last pass; going on from its new head".to_owned();
        diagnostics.push(Diagnostic {
            severity: Severity::Warning,
            code: "branch-rewritten",
            place: Place::default(),
            message,
            hint: None,
        });
    }
    Ok(Planned { listing, approvals, desired, recorded, plan, rendered, diagnostics, lists })
}

fn image_prunes(desired: &Desired, recorded: &Recorded, options: &Options, approvals: &BTreeSet<String>) -> prune::Verdict {
    let unwanted = prune::unwanted_images(desired, recorded);
    if options.only.is_empty() {
        prune::brake(Kind::Image, unwanted, desired.entries.len(), approvals)
    } else {
        prune::Verdict { kept: unwanted, ..prune::Verdict::default() }
    }
}

/// Paths of everything that stays exactly as it is.
fn untouched(plan: &Plan, rendered: &render::Rendered) -> BTreeSet<String> {
    let mut out: BTreeSet<String> = plan.kept.iter().flat_map(|subject| render::paths(subject).chain([subject.state_path()])).collect();
    out.extend(rendered.untouched().map(str::to_owned));
    out
}

/// What a pass tells of its draft. Changes and decisions are taken out of it: there may be many, and large ones.
fn outcome(world: &World<'_>, snapshot: &Snapshot, draft: &mut Draft) -> Outcome {
    let mut outcome = Outcome {
        id: draft.plan.id.clone(),
        snapshot: Some(snapshot.clone()),
        status: Status::Converged,
        commit: None,
        changes: std::mem::take(&mut draft.difference.changes),
        effects: Vec::new(),
        decisions: Arc::new(std::mem::take(&mut draft.plan.decisions)),
        held: draft.plan.held.iter().chain(&draft.difference.held).cloned().collect(),
        unknown: draft.plan.unknown.iter().filter(|unknown| unknown.is_failure()).cloned().collect(),
        diagnostics: draft.diagnostics.clone(),
        invalid: false,
        own_claim_at: send::taken_over(world, &draft.plan),
        wake_at: memory::settles_at(&draft.plan).into_iter().chain(draft.plan.wake_at).min(),
    };
    if outcome.changes.is_empty() && outcome.is_partial() {
        outcome.status = if outcome.held.is_empty() { Status::Partial } else { Status::Held };
    }
    outcome
}

fn held(mut outcome: Outcome, what: &str, why: String) -> Outcome {
    outcome.held.push(Held { what: what.to_owned(), why, approve: None });
    outcome.status = Status::Held;
    outcome
}

fn proposal(world: &World<'_>, options: &Options, snapshot: &Snapshot, draft: &Draft, changes: &[Change], at: Timestamp) -> Proposal {
    let source = world.repository.facts(&snapshot.config).ok();
    let settings = &draft.desired.settings;
    let content = |change: &Change| (change.action != super::Action::Delete).then(|| change.after.clone());
    Proposal {
        parent: snapshot.record.clone(),
        config: snapshot.config.clone(),
        files: changes.iter().map(|change| (change.path.clone(), content(change))).collect(),
        author: settings.author.clone(),
        email: settings.email.clone(),
        when: at,
        message: message(settings, snapshot, &draft.plan.id, changes, source.as_ref(), options.repo_url.as_deref()),
    }
}

/// A fault as a finding about no file in particular.
fn finding(fault: &Fault) -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        code: fault.class.word(),
        place: Place::default(),
        message: fault.text.clone(),
        hint: fault.hint.clone(),
    }
}
