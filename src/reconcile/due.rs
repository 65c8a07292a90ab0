//! When things are looked at again: each at its own moment, so that looks spread over the interval.
//!
//! Moments are readings of a monotonic clock and live in memory only; losing them costs one look at each thing.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::base::{Fault, Fingerprint};
use crate::model::ImageReference;

/// The registry that counts what anonymous clients ask.
const DOCKER_HUB: &str = "docker.io";

/// Time between two looks at one thing, by what it is. The operator sets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intervals {
    /// Managed images, and the source repositories of their Dockerfiles.
    pub managed: Duration,
    /// Base images and external images: what others build.
    pub base: Duration,
    /// What others build and publish at Docker Hub, when we are anonymous there.
    pub anonymous_hub: Option<Duration>,
}

impl Default for Intervals {
    fn default() -> Self {
        Self { managed: Duration::from_secs(300), base: Duration::from_secs(3600), anonymous_hub: None }
    }
}

impl Intervals {
    /// The interval of a tag.
    pub fn of(&self, image: &ImageReference, managed: bool) -> Duration {
        match self.anonymous_hub {
            _ if managed => self.managed,
            Some(hub) if image.registry == DOCKER_HUB => hub,
            _ => self.base,
        }
    }
}

/// The moment of the next look at `key` after one at `now`: where the hash of its name puts it within the
/// interval, but not before half of it has passed. So the first wait is between a half and one and a half
/// intervals, and each later one is one interval.
pub fn next(key: &str, now: Duration, every: Duration) -> Duration {
    let every_ms = u64::try_from(every.as_millis()).unwrap_or(u64::MAX).max(1);
    let hash = u64::from_str_radix(&Fingerprint::of(key).hex(8), 16).unwrap_or(0);
    let phase = Duration::from_millis(hash % every_ms);
    let earliest = now.saturating_add(every / 2);
    let rounds = earliest.saturating_sub(phase).as_millis().div_ceil(u128::from(every_ms));
    let rounds = u64::try_from(rounds).unwrap_or(u64::MAX);
    phase.saturating_add(Duration::from_millis(every_ms.saturating_mul(rounds)))
}

/// The moment of the next look after one that gave `fault`: sooner than usual, unless the answer was one.
pub fn after(key: &str, now: Duration, every: Duration, fault: Option<&Fault>) -> Duration {
    let usual = next(key, now, every);
    let Some((fault, wait)) = fault.and_then(|fault| Some((fault, fault.repeat_after()?))) else { return usual };
    let asked_for = fault.retry_after.unwrap_or_default();
    usual.min(now.saturating_add(wait)).max(now.saturating_add(asked_for))
}

/// What was seen of each thing, and when to look again.
#[derive(Debug)]
pub struct Looks<K, V> {
    seen: BTreeMap<K, Look<V>>,
    /// Nothing is due before this: a pass that finds nothing due need not ask each thing for its moment.
    soonest: Duration,
}

/// One look.
#[derive(Debug, Clone)]
pub struct Look<V> {
    /// What it gave.
    pub answer: V,
    /// Time between looks.
    pub every: Duration,
    /// The next one.
    pub due: Duration,
}

impl<K, V> Default for Looks<K, V> {
    fn default() -> Self {
        Self { seen: BTreeMap::new(), soonest: Duration::MAX }
    }
}

impl<K: Ord + Clone, V> Looks<K, V> {
    /// What is known of `key`.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.seen.get(key).map(|look| &look.answer)
    }

    /// Takes in a look.
    pub fn insert(&mut self, key: K, look: Look<V>) {
        self.soonest = self.soonest.min(look.due);
        self.seen.insert(key, look);
    }

    /// Takes out what is due at `now`, to be looked at again.
    pub fn take_due(&mut self, now: Duration) -> BTreeMap<K, Look<V>> {
        if self.soonest > now {
            return BTreeMap::new();
        }
        let (due, rest): (BTreeMap<_, _>, BTreeMap<_, _>) =
            std::mem::take(&mut self.seen).into_iter().partition(|(_, look)| look.due <= now);
        self.soonest = rest.values().map(|look| look.due).min().unwrap_or(Duration::MAX);
        self.seen = rest;
        due
    }

    /// Forgets what `keep` does not keep.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &V) -> bool) {
        self.seen.retain(|key, look| keep(key, &look.answer));
    }

    /// Has `key` looked at again at `moment`, if that is sooner.
    pub fn sooner(&mut self, key: &K, moment: Duration) {
        if let Some(look) = self.seen.get_mut(key) {
            look.due = look.due.min(moment);
            self.soonest = self.soonest.min(moment);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Class;

    const EVERY: Duration = Duration::from_secs(300);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn looks_spread_over_the_interval_and_keep_their_distance() {
        let mut by_minute = [0; 5];
        for index in 0..1_000 {
            let key = format!("ghcr.io/acme/app{index}:latest");
            let first = next(&key, seconds(7), EVERY);
            assert!(first >= seconds(7) + EVERY / 2 && first < seconds(7) + EVERY * 3 / 2, "{key}: {first:?}");
            // A look is a little late, as passes are; the distance stays one interval.
            assert_eq!(next(&key, first + seconds(20), EVERY), first + EVERY);
            let minute = usize::try_from((first.as_secs() - 157) / 60).unwrap();
            by_minute[minute] += 1;
        }
        assert!(by_minute.iter().all(|count| (150..=250).contains(count)), "{by_minute:?}");
    }

    #[test]
    fn a_failed_look_is_repeated_sooner() {
        let at = |fault: Option<Fault>| after("a", seconds(1_000), seconds(86_400), fault.as_ref());
        let usual = next("a", seconds(1_000), seconds(86_400));
        let of = |class| Fault::new(class, "no");
        for (fault, expected) in [
            (None, usual),
            (Some(of(Class::Missing)), usual),
            (Some(of(Class::Offline)), usual),
            (Some(of(Class::Transient)), seconds(1_060)),
            (Some(of(Class::Denied)), seconds(1_300)),
            (Some(of(Class::Malformed)), seconds(1_300)),
            (Some(of(Class::Limited).retry_after(Some(seconds(900)))), seconds(1_900)),
        ] {
            assert_eq!(at(fault.clone()), expected, "{fault:?}");
        }
        assert!(after("a", seconds(10), seconds(30), Some(&of(Class::Transient))) <= seconds(10 + 45), "never later than usual");
    }

    #[test]
    fn only_anonymous_looks_at_what_others_publish_at_docker_hub_are_rare() {
        let intervals = Intervals { anonymous_hub: Some(seconds(86_400)), ..Intervals::default() };
        let image = |text: &str| ImageReference::parse(text).unwrap();
        for (text, managed, expected) in [
            ("docker.io/library/node:22", false, 86_400),
            ("docker.io/acme/portal:latest", true, 300),
            ("ghcr.io/acme/base:1", false, 3_600),
            ("ghcr.io/acme/portal:latest", true, 300),
        ] {
            assert_eq!(intervals.of(&image(text), managed), seconds(expected), "{text}");
        }
    }
}
