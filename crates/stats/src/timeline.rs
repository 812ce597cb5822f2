//! A measurement over time: what was in flight, what came, and when the client was disturbed.

use crate::RequestMetrics;
use crate::disturbed::is_disturbed;
use crate::judge::Judge;
use crate::quantile::{quantile, sort};
use crate::server::LOOKS_MIN;
use std::collections::BTreeMap;
use trace::{Nanos, Pacing, Record, RunFacts, RunHeader, RunId, SavedRun};

/// More bins than this are narrower than a line is wide.
const BINS_MAX: f64 = 240.0;

/// Widths of bins that people can tell at a glance, in seconds.
const WIDTHS: [f64; 13] = [
    0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0,
];

/// Every run of an invocation on one axis, in seconds since the first of them began.
#[derive(Clone, Debug, PartialEq)]
pub struct Timeline {
    /// From the first release to the end of the last answer.
    pub seconds: f64,
    /// How wide each bin is.
    pub bin_seconds: f64,
    /// Runs in the order of time, warm-ups too.
    pub runs: Vec<TimelineRun>,
    /// Whether latencies are those of first tokens; otherwise they are those of whole answers.
    pub streams: bool,
    /// Whether tokens were counted; otherwise rates are those of whole answers.
    pub tokens: bool,
    /// Seconds of measured runs in which the machine kept the client from its work: from, to.
    pub disturbed: Vec<(f64, f64)>,
}

/// One run's part of a timeline.
#[derive(Clone, Debug, PartialEq)]
pub struct TimelineRun {
    /// The key of its point.
    pub point: String,
    /// It enters no number.
    pub warmup: bool,
    /// The first release.
    pub from: f64,
    /// The end of the last answer.
    pub to: f64,
    /// In the order of time, without gaps; the last takes the rest of the run.
    pub bins: Vec<TimelineBin>,
    /// What the server said, in the order of time.
    pub server: Vec<ServerLook>,
}

/// What happened in a short time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TimelineBin {
    /// Its middle.
    pub at: f64,
    /// Generated tokens of complete answers that came, or complete answers that ended, per second.
    pub rate: f64,
    /// Requests in flight, on average.
    pub in_flight: f64,
    /// The median latency of requests that were due in it and were answered, in milliseconds: to the first
    /// token, or of the whole answer. From the due time in an open loop.
    pub latency_p50: Option<f64>,
    /// The longest of them.
    pub latency_max: Option<f64>,
    /// Requests that were due in it and were not answered in full.
    pub failed: u64,
}

/// What a server said of itself at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ServerLook {
    /// When.
    pub at: f64,
    /// Requests that it worked on.
    pub running: Option<f64>,
    /// Requests that waited.
    pub waiting: Option<f64>,
}

impl Timeline {
    /// Of what was saved; `None` where no request was sent.
    pub fn of(saved: &SavedRun) -> Option<Self> {
        let mut runs: BTreeMap<(Nanos, RunId), Vec<&Record>> = BTreeMap::new();
        let mut begun: BTreeMap<RunId, Nanos> = BTreeMap::new();
        for record in &saved.records {
            let first = begun.entry(record.run).or_insert(record.issued);
            *first = record.issued.min(*first);
        }
        for record in &saved.records {
            let key = (begun[&record.run], record.run);
            runs.entry(key).or_default().push(record);
        }
        let start = runs.keys().next()?.0;
        let end = saved.records.iter().map(|record| record.done).max()?;
        let seconds = (end - start).seconds();
        let axis = Axis {
            start,
            width: width(seconds),
            streams: saved.records.iter().any(has_tokens),
            tokens: saved.records.iter().any(counts_tokens),
        };
        let facts = |run: RunId| saved.facts.iter().find(|facts| facts.run == run);
        Some(Self {
            seconds,
            bin_seconds: axis.width,
            streams: axis.streams,
            tokens: axis.tokens,
            disturbed: saved
                .facts
                .iter()
                .filter(|facts| !facts.run.warmup)
                .flat_map(|facts| axis.disturbed(facts))
                .map(|(from, to)| (from, to.min(seconds)))
                .filter(|(from, to)| from < to)
                .collect(),
            runs: runs
                .iter()
                .map(|((_, run), records)| axis.run(&saved.header, *run, records, facts(*run)))
                .collect(),
        })
    }
}

/// The narrowest that gives no more than [`BINS_MAX`] bins.
fn width(seconds: f64) -> f64 {
    let fits = |width: &f64| seconds / width <= BINS_MAX;
    let [.., widest] = WIDTHS;
    WIDTHS
        .into_iter()
        .find(fits)
        .unwrap_or_else(|| (seconds / BINS_MAX / widest).ceil() * widest)
}

fn has_tokens(record: &Record) -> bool {
    record.events.iter().any(|event| event.kind.is_token())
}

fn counts_tokens(record: &Record) -> bool {
    let usage = record.usage.and_then(|usage| usage.completion_tokens);
    has_tokens(record) || usage.is_some_and(|tokens| tokens > 0)
}

/// Where moments lie, and what is drawn.
struct Axis {
    start: Nanos,
    width: f64,
    streams: bool,
    tokens: bool,
}

impl Axis {
    fn at(&self, moment: Nanos) -> f64 {
        (moment - self.start).seconds()
    }

