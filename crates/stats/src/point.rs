//! One point: all its runs, to one set of numbers.

use crate::classes::{Objectives, summarize_classes};
use crate::drift::DriftTally;
use crate::goodput::meets;
use crate::latency::LatencyPool;
use crate::lengths::LengthTally;
use crate::pooling::PoolingTally;
use crate::receipt::ReceiptTally;
use crate::reliability::OutcomeTally;
use crate::run::{Run, RunMetrics};
use crate::steady::SteadyRun;
use crate::tokens::TokenTally;
use crate::verdict::Evidence;
use crate::{
    Concurrency, Distribution, Goodput, MeanStd, PointSummary, RequestMetrics, SteadyState,
    Throughput, Timings, Verdict, bootstrap_median,
};
use trace::{Arrival, Nanos, Pacing, PointInfo, RunFacts};

/// Intervals are to be the same whenever the same records are read.
const BOOTSTRAP_SEED: u64 = 64;

/// Everything that is gathered in one pass over a point's records.
#[derive(Default)]
struct Tally<'a> {
    outcomes: OutcomeTally<'a>,
    tokens: TokenTally,
    pooling: PoolingTally,
    lengths: LengthTally,
    latencies: LatencyPool,
    receipt: ReceiptTally,
    steady: SteadyPool,
    drift: DriftTally,
    request_rates: Vec<f64>,
    decode_rates: Vec<f64>,
    good: u64,
}

/// Latencies of requests issued while the load was at its target, in milliseconds.
#[derive(Default)]
struct SteadyPool {
    ttft: Vec<f64>,
    tpot: Vec<f64>,
    e2e: Vec<f64>,
}

/// The numbers of `point` over its measured `runs`; `asks_vectors` where its requests asked for vectors or scores.
pub(crate) fn summarize_point(
    point: &PointInfo,
    objectives: Objectives<'_>,
    asks_vectors: bool,
    runs: &[Run],
) -> PointSummary {
    let mut tally = Tally::default();
    let measured: Vec<RunMetrics> = runs
        .iter()
        .filter_map(|run| tally.add(point.pacing, objectives, run))
        .collect();
    let facts: Vec<&RunFacts> = runs.iter().filter_map(|run| run.facts).collect();
    let planned = runs
        .iter()
        .map(|run| {
            run.facts
                .map_or(run.records.len() as u64, |facts| facts.planned)
        })
        .sum();

    let exhausted = tally.outcomes.exhausted();
    let (latency, gaps) = tally.latencies.finish();
    let mut summary = PointSummary {
        runs: u32::try_from(runs.len()).unwrap_or(u32::MAX),
        reliability: tally.outcomes.finish(planned),
        tokens: tally.tokens.finish(),
        timings: timings(&measured),
        throughput: throughput(&measured, &tally.request_rates, &tally.decode_rates),
        latency,
        steady_state: tally.steady.finish(&measured),
        concurrency: concurrency(point.pacing, &measured),
        pooling: tally.pooling.finish(&measured, &facts, asks_vectors),
        goodput: objectives
            .cover_all()
            .then(|| Goodput::of(tally.good, &measured))
            .flatten(),
        prompt_lengths: tally.lengths.finish(),
        classes: summarize_classes(point.pacing, objectives, runs, &measured),
        receipt: tally.receipt.finish(&facts),
        verdict: Verdict::of(Vec::new()),
        point: point.clone(),
    };
    let evidence = Evidence {
        summary: &summary,
        measured: &measured,
        facts: &facts,
        gaps,
        drift: tally.drift.finish(),
        exhausted,
    };
    summary.verdict = evidence.judge();
    summary
}

impl<'a> Tally<'a> {
    /// Adds a run; `None` where it has no records.
    fn add(
        &mut self,
        pacing: Pacing,
        objectives: Objectives<'_>,
        run: &Run<'a>,
    ) -> Option<RunMetrics> {
        let mut metrics: Vec<Option<RequestMetrics>> = run
            .records
            .iter()
            .map(|record| RequestMetrics::from_record(record))
            .collect();
        let measured = RunMetrics::of(pacing, &run.records, &metrics)?;
        if let Some(steady) = &measured.steady {
            self.drift.add(steady, &run.records, &metrics);
        }
        for (&record, metrics) in run.records.iter().zip(&mut metrics) {
            self.outcomes.add(record);
            self.latencies.add(pacing, record, metrics.as_mut());
            let Some(metrics) = metrics else { continue };
            self.tokens.add(metrics);
            self.pooling.add(metrics);
            self.receipt.add(record);
            self.request_rates.extend(metrics.request_tokens_per_second);
            self.decode_rates.extend(metrics.decode_tokens_per_second);
            self.lengths.add(record);
            let slo = objectives.of(record.class);
            self.good += u64::from(slo.is_some_and(|slo| meets(&slo, metrics)));
            if measured
                .steady
                .as_ref()
                .is_some_and(|steady| steady.contains(record.issued))
            {
                self.steady.add(metrics);
            }
        }
        Some(measured)
    }
}

