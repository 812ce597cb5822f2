//! What intervals are to hold, from many more runs than are asked.

use crate::coverage::cells::{Cell, GOOD_MS};
use crate::coverage::{NUMBERS, in_parallel};
use anyhow::Context;
use testkit::queues::{Arrivals, Trip};

/// In the order of [`NUMBERS`]; absent where there is none.
pub(crate) type Truths = [Option<f64>; NUMBERS.len()];

/// As many runs at least, so that the truth is a thirtieth of a run's own error off.
const RUNS_MIN: u64 = 1_000;

/// And as many requests, for the percentiles of short runs.
const REQUESTS_MIN: u64 = 1_000_000;

/// So many runs of so many requests stand for a run without end, each without its beginning.
const LONG_RUNS: u64 = 16;
const LONG_REQUESTS: usize = 300_000;
const BEGINNING: usize = 50_000;

/// Which chance says what is true.
const OF_RUNS: u64 = 1;
const OF_STEADY: u64 = 2;

/// Of runs as long as those of the cell, from an empty server on: of all their requests together, and what each of them
/// measures on average. The rate is not known here.
pub(crate) fn run_truths(cell: &Cell) -> anyhow::Result<[Truths; 2]> {
    let runs = RUNS_MIN.max(REQUESTS_MIN / cell.requests as u64);
    let each = in_parallel(runs, |run| {
        latencies(&cell.trips(OF_RUNS, run, cell.requests))
    });
    let mut sums = [0.0; NUMBERS.len() - 1];
    for run in &each {
        for (sum, of_run) in sums.iter_mut().zip(of_latencies(run.clone())?) {
            *sum += of_run;
        }
    }
    let of_each = sums.map(|sum| sum / runs as f64);
    let of_all = of_latencies(each.concat())?;
    Ok([of_all, of_each].map(|truths| with_rate(truths, None)))
}

/// Of a run without end, of which the cell's length is no part.
pub(crate) fn steady_truths(cell: &Cell) -> anyhow::Result<Truths> {
    if !cell.is_steady {
        return Ok([None; NUMBERS.len()]);
    }
    let runs = in_parallel(LONG_RUNS, |run| {
        let trips = cell.trips(OF_STEADY, run, LONG_REQUESTS);
        let later = &trips[BEGINNING..];
        let seconds = (later[later.len() - 1].issued - later[0].issued).seconds();
        (latencies(later), (later.len() - 1) as f64 / seconds)
    });
    let rate = runs.iter().map(|(_, rate)| rate).sum::<f64>() / LONG_RUNS as f64;
    let pooled: Vec<Vec<f64>> = runs.into_iter().map(|(values, _)| values).collect();
    // A burst's requests come at once, and the product gives them no rate that lasts.
    let rate = (!matches!(cell.queue.arrivals, Arrivals::Burst { .. })).then_some(rate);
    Ok(with_rate(of_latencies(pooled.concat())?, rate))
}

fn with_rate([mean, p50, p90, p99, good]: [f64; NUMBERS.len() - 1], rate: Option<f64>) -> Truths {
    let [mean, p50, p90, p99, good] = [mean, p50, p90, p99, good].map(Some);
    [mean, p50, p90, p99, good, rate]
}

fn latencies(trips: &[Trip]) -> Vec<f64> {
    let latency = |trip: &Trip| (trip.done - trip.issued).millis();
    trips.iter().map(latency).collect()
}

/// The mean, three percentiles, and the share that is good.
fn of_latencies(mut values: Vec<f64>) -> anyhow::Result<[f64; NUMBERS.len() - 1]> {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let good = values.iter().filter(|&&value| value <= GOOD_MS).count() as f64 / count;
    stats::sort(&mut values);
    let at = |level| stats::quantile(&values, level).context("no latency to know the truth of");
    Ok([mean, at(0.5)?, at(0.9)?, at(0.99)?, good])
}
