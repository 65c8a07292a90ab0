//! Whether a host may be asked right now: its own wish for quiet, what it still allows, and a breaker for hosts that are
//! down.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::allowance::{Allowance, Unit};
use super::trouble::{Again, Trouble};
use super::waits::Waits;
use crate::base::{Class, Fault};

/// Transient failures in a row that open the breaker.
const FAILURES: u32 = 5;

/// How long an open breaker answers by itself before it lets one request through.
const OPEN: Duration = Duration::from_secs(30);

/// Good answers after which a host that said 429 may be asked one more at a time.
const HEALING: u32 = 16;

/// Gates of all hosts met so far, by `host:port`.
#[derive(Debug)]
pub(super) struct Gates {
    gates: Mutex<HashMap<String, Arc<Gate>>>,
    waits: Waits,
}

/// The gate of one host.
#[derive(Debug)]
pub(super) struct Gate {
    host: String,
    waits: Waits,
    state: Mutex<State>,
    left: Notify,
}

#[derive(Debug, Default)]
struct State {
    failures: u32,
    /// Set while the breaker is open; moved on by each probe, so that there is one probe per interval.
    open_until: Option<Instant>,
    quiet: Option<Quiet>,
    /// Requests on their way.
    inside: u64,
    /// Most at a time, after the host has said 429.
    most: Option<u64>,
    /// Good answers since `most` was changed.
    good: u32,
    /// What the host still allows, and until when that is worth anything.
    allowed: Option<(Allowance, Instant)>,
    /// When waits of other processes were looked at last.
    looked: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Quiet {
    until: Instant,
    class: Class,
}

/// The right to one request; given back when dropped.
#[derive(Debug)]
pub(super) struct Pass(Arc<Gate>);

impl Drop for Pass {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.inside = state.inside.saturating_sub(1);
        drop(state);
        self.0.left.notify_waiters();
    }
}

impl Gates {
    /// Gates whose longer waits are kept in `waits`.
    pub(super) fn new(waits: Waits) -> Self {
        Self { gates: Mutex::default(), waits }
    }

    /// The gate of `host`.
    pub(super) fn of(&self, host: &str) -> Arc<Gate> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gate) = gates.get(host) {
            return Arc::clone(gate);
        }
        let gate = Gate { host: host.to_owned(), waits: self.waits.clone(), state: Mutex::default(), left: Notify::new() };
        Arc::clone(gates.entry(host.to_owned()).or_insert(Arc::new(gate)))
    }
}

impl Gate {
    /// Lets a request pass, or says why not; waits while as many are on their way as the host allows. A request let
    /// through an open breaker is its probe. `pull` says whether the host may count it as one.
    pub(super) async fn enter(self: &Arc<Self>, pull: bool) -> Result<Pass, Trouble> {
        loop {
            // Made before looking, so that one who leaves in between is not missed.
            let left = self.left.notified();
            if self.admit(pull, Instant::now())? {
                return Ok(Pass(Arc::clone(self)));
            }
            left.await;
        }
    }

    /// Whether one more may pass now; `false` when one that is inside must leave first.
    fn admit(&self, pull: bool, now: Instant) -> Result<bool, Trouble> {
        let mut state = self.lock();
        if state.looked.is_none_or(|at| self.waits.due(at, now)) {
            state.looked = Some(now);
            if let Some((left, class)) = self.waits.of(&self.host) {
                state.quieten(now + left, class);
            }
        }
        if let Some(quiet) = state.quiet.filter(|quiet| quiet.until > now) {
            return Err(self.wants_quiet(quiet.until - now, quiet.class));
        }
        state.quiet = None;
        match state.open_until {
            Some(until) if until > now => {
                let text = format!("not asked: {} failed {} times in a row", self.host, state.failures);
                return Err(Fault::new(Class::Transient, text).retry_after(Some(until - now)).into());
            }
            Some(_) => state.open_until = Some(now + OPEN),
            None => {}
        }
        let mut most = state.most.unwrap_or(u64::MAX);
        match state.allowed.filter(|(_, until)| *until > now) {
            Some((allowance, until)) if allowance.unit == Unit::Pulls => {
                if pull && allowance.remaining == 0 {
                    return Err(self.wants_quiet(until - now, Class::Limited));
                }
            }
            // None left is a wish for quiet, which was heard above.
            Some((allowance, _)) => most = most.min(allowance.remaining.max(1)),
            None => state.allowed = None,
        }
        if state.inside >= most {
            return Ok(false);
        }
        state.inside += 1;
        Ok(true)
    }

