//! The classes of mixed traffic, each for itself.

use crate::bursts::batch_size;
use crate::goodput::{GoodTally, bounds_something};
use crate::latency::LatencyPool;
use crate::reliability::OutcomeTally;
use crate::run::{Run, RunMetrics};
use crate::tokens::TokenTally;
use crate::traffic::Traffic;
use crate::{ClassSummary, RequestMetrics};
use trace::{ClassInfo, Pacing, Slo};

/// What requests must meet: the objectives of their class, or else those of the run.
#[derive(Clone, Copy)]
pub(crate) struct Objectives<'a> {
    run: Option<Slo>,
    classes: &'a [ClassInfo],
}

impl<'a> Objectives<'a> {
    pub(crate) fn new(run: Option<Slo>, classes: &'a [ClassInfo]) -> Self {
        Self {
            run: run.filter(bounds_something),
            classes,
        }
    }

    /// Of requests of that class.
    pub(crate) fn of(&self, class: u32) -> Option<Slo> {
        let own = self.classes.get(class as usize).and_then(|info| info.slo);
        own.filter(bounds_something).or(self.run)
    }

    /// Whether every request has some: goodput of the whole load counts no request as good for want
    /// of an objective.
    pub(crate) fn cover_all(&self) -> bool {
        match u32::try_from(self.classes.len()) {
            Ok(0) | Err(_) => self.run.is_some(),
            Ok(count) => (0..count).all(|class| self.of(class).is_some()),
        }
    }
}

/// The numbers of each class; none where the traffic is of one kind.
pub(crate) fn summarize_classes(
    pacing: Pacing,
    objectives: Objectives<'_>,
    runs: &[Run],
    measured: &[RunMetrics],
    traffic: &Traffic,
) -> Vec<ClassSummary> {
    let issued: usize = runs.iter().map(|run| run.records.len()).sum();
    let seconds: f64 = measured.iter().map(RunMetrics::seconds).sum();
    let classes = (0..).zip(objectives.classes);
    classes
        .map(|(class, info)| {
            let mut tally = ClassTally {
                latencies: LatencyPool::new(pacing),
                good: GoodTally::new(pacing),
                ..ClassTally::default()
            };
            let cluster = batch_size(pacing);
            for (run, records) in runs.iter().map(|run| &run.records).enumerate() {
                for (index, record) in records.iter().enumerate() {
                    if index % cluster == 0 {
                        let found = traffic.found(run, index);
                        tally.latencies.begin(found);
                        tally.good.begin(found);
                    }
                    if record.class == class {
                        tally.add(pacing, objectives.of(class), record);
                    }
                }
            }
            tally.finish(info, objectives.of(class), issued as u64, seconds, traffic)
        })
        .collect()
}

#[derive(Default)]
struct ClassTally<'a> {
    outcomes: OutcomeTally<'a>,
    tokens: TokenTally,
    latencies: LatencyPool,
    issued: u64,
    good: GoodTally,
}

impl<'a> ClassTally<'a> {
    fn add(&mut self, pacing: Pacing, slo: Option<Slo>, record: &'a trace::Record) {
        let mut metrics = RequestMetrics::from_record(record);
        self.issued += 1;
        self.outcomes.add(record);
        self.latencies.add(pacing, record, metrics.as_mut());
        self.good.add(slo.as_ref(), metrics.as_ref());
        if let Some(metrics) = metrics {
            self.tokens.add(&metrics);
        }
    }

    fn finish(
        self,
        info: &ClassInfo,
        slo: Option<Slo>,
        issued: u64,
        seconds: f64,
        traffic: &Traffic,
    ) -> ClassSummary {
        let tokens = self.tokens.finish();
        let per_second = |count: u64| (seconds > 0.0).then(|| count as f64 / seconds);
        ClassSummary {
            name: info.name.clone(),
            asked_share: info.share,
            share: (issued > 0).then(|| self.issued as f64 / issued as f64),
            output_tokens_per_second: tokens.output_total.and_then(per_second),
            goodput: slo.and_then(|_| self.good.finish(seconds, traffic)),
            // What was planned is known of all classes together.
            reliability: self.outcomes.finish(self.issued),
            tokens,
            latency: self.latencies.finish(traffic).0,
        }
    }
}
