//! Whether a host may be asked right now: its own wish for quiet, and a breaker for hosts that are down.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::trouble::{Again, Trouble};
use crate::base::{Class, Fault};

/// Transient failures in a row that open the breaker.
const FAILURES: u32 = 5;

/// How long an open breaker answers by itself before it lets one request through.
const OPEN: Duration = Duration::from_secs(30);

/// Gates of all hosts met so far, by `host:port`. Memory only: a restart asks again.
#[derive(Debug, Default)]
pub(super) struct Gates(Mutex<HashMap<String, Gate>>);

#[derive(Debug, Default)]
struct Gate {
    failures: u32,
    /// Set while the breaker is open; moved on by each probe, so that there is one probe per interval.
    open_until: Option<Instant>,
    quiet: Option<Quiet>,
}

#[derive(Debug, Clone, Copy)]
struct Quiet {
    until: Instant,
    class: Class,
}

impl Gates {
    /// Lets a request to `host` pass, or says why not. A request let through an open breaker is its probe.
    pub(super) fn enter(&self, host: &str, now: Instant) -> Result<(), Trouble> {
        let mut gates = self.lock();
        let Some(gate) = gates.get_mut(host) else { return Ok(()) };
        if let Some(quiet) = gate.quiet.filter(|q| q.until > now) {
            let left = quiet.until - now;
            let text = format!("not asked: {host} wants {} s more without requests", left.as_secs_f64().ceil());
            let fault = Fault::new(quiet.class, text).retry_after(Some(left));
            return Err(Trouble { fault, again: Again::After(left), whole_host: true });
        }
        gate.quiet = None;
        match gate.open_until {
            Some(until) if until > now => {
                let text = format!("not asked: {host} failed {} times in a row", gate.failures);
                Err(Fault::new(Class::Transient, text).retry_after(Some(until - now)).into())
            }
            Some(_) => {
                gate.open_until = Some(now + OPEN);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// The host answered in a way that shows it works.
    pub(super) fn succeeded(&self, host: &str) {
        if let Some(gate) = self.lock().get_mut(host) {
            gate.failures = 0;
            gate.open_until = None;
        }
    }

    /// The host did not answer, or with 5xx.
    pub(super) fn failed(&self, host: &str, now: Instant) {
        let mut gates = self.lock();
        let gate = gates.entry(host.to_owned()).or_default();
        gate.failures = gate.failures.saturating_add(1);
        if gate.failures >= FAILURES && gate.open_until.is_none_or(|until| until <= now) {
            gate.open_until = Some(now + OPEN);
        }
    }

    /// The host asked for quiet; questions in that time are answered with `class`. The longest wish counts.
    pub(super) fn quiet(&self, host: &str, until: Instant, class: Class) {
        let mut gates = self.lock();
        let gate = gates.entry(host.to_owned()).or_default();
        if gate.quiet.is_none_or(|q| q.until < until) {
            gate.quiet = Some(Quiet { until, class });
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Gate>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(gates: &Gates, now: Instant) -> Option<Class> {
        gates.enter("r.example", now).err().map(|t| t.fault.class)
    }

    #[test]
    fn the_breaker_opens_after_five_failures_and_probes_once_per_interval() {
        let (gates, start) = (Gates::default(), Instant::now());
        for _ in 0..4 {
            gates.failed("r.example", start);
        }
        assert_eq!(class(&gates, start), None);
        gates.failed("r.example", start);
        assert_eq!(class(&gates, start), Some(Class::Transient));
        assert!(gates.enter("other.example", start).is_ok());

        let probe = start + OPEN;
        assert_eq!(class(&gates, probe), None);
        assert_eq!(class(&gates, probe), Some(Class::Transient));
        gates.failed("r.example", probe);
        assert_eq!(class(&gates, probe + OPEN - Duration::from_secs(1)), Some(Class::Transient));
        assert_eq!(class(&gates, probe + OPEN), None);
        gates.succeeded("r.example");
        assert_eq!(class(&gates, probe + OPEN), None);
    }

    #[test]
    fn an_answer_resets_the_count() {
        let (gates, now) = (Gates::default(), Instant::now());
        for round in 0..20 {
            gates.failed("r.example", now);
            if round % 4 == 3 {
                gates.succeeded("r.example");
            }
            assert_eq!(class(&gates, now), None);
        }
    }

    #[test]
    fn quiet_lasts_as_long_as_the_longest_wish() {
        let (gates, start) = (Gates::default(), Instant::now());
        gates.quiet("r.example", start + Duration::from_secs(20), Class::Limited);
        gates.quiet("r.example", start + Duration::from_secs(5), Class::Transient);
        let early = gates.enter("r.example", start + Duration::from_secs(6)).unwrap_err();
        assert_eq!((early.fault.class, early.again), (Class::Limited, Again::After(Duration::from_secs(14))));
        assert_eq!(early.fault.text, "not asked: r.example wants 14 s more without requests");
        assert_eq!(class(&gates, start + Duration::from_secs(20)), None);
    }
}
