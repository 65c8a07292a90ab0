//! Whether a host may be asked right now: its own wish for quiet, what it still allows, and a breaker for hosts that are
//! down.

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

/// The gate of one host.
#[derive(Debug)]
pub(super) struct Gate {
    host: Arc<str>,
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
    /// Somebody waits until one of them is back.
    awaited: bool,
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
pub(super) struct Pass<'a> {
    gate: &'a Gate,
    /// When it was given out.
    pub(super) since: Instant,
    /// It was given back already.
    back: bool,
}

impl Pass<'_> {
    /// Gives it back after an answer that shows that the host works, and what it said it still allows: the next one to
    /// pass sees that.
    pub(super) fn succeeded(mut self, allowance: Option<Allowance>) {
        self.back = true;
        let mut state = self.gate.lock();
        let spent = state.succeeded(allowance.map(|allowance| (allowance, Instant::now() + allowance.reset)));
        self.gate.leave(state);
        if let Some(wait) = spent {
            self.gate.waits.keep(&self.gate.host, wait, Class::Limited);
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if !self.back {
            self.gate.leave(self.gate.lock());
        }
    }
}

impl Gate {
    /// The gate of `host`, whose longer waits are kept in `waits`.
    pub(super) fn new(host: Arc<str>, waits: Waits) -> Self {
        Self { host, waits, state: Mutex::default(), left: Notify::new() }
    }

    /// Lets a request pass, or says why not; waits while as many are on their way as the host allows. A request let
    /// through an open breaker is its probe. `pull` says whether the host may count it as one.
    pub(super) async fn enter(&self, pull: bool) -> Result<Pass<'_>, Trouble> {
        let since = Instant::now();
        if self.admit(pull, since)? {
            return Ok(Pass { gate: self, since, back: false });
        }
        // Boxed, because it is rare, and a question that need not wait should not carry its size about.
        Box::pin(async {
            loop {
                // Made before looking, so that one who leaves in between is not missed.
                let left = self.left.notified();
                let since = Instant::now();
                if self.admit(pull, since)? {
                    return Ok(Pass { gate: self, since, back: false });
                }
                left.await;
            }
        })
        .await
    }

    fn leave(&self, mut state: MutexGuard<'_, State>) {
        state.inside = state.inside.saturating_sub(1);
        if std::mem::take(&mut state.awaited) {
            drop(state);
            self.left.notify_waiters();
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
            state.awaited = true;
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
    /// The host answered in a way that shows it works, and said what it still allows and until when that holds; how long it
    /// wants quiet when that is nothing.
    fn succeeded(&mut self, allowance: Option<(Allowance, Instant)>) -> Option<Duration> {
        self.failures = 0;
        self.open_until = None;
        if let Some(most) = self.most {
            self.good += 1;
            if self.good >= HEALING {
                self.good = 0;
                self.most = Some(most.saturating_add(1)).filter(|most| *most < 256);
            }
        }
        let (allowance, until) = allowance?;
        self.allowed = Some((allowance, until));
        let spent = allowance.remaining == 0 && allowance.unit == Unit::Requests;
        if spent {
            self.quieten(until, Class::Limited);
        }
        spent.then_some(allowance.reset)
    }

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
        Arc::new(Gate::new("r.example".into(), Waits::default()))
    }

    fn leave(gate: &Gate, count: usize) {
        (0..count).for_each(|_| gate.leave(gate.lock()));
    }

    fn succeeded(gate: &Gate, allowance: Option<Allowance>, now: Instant) {
        gate.lock().succeeded(allowance.map(|allowance| (allowance, now + allowance.reset)));
    }

    /// The class of the refusal, or `None` when a request may pass. It leaves at once.
    fn class(gate: &Arc<Gate>, now: Instant) -> Option<Class> {
        match gate.admit(false, now) {
            Ok(true) => {
                leave(gate, 1);
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
        succeeded(&gate, None, probe);
        assert_eq!(class(&gate, probe + OPEN), None);
    }

    #[test]
    fn an_answer_resets_the_count() {
        let (gate, now) = (gate(), Instant::now());
        for round in 0..20 {
            gate.failed(now);
            if round % 4 == 3 {
                succeeded(&gate, None, now);
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
        let reset = Duration::from_secs(30);
        succeeded(&gate, Some(Allowance { remaining: 3, reset, unit: Unit::Requests }), now);
        assert_eq!(admitted(false, now), 3);
        leave(&gate, 3);
        assert_eq!(admitted(false, now + reset), 10);
        leave(&gate, 10);

        succeeded(&gate, Some(Allowance { remaining: 0, reset, unit: Unit::Requests }), now);
        assert_eq!(class(&gate, now), Some(Class::Limited));
        assert_eq!(class(&gate, now + reset), None);

        let (pulls, now) = (Allowance { remaining: 0, reset, unit: Unit::Pulls }, now + reset);
        succeeded(&gate, Some(pulls), now);
        assert_eq!(admitted(false, now), 10);
        leave(&gate, 10);
        assert!(gate.admit(true, now).is_err());
        assert!(gate.admit(true, now + reset).unwrap());
        leave(&gate, 1);
    }

    #[test]
    fn after_429_fewer_are_asked_at_a_time_until_it_heals() {
        let (gate, now) = (gate(), Instant::now());
        let admitted = |now: Instant| (0..100).take_while(|_| gate.admit(false, now).unwrap()).count();
        assert_eq!(admitted(now), 100);
        for _ in 0..9 {
            gate.quiet(Duration::from_secs(1), Class::Limited, now);
        }
        leave(&gate, 100);
        let later = now + Duration::from_secs(1);
        assert_eq!(admitted(later), 50);
        leave(&gate, 50);
        (0..HEALING).for_each(|_| succeeded(&gate, None, later));
        assert_eq!(admitted(later), 51);
        leave(&gate, 51);
    }

    #[tokio::test]
    async fn who_must_wait_goes_on_when_another_leaves() {
        let gate = gate();
        succeeded(&gate, Some(Allowance { remaining: 1, reset: Duration::from_secs(60), unit: Unit::Requests }), Instant::now());
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
