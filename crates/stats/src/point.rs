//! One point: all its runs, to one set of numbers.

use crate::answers::AnswerTally;
use crate::bursts::batch_size;
use crate::classes::{Objectives, summarize_classes};
use crate::conversations::summarize_conversations;
use crate::disturbed::{Undisturbed, disturbed_spans};
use crate::drift::DriftTally;
use crate::goodput::GoodTally;
use crate::judge::{FaultTally, Judge};
use crate::latency::LatencyPool;
use crate::lengths::LengthTally;
use crate::pooling::PoolingTally;
use crate::receipt::ReceiptTally;
use crate::reliability::OutcomeTally;
use crate::run::{Run, RunMetrics};
use crate::series::Grows;
use crate::server::ServerView;
use crate::slow_queue::SlowQueue;
use crate::special::NORMAL_95;
use crate::steady::SteadyRun;
use crate::tokens::{TokenTally, recounted};
use crate::traffic::{Span, Traffic};
use crate::verdict::{Evidence, Lateness};
use crate::{
    Concurrency, Interval, MeanStd, PointSummary, Reliability, RequestMetrics, Series, SteadyState,
    Throughput, Timings, Tokens, Verdict, bootstrap_median,
};
use trace::{Arrival, Nanos, Outcome, Pacing, PointInfo, Record, RunFacts, RunHeader, Subject};

/// Intervals are to be the same whenever the same records are read.
const BOOTSTRAP_SEED: u64 = 64;

/// Everything that is gathered in one pass over a point's records.
#[derive(Default)]
struct Tally<'a> {
    answers: AnswerTally,
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
    good: GoodTally,
    sending_ms: Vec<f64>,
    undisturbed: Undisturbed,
    /// Some run of the point has a disturbed second.
    has_disturbed: bool,
}

/// Latencies of requests issued while the load was at its target, in milliseconds.
#[derive(Default)]
struct SteadyPool {
    ttft: Series,
    tpot: Series,
    e2e: Series,
    /// Output tokens, and answers, per second of short windows, in the order of time.
    rates: [Series; 2],
    /// How much the number of arrivals varies, where the plan says it.
    arrivals: Option<f64>,
    /// Output tokens of the answers that have some.
    tokens: Vec<f64>,
}

/// How much the number of arrivals in a long time varies, where that of a Poisson process varies by 1: the squared variation
/// of the gaps (Cox, *Renewal Theory*, 1962, section 4.2). `None` where gaps are not drawn, each like the others.
fn dispersion_of_arrivals(pacing: Pacing) -> Option<f64> {
    let Pacing::Open { arrival, .. } = pacing else {
        return None;
    };
    match arrival {
        Arrival::Poisson { .. } => Some(1.0),
        Arrival::Gamma { shape, .. } => Some(1.0 / shape),
        Arrival::Constant { .. }
        | Arrival::Ramp { .. }
        | Arrival::Steps { .. }
        | Arrival::Bursts { .. }
        | Arrival::OnOff { .. }
        | Arrival::Replay { .. } => None,
    }
}

