//! Servers that exist in numbers alone: what a client sees of a queue whose truth is known.
//!
//! A [`Queue`] answers requests in the order in which they come, from an empty server on, as a run does. The same seed
//! gives the same run.

mod records;
mod server;
mod service;
mod source;
#[cfg(test)]
mod tests;

pub use records::saved;
pub use server::Server;
pub use service::Service;

use rand_chacha::ChaCha8Rng;
use source::Source;
use trace::{Arrival, Nanos, Pacing};

/// What asks, what answers, and how long that takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Queue {
    /// When requests come.
    pub arrivals: Arrivals,
    /// How many are answered at once, and in which steps.
    pub server: Server,
    /// The shape of the times of service.
    pub service: Service,
    /// Their mean, in seconds.
    pub mean_seconds: f64,
    /// By the end of a run, service takes longer by this share of itself: 0 for a server that stays as it is.
    pub drift: f64,
}

/// When requests come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Arrivals {
    /// Open loop, exponential gaps.
    Poisson {
        /// Requests a second.
        rate: f64,
    },
    /// Open loop, gamma-distributed gaps: burstier than Poisson's where the shape is below 1.
    Gamma {
        /// Requests a second.
        rate: f64,
        /// 1 is Poisson.
        shape: f64,
    },
    /// Closed loop: each of so many users asks again after a time for thought that is exponential.
    Closed {
        /// How many.
        users: u32,
        /// Its mean in seconds; 0 for none.
        think_seconds: f64,
    },
    /// So many at once, and the next ones when all of those are answered.
    Burst {
        /// How many.
        size: u32,
    },
}

impl Arrivals {
    /// The same in the words of a plan.
    pub fn pacing(self) -> Pacing {
        let open = |arrival| Pacing::Open {
            arrival,
            max_concurrency: None,
        };
        match self {
            Self::Poisson { rate } => open(Arrival::Poisson { rate }),
            Self::Gamma { rate, shape } => open(Arrival::Gamma { rate, shape }),
            Self::Closed { users, .. } => Pacing::Closed { concurrency: users },
            Self::Burst { size } => Pacing::Burst { size },
        }
    }
}

/// One request as its client sees it. It is sent when it is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trip {
    /// When it should start.
    pub due: Nanos,
    /// When it was sent.
    pub issued: Nanos,
    /// When its first token came.
    pub first: Nanos,
    /// When its last one came.
    pub done: Nanos,
    /// Who asked, of a closed loop; otherwise 0.
    pub user: u32,
}

impl Queue {
    /// So many requests, in the order in which they were sent.
    pub fn run(&self, requests: usize, rng: &mut ChaCha8Rng) -> Vec<Trip> {
        let mut source = Source::new(self.arrivals, requests, rng);
        let mut trips = Vec::with_capacity(requests);
        let mut draw = |number: usize, rng: &mut ChaCha8Rng| {
            let grown = 1.0 + self.drift * number as f64 / requests as f64;
            self.mean_seconds * grown * self.service.draw(rng)
        };
        self.server.answer(&mut source, &mut trips, &mut draw, rng);
        trips
    }
}
