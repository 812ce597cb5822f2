//! A run that is left before its end, because what came back so far is enough.

use crate::failure::Failure;
use crate::output::Recorder;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use trace::{Record, RunHeader};

/// Who knows when a measured run has shown enough; asked again and again while it goes on.
pub(crate) trait Enough: Send + Sync {
    /// A copy of those that are worth a look, where some are: whoever brings a record waits meanwhile.
    fn to_look_at(&self, records: &[Record]) -> Option<Vec<Record>>;
    /// Whether these are enough.
    fn is_enough(&self, header: &RunHeader, records: &[Record]) -> bool;
}

/// From one look to the next.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Looks at a run from a thread of its own, and stops it when there is enough.
pub(super) struct Onlooker {
    ended: Arc<AtomicBool>,
    enough: Arc<AtomicBool>,
    /// For the run: it is to stop, because there is enough, or because of the user.
    pub(super) stop: watch::Receiver<bool>,
}

impl Onlooker {
    /// Begins to look; `user` says when the user stops the run.
    pub(super) fn start(
        enough: Arc<dyn Enough>,
        recorder: &Recorder,
        user: watch::Receiver<bool>,
    ) -> Result<Self, Failure> {
        let (stopping, stop) = watch::channel(false);
        let onlooker = Self {
            ended: Arc::default(),
            enough: Arc::default(),
            stop,
        };
        let (ended, found) = (Arc::clone(&onlooker.ended), Arc::clone(&onlooker.enough));
        let recorder = recorder.clone();
        let look = move || {
            // As the threads that only take what time receiving leaves.
            load::leave_time_to_receiving();
            while !ended.load(Ordering::Relaxed) {
                let due = recorder.with(|header, _, all| {
                    let records = enough.to_look_at(all)?;
                    Some((header.clone(), records))
                });
                let is_enough =
                    due.is_some_and(|(header, records)| enough.is_enough(&header, &records));
                if *user.borrow() || is_enough {
                    found.store(!*user.borrow(), Ordering::Relaxed);
                    let _heard = stopping.send(true);
                    return;
                }
                std::thread::sleep(LOOK_EVERY);
            }
        };
        let thread = std::thread::Builder::new().name("onlooker".into());
        thread
            .spawn(look)
            .map_err(|error| Failure::failed(format!("cannot start the onlooker: {error}")))?;
        Ok(onlooker)
    }

    /// The run is over: whether it was left because there was enough.
    pub(super) fn finish(self) -> bool {
        self.ended.store(true, Ordering::Relaxed);
        self.enough.load(Ordering::Relaxed)
    }
}
