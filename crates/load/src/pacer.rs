//! Releases the requests of an open loop at their due times.
//!
//! The runtime's timer is up to milliseconds late. A thread of its own sleeps with nanosecond
//! precision until just before each due time, and waits actively for the rest.

use crate::{Clock, LoadError};
use nix::time::{ClockId, ClockNanosleepFlags, clock_nanosleep};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use trace::Nanos;

/// A sleeping thread wakes tens of microseconds late; the last stretch is waited for actively.
const ACTIVE_WAIT: Nanos = Nanos(60_000);

/// Gives the word for one request after the other.
pub(crate) enum Pacer {
    /// A thread with nanosecond waits.
    Thread {
        words: UnboundedReceiver<()>,
        stop: Arc<AtomicBool>,
        thread: Option<JoinHandle<Vec<u64>>>,
    },
    /// The runtime's timer, exact on a paused clock.
    Timer { clock: Clock },
}

impl Pacer {
    /// Starts to wait for `due` times, which rise, on `clock`.
    pub(crate) fn start(
        clock: Clock,
        due: impl Iterator<Item = Nanos> + Send + 'static,
    ) -> Result<Self, LoadError> {
        if clock.is_virtual() {
            return Ok(Pacer::Timer { clock });
        }
        let (sender, words) = unbounded_channel();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let pace = move || {
            let _ = nix::sys::prctl::set_timerslack(1);
            let mut late = Vec::new();
            for due in due {
                wait_until(due, &stopped);
                if stopped.load(Ordering::Relaxed) || sender.send(()).is_err() {
                    break;
                }
                late.push((Clock::Monotonic.now() - due).0);
            }
            late
        };
        let thread = std::thread::Builder::new()
            .name("pacer".into())
            .spawn(pace)
            .map_err(|error| LoadError::Start {
                what: "the pacing thread",
                cause: error.to_string(),
            })?;
        Ok(Pacer::Thread {
            words,
            stop,
            thread: Some(thread),
        })
    }

    /// Waits for the next word; `due` is the time it is due at.
    pub(crate) async fn wait(&mut self, due: Nanos) {
        match self {
            Pacer::Thread { words, .. } => {
                let _ = words.recv().await;
            }
            Pacer::Timer { clock } => clock.sleep_until(due).await,
        }
    }

    /// Ends the thread; how late each word was given, in nanoseconds, in no order.
    pub(crate) fn finish(mut self) -> Vec<u64> {
        self.stop();
        match &mut self {
            Pacer::Thread { thread, .. } => thread
                .take()
                .and_then(|thread| thread.join().ok())
                .unwrap_or_default(),
            Pacer::Timer { .. } => Vec::new(),
        }
    }

    fn stop(&self) {
        if let Pacer::Thread { stop, .. } = self {
            stop.store(true, Ordering::Relaxed);
        }
    }
}

impl Drop for Pacer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Sleeps until just before `due`, in stretches short enough that a stop is noticed, then waits
/// actively.
fn wait_until(due: Nanos, stopped: &AtomicBool) {
    const STRETCH: Nanos = Nanos::from_millis(100);
    loop {
        let now = Clock::Monotonic.now();
        if now + ACTIVE_WAIT >= due {
            break;
        }
        if stopped.load(Ordering::Relaxed) {
            return;
        }
        let wake = (due - ACTIVE_WAIT).min(now + STRETCH);
        let wake = std::time::Duration::from_nanos(wake.0);
        // Interrupted by a signal: the loop looks again.
        let _ = clock_nanosleep(
            ClockId::CLOCK_MONOTONIC,
            ClockNanosleepFlags::TIMER_ABSTIME,
            &wake.into(),
        );
    }
    while Clock::Monotonic.now() < due {
        std::hint::spin_loop();
    }
}
