//! The loop: a pass, a wait, again. It ends when told to, and never because of one pass.

use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::memory::Memory;
use super::outcome::{Outcome, Status};
use super::pass::{Options, World, pass};

/// Longest wait after failures, whatever the interval.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// How long the pass in hand may go on once the loop is told to stop. What is cut off is repeated by the
/// next start: nothing counts until it is published.
const DRAIN: Duration = Duration::from_secs(4);

/// How long events of a local repository settle before a look.
const SETTLE: Duration = Duration::from_millis(200);

/// How the loop runs.
#[derive(Debug, Clone)]
pub struct Rhythm {
    /// Time between the starts of two passes.
    pub interval: Duration,
}

/// Runs passes until `stop` turns true. `look` wakes the loop early; it is only a hint.
pub async fn run(
    world: &World<'_>,
    options: &Options,
    rhythm: &Rhythm,
    look: &Notify,
    mut stop: watch::Receiver<bool>,
    mut report: impl FnMut(&Outcome),
) {
    let mut memory = Memory::of_loop();
    let mut failures = 0u32;
    while !*stop.borrow() {
        let sent = {
            let running = pass(world, options, &mut memory);
            tokio::pin!(running);
            let outcome = tokio::select! {
                outcome = &mut running => outcome,
                _ = stop.wait_for(|stop| *stop) => {
                    if let Ok(outcome) = tokio::time::timeout(DRAIN, running).await {
                        report(&outcome);
                    }
                    return;
                }
            };
            failures = if outcome.status == Status::Failed { failures.saturating_add(1) } else { 0 };
            report(&outcome);
            outcome.effects.iter().any(|effect| !effect.status.is_failure())
        };
        // What was sent is recorded by the next pass: the sooner, the less there is for another to find out. What was
        // not taken waits its turn, else it would be tried again without a pause.
        let wait = if sent && memory.has_news() { SETTLE } else { wait(rhythm.interval, failures) };
        tracing::debug!(seconds = wait.as_secs_f32(), failures, "waiting");
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            // One commit makes many events; a short pause lets the last of them pass.
            () = look.notified(), if failures == 0 => tokio::time::sleep(SETTLE).await,
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// The interval with up to a tenth of jitter, so that many loops do not ask at the same moment; after
/// failures a growing wait with full jitter, from five seconds to five minutes.
fn wait(interval: Duration, failures: u32) -> Duration {
    if failures == 0 {
        return interval.mul_f32(1.0 + fastrand::f32() / 10.0);
    }
    let ceiling = Duration::from_secs(5)
        .saturating_mul(1 << failures.min(6))
        .min(LONGEST_WAIT)
        .min(interval.max(Duration::from_secs(5)).saturating_mul(8));
    ceiling.mul_f32(0.5 + fastrand::f32() / 2.0)
}
