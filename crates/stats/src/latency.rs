//! Latencies of many requests, pooled.

use crate::quantile::{quantile, sort};
use crate::{Distribution, Latency, RequestMetrics};
use trace::{Nanos, Pacing, Record};

/// Linux delays an acknowledgement by 40 ms (`TCP_DELACK_MIN`), quantised by the timer tick.
const DELAYED_ACK_MS: std::ops::Range<f64> = 38.0..42.0;

/// Samples of each latency, in milliseconds.
#[derive(Default)]
pub(crate) struct LatencyPool {
    ttft: Vec<f64>,
    ttft_from_due: Vec<f64>,
    ttfo: Vec<f64>,
    ttfo_differs: bool,
    tpot: Vec<f64>,
    itl: Vec<f64>,
    /// A request has gaps whose tokens are not known: then the gaps of the others are not those of all.
    itl_incomplete: bool,
    chunk_gap: Vec<f64>,
    e2e: Vec<f64>,
    e2e_from_due: Vec<f64>,
    stream_end: Vec<f64>,
    connect: Vec<f64>,
    issue_lag: Vec<f64>,
}

/// What the gaps between token events say about the way there.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct GapShape {
    /// Median gap between the reads that brought token events: gaps inside one read left out.
    pub(crate) read_gap_ms: Option<f64>,
    /// Of those, the share that a delayed acknowledgement explains.
    pub(crate) delayed_ack_share: Option<f64>,
    /// Median of all gaps.
    pub(crate) chunk_gap_ms: Option<f64>,
}

impl LatencyPool {
    /// Adds a request, answered or not: it was issued late or in time either way. The gaps are
    /// taken out of `metrics`, because they are most of its memory.
    pub(crate) fn add(
        &mut self,
        pacing: Pacing,
        record: &Record,
        metrics: Option<&mut RequestMetrics>,
    ) {
        let scheduled = !matches!(pacing, Pacing::Closed { .. });
        if scheduled {
            self.issue_lag.push((record.issued - record.due).millis());
        }
        let Some(metrics) = metrics else { return };
        let push = |pool: &mut Vec<f64>, span: Option<Nanos>| {
            pool.extend(span.map(Nanos::millis));
        };
        push(&mut self.ttft, metrics.ttft);
        push(&mut self.ttfo, metrics.ttfo);
        self.ttfo_differs |= metrics.ttfo != metrics.ttft;
        push(&mut self.e2e, metrics.e2e);
        push(&mut self.stream_end, metrics.stream_end);
        push(&mut self.connect, metrics.connect);
        if scheduled {
            push(&mut self.ttft_from_due, metrics.ttft_from_due);
            push(&mut self.e2e_from_due, metrics.e2e_from_due);
        }
        self.tpot.extend(metrics.tpot_ms);
        self.itl_incomplete |= metrics.itl_ms.is_none() && !metrics.chunk_gaps.is_empty();
        self.itl.extend(metrics.itl_ms.take().into_iter().flatten());
        let gaps = std::mem::take(&mut metrics.chunk_gaps);
        self.chunk_gap.extend(gaps.into_iter().map(Nanos::millis));
    }

    /// Describes the samples.
    pub(crate) fn finish(mut self) -> (Latency, GapShape) {
        sort(&mut self.chunk_gap);
        let shape = GapShape::of(&self.chunk_gap);
        let latency = Latency {
            ttft: Distribution::of(self.ttft),
            ttft_from_due: Distribution::of(self.ttft_from_due),
            ttfo: self
                .ttfo_differs
                .then(|| Distribution::of(self.ttfo))
                .flatten(),
            tpot: Distribution::of(self.tpot),
            itl: (!self.itl_incomplete)
                .then(|| Distribution::of(self.itl))
                .flatten(),
            chunk_gap: Distribution::of_sorted(&self.chunk_gap),
            e2e: Distribution::of(self.e2e),
            e2e_from_due: Distribution::of(self.e2e_from_due),
            stream_end: Distribution::of(self.stream_end),
            connect: Distribution::of(self.connect),
            issue_lag: Distribution::of(self.issue_lag),
        };
        (latency, shape)
    }
}

impl GapShape {
    fn of(sorted: &[f64]) -> Self {
        let between_reads = &sorted[sorted.partition_point(|&gap| gap <= 0.0)..];
        let below = |limit: f64| between_reads.partition_point(|&gap| gap < limit);
        let delayed = below(DELAYED_ACK_MS.end) - below(DELAYED_ACK_MS.start);
        Self {
            read_gap_ms: quantile(between_reads, 0.5),
            delayed_ack_share: (!between_reads.is_empty())
                .then(|| delayed as f64 / between_reads.len() as f64),
            chunk_gap_ms: quantile(sorted, 0.5),
        }
    }
}
