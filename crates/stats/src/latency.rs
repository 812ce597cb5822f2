//! Latencies of many requests, pooled.

use crate::quantile::quantile;
use crate::series::Grows;
use crate::traffic::Traffic;
use crate::{Latency, RequestMetrics, Series};
use trace::{Nanos, Pacing, Record};

/// Linux delays an acknowledgement by 40 ms (`TCP_DELACK_MIN`), quantised by the timer tick.
const DELAYED_ACK_MS: std::ops::Range<f64> = 38.0..42.0;

/// Samples of each latency, in milliseconds and in the order of issue.
#[derive(Default)]
pub(crate) struct LatencyPool {
    ttft: Series,
    ttft_from_due: Series,
    ttfo: Series,
    ttfo_differs: bool,
    tpot: Series,
    itl: Series,
    /// A request has gaps whose tokens are not known: then the gaps of the others are not those of all.
    itl_incomplete: bool,
    chunk_gap: Series,
    e2e: Series,
    e2e_from_due: Series,
    stream_end: Series,
    connect: Series,
    issue_lag: Series,
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
    /// Of requests that are released in that way.
    pub(crate) fn new(pacing: Pacing) -> Self {
        Self::of(|| Series::paced(pacing))
    }

    /// Of requests that follow each other, whatever released them.
    pub(crate) fn in_order() -> Self {
        Self::of(Series::default)
    }

    fn of(series: impl Fn() -> Series) -> Self {
        let mut pool = Self::default();
        for of_kind in pool.all() {
            *of_kind = series();
        }
        // Once an answer has begun, what waits behind it takes no longer.
        for series in [&mut pool.tpot, &mut pool.itl, &mut pool.chunk_gap] {
            *series = std::mem::take(series).growing(Grows::AsSeen);
        }
        pool
    }

    fn all(&mut self) -> [&mut Series; 11] {
        [
            &mut self.ttft,
            &mut self.ttft_from_due,
            &mut self.ttfo,
            &mut self.tpot,
            &mut self.itl,
            &mut self.chunk_gap,
            &mut self.e2e,
            &mut self.e2e_from_due,
            &mut self.stream_end,
            &mut self.connect,
            &mut self.issue_lag,
        ]
    }

    /// Begins a cluster of values that share a fate: those of a request, which found so many in flight, or of a batch.
    pub(crate) fn begin(&mut self, found: u32) {
        for series in self.all() {
            series.begin(found);
        }
    }

    /// Adds a request, answered or not: it was issued late or in time either way. The gaps are
    /// taken out of `metrics`, because they are most of its memory.
    pub(crate) fn add(
        &mut self,
        pacing: Pacing,
        record: &Record,
        metrics: Option<&mut RequestMetrics>,
    ) {
        let scheduled = !matches!(pacing, Pacing::Closed { .. });
        if scheduled && record.begins() {
            self.issue_lag.push((record.issued - record.due).millis());
        }
        let Some(metrics) = metrics else { return };
        let push = |pool: &mut Series, span: Option<Nanos>| {
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
    pub(crate) fn finish(mut self, traffic: &Traffic) -> (Latency, GapShape) {
        self.chunk_gap.close();
        let gaps = self.chunk_gap.sorted();
        let latency = Latency {
            chunk_gap: self.chunk_gap.describe_sorted(&gaps, Some(traffic)),
            ttft: self.ttft.describe_in(traffic),
            ttft_from_due: self.ttft_from_due.describe_in(traffic),
            ttfo: self.ttfo.describe_in(traffic).filter(|_| self.ttfo_differs),
            tpot: self.tpot.describe_in(traffic),
            itl: self
                .itl
                .describe_in(traffic)
                .filter(|_| !self.itl_incomplete),
            e2e: self.e2e.describe_in(traffic),
            e2e_from_due: self.e2e_from_due.describe_in(traffic),
            stream_end: self.stream_end.describe_in(traffic),
            connect: self.connect.describe(),
            issue_lag: self.issue_lag.describe(),
        };
        (latency, GapShape::of(&gaps))
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