    fn wants_quiet(&self, left: Duration, class: Class) -> Trouble {
        let text = format!("not asked: {} wants {} s more without requests", self.host, left.as_secs_f64().ceil());
        let fault = Fault::new(class, text).retry_after(Some(left));
        Trouble { fault, again: Again::After(left), whole_host: true }
    }

    /// The host answered in a way that shows it works, and said what it still allows.
    pub(super) fn succeeded(&self, allowance: Option<Allowance>, now: Instant) {
        let mut state = self.lock();
        state.failures = 0;
        state.open_until = None;
        if let Some(most) = state.most {
            state.good += 1;
            if state.good >= HEALING {
                state.good = 0;
                state.most = Some(most.saturating_add(1)).filter(|most| *most < 256);
            }
        }
        let Some(allowance) = allowance else { return };
        let until = now + allowance.reset;
        state.allowed = Some((allowance, until));
        if allowance.remaining == 0 && allowance.unit == Unit::Requests {
            state.quieten(until, Class::Limited);
            drop(state);
            self.waits.keep(&self.host, allowance.reset, Class::Limited);
        }
    }

    /// The host did not answer, or with 5xx.
    pub(super) fn failed(&self, now: Instant) {
        let mut state = self.lock();
        state.failures = state.failures.saturating_add(1);
        if state.failures >= FAILURES && state.open_until.is_none_or(|until| until <= now) {
            state.open_until = Some(now + OPEN);
        }
    }

