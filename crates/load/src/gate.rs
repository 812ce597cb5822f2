//! The rule that releases requests, one for all load shapes.

use crate::in_flight::InFlight;
use crate::pacer::Pacer;
use crate::{Clock, LoadError};
use trace::{Nanos, Pacing, Plan, PlannedRequest};

/// Holds each request back until its pacing lets it go.
pub(crate) struct Gate {
    pacing: Pacing,
    clock: Clock,
    start: Nanos,
    deadline: Option<Nanos>,
    pacer: Option<Pacer>,
    /// Of a burst: how many of the present batch are released, and when the batch began.
    in_batch: u32,
    batch_start: Nanos,
}

impl Gate {
    /// Starts the clock of a run.
    pub(crate) fn open(clock: Clock, start: Nanos, plan: &Plan) -> Result<Self, LoadError> {
        let pacer = match plan.pacing {
            Pacing::Open { .. } => {
                let due: Vec<Nanos> = plan
                    .requests
                    .iter()
                    .map(|planned| start + planned.due)
                    .collect();
                Some(Pacer::start(clock, due.into_iter())?)
            }
            Pacing::Burst { .. } | Pacing::Closed { .. } => None,
        };
        Ok(Gate {
            pacing: plan.pacing,
            clock,
            start,
            deadline: plan.stop.deadline().map(|after| start + after),
            pacer,
            in_batch: 0,
            batch_start: start,
        })
    }

    /// Waits until `planned` may go; `false` where the run's deadline comes first.
    pub(crate) async fn admit(
        &mut self,
        planned: &PlannedRequest,
        in_flight: &mut InFlight,
    ) -> bool {
        match self.deadline {
            None => {
                self.wait(planned, in_flight).await;
                true
            }
            Some(deadline) => {
                let clock = self.clock;
                tokio::select! {
                    biased;
                    () = clock.sleep_until(deadline) => false,
                    () = self.wait(planned, in_flight) => self.clock.now() < deadline,
                }
            }
        }
    }

    async fn wait(&mut self, planned: &PlannedRequest, in_flight: &mut InFlight) {
        match self.pacing {
            Pacing::Burst { size } => {
                if self.in_batch == size {
                    in_flight.until_fewer_than(1).await;
                    self.in_batch = 0;
                    self.batch_start = self.clock.now();
                }
                self.in_batch += 1;
            }
            Pacing::Closed { concurrency } => {
                in_flight.until_fewer_than(concurrency as usize).await;
            }
            Pacing::Open {
                max_concurrency, ..
            } => {
                let due = self.start + planned.due;
                if let Some(pacer) = &mut self.pacer {
                    pacer.wait(due).await;
                }
                in_flight.reap();
                if let Some(limit) = max_concurrency {
                    in_flight.until_fewer_than(limit as usize).await;
                }
            }
        }
    }

    /// When the request just admitted was due; `None` where that is when it is issued.
    pub(crate) fn due(&self, planned: &PlannedRequest) -> Option<Nanos> {
        match self.pacing {
            Pacing::Burst { .. } => Some(self.batch_start),
            Pacing::Closed { .. } => None,
            Pacing::Open { .. } => Some(self.start + planned.due),
        }
    }

    /// How late the pacer gave each word, in nanoseconds.
    pub(crate) fn close(self) -> Vec<u64> {
        self.pacer.map(Pacer::finish).unwrap_or_default()
    }
}