/// The numbers of `point` over its measured `runs`.
pub(crate) fn summarize_point(
    point: &PointInfo,
    header: &RunHeader,
    objectives: Objectives<'_>,
    runs: &[Run],
    faults: &FaultTally,
) -> PointSummary {
    let subject = header.subject();
    let traffic = Traffic::of(point.pacing, runs.iter().map(spans));
    let mut tally = Tally::new(point.pacing, header);
    let all_facts = runs.iter().filter_map(|run| run.facts);
    tally.has_disturbed = all_facts
        .clone()
        .any(|facts| !disturbed_spans(facts).is_empty());
    let measured: Vec<RunMetrics> = runs
        .iter()
        .enumerate()
        .filter_map(|(index, run)| {
            tally.add(point.pacing, objectives, run, |at| traffic.found(index, at))
        })
        .collect();
    let facts: Vec<&RunFacts> = all_facts.collect();
    let exhausted = tally.outcomes.exhausted();
    let (latency, gaps) = tally.latencies.finish(&traffic);
    let timings = timings(&measured);
    let slow_queue = SlowQueue::of(&traffic, &latency, &timings);
    let seconds = measured.iter().map(RunMetrics::seconds).sum();
    let good = tally.good;
    let goodput = objectives
        .cover_all()
        .then(|| good.finish(seconds, &traffic));
    let mut summary = PointSummary {
        runs: u32::try_from(runs.len()).unwrap_or(u32::MAX),
        reliability: Reliability {
            reuse_ended: facts.iter().any(|facts| facts.reuse_ended),
            ..tally.outcomes.finish(runs.iter().map(planned).sum())
        },
        tokens: Tokens {
            recounted: recounted(&facts),
            ..tally.tokens.finish()
        },
        timings,
        throughput: throughput(&measured, &tally.request_rates, &tally.decode_rates),
        latency,
        steady_state: tally.steady.finish(&measured, &traffic),
        concurrency: concurrency(point.pacing, &measured),
        pooling: tally.pooling.finish(&measured, &facts, subject.pooling),
        goodput: goodput.flatten(),
        prompt_lengths: tally.lengths.finish(),
        classes: summarize_classes(point.pacing, objectives, runs, &measured, &traffic),
        conversations: summarize_conversations(
            point.pacing,
            runs,
            facts.iter().map(|facts| facts.turns_cut).sum(),
            &traffic,
        ),
        server: ServerView::of(&facts),
        slow_queue,
        receipt: tally.receipt.finish(&facts),
        answers: faults.finish(Judge::new(header).models(), tally.answers.estimated),
        verdict: Verdict::of(Vec::new()),
        point: point.clone(),
    };
    let evidence = Evidence {
        summary: &summary,
        measured: &measured,
        facts: &facts,
        gaps,
        drift: tally.drift.finish(),
        answers: tally.answers,
        faults,
        models_asked: Judge::new(header).models(),
        template_tokens: subject.template_tokens,
        built_in: subject.built_in,
        exhausted,
        shares_prompts: shares_prompts(&subject, point.pacing),
        sending: Lateness::of(tally.sending_ms),
        undisturbed: tally.undisturbed.sorted(),
    };
    summary.verdict = evidence.judge();
    summary
}

/// When the requests of a run were in flight.
fn spans(run: &Run) -> Vec<Span> {
    let first = |record: &Record| {
        let first = record.events.first();
        first.map_or(record.done, |event| event.arrived)
    };
    let span = |record: &&Record| Span {
        issued: record.issued,
        first: first(record),
        done: record.done,
        answered: record.outcome == Outcome::Complete,
    };
    run.records.iter().map(span).collect()
}

/// Requests that a run was to send; of one that was killed, those that it sent.
fn planned(run: &Run) -> u64 {
    let sent = run.records.len() as u64;
    run.facts.map_or(sent, |facts| facts.planned)
}

/// From when a request could be written to when it was.
fn sending(record: &Record) -> Option<Nanos> {
    let ready = record.connected?.max(record.began());
    Some(record.sent? - ready)
}

/// Whether prompts have beginnings that the server is meant to know, as the requests have them or a trace says.
fn shares_prompts(subject: &Subject, pacing: Pacing) -> bool {
    let replay = matches!(
        pacing,
        Pacing::Open {
            arrival: Arrival::Replay { .. },
            ..
        }
    );
    replay || subject.shares_prompts
}

impl<'a> Tally<'a> {
    fn new(pacing: Pacing, header: &RunHeader) -> Self {
        Self {
            answers: AnswerTally::new(header),
            latencies: LatencyPool::new(pacing),
            steady: SteadyPool::new(pacing),
            good: GoodTally::new(pacing),
            ..Self::default()
        }
    }

