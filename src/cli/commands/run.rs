//! `run` and `plan`: the same pass, with and without its end.

use std::collections::BTreeSet;

use tokio::sync::{Notify, watch};

use super::super::args::{Format, PlanArgs, RunArgs};
use super::super::output::{self, document, markdown, text};
use super::super::{settings, world};
use super::{Context, runtime};
use crate::base::{Class, Fault};
use crate::reconcile::daemon::{self, Rhythm};
use crate::reconcile::{Intervals, Memory, Options, Outcome, Status, World, pass};
use crate::registry::{self, Stored};

/// The exit code after a second signal: what shells say of a program that Ctrl-C ended.
const TOLD_TWICE: u8 = 130;

/// How long dropping the pass may take after a second signal.
const AT_ONCE: std::time::Duration = std::time::Duration::from_millis(200);

/// How many passes may follow the one that was asked for: one records what was sent, one sends what was taken over,
/// and one records that.
const FOLLOW_UPS: usize = 3;

/// One pass, or the loop.
pub(super) fn run(context: &Context, args: &RunArgs) -> Result<u8, Fault> {
    let options = options(context, args.dry_run);
    if args.once || args.dry_run {
        let outcome = one_pass(context, &options)?;
        show(context, &outcome, |context, outcome| text::ran(outcome, context.out));
        return Ok(outcome.run_code());
    }
    let rhythm = Rhythm { interval: settings::interval(&context.operator) };
    runtime()?.block_on(looping(context, options, &rhythm))
}

/// A pass that stops before anything is changed.
pub(super) fn plan(context: &Context, args: &PlanArgs) -> Result<u8, Fault> {
    let options = options(context, true);
    let outcome = one_pass(context, &options)?;
    if context.operator.output == Format::Markdown {
        text::trouble(&outcome, context.err);
        output::print(&markdown::comment(&outcome, !args.no_diff));
    } else {
        show(context, &outcome, |context, outcome| text::plan(outcome, !args.no_diff, context.out));
    }
    Ok(outcome.plan_code())
}

pub(super) fn options(context: &Context, dry_run: bool) -> Options {
    let operator = &context.operator;
    Options {
        only: operator.only.iter().cloned().collect(),
        dry_run,
        urgent: BTreeSet::new(),
        approvals: operator.approve.iter().map(|id| id.to_ascii_lowercase()).collect(),
        repo_url: world::shown_url(operator),
        allow_templates: operator.allow_templates,
        applied_only: false,
        intervals: Intervals::default(),
    }
}

/// The operator's intervals, which depend on whether somebody is logged in at Docker Hub.
async fn intervals(context: &Context) -> Result<Intervals, Fault> {
    let operator = &context.operator;
    if operator.offline {
        return Ok(settings::intervals(operator, false));
    }
    let anonymous = match registry::stored(&settings::registry(operator)?, "docker.io").await {
        Ok(stored) => stored == Stored::Nothing,
        Err(fault) => {
            tracing::warn!(%fault, "the credentials for docker.io can't be read; it is asked as rarely as without them");
            true
        }
    };
    Ok(settings::intervals(operator, anonymous))
}

/// One pass. What it sent is recorded by a second one, so that a process that ends with it leaves nothing to be
/// found out by the next.
pub(super) fn one_pass(context: &Context, options: &Options) -> Result<Outcome, Fault> {
    runtime()?.block_on(async {
        let owned = world::Owned::open(&context.operator)?;
        let world = owned.world();
        let mut memory = Memory::default();
        tokio::select! {
            biased;
            () = interrupted() => {
                world.progress.end();
                Err(Fault::new(Class::Local, "interrupted; nothing was published").hint("run it again: a pass starts from what is on the branch"))
            }
            outcome = to_the_end(&world, options, &mut memory) => Ok(outcome),
        }
    })
}

/// A pass, and what follows from it before a process may end: what was sent is recorded, and a claim that was taken
/// over is followed up after its two minutes, since no other process would before it expires again.
async fn to_the_end(world: &World<'_>, options: &Options, memory: &mut Memory) -> Outcome {
    let mut outcome = pass(world, options, memory).await;
    let after = Options { urgent: BTreeSet::new(), ..options.clone() };
    let mut waits = outcome.own_claim_at;
    for _ in 0..FOLLOW_UPS {
        if options.dry_run || !(memory.has_news() || waits.is_some()) {
            break;
        }
        if let Some(until) = waits.take().filter(|_| !memory.has_news()) {
            let wait = until.duration_since(world.clock.now());
            world.clock.sleep(std::time::Duration::try_from(wait).unwrap_or_default()).await;
        }
        let next = pass(world, &after, memory).await;
        tracing::info!(commit = ?next.commit.as_ref().map(crate::model::CommitId::short), "followed up what was claimed and sent");
        outcome.effects.extend(next.effects);
    }
    outcome
}

fn show(context: &Context, outcome: &Outcome, words: impl Fn(&Context, &Outcome) -> String) {
    match context.operator.output {
        Format::Text => {
            text::trouble(outcome, context.err);
            output::print(&words(context, outcome));
        }
        format => output::structured(&document::outcome(outcome), format),
    }
}

async fn looping(context: &Context, options: Options, rhythm: &Rhythm) -> Result<u8, Fault> {
    let options = &Options { intervals: intervals(context).await?, ..options };
    let owned = world::Owned::open(&context.operator)?;
    let look = std::sync::Arc::new(Notify::new());
    let _watcher = world::watch(&context.operator, &look);
    let (stop, stopped) = watch::channel(false);
    let twice = std::sync::Arc::new(Notify::new());
    let told_twice = std::sync::Arc::clone(&twice);
    tokio::spawn(async move {
        interrupted().await;
        tracing::info!("told to stop; finishing the pass in hand");
        let _gone = stop.send(true);
        interrupted().await;
        tracing::warn!("told twice; stopping at once");
        told_twice.notify_one();
        // A pass that computes without a pause is not dropped in time.
        tokio::time::sleep(AT_ONCE).await;
        std::process::exit(TOLD_TWICE.into());
    });
    tracing::info!(repo = %world::shown_url(&context.operator).unwrap_or_default(), interval = ?rhythm.interval, "the loop begins");
    let format = context.operator.output;
    let mut last = None;
    let world = owned.world();
    let running = daemon::run(&world, options, rhythm, &look, stopped, |outcome| {
        if format == Format::Text {
            // The same trouble is told once, not at every pass.
            let told = last.as_ref().is_some_and(|(diagnostics, unknown, held)| {
                (diagnostics, unknown, held) == (&outcome.diagnostics, &outcome.unknown, &outcome.held)
            });
            if !told {
                text::trouble(outcome, context.err);
                last = Some((outcome.diagnostics.clone(), outcome.unknown.clone(), outcome.held.clone()));
            }
            if outcome.status != Status::Converged {
                output::print(&text::ran(outcome, context.out));
            }
        } else if format == Format::Yaml {
            output::print("---\n");
            output::structured(&document::outcome(outcome), format);
        } else {
            let line = serde_json::to_string(&document::outcome(outcome)).unwrap_or_default();
            output::print(&format!("{line}\n"));
        }
    });
    tokio::select! {
        () = running => {}
        // The pass is dropped here, and its git is killed with it.
        () = twice.notified() => return Ok(TOLD_TWICE),
    }
    tracing::info!("the loop has ended");
    Ok(0)
}

/// Waits for SIGTERM or Ctrl-C.
pub(super) async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
