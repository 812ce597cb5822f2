use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// A task's waker that knows when the task is running already.
///
/// A connection and the body that is read from it wake each other at every piece. Both are polled
/// by one task until neither gets any further, so these wakes would only schedule the task once
/// more, for nothing: at 100,000 events a second that is a quarter of the client's own time.
#[derive(Default)]
pub(crate) struct QuietWaker {
    inner: Option<Arc<Inner>>,
}

struct Inner {
    task: Waker,
    polling: AtomicBool,
    woken: AtomicBool,
}

impl Wake for Inner {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.polling.load(Ordering::Acquire) {
            self.woken.store(true, Ordering::Release);
        } else {
            self.task.wake_by_ref();
        }
    }
}

impl QuietWaker {
    /// Polls `step` until it is ready, or pending without having been woken meanwhile.
    pub(crate) fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut step: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let inner = self.of(cx.waker());
        let waker = Waker::from(Arc::clone(&inner));
        let mut quiet = Context::from_waker(&waker);
        inner.polling.store(true, Ordering::Release);
        let outcome = loop {
            inner.woken.store(false, Ordering::Release);
            let outcome = step(&mut quiet);
            if outcome.is_ready() || !inner.woken.load(Ordering::Acquire) {
                break outcome;
            }
        };
        inner.polling.store(false, Ordering::Release);
        // A wake from another thread between the last look and now is passed on.
        if inner.woken.load(Ordering::Acquire) && outcome.is_pending() {
            inner.task.wake_by_ref();
        }
        outcome
    }

    /// The waker that was made for this task, or a new one.
    fn of(&mut self, task: &Waker) -> Arc<Inner> {
        match &self.inner {
            Some(inner) if inner.task.will_wake(task) => Arc::clone(inner),
            _ => {
                let inner = Arc::new(Inner {
                    task: task.clone(),
                    polling: AtomicBool::new(false),
                    woken: AtomicBool::new(false),
                });
                self.inner = Some(Arc::clone(&inner));
                inner
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Inner, QuietWaker};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
    use std::task::{Context, Poll, Wake, Waker};

    #[derive(Default)]
    struct Counter(AtomicU32);

    impl Wake for Counter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_wake_while_polling_polls_again_and_does_not_schedule_the_task() {
        let counter = Arc::new(Counter::default());
        let waker = Waker::from(Arc::clone(&counter));
        let mut rounds = 0;
        let outcome: Poll<()> =
            QuietWaker::default().poll(&mut Context::from_waker(&waker), |cx| {
                rounds += 1;
                if rounds < 3 {
                    cx.waker().wake_by_ref();
                }
                Poll::Pending
            });
        assert!(outcome.is_pending());
        assert_eq!((rounds, counter.0.load(Ordering::Relaxed)), (3, 0));
    }

    #[test]
    fn a_wake_after_polling_reaches_the_task() {
        let counter = Arc::new(Counter::default());
        let waker = Waker::from(Arc::clone(&counter));
        let mut kept = None;
        let _: Poll<()> = QuietWaker::default().poll(&mut Context::from_waker(&waker), |cx| {
            kept = Some(cx.waker().clone());
            Poll::Pending
        });
        kept.unwrap().wake();
        assert_eq!(counter.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn another_task_gets_a_waker_of_its_own() {
        let first = Waker::from(Arc::new(Counter::default()));
        let second = Waker::from(Arc::new(Counter::default()));
        let mut quiet = QuietWaker::default();
        let one = quiet.of(&first);
        assert!(Arc::ptr_eq(&one, &quiet.of(&first)));
        assert!(!Arc::ptr_eq(&one, &quiet.of(&second)));
        let Inner { polling, .. } = &*one;
        assert!(!AtomicBool::load(polling, Ordering::Relaxed));
    }
}
