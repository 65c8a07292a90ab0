//! The time that one question may take, with all its tries.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// When a question is over, known to all who work on it.
///
/// A timer is set only while nobody below says that he has one that ends no later: the timers of kept connections do, and
/// nearly every answer comes over one of those.
#[derive(Debug, Clone)]
pub(super) struct Limit(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    until: Instant,
    /// Whether who was polled last will wake the question in time by himself.
    covered: AtomicBool,
}

impl Limit {
    /// A limit that ends after `time`.
    pub(super) fn new(time: Duration) -> Self {
        Self(Arc::new(Shared { until: Instant::now() + time, covered: AtomicBool::new(false) }))
    }

    /// When it ends.
    pub(super) fn until(&self) -> Instant {
        self.0.until
    }

    /// Promises a wake-up no later than the limit; it holds until the question is polled again.
    pub(super) fn cover(&self) {
        self.0.covered.store(true, Ordering::Relaxed);
    }

    /// What comes of `question`, or `None` when it takes longer.
    pub(super) async fn hold<T>(&self, question: impl Future<Output = T>) -> Option<T> {
        let mut question = pin!(question);
        let mut timer: Option<Pin<Box<Sleep>>> = None;
        poll_fn(|context| self.poll(question.as_mut(), &mut timer, context)).await
    }

    fn poll<T>(
        &self,
        question: Pin<&mut impl Future<Output = T>>,
        timer: &mut Option<Pin<Box<Sleep>>>,
        context: &mut Context<'_>,
    ) -> Poll<Option<T>> {
        self.0.covered.store(false, Ordering::Relaxed);
        if let Poll::Ready(found) = question.poll(context) {
            return Poll::Ready(Some(found));
        }
        if self.0.covered.load(Ordering::Relaxed) {
            return Poll::Pending;
        }
        timer.get_or_insert_with(|| Box::pin(sleep_until(self.0.until))).as_mut().poll(context).map(|()| None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_takes_longer_is_cut_whether_it_was_covered_or_not() {
        let limit = Limit::new(Duration::from_millis(20));
        assert_eq!(limit.hold(async { 1 }).await, Some(1));
        assert_eq!(limit.hold(std::future::pending::<()>()).await, None);

        let limit = Limit::new(Duration::from_millis(20));
        let mut below = Box::pin(sleep_until(limit.until()));
        let covering = poll_fn(|context| {
            if below.as_mut().poll(context).is_pending() {
                limit.cover();
            }
            Poll::<()>::Pending
        });
        assert_eq!(limit.hold(covering).await, None);
        assert!(Instant::now() >= limit.until());
    }
}
