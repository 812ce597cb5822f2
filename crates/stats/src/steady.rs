//! The part of a run in which the load was at its target.

use crate::RequestMetrics;
use crate::activity::Activity;
use crate::bursts::{batch_size, batches};
use crate::quantile::{quantile, sort};
use crate::warmup::warmup;
use crate::windows::Windows;
use trace::{Nanos, Pacing, Record};

/// The part of the asked concurrency, or of a batch, that counts as the target.
const TARGET_PERCENT: usize = 80;

/// A window shorter than this many gaps between tokens measures their granularity.
const GAPS_MIN: f64 = 2.0;

/// With fewer token events one more or less changes the throughput by over a tenth.
const EVENTS_MIN: u64 = 10;

/// Fewer requests than this show no rate, where responses carry no token events.
const REQUESTS_MIN: usize = 2;

/// One run's steady part.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SteadyRun {
    /// In ascending order, apart from each other: one, or one per batch.
    stretches: Vec<(Nanos, Nanos)>,
    /// Together.
    pub(crate) seconds: f64,
    /// Of the run.
    pub(crate) share: f64,
    /// Tokens whose event arrived inside / `seconds`; absent without token events.
    pub(crate) output_tokens_per_second: Option<f64>,
    /// Whole answers whose last token (not streaming: body) came inside.
    answers: usize,
    /// From the first release on, the run was still warming up; not of bursts.
    pub(crate) warmup: Option<Nanos>,
}

impl SteadyRun {
    /// Finds it. `records` are in the order of release, `metrics` beside them. `None` where the
    /// load never was at its target, or too briefly to measure anything.
    pub(crate) fn find(
        pacing: Pacing,
        records: &[&Record],
        metrics: &[Option<RequestMetrics>],
        activity: &Activity,
    ) -> Option<Self> {
        let stretches = match pacing {
            Pacing::Burst { .. } => batches(batch_size(pacing), records)
                .filter_map(batch_stretch)
                .collect(),
            Pacing::Closed { concurrency } => {
                let crossings = activity.crossings(target(concurrency as usize))?;
                vec![(crossings.reached, crossings.left)]
            }
            Pacing::Open { .. } => vec![open_stretch(metrics, activity)?],
        };
        let warm = match pacing {
            Pacing::Burst { .. } => None,
            Pacing::Closed { .. } | Pacing::Open { .. } => warm_from(records, metrics),
        };
        let stretches = stretches
            .into_iter()
            .map(|(from, to)| (warm.map_or(from, |warm| warm.clamp(from, to)), to))
            .collect::<Vec<_>>();
        let seconds: f64 = stretches
            .iter()
            .map(|&(from, to)| (to - from).seconds())
            .sum();
        if seconds <= 0.0 {
            return None;
        }
        let mut steady = Self {
            stretches,
            seconds,
            share: seconds / (activity.end() - activity.start()).seconds(),
            output_tokens_per_second: None,
            answers: 0,
            warmup: warm.map(|warm| warm - activity.start()),
        };
        steady.count(records, metrics).then_some(steady)
    }

    /// Counts what arrived inside, each event for the mean tokens of its response's events.
    /// Returns whether that is enough to go by.
    fn count(&mut self, records: &[&Record], metrics: &[Option<RequestMetrics>]) -> bool {
        let (mut tokens, mut inside, mut events) = (0.0, 0, 0);
        let (mut gap_seconds, mut gaps, mut requests) = (0.0, 0.0, 0);
        for (record, metrics) in records.iter().zip(metrics) {
            let Some(metrics) = metrics else { continue };
            let arrived = record.events.iter().filter(|event| event.kind.is_token());
            let count = arrived.filter(|event| self.received(event.arrived)).count() as u64;
            if let Some(output) = metrics.output_tokens.filter(|_| metrics.token_events > 0) {
                tokens += output as f64 / metrics.token_events as f64 * count as f64;
            }
            inside += count;
            events += metrics.token_events;
            gap_seconds += metrics
                .chunk_gaps
                .iter()
                .map(|gap| gap.seconds())
                .sum::<f64>();
            gaps += metrics.chunk_gaps.len() as f64;
            requests += usize::from(self.contains(record.issued));
            let end = metrics.e2e.map(|e2e| record.began() + e2e);
            self.answers += usize::from(end.is_some_and(|end| self.received(end)));
        }
        if events == 0 {
            return requests >= REQUESTS_MIN;
        }
        self.output_tokens_per_second = Some(tokens / self.seconds);
        inside >= EVENTS_MIN && gaps > 0.0 && self.seconds >= GAPS_MIN * gap_seconds / gaps
    }

    /// Whole answers inside.
    pub(crate) fn answers(&self) -> usize {
        self.answers
    }