    /// The host asked for quiet; questions in that time are answered with `class`. The longest wish counts. After 429 half
    /// as many requests as were on their way may be so again.
    pub(super) fn quiet(&self, wait: Duration, class: Class, now: Instant) {
        let mut state = self.lock();
        if class == Class::Limited {
            state.failures = 0;
            state.open_until = None;
            // Those refused together count once: the first one told.
            if state.quiet.is_none_or(|quiet| quiet.until <= now) {
                state.most = Some((state.inside / 2).max(1));
                state.good = 0;
            }
        }
        if state.quieten(now + wait, class) {
            drop(state);
            self.waits.keep(&self.host, wait, class);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether the wish is new: longer than the one that stands.
    fn quieten(&mut self, until: Instant, class: Class) -> bool {
        let longer = self.quiet.is_none_or(|quiet| quiet.until < until);
        if longer {
            self.quiet = Some(Quiet { until, class });
        }
        longer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate() -> Arc<Gate> {
        Gates::new(Waits::default()).of("r.example")
    }

    /// The class of the refusal, or `None` when a request may pass. It leaves at once.
    fn class(gate: &Arc<Gate>, now: Instant) -> Option<Class> {
        match gate.admit(false, now) {
            Ok(true) => {
                drop(Pass(Arc::clone(gate)));
                None
            }
            Ok(false) => panic!("nobody is inside"),
            Err(trouble) => Some(trouble.fault.class),
        }
    }

    #[test]
    fn the_breaker_opens_after_five_failures_and_probes_once_per_interval() {
        let (gate, start) = (gate(), Instant::now());
        for _ in 0..4 {
            gate.failed(start);
        }
        assert_eq!(class(&gate, start), None);
        gate.failed(start);
        assert_eq!(class(&gate, start), Some(Class::Transient));

        let probe = start + OPEN;
        assert_eq!(class(&gate, probe), None);
        assert_eq!(class(&gate, probe), Some(Class::Transient));
        gate.failed(probe);
        assert_eq!(class(&gate, probe + OPEN - Duration::from_secs(1)), Some(Class::Transient));
        assert_eq!(class(&gate, probe + OPEN), None);
        gate.succeeded(None, probe);
        assert_eq!(class(&gate, probe + OPEN), None);
    }

    #[test]
    fn an_answer_resets_the_count() {
        let (gate, now) = (gate(), Instant::now());
        for round in 0..20 {
            gate.failed(now);
            if round % 4 == 3 {
                gate.succeeded(None, now);
            }
            assert_eq!(class(&gate, now), None);
        }
    }

    #[test]
    fn quiet_lasts_as_long_as_the_longest_wish() {
        let (gate, start) = (gate(), Instant::now());
        gate.quiet(Duration::from_secs(20), Class::Limited, start);
        gate.quiet(Duration::from_secs(5), Class::Transient, start);
        let early = gate.admit(false, start + Duration::from_secs(6)).unwrap_err();
        assert_eq!((early.fault.class, early.again), (Class::Limited, Again::After(Duration::from_secs(14))));
        assert_eq!(early.fault.text, "not asked: r.example wants 14 s more without requests");
        assert_eq!(class(&gate, start + Duration::from_secs(20)), None);
    }

    #[test]
    fn a_host_gets_no_more_at_a_time_than_it_allows() {
        let (gate, now) = (gate(), Instant::now());
        let admitted = |pull: bool, now: Instant| (0..10).take_while(|_| gate.admit(pull, now).unwrap()).count();
        let leave = |count: usize| (0..count).for_each(|_| drop(Pass(Arc::clone(&gate))));
        let reset = Duration::from_secs(30);
        gate.succeeded(Some(Allowance { remaining: 3, reset, unit: Unit::Requests }), now);
        assert_eq!(admitted(false, now), 3);
        leave(3);
        assert_eq!(admitted(false, now + reset), 10);
        leave(10);

        gate.succeeded(Some(Allowance { remaining: 0, reset, unit: Unit::Requests }), now);
        assert_eq!(class(&gate, now), Some(Class::Limited));
        assert_eq!(class(&gate, now + reset), None);

        let (pulls, now) = (Allowance { remaining: 0, reset, unit: Unit::Pulls }, now + reset);
        gate.succeeded(Some(pulls), now);
        assert_eq!(admitted(false, now), 10);
        leave(10);
        assert!(gate.admit(true, now).is_err());
        assert!(gate.admit(true, now + reset).unwrap());
        leave(1);
    }

    #[test]
    fn after_429_fewer_are_asked_at_a_time_until_it_heals() {
        let (gate, now) = (gate(), Instant::now());
        let admitted = |now: Instant| (0..100).take_while(|_| gate.admit(false, now).unwrap()).count();
        let leave = |count: usize| (0..count).for_each(|_| drop(Pass(Arc::clone(&gate))));
        assert_eq!(admitted(now), 100);
        for _ in 0..9 {
            gate.quiet(Duration::from_secs(1), Class::Limited, now);
        }
        leave(100);
        let later = now + Duration::from_secs(1);
        assert_eq!(admitted(later), 50);
        leave(50);
        (0..HEALING).for_each(|_| gate.succeeded(None, later));
        assert_eq!(admitted(later), 51);
        leave(51);
    }

    #[tokio::test]
    async fn who_must_wait_goes_on_when_another_leaves() {
        let gate = gate();
        gate.succeeded(Some(Allowance { remaining: 1, reset: Duration::from_secs(60), unit: Unit::Requests }), Instant::now());
        let first = gate.enter(false).await.unwrap();
        let waiting = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move { gate.enter(false).await.is_ok() }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(first);
        assert!(waiting.await.unwrap());
    }
}