impl SteadyPool {
    fn add(&mut self, metrics: &RequestMetrics) {
        self.ttft.extend(metrics.ttft.map(Nanos::millis));
        self.tpot.extend(metrics.tpot_ms);
        self.e2e.extend(metrics.e2e.map(Nanos::millis));
    }

    fn finish(self, runs: &[RunMetrics]) -> Option<SteadyState> {
        let windows: Vec<&SteadyRun> = runs.iter().filter_map(|run| run.steady.as_ref()).collect();
        let over = |value: fn(&SteadyRun) -> Option<f64>| {
            MeanStd::of(
                &windows
                    .iter()
                    .filter_map(|window| value(window))
                    .collect::<Vec<_>>(),
            )
        };
        Some(SteadyState {
            seconds: over(|window| Some(window.seconds))?.mean,
            share: over(|window| Some(window.share))?.mean,
            output_tokens_per_second: over(|window| window.output_tokens_per_second),
            ttft: Distribution::of(self.ttft),
            tpot: Distribution::of(self.tpot),
            e2e: Distribution::of(self.e2e),
        })
    }
}

/// A number of each run that has it.
fn over_runs(runs: &[RunMetrics], value: impl Fn(&RunMetrics) -> Option<f64>) -> Vec<f64> {
    runs.iter().filter_map(value).collect()
}

fn timings(runs: &[RunMetrics]) -> Timings {
    Timings {
        batch_total_seconds: MeanStd::of(&over_runs(runs, RunMetrics::batch_total_seconds)),
        fastest_seconds: MeanStd::of(&over_runs(runs, |run| run.fastest_seconds)),
        slowest_seconds: MeanStd::of(&over_runs(runs, |run| run.slowest_seconds)),
        spread_seconds: MeanStd::of(&over_runs(runs, RunMetrics::spread_seconds)),
    }
}

fn throughput(runs: &[RunMetrics], request_rates: &[f64], decode_rates: &[f64]) -> Throughput {
    let batch = over_runs(runs, RunMetrics::batch_tokens_per_second);
    Throughput {
        batch_tokens_per_second: MeanStd::of(&batch),
        batch_tokens_per_second_interval: bootstrap_median(&batch, BOOTSTRAP_SEED),
        request_tokens_per_second: MeanStd::of(request_rates),
        decode_tokens_per_second: MeanStd::of(decode_rates),
        input_tokens_per_second: MeanStd::of(&over_runs(runs, RunMetrics::input_tokens_per_second)),
        output_tokens_per_second: MeanStd::of(&over_runs(
            runs,
            RunMetrics::output_tokens_per_second,
        )),
        requests_per_second: MeanStd::of(&over_runs(runs, RunMetrics::requests_per_second)),
    }
}

fn concurrency(pacing: Pacing, runs: &[RunMetrics]) -> Concurrency {
    let mean = |values: Vec<f64>| MeanStd::of(&values).map(|described| described.mean);
    let (asked, asked_arrival) = match pacing {
        Pacing::Burst { size } => (Some(size), None),
        Pacing::Closed { concurrency } => (Some(concurrency), None),
        Pacing::Open { arrival, .. } => (None, Some(arrival)),
    };
    let intervals: u64 = runs.iter().map(|run| run.issued - 1).sum();
    let seconds: f64 = runs.iter().map(|run| run.issued_seconds).sum();
    let planned: f64 = runs.iter().map(|run| run.due_seconds).sum();
    // Of a rate that changes only the plan knows the mean over the time that was measured.
    let asked_rate = asked_arrival.map(|arrival| match arrival {
        Arrival::Constant { rate } | Arrival::Poisson { rate } | Arrival::Gamma { rate, .. } => {
            rate
        }
        _ if planned > 0.0 => intervals as f64 / planned,
        changing => changing.rate(),
    });
    Concurrency {
        asked,
        peak: runs.iter().map(|run| run.peak).max().unwrap_or(0),
        achieved: mean(over_runs(runs, |run| run.concurrency)),
        littles_law: mean(over_runs(runs, RunMetrics::littles_law)),
        asked_rate,
        issued_rate: asked_rate
            .filter(|_| seconds > 0.0)
            .map(|_| intervals as f64 / seconds),
    }
}
