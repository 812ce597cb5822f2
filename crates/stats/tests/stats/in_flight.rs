//! How many intervals hold *of those that are shown*: of runs that are calm or busy by chance, at one server under one load.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use stats::{Answered, Distribution, Interval, Series, describe_in_flight};
use testkit::queues::{Arrivals, Queue, Server, Service, Trip};

const PLACES: usize = 8;
const MEAN_SECONDS: f64 = 0.022;
const RUNS: u64 = 200;
const TRUTH_RUNS: u64 = 1_000;

/// What is to hold of those shown, less three standard errors of so many runs.
fn least(shown: f64) -> f64 {
    0.93 - 3.0 * (0.93 * 0.07 / shown).sqrt()
}

/// The mean, p50 and p90.
type Numbers<T> = [T; 3];

fn queue(load: f64) -> Queue {
    Queue {
        arrivals: Arrivals::Poisson {
            rate: load * PLACES as f64 / MEAN_SECONDS,
        },
        server: Server::Places(PLACES),
        service: Service::LogNormal { sigma: 0.5 },
        mean_seconds: MEAN_SECONDS,
        drift: 0.0,
    }
}

fn latency(trip: &Trip) -> f64 {
    (trip.done - trip.issued).millis()
}

/// Of all requests of many such runs.
fn truth(queue: Queue, requests: usize) -> Numbers<f64> {
    let run = |seed| queue.run(requests, &mut ChaCha8Rng::seed_from_u64(1 << 32 | seed));
    let all = (0..TRUTH_RUNS).flat_map(run);
    let all = Distribution::of(all.map(|trip| latency(&trip)).collect()).expect("values");
    [all.mean, all.p50.value, all.p90.value]
}

/// Shares of runs that show an interval, and of those the shares that hold.
fn shown_and_held(
    load: f64,
    requests: usize,
    describe: impl Fn(Queue, &[Trip]) -> Distribution,
) -> Numbers<[f64; 2]> {
    let queue = queue(load);
    let truth = truth(queue, requests);
    let mut counts = [[0.0; 2]; 3];
    for seed in 0..RUNS {
        let trips = queue.run(requests, &mut ChaCha8Rng::seed_from_u64(seed));
        let described = describe(queue, &trips);
        let intervals = [
            described.mean_interval,
            described.p50.interval,
            described.p90.interval,
        ];
        for (([shown, held], interval), truth) in counts.iter_mut().zip(intervals).zip(truth) {
            if let Some(Interval { low, high }) = interval {
                *shown += 1.0;
                *held += f64::from(u8::from((low..=high).contains(&truth)));
            }
        }
    }
    counts.map(|[shown, held]| [shown / RUNS as f64, held / shown])
}

fn in_flight(queue: Queue, trips: &[Trip]) -> Distribution {
    let answered = |trip: &Trip| Answered {
        issued: trip.issued,
        done: trip.done,
        value: Some(latency(trip)),
    };
    let answered: Vec<Answered> = trips.iter().map(answered).collect();
    describe_in_flight(queue.arrivals.pacing(), &answered).expect("values")
}

fn by_itself(_: Queue, trips: &[Trip]) -> Distribution {
    let series = Series::in_order(trips.iter().map(latency).collect());
    series.describe().expect("values")
}

#[test]
fn near_saturation_intervals_that_are_shown_hold() {
    for (load, requests) in [(0.67, 600), (0.84, 600), (0.84, 3_000)] {
        let numbers = shown_and_held(load, requests, in_flight);
        for (name, [shown, held]) in ["mean", "p50", "p90"].into_iter().zip(numbers) {
            if shown >= 0.05 {
                assert!(
                    held >= least(shown * RUNS as f64),
                    "{name} of {requests} at {load}: {held} of {shown}"
                );
            }
        }
    }
}

#[test]
fn intervals_that_a_run_makes_by_itself_are_found_out() {
    let numbers = shown_and_held(0.84, 600, by_itself);
    for [shown, held] in numbers {
        assert!(shown >= 0.05 && held < least(shown * RUNS as f64));
    }
}

#[test]
fn at_half_load_nearly_every_run_has_an_interval() {
    for [shown, held] in shown_and_held(0.5, 600, in_flight) {
        assert!(
            shown >= 0.95 && held >= least(shown * RUNS as f64),
            "{held} of {shown}"
        );
    }
}