    /// Adds a run, each of whose requests `found` so many in flight; `None` where it has no records.
    fn add(
        &mut self,
        pacing: Pacing,
        objectives: Objectives<'_>,
        run: &Run<'a>,
        found: impl Fn(usize) -> u32,
    ) -> Option<RunMetrics> {
        let mut metrics: Vec<Option<RequestMetrics>> = run
            .records
            .iter()
            .map(|record| RequestMetrics::from_record(record))
            .collect();
        let measured = RunMetrics::of(pacing, &run.records, &metrics)?;
        if let Some(steady) = &measured.steady {
            self.drift.add(pacing, steady, &run.records, &metrics);
            let rates = steady.window_rates(pacing, &run.records, &metrics);
            self.steady.add_rates(rates);
        }
        let cluster = batch_size(pacing);
        let disturbed = run.facts.map(disturbed_spans).unwrap_or_default();
        for (index, (&record, metrics)) in run.records.iter().zip(&mut metrics).enumerate() {
            if index % cluster == 0 {
                self.begin(found(index));
            }
            self.outcomes.add(record);
            self.latencies.add(pacing, record, metrics.as_mut());
            let slo = objectives.of(record.class);
            self.good.add(slo.as_ref(), metrics.as_ref());
            let Some(metrics) = metrics else { continue };
            self.answers.add(record, metrics);
            self.tokens.add(metrics);
            self.pooling.add(metrics);
            self.receipt.add(record);
            self.sending_ms.extend(sending(record).map(Nanos::millis));
            if self.has_disturbed {
                self.undisturbed.add(&disturbed, record, metrics);
            }
            self.request_rates.extend(metrics.request_tokens_per_second);
            self.decode_rates.extend(metrics.decode_tokens_per_second);
            self.lengths.add(record);
            if record.turn.is_some() {
                // The plan draws conversations, and not their turns.
                self.steady.arrivals = None;
            }
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

    /// Begins a request that found so many in flight, or a batch.
    fn begin(&mut self, found: u32) {
        self.latencies.begin(found);
        self.steady.begin(found);
        self.good.begin(found);
    }
}

impl SteadyPool {
    fn new(pacing: Pacing) -> Self {
        let series = || Series::paced(pacing);
        Self {
            ttft: series(),
            tpot: series().growing(Grows::AsSeen),
            e2e: series(),
            rates: Default::default(),
            arrivals: dispersion_of_arrivals(pacing),
            tokens: Vec::new(),
        }
    }

    fn begin(&mut self, found: u32) {
        for series in [&mut self.ttft, &mut self.tpot, &mut self.e2e] {
            series.begin(found);
        }
    }

    fn add_rates(&mut self, rates: [Vec<f64>; 2]) {
        for (series, rates) in self.rates.iter_mut().zip(rates) {
            for rate in rates {
                series.push(rate);
                series.close();
            }
        }
    }

    fn add(&mut self, metrics: &RequestMetrics) {
        self.ttft.extend(metrics.ttft.map(Nanos::millis));
        self.tpot.extend(metrics.tpot_ms);
        self.e2e.extend(metrics.e2e.map(Nanos::millis));
        let tokens = metrics.output_tokens.map(|tokens| tokens as f64);
        self.tokens.extend(tokens);
    }

    fn finish(self, runs: &[RunMetrics], traffic: &Traffic) -> Option<SteadyState> {
        let windows: Vec<&SteadyRun> = runs.iter().filter_map(|run| run.steady.as_ref()).collect();
        let over = |value: fn(&SteadyRun) -> Option<f64>| {
            MeanStd::of(
                &windows
                    .iter()
                    .filter_map(|window| value(window))
                    .collect::<Vec<_>>(),
            )
        };
        let tokens = over(|window| window.output_tokens_per_second);
        let requests = over(|window| Some(window.requests_per_second()));
        let answers: f64 = windows.iter().map(|window| window.answers() as f64).sum();
        // What windows say of a rate's spread, and at least what the plan says of it: arrivals vary whether this run shows
        // it or not. About the rate as it is shown: what is in flight at the ends of the stretch is in one and not in the
        // other.
        let about = |rate: Option<MeanStd>, variation: f64, windows: &Series| {
            let rate = rate?.mean;
            let known = self.arrivals.map(|arrivals| {
                NORMAL_95 * rate * ((arrivals + variation) / answers.max(1.0)).sqrt()
            });
            let interval = match known {
                Some(reach) => windows.mean_interval_beyond(reach),
                None => windows.mean_interval(),
            }?;
            let shift = rate - MeanStd::of(windows.values())?.mean;
            Some(Interval {
                low: interval.low + shift,
                high: interval.high + shift,
            })
        };
        let per_answer = MeanStd::of(&self.tokens);
        let of_tokens = per_answer.map_or(0.0, |tokens| (tokens.std / tokens.mean).powi(2));
        let of_tokens = if of_tokens.is_finite() {
            of_tokens
        } else {
            0.0
        };
        Some(SteadyState {
            seconds: over(|window| Some(window.seconds))?.mean,
            share: over(|window| Some(window.share))?.mean,
            output_tokens_per_second: tokens,
            output_tokens_per_second_interval: about(tokens, of_tokens, &self.rates[0]),
            requests_per_second: requests,
            requests_per_second_interval: about(requests, 0.0, &self.rates[1]),
            warmup_seconds: over(|window| window.warmup.map(Nanos::seconds)).map(|all| all.max),
            ttft: self.ttft.describe_in(traffic),
            tpot: self.tpot.describe_in(traffic),
            e2e: self.e2e.describe_in(traffic),
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
    let intervals: u64 = runs.iter().map(|run| run.begun.saturating_sub(1)).sum();
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
