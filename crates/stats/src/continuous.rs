//! Batches that are waited for, against requests that take each other's place.

use crate::{MeanStd, PointSummary, Summary};
use serde::Serialize;
use trace::Pacing;

/// One server under a fixed batch and under continuous arrival with as many requests in flight.
///
/// A batch ends with its longest answer: towards its end ever fewer requests are in flight, and the
/// next one begins only then. Under traffic the place of an answer that is done is taken at once.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FixedVsContinuous {
    /// Requests of a batch.
    pub batch_size: u32,
    /// In flight while the batches ran, on average over time.
    pub fixed_in_flight: Option<f64>,
    /// Output tokens per second of whole batches.
    pub whole_batch: Option<MeanStd>,
    /// The same while the whole batch was in flight; absent where no such window was found.
    pub steady_window: Option<MeanStd>,
    /// In flight, as asked of the continuous run: `fixed_in_flight`, rounded.
    pub continuous_concurrency: u32,
    /// In flight while the continuous run ran, on average over time.
    pub continuous_in_flight: Option<f64>,
    /// Output tokens per second of the continuous run.
    pub continuous: Option<MeanStd>,
    /// `continuous / whole_batch`: how far the fixed batch is from the truth about traffic.
    pub ratio: Option<f64>,
}

/// The concurrency at which a point of bursts is to be measured again: its own mean.
pub fn mean_concurrency(point: &PointSummary) -> Option<u32> {
    let mean = point.concurrency.achieved?.round().max(1.0);
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at least 1, and at most as many as were in flight at once"
    )]
    let mean = mean as u32;
    Some(mean)
}

/// Each point of bursts beside the point of `continuous` that held as many in flight. Points without
/// a partner are left out.
pub fn fixed_vs_continuous(fixed: &Summary, continuous: &Summary) -> Vec<FixedVsContinuous> {
    let partner = |wanted: u32| {
        let held = |point: &&PointSummary| {
            point.point.pacing
                == Pacing::Closed {
                    concurrency: wanted,
                }
        };
        continuous.points.iter().find(held)
    };
    let pairs = fixed.points.iter().filter_map(|point| {
        let Pacing::Burst { size } = point.point.pacing else {
            return None;
        };
        let concurrency = mean_concurrency(point)?;
        let partner = partner(concurrency)?;
        let whole_batch = point.throughput.batch_tokens_per_second;
        let flowing = partner.throughput.batch_tokens_per_second;
        let ratio = whole_batch
            .zip(flowing)
            .map(|(batch, flow)| flow.mean / batch.mean);
        Some(FixedVsContinuous {
            batch_size: size,
            fixed_in_flight: point.concurrency.achieved,
            whole_batch,
            steady_window: point
                .steady_state
                .as_ref()
                .and_then(|steady| steady.output_tokens_per_second),
            continuous_concurrency: concurrency,
            continuous_in_flight: partner.concurrency.achieved,
            continuous: flowing,
            ratio: ratio.filter(|ratio| ratio.is_finite()),
        })
    });
    pairs.collect()
}
