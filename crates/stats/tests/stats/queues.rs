//! How many intervals hold *of those that are shown*: runs of busy servers that are calm or busy by chance, through the whole
//! summary. `cargo xtask bench coverage` has many more servers, loads and lengths.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use stats::{Distribution, Interval, PointSummary, Series, summarize_saved};
use testkit::queues::{Arrivals, Queue, Server, Service, Trip, saved};
use trace::Slo;

const MEAN_SECONDS: f64 = 0.022;
const TRUTH_RUNS: u64 = 1_000;

/// What is to hold of those shown, less three standard errors of so many runs.
fn least(shown: f64) -> f64 {
    0.93 - 3.0 * (0.93 * 0.07 / shown).sqrt()
}

/// The mean, p50 and p90.
type Numbers<T> = [T; 3];
const NAMES: Numbers<&str> = ["mean", "p50", "p90"];

fn queue(places: usize, load: f64) -> Queue {
    Queue {
        arrivals: Arrivals::Poisson {
            rate: load * places as f64 / MEAN_SECONDS,
        },
        server: Server::Places(places),
        service: if places == 1 {
            Service::Exponential
        } else {
            Service::LogNormal { sigma: 0.5 }
        },
        mean_seconds: MEAN_SECONDS,
        drift: 0.0,
    }
}

fn run(queue: Queue, requests: usize, seed: u64) -> Vec<Trip> {
    queue.run(requests, &mut ChaCha8Rng::seed_from_u64(seed))
}

fn latencies(trips: &[Trip]) -> Vec<f64> {
    let latency = |trip: &Trip| (trip.done - trip.issued).millis();
    trips.iter().map(latency).collect()
}

/// Of all requests of many such runs.
fn truth(queue: Queue, requests: usize) -> Numbers<f64> {
    let runs = (0..TRUTH_RUNS).flat_map(|seed| latencies(&run(queue, requests, 1 << 32 | seed)));
    let all = Distribution::of(runs.collect()).expect("values");
    [all.mean, all.p50.value, all.p90.value]
}

