//! Who asks next, and when.

use crate::queues::Arrivals;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp1, Gamma};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use trace::Nanos;

/// The requests that are still to come, in the order of time.
pub(super) struct Source {
    arrivals: Arrivals,
    /// Requests that are not handed out.
    left: usize,
    /// Who is ready to ask, and when.
    ready: BinaryHeap<Reverse<(Nanos, u32)>>,
    /// Of a burst: how many are under way, and when the last of them ended.
    under_way: u32,
    ended: Nanos,
}

impl Source {
    pub(super) fn new(arrivals: Arrivals, requests: usize, rng: &mut ChaCha8Rng) -> Self {
        let mut source = Self {
            arrivals,
            left: requests,
            ready: BinaryHeap::new(),
            under_way: 0,
            ended: Nanos::ZERO,
        };
        match arrivals {
            Arrivals::Poisson { .. } | Arrivals::Gamma { .. } => {
                source.follow(Nanos::ZERO, rng);
            }
            Arrivals::Closed { users, .. } => {
                (0..users).for_each(|user| source.ask(Nanos::ZERO, user));
            }
            Arrivals::Burst { size } => source.burst(Nanos::ZERO, size),
        }
        source
    }

    /// When the next request is sent; `None` where none is left, or nobody is ready.
    pub(super) fn next_at(&self) -> Option<Nanos> {
        let Reverse((at, _)) = self.ready.peek()?;
        (self.left > 0).then_some(*at)
    }

    /// Takes the next request: when, and whose.
    pub(super) fn take(&mut self, rng: &mut ChaCha8Rng) -> Option<(Nanos, u32)> {
        self.next_at()?;
        let Reverse((at, user)) = self.ready.pop()?;
        self.left -= 1;
        match self.arrivals {
            Arrivals::Poisson { .. } | Arrivals::Gamma { .. } => self.follow(at, rng),
            Arrivals::Closed { .. } | Arrivals::Burst { .. } => {}
        }
        Some((at, user))
    }

    /// Tells it that a request has been answered, which makes room for another.
    pub(super) fn answered(&mut self, at: Nanos, user: u32, rng: &mut ChaCha8Rng) {
        match self.arrivals {
            Arrivals::Poisson { .. } | Arrivals::Gamma { .. } => {}
            Arrivals::Closed { think_seconds, .. } => {
                let thought: f64 = Exp1.sample(rng);
                self.ask(at + Nanos::from_seconds(think_seconds * thought), user);
            }
            Arrivals::Burst { size } => {
                self.ended = self.ended.max(at);
                self.under_way -= 1;
                if self.under_way == 0 {
                    self.burst(self.ended, size);
                }
            }
        }
    }

    fn ask(&mut self, at: Nanos, user: u32) {
        self.ready.push(Reverse((at, user)));
    }

    fn burst(&mut self, at: Nanos, size: u32) {
        self.under_way = size;
        (0..size).for_each(|_| self.ask(at, 0));
    }

    /// The arrival after the one at that moment.
    fn follow(&mut self, at: Nanos, rng: &mut ChaCha8Rng) {
        let gap = match self.arrivals {
            Arrivals::Gamma { rate, shape } => {
                let gaps = Gamma::new(shape, 1.0 / (rate * shape));
                gaps.expect("a positive rate and shape").sample(rng)
            }
            Arrivals::Poisson { rate } => {
                let gap: f64 = Exp1.sample(rng);
                gap / rate
            }
            Arrivals::Closed { .. } | Arrivals::Burst { .. } => return,
        };
        self.ask(at + Nanos::from_seconds(gap), 0);
    }
}
