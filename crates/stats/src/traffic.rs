//! What a client sees of a server's queue: its own requests in flight.
//!
//! A run that saw no wave of the queue looks as if there were none, and intervals by its own spread alone would be narrow and
//! wrong in just the runs that are calm. How long waves are follows from the load, and that is known well before a wave was seen:
//! from how many requests were in flight, how fast they ended then, and how fast they come. So many other runs of the same plan
//! are played through, on servers as slow and as fast as the one that was seen may be; what was measured is compared with
//! what they would have.

mod alone;
mod asking;
mod bins;
mod levels;
mod places;
mod replay;
mod server;
#[cfg(test)]
mod tests;

pub(crate) use bins::Bins;
pub(crate) use levels::{Span, rising};
pub(crate) use replay::{ERRORS, Found, Replays};

use asking::Asking;
use levels::{Levels, Spans};
use server::Server;
use trace::Pacing;

/// The requests of one point: how many were in flight when each was released, and what queue that was.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    /// Of each run, in the order of release.
    found: Vec<Vec<u32>>,
    queue: Option<Queue>,
}

/// A queue as its client knows it.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) bins: Bins,
    pub(crate) replays: Replays,
    server: Server,
    falls_behind: bool,
}

impl Traffic {
    /// Of runs, each of requests in the order of release.
    pub(crate) fn of<S: Into<Span>>(
        pacing: Pacing,
        runs: impl IntoIterator<Item = Vec<S>>,
    ) -> Self {
        let spans: Vec<Spans> = runs.into_iter().map(Spans::new).collect();
        let mut levels = Levels::default();
        let found: Vec<Vec<u32>> = spans.iter().map(|run| run.found(&mut levels)).collect();
        Self {
            queue: Queue::of(pacing, &spans, &levels),
            found,
        }
    }

    /// How many that request of that run found in flight.
    pub(crate) fn found(&self, run: usize, request: usize) -> u32 {
        let of_run = self.found.get(run);
        of_run
            .and_then(|found| found.get(request))
            .copied()
            .unwrap_or(0)
    }

    /// `None` where the number in flight says nothing of one.
    pub(crate) fn queue(&self) -> Option<&Queue> {
        self.queue.as_ref()
    }
}

impl Queue {
    fn of(pacing: Pacing, spans: &[Spans], levels: &Levels) -> Option<Self> {
        let asking = Asking::of(pacing, levels, spans)?;
        let bins = Bins::new();
        let server = Server::of(levels, spans, &bins)?;
        let lengths = spans.iter().map(|run| run.issued().len());
        let lengths: Vec<usize> = lengths.filter(|&length| length > 0).collect();
        let replays = Replays::of(&asking, &server, &lengths, &bins, seed(spans))?;
        Some(Self {
            bins,
            replays,
            // A plan that changes finds a server that does.
            falls_behind: server.falls_behind() && !asking.is_planned(),
            server,
        })
    }

    /// The time of all that the server does, at one of [`ERRORS`].
    pub(crate) fn slower(&self, at: usize) -> f64 {
        self.server.slower(ERRORS[at])
    }

    /// Whether the server took longer and longer while many waited.
    pub(crate) fn falls_behind(&self) -> bool {
        self.falls_behind
    }

    /// Milliseconds from one end to the next with more in flight than were seen, at one of [`ERRORS`].
    pub(crate) fn slot(&self, at: usize) -> f64 {
        self.server.slot(ERRORS[at])
    }

    /// Milliseconds until all are gone that are in front of one who finds so many, and leave no place free.
    pub(crate) fn wait(&self, at: usize, found: f64) -> f64 {
        self.in_front(found) * self.slot(at)
    }

    /// So many have to end until a place is free for one who finds so many.
    pub(crate) fn in_front(&self, found: f64) -> f64 {
        (found + 1.0 - self.server.places() as f64).max(0.0)
    }
}

/// The same records have the same intervals whenever they are read, and other records other chance.
fn seed(spans: &[Spans]) -> u64 {
    let times = spans.iter().flat_map(Spans::issued);
    times.fold(64, |seed, time| {
        (seed ^ time.0).wrapping_mul(0x0100_0000_01b3)
    })
}
