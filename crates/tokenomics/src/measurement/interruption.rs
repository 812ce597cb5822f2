//! What ctrl-C does to a measurement.

use crate::failure::Failure;
use crate::interrupt::on_interrupt;
use crate::output::say;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::watch;

/// Nothing is kept before the first run, everything after.
pub(crate) struct Interruption {
    pub(crate) stop: watch::Receiver<bool>,
    /// From the first run on.
    pub(crate) measuring: Arc<AtomicBool>,
    stopping: watch::Sender<bool>,
    by_user: Arc<AtomicBool>,
}

impl Interruption {
    /// One that nobody listens to yet.
    pub(crate) fn new() -> Self {
        let (stopping, stop) = watch::channel(false);
        Interruption {
            stop,
            measuring: Arc::default(),
            stopping,
            by_user: Arc::default(),
        }
    }

    /// Takes the next ctrl-C, in place of who took it before.
    pub(crate) fn listen(&self) -> Result<(), Failure> {
        let (under_way, told, sender) = (
            Arc::clone(&self.measuring),
            Arc::clone(&self.by_user),
            self.stopping.clone(),
        );
        on_interrupt(move || {
            if !under_way.load(Ordering::Relaxed) {
                return false;
            }
            say("Stopping; what was measured is kept. Press ctrl-C again to end at once.");
            told.store(true, Ordering::Relaxed);
            sender.send(true).is_ok()
        })
    }

    /// Stops the measurement for another reason.
    pub(crate) fn stopper(&self) -> watch::Sender<bool> {
        self.stopping.clone()
    }

    /// Whether the user has stopped it.
    pub(crate) fn is_stopped(&self) -> bool {
        self.by_user.load(Ordering::Relaxed)
    }
}