/// Shares of runs that show an interval, and of those the shares that hold.
fn shown_and_held(
    queue: Queue,
    requests: usize,
    runs: u64,
    describe: impl Fn(Queue, &[Trip]) -> Distribution,
) -> Numbers<[f64; 2]> {
    let truth = truth(queue, requests);
    let mut counts = [[0.0; 2]; 3];
    for seed in 0..runs {
        let described = describe(queue, &run(queue, requests, seed));
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
    counts.map(|[shown, held]| [shown / runs as f64, held / shown])
}

fn point(queue: Queue, trips: &[Trip]) -> PointSummary {
    let summary = summarize_saved(&saved(trips, queue.arrivals));
    summary.points.into_iter().next().expect("a point")
}

fn summarized(queue: Queue, trips: &[Trip]) -> Distribution {
    point(queue, trips).latency.e2e.expect("latencies")
}

/// As if nothing were known but the values in their order.
fn by_itself(_: Queue, trips: &[Trip]) -> Distribution {
    let series = Series::in_order(latencies(trips));
    series.describe().expect("values")
}

/// Half as far to either side.
fn halved(queue: Queue, trips: &[Trip]) -> Distribution {
    let mut described = summarized(queue, trips);
    let narrow = |value: f64, interval: &mut Option<Interval>| {
        *interval = interval.map(|Interval { low, high }| Interval {
            low: f64::midpoint(low, value),
            high: f64::midpoint(high, value),
        });
    };
    narrow(described.mean, &mut described.mean_interval);
    for level in [&mut described.p50, &mut described.p90] {
        narrow(level.value, &mut level.interval);
    }
    described
}

fn hold_in_every_run(queue: Queue, requests: usize) {
    let numbers = shown_and_held(queue, requests, 100, summarized);
    for (name, [shown, held]) in NAMES.into_iter().zip(numbers) {
        assert!(
            shown > 0.999 && held >= least(100.0),
            "{name} of {requests}, {queue:?}: {held} of {shown}"
        );
    }
}

#[test]
fn every_run_of_a_server_has_intervals_and_they_hold_whatever_its_load() {
    for (places, load, requests) in [
        (8, 0.3, 600),
        (8, 0.67, 600),
        (8, 0.84, 600),
        (1, 0.84, 200),
    ] {
        hold_in_every_run(queue(places, load), requests);
    }
}

#[test]
fn so_do_those_of_users_who_never_think_and_of_users_who_do() {
    for think_seconds in [0.0, 0.033] {
        let arrivals = Arrivals::Closed {
            users: 16,
            think_seconds,
        };
        let queue = Queue {
            arrivals,
            ..queue(8, 0.5)
        };
        hold_in_every_run(queue, 600);
    }
}

#[test]
fn the_share_of_good_requests_holds_behind_a_queue_too() {
    const RUNS: u64 = 60;
    let queue = queue(8, 0.9);
    let [_, _, bound] = truth(queue, 600);
    let good = |seed: u64| {
        let mut saved = saved(&run(queue, 600, seed), queue.arrivals);
        saved.header.slo = Some(Slo {
            e2e_ms: Some(bound),
            ..Slo::default()
        });
        let point = summarize_saved(&saved).points.into_iter().next();
        let goodput = point.and_then(|point| point.goodput).expect("objectives");
        goodput.share_interval.expect("an interval")
    };
    // Of all requests 90 in 100 take no longer than that.
    let holds = |seed: &u64| (good(*seed).low..=good(*seed).high).contains(&0.9);
    let held = (0..RUNS).filter(holds).count() as f64 / RUNS as f64;
    assert!(held >= least(RUNS as f64), "{held}");
}

#[test]
fn the_rate_of_arrivals_in_clumps_holds_in_calm_runs_too() {
    const RUNS: u64 = 100;
    let eight = queue(8, 0.67);
    let clumps = Arrivals::Gamma {
        rate: 0.67 * 8.0 / MEAN_SECONDS,
        shape: 0.25,
    };
    let queue = Queue {
        arrivals: clumps,
        ..eight
    };
    let steady = |seed: u64| {
        let point = point(queue, &run(queue, 600, seed));
        point.steady_state.expect("a steady part")
    };
    let rate = |seed: u64| steady(seed).requests_per_second.expect("answers").mean;
    let truth = (1_000..1_400).map(rate).sum::<f64>() / 400.0;
    let intervals = (0..RUNS).filter_map(|seed| steady(seed).requests_per_second_interval);
    let intervals: Vec<Interval> = intervals.collect();
    let held = intervals
        .iter()
        .filter(|interval| (interval.low..=interval.high).contains(&truth));
    let (shown, held) = (intervals.len() as f64, held.count() as f64);
    assert!(shown >= 0.85 * RUNS as f64, "{shown}");
    assert!(held / shown >= least(shown), "{held} of {shown}");
}

#[test]
fn a_server_that_falls_behind_says_nothing_of_its_slowest_requests() {
    let queue = Queue {
        drift: 0.2,
        ..queue(8, 0.84)
    };
    for seed in 0..3 {
        let described = summarized(queue, &run(queue, 20_000, seed));
        assert!(described.p90.interval.is_some());
        assert_eq!([described.p95.interval, described.p99.interval], [None; 2]);
        let steady = Queue {
            drift: 0.0,
            ..queue
        };
        let described = summarized(steady, &run(steady, 20_000, seed));
        assert!(described.p99.interval.is_some(), "{seed}");
    }
}

#[test]
fn intervals_that_a_run_makes_by_itself_are_found_out() {
    let numbers = shown_and_held(queue(8, 0.84), 600, 300, by_itself);
    for [shown, held] in numbers {
        assert!(shown >= 0.05 && held < least(shown * 300.0));
    }
}

#[test]
fn intervals_of_a_queue_half_as_wide_are_found_out() {
    let numbers = shown_and_held(queue(1, 0.9), 50, 100, halved);
    assert!(
        numbers.iter().any(|[_, held]| *held < least(100.0)),
        "{numbers:?}"
    );
}

#[test]
fn an_idle_server_has_intervals_nearly_as_narrow_as_independent_requests_have() {
    let queue = queue(8, 0.3);
    for seed in 0..20 {
        let trips = run(queue, 3_000, seed);
        let values = latencies(&trips);
        let alone = Distribution::of(values).expect("values").p50.interval;
        let width = |interval: Option<Interval>| {
            let Interval { low, high } = interval.expect("an interval");
            high - low
        };
        let shown = summarized(queue, &trips).p50.interval;
        assert!(width(shown) < 1.6 * width(alone), "{shown:?} and {alone:?}");
    }
}

#[test]
fn the_same_records_have_the_same_intervals_whenever_they_are_read() {
    let queue = queue(8, 0.84);
    let trips = run(queue, 300, 1);
    assert_eq!(point(queue, &trips), point(queue, &trips));
}
