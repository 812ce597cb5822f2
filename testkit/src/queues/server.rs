//! Who is answered when.

use crate::queues::Trip;
use crate::queues::source::Source;
use rand_chacha::ChaCha8Rng;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use trace::Nanos;

/// The first token comes after this part of a request's service.
const FIRST_TOKEN: f64 = 0.25;

/// Seconds of the service of the request with that number.
type Draw<'a> = &'a mut dyn FnMut(usize, &mut ChaCha8Rng) -> f64;

/// How requests share a server. Who comes first begins first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Server {
    /// So many at once, each for itself.
    Places(usize),
    /// So many at once, in steps that all take part in: whoever comes waits for the next step, and service takes whole
    /// steps. The first token comes with the first one. A server without work begins a step at once.
    Lockstep {
        /// How many.
        places: usize,
        /// The length of a step.
        step_seconds: f64,
    },
    /// Whoever waits when a batch begins is in it, so many at most, and all are answered when it ends. It takes half of
    /// one draw of the service whatever it holds, and the other half if it is full.
    Batches {
        /// How many.
        most: usize,
    },
}

impl Server {
    pub(super) fn answer(
        self,
        source: &mut Source,
        trips: &mut Vec<Trip>,
        draw: Draw<'_>,
        rng: &mut ChaCha8Rng,
    ) {
        match self {
            Self::Places(places) => in_places(places, None, source, trips, draw, rng),
            Self::Lockstep {
                places,
                step_seconds,
            } => {
                let step = Nanos::from_seconds(step_seconds);
                in_places(places, Some(step), source, trips, draw, rng);
            }
            Self::Batches { most } => in_batches(most, source, trips, draw, rng),
        }
    }
}

/// With a `step`, everything begins and ends at the end of one.
fn in_places(
    places: usize,
    step: Option<Nanos>,
    source: &mut Source,
    trips: &mut Vec<Trip>,
    draw: Draw<'_>,
    rng: &mut ChaCha8Rng,
) {
    let mut free: BinaryHeap<Reverse<Nanos>> = (0..places).map(|_| Reverse(Nanos::ZERO)).collect();
    // Of steps: when the server last began to work, and until when it has work.
    let (mut began, mut busy_until) = (Nanos::ZERO, Nanos::ZERO);
    while let Some((issued, user)) = source.take(rng) {
        let seconds = draw(trips.len(), rng);
        let Some(Reverse(free_at)) = free.pop() else {
            return;
        };
        let (first, done) = if let Some(step) = step {
            if issued >= busy_until {
                began = issued;
            }
            let begins = up_to_step(issued, began, step).max(free_at);
            (begins + step, begins + whole_steps(seconds, step))
        } else {
            let begins = issued.max(free_at);
            let after = |part: f64| begins + Nanos::from_seconds(part * seconds);
            (after(FIRST_TOKEN), after(1.0))
        };
        busy_until = busy_until.max(done);
        free.push(Reverse(done));
        trips.push(Trip {
            due: issued,
            issued,
            first,
            done,
            user,
        });
        source.answered(done, user, rng);
    }
}

/// The first end of a step at or after `at`.
fn up_to_step(at: Nanos, began: Nanos, step: Nanos) -> Nanos {
    let steps = at.since(began).0.div_ceil(step.0.max(1));
    began + Nanos(steps * step.0)
}

/// A service of about so many seconds, of one step at least.
fn whole_steps(seconds: f64, step: Nanos) -> Nanos {
    let steps = Nanos::from_seconds(seconds).0.saturating_add(step.0 / 2) / step.0.max(1);
    Nanos(steps.max(1).saturating_mul(step.0))
}

fn in_batches(
    most: usize,
    source: &mut Source,
    trips: &mut Vec<Trip>,
    draw: Draw<'_>,
    rng: &mut ChaCha8Rng,
) {
    let mut free_at = Nanos::ZERO;
    while let Some(next) = source.next_at() {
        let begins = next.max(free_at);
        let mut batch = Vec::new();
        while batch.len() < most && source.next_at().is_some_and(|at| at <= begins) {
            batch.extend(source.take(rng));
        }
        let filled = batch.len() as f64 / most as f64;
        let seconds = draw(trips.len(), rng) * (1.0 + filled) / 2.0;
        let done = begins + Nanos::from_seconds(seconds);
        for &(issued, user) in &batch {
            trips.push(Trip {
                due: issued,
                issued,
                first: done,
                done,
                user,
            });
        }
        // All of a batch end at once; only then does anybody ask again.
        for &(_, user) in &batch {
            source.answered(done, user, rng);
        }
        free_at = done;
    }
}