    /// Answers inside / `seconds`.
    pub(crate) fn requests_per_second(&self) -> f64 {
        self.answers as f64 / self.seconds
    }

    /// Output tokens, and answers, per second of the answers that ended in short windows, one after
    /// the other. Nothing of bursts: a batch has no rate that lasts.
    ///
    /// The tokens count at their answer's end: those of one answer come at one speed, so that counted
    /// as they come they say the same thing in window after window.
    pub(crate) fn window_rates(
        &self,
        pacing: Pacing,
        records: &[&Record],
        metrics: &[Option<RequestMetrics>],
    ) -> [Vec<f64>; 2] {
        let (Pacing::Closed { .. } | Pacing::Open { .. }, [stretch]) =
            (pacing, &self.stretches[..])
        else {
            return [Vec::new(), Vec::new()];
        };
        let ended = || {
            records.iter().zip(metrics).filter_map(|(record, metrics)| {
                let metrics = metrics.as_ref()?;
                let tokens = metrics.output_tokens.unwrap_or(0) as f64;
                Some((record.began() + metrics.e2e?, tokens))
            })
        };
        let latencies = metrics.iter().flatten().filter_map(|metrics| metrics.e2e);
        let (sum, count) = latencies.fold((0.0, 0.0), |(sum, count), latency| {
            (sum + latency.seconds(), count + 1.0)
        });
        let windows = Windows::new(*stretch, self.answers, sum / count);
        let tokens = self
            .output_tokens_per_second
            .map(|_| windows.rates(ended()));
        let answers = windows.rates(ended().map(|(at, _)| (at, 1.0)));
        [tokens.unwrap_or_default(), answers]
    }

    /// Whether a request issued `at` belongs to it.
    pub(crate) fn contains(&self, at: Nanos) -> bool {
        self.stretch_of(at)
            .is_some_and(|(from, to)| from <= at && at <= to)
    }

    /// A token is the work of the time before it: one at the very beginning is not of this window.
    fn received(&self, at: Nanos) -> bool {
        self.stretch_of(at)
            .is_some_and(|(from, to)| from < at && at <= to)
    }

    /// The first stretch that ends at or after `at`.
    fn stretch_of(&self, at: Nanos) -> Option<(Nanos, Nanos)> {
        let index = self.stretches.partition_point(|&(_, to)| to < at);
        self.stretches.get(index).copied()
    }
}

/// The smallest number of requests that is at least [`TARGET_PERCENT`] of `asked`.
fn target(asked: usize) -> usize {
    (asked * TARGET_PERCENT).div_ceil(100)
}

/// From the batch's start until fewer than the target share of it are in flight.
fn batch_stretch(batch: &[&Record]) -> Option<(Nanos, Nanos)> {
    let mut done: Vec<Nanos> = batch.iter().map(|record| record.done).collect();
    done.sort_unstable();
    let leaver = done.len() - target(done.len());
    let (start, end) = (batch.first()?.issued, *done.get(leaver)?);
    (end > start).then_some((start, end))
}

/// The release of the first request that is no longer part of the warm-up, by the latency of the
/// first token (of the whole response without streams) or by the time between tokens, whichever
/// takes longer to settle. `None` where there is no warm-up.
fn warm_from(records: &[&Record], metrics: &[Option<RequestMetrics>]) -> Option<Nanos> {
    let first = |metrics: &RequestMetrics| metrics.ttft.or(metrics.e2e).map(Nanos::millis);
    let between = |metrics: &RequestMetrics| metrics.tpot_ms;
    let settled = |latency: &dyn Fn(&RequestMetrics) -> Option<f64>| {
        let answered = records
            .iter()
            .zip(metrics)
            .filter(|(record, _)| record.begins())
            .filter_map(|(record, metrics)| Some((record.issued, latency(metrics.as_ref()?)?)));
        let (issued, values): (Vec<Nanos>, Vec<f64>) = answered.unzip();
        let cut = warmup(&values);
        issued.get(cut).copied().filter(|_| cut > 0)
    };
    settled(&first).max(settled(&between))
}

/// The ramp ends one median end-to-end latency after the first release: by then requests leave
/// about as fast as they come, if the server keeps up at all. The load ends with the last release.
fn open_stretch(metrics: &[Option<RequestMetrics>], activity: &Activity) -> Option<(Nanos, Nanos)> {
    let mut latencies: Vec<f64> = metrics
        .iter()
        .flatten()
        .filter_map(|metrics| metrics.e2e)
        .map(Nanos::seconds)
        .collect();
    sort(&mut latencies);
    let from = activity.start() + Nanos::from_seconds(quantile(&latencies, 0.5)?);
    (from < activity.last_issued()).then(|| (from, activity.last_issued()))
}
