//! What intervals are to hold, from many more runs than are asked.

use crate::coverage::cells::Cell;
use crate::coverage::in_parallel;
use anyhow::Context;
use testkit::queues::{Arrivals, Trip};

/// In the order of [`NUMBERS`](super::NUMBERS); absent where there is none.
pub(crate) type Truths = [Option<f64>; 5];

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

/// Of runs as long as those of the cell, from an empty server on: of all their requests together. The rate is not known
/// here.
pub(crate) fn run_truths(cell: &Cell) -> anyhow::Result<Truths> {
    let runs = RUNS_MIN.max(REQUESTS_MIN / cell.requests as u64);
    let pooled = in_parallel(runs, |run| {
        latencies(&cell.trips(OF_RUNS, run, cell.requests))
    });
    let [mean, p50, p90, p99] = of_latencies(pooled.concat())?.map(Some);
    Ok([mean, p50, p90, p99, None])
}

/// Of a run without end, of which the cell's length is no part.
pub(crate) fn steady_truths(cell: &Cell) -> anyhow::Result<Truths> {
    if !cell.is_steady {
        return Ok([None; 5]);
    }
    let runs = in_parallel(LONG_RUNS, |run| {
        let trips = cell.trips(OF_STEADY, run, LONG_REQUESTS);
        let later = &trips[BEGINNING..];
        let seconds = (later[later.len() - 1].issued - later[0].issued).seconds();
        (latencies(later), (later.len() - 1) as f64 / seconds)
    });
    let rate = runs.iter().map(|(_, rate)| rate).sum::<f64>() / LONG_RUNS as f64;
    let pooled: Vec<Vec<f64>> = runs.into_iter().map(|(values, _)| values).collect();
    let [mean, p50, p90, p99] = of_latencies(pooled.concat())?.map(Some);
    // A burst's requests come at once, and the product gives them no rate that lasts.
    let rate = (!matches!(cell.queue.arrivals, Arrivals::Burst { .. })).then_some(rate);
    Ok([mean, p50, p90, p99, rate])
}

fn latencies(trips: &[Trip]) -> Vec<f64> {
    let latency = |trip: &Trip| (trip.done - trip.issued).millis();
    trips.iter().map(latency).collect()
}

/// The mean, and three percentiles.
fn of_latencies(mut values: Vec<f64>) -> anyhow::Result<[f64; 4]> {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    stats::sort(&mut values);
    let at = |level| stats::quantile(&values, level).context("no latency to know the truth of");
    Ok([mean, at(0.5)?, at(0.9)?, at(0.99)?])
}