    fn run(
        &self,
        header: &RunHeader,
        run: RunId,
        records: &[&Record],
        facts: Option<&RunFacts>,
    ) -> TimelineRun {
        let point = header.points.get(run.point as usize);
        let open = point.is_some_and(|point| matches!(point.pacing, Pacing::Open { .. }));
        let begun = |record: &&Record| record.issued;
        let from = records.iter().map(begun).min().unwrap_or(self.start);
        let to = records.iter().map(|record| record.done).max();
        let (from, to) = (self.at(from), self.at(to.unwrap_or(self.start)));
        let mut bins = Bins::new(from, to, self.width);
        let judge = Judge::new(header);
        for record in records {
            let record = &*judge.settle(record);
            let due = if open {
                record.due.min(record.issued)
            } else {
                record.issued
            };
            bins.add(self, record, due);
        }
        // Before the first request and after the last answer there is nothing to see.
        let enough = |facts: &&RunFacts| facts.server.len() >= LOOKS_MIN + 2;
        let facts = facts.filter(enough);
        let looks = facts.iter().flat_map(|facts| &facts.server);
        TimelineRun {
            point: point.map_or_else(String::new, |point| point.key.clone()),
            warmup: run.warmup,
            from,
            to,
            bins: bins.finish(),
            server: looks
                .map(|sample| ServerLook {
                    at: self.at(sample.at),
                    running: sample.running,
                    waiting: sample.waiting,
                })
                .collect(),
        }
    }

    /// The disturbed seconds of a run.
    fn disturbed(&self, facts: &RunFacts) -> Vec<(f64, f64)> {
        let watched = facts.instrument.began.unwrap_or(facts.start);
        let seconds = facts.instrument.seconds.iter();
        let disturbed = seconds.filter(|second| is_disturbed(second));
        let spans = disturbed.map(|second| {
            let from = watched + Nanos::from_millis(u64::from(second.number) * 1_000);
            (self.at(from), self.at(from + Nanos::from_millis(1_000)))
        });
        spans.collect()
    }
}

/// The bins of a run while they are filled.
struct Bins {
    from: f64,
    to: f64,
    width: f64,
    filled: Vec<TimelineBin>,
    latencies: Vec<Vec<f64>>,
}

impl Bins {
    /// Whole bins, of which the last takes the rest of the run too: a rate over a sliver would be none.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "few bins fill a run"
    )]
    fn new(from: f64, to: f64, width: f64) -> Self {
        let count = ((to - from) / width).floor().max(1.0) as usize;
        let mut bins = Self {
            from,
            to,
            width,
            filled: vec![TimelineBin::default(); count],
            latencies: vec![Vec::new(); count],
        };
        for index in 0..count {
            bins.filled[index].at = bins.begin(index) + bins.length(index) / 2.0;
        }
        bins
    }

    fn begin(&self, index: usize) -> f64 {
        self.from + index as f64 * self.width
    }

    /// How long a bin is; never nothing.
    fn length(&self, index: usize) -> f64 {
        let rest = self.to - self.begin(index);
        if index + 1 == self.filled.len() && rest > 0.0 {
            rest
        } else {
            self.width
        }
    }

    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`as` saturates, and the index is limited"
    )]
    fn index(&self, at: f64) -> usize {
        (((at - self.from) / self.width) as usize).min(self.filled.len() - 1)
    }

    fn add(&mut self, axis: &Axis, record: &Record, due: Nanos) {
        self.occupy(axis.at(record.issued), axis.at(record.done));
        let bin = self.index(axis.at(due));
        let Some(metrics) = RequestMetrics::from_record(record) else {
            self.filled[bin].failed += 1;
            return;
        };
        self.count(axis, record, &metrics);
        let latency = if axis.streams {
            metrics.ttft
        } else {
            metrics.e2e
        };
        if let Some(latency) = latency {
            let from_due = record.began() + latency - due;
            self.latencies[bin].push(from_due.millis());
        }
    }

    /// Was in flight from one moment to another.
    fn occupy(&mut self, from: f64, to: f64) {
        for index in self.index(from)..=self.index(to.max(from)) {
            let (begin, length) = (self.begin(index), self.length(index));
            let inside = to.min(begin + length) - from.max(begin);
            self.filled[index].in_flight += inside.max(0.0) / length;
        }
    }

    /// Each token event counts for the mean tokens of its answer's events; what has no events counts at its end.
    fn count(&mut self, axis: &Axis, record: &Record, metrics: &RequestMetrics) {
        let mut came = |at: Nanos, amount: f64| {
            let index = self.index(axis.at(at));
            self.filled[index].rate += amount / self.length(index);
        };
        if !axis.tokens {
            return came(record.done, 1.0);
        }
        let tokens = metrics.output_tokens.unwrap_or(0) as f64;
        if metrics.token_events == 0 {
            return came(record.done, tokens);
        }
        let each = tokens / metrics.token_events as f64;
        for event in record.events.iter().filter(|event| event.kind.is_token()) {
            came(event.arrived, each);
        }
    }

    fn finish(self) -> Vec<TimelineBin> {
        let filled = self.filled.into_iter().zip(self.latencies);
        filled
            .map(|(bin, mut latencies)| {
                sort(&mut latencies);
                TimelineBin {
                    latency_p50: quantile(&latencies, 0.5),
                    latency_max: latencies.last().copied(),
                    ..bin
                }
            })
            .collect()
    }
}
