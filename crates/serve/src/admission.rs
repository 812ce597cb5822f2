//! Who may still come in.

use engine::{Gauges, SchedulerConfig};
use openai::ApiError;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The door: who may still come in. Requests are counted here, between the steps of the engine, so
/// that a refusal never waits for a step.
#[derive(Debug)]
pub(crate) struct Admission {
    queue_max: usize,
    sequences_max: usize,
    state: Mutex<State>,
    fewer: Condvar,
}

#[derive(Debug)]
struct State {
    /// Sequences that are accepted, and not yet in the engine's own counts.
    inbox: usize,
    /// Accepted, and their answers are not at their end.
    answers: usize,
    gauges: Gauges,
    /// Sequences that the last step could not take in.
    stuck: usize,
    draining: bool,
    /// The engine is gone, for this reason.
    failed: Option<&'static str>,
}

/// Why a request was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closed {
    /// The queue is full.
    QueueFull {
        /// Its places.
        queue_max: usize,
    },
    /// The server is about to stop.
    Draining,
    /// The engine is gone.
    Failed(&'static str),
}

impl Closed {
    /// As the client is told.
    pub(crate) fn error(self) -> ApiError {
        match self {
            Closed::QueueFull { queue_max } => ApiError::refused(
                429,
                format!("{queue_max} requests wait already, which is the limit; try again later"),
                "queue_full",
            ),
            Closed::Draining => ApiError::refused(
                503,
                "the server is about to stop and takes no new requests",
                "draining",
            ),
            Closed::Failed(reason) => ApiError::refused(503, reason, "engine_failed"),
        }
    }

    /// The value of the label `reason`.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Closed::QueueFull { .. } => "queue_full",
            Closed::Draining => "draining",
            Closed::Failed(_) => "engine_failed",
        }
    }
}

impl Admission {
    pub(crate) fn new(config: &SchedulerConfig, gauges: Gauges) -> Self {
        Admission {
            queue_max: config.queue_max,
            sequences_max: config.sequences_max,
            state: Mutex::new(State {
                inbox: 0,
                answers: 0,
                stuck: gauges.waiting,
                gauges,
                draining: false,
                failed: None,
            }),
            fewer: Condvar::new(),
        }
    }

    /// Counts never stay half-changed, so a panic elsewhere spoils none.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a request in. Whoever gets an `Ok` calls [`leave`](Self::leave) once.
    ///
    /// There is room in the queue, and also in the places that run unless a step has left somebody
    /// waiting.
    pub(crate) fn enter(&self) -> Result<(), Closed> {
        self.enter_with(1)
    }

    /// The same for a request that brings so many sequences. Where there is a place for one, all come
    /// in: a request that is larger than the queue would never be served otherwise.
    pub(crate) fn enter_with(&self, sequences: usize) -> Result<(), Closed> {
        let mut state = self.state();
        if let Some(reason) = state.failed {
            return Err(Closed::Failed(reason));
        }
        if state.draining {
            return Err(Closed::Draining);
        }
        let (running, waiting) = (state.gauges.running, state.gauges.waiting);
        let places = if state.stuck == 0 {
            self.sequences_max.saturating_sub(running)
        } else {
            0
        };
        if waiting + state.inbox >= self.queue_max + places {
            return Err(Closed::QueueFull {
                queue_max: self.queue_max,
            });
        }
        state.inbox += sequences;
        state.answers += 1;
        Ok(())
    }

    /// An answer is at its end, whatever end that is.
    pub(crate) fn leave(&self) {
        let mut state = self.state();
        state.answers -= 1;
        if state.answers == 0 {
            self.fewer.notify_all();
        }
    }

    /// The engine thread took `taken` sequences from the inbox, and is at these counts now.
    pub(crate) fn taken(&self, taken: usize, gauges: Gauges) {
        let mut state = self.state();
        state.inbox = state.inbox.saturating_sub(taken);
        state.stuck = state.stuck.min(gauges.waiting);
        state.gauges = gauges;
    }

    /// The engine is at these counts after a step.
    pub(crate) fn stepped(&self, gauges: Gauges) {
        let mut state = self.state();
        state.stuck = gauges.waiting;
        state.gauges = gauges;
    }

    /// What the engine last said.
    pub(crate) fn gauges(&self) -> Gauges {
        self.state().gauges
    }

    /// Answers that are not at their end.
    pub(crate) fn answers(&self) -> usize {
        self.state().answers
    }

    /// The engine is gone; nobody is let in any more.
    pub(crate) fn fail(&self, reason: &'static str) {
        self.state().failed = Some(reason);
    }

    /// Nobody is let in any more.
    pub(crate) fn drain(&self) {
        self.state().draining = true;
    }

    /// Whether and why nobody is let in.
    pub(crate) fn closed(&self) -> Option<Closed> {
        let state = self.state();
        match (state.failed, state.draining) {
            (Some(reason), _) => Some(Closed::Failed(reason)),
            (None, true) => Some(Closed::Draining),
            (None, false) => None,
        }
    }

    /// Why the engine is gone, where it is.
    pub(crate) fn failed(&self) -> Option<&'static str> {
        self.state().failed
    }

    /// Waits until all answers are at their end, at most `time`. Returns how many are not.
    pub(crate) fn wait(&self, time: Duration) -> usize {
        let end = Instant::now() + time;
        let mut state = self.state();
        while state.answers > 0 {
            let rest = end.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                break;
            }
            state = self
                .fewer
                .wait_timeout(state, rest)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        state.answers
    }
}

#[cfg(test)]
mod tests {
    use super::{Admission, Closed};
    use engine::{Gauges, SchedulerConfig};

    fn gauges(running: usize, waiting: usize) -> Gauges {
        Gauges {
            running,
            waiting,
            ..Gauges::default()
        }
    }

    fn door() -> Admission {
        let config = SchedulerConfig {
            blocks: 8,
            sequences_max: 2,
            step_tokens_max: 8,
            queue_max: 3,
            context_tokens: 8,
            prefix_cache: true,
        };
        Admission::new(&config, gauges(0, 0))
    }

    fn let_in(door: &Admission) -> usize {
        std::iter::from_fn(|| door.enter().ok()).count()
    }

    #[test]
    fn an_idle_engine_takes_as_many_as_run_and_wait() {
        let door = door();
        assert_eq!(let_in(&door), 5);
        assert_eq!(door.enter(), Err(Closed::QueueFull { queue_max: 3 }));
        // They are in the engine's queue until its step.
        door.taken(5, gauges(0, 5));
        assert_eq!(let_in(&door), 0);
        door.stepped(gauges(2, 3));
        assert_eq!(let_in(&door), 0);
        // Two have ended.
        door.stepped(gauges(2, 1));
        assert_eq!(let_in(&door), 2);
    }

    #[test]
    fn free_places_count_only_where_a_step_took_all_in() {
        let door = door();
        // Blocks are short: one runs, and one waits though there is a place.
        door.stepped(gauges(1, 1));
        assert_eq!(let_in(&door), 2);
    }

    #[test]
    fn nobody_is_let_in_at_the_end() {
        let door = door();
        door.drain();
        assert_eq!(door.enter(), Err(Closed::Draining));
        door.fail("gone");
        assert_eq!(door.enter(), Err(Closed::Failed("gone")));
        assert_eq!(door.answers(), 0);
    }
}
