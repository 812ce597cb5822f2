//! Runs that are too short for the waves of a queue say so, and ask for as long as it takes.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use stats::{PointSummary, Precision, SlowQueue, summarize_saved};
use testkit::queues::{Arrivals, Queue, Server, Service, Trip, saved};
use trace::Nanos;

/// Places of the server; service takes a second.
const PLACES: usize = 8;

fn at(load: f64) -> Queue {
    Queue {
        arrivals: Arrivals::Poisson {
            rate: load * PLACES as f64,
        },
        server: Server::Places(PLACES),
        service: Service::LogNormal { sigma: 0.5 },
        mean_seconds: 1.0,
        drift: 0.0,
    }
}

/// A run of so many requests, each answered as `change` has it.
fn run(queue: Queue, requests: usize, seed: u64, change: fn(&mut Trip)) -> PointSummary {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut trips = queue.run(requests, &mut rng);
    trips.iter_mut().for_each(change);
    summarize_saved(&saved(&trips, queue.arrivals))
        .points
        .remove(0)
}

fn streams(_: &mut Trip) {}

/// An answer that comes in one piece.
fn whole(trip: &mut Trip) {
    trip.first = trip.done;
}

/// What the run says of its queue, which moved too slowly for it.
#[track_caller]
fn slow(point: &PointSummary) -> SlowQueue {
    point.slow_queue.expect("the queue moved too slowly")
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "some thousands of requests"
)]
fn in_seconds(queue: Queue, seconds: f64) -> usize {
    let Arrivals::Poisson { rate } = queue.arrivals else {
        unreachable!("all of these are")
    };
    (rate * seconds) as usize
}

fn reach(point: &PointSummary, name: &str) -> f64 {
    let precision: Precision = format!("{name}:10%").parse().expect("a metric");
    precision.of(point).reached.expect("an interval")
}

#[test]
fn a_calm_run_says_nothing_of_its_queue() {
    for seed in 0..10 {
        let point = run(at(0.3), 600, seed, streams);
        assert_eq!(point.slow_queue, None, "{seed}");
    }
}

/// How far a run reaches that is as long as one was told to be that was too short, with the number of its queue.
fn told_and_done(queue: Queue, seed: u64, change: fn(&mut Trip)) -> (SlowQueue, f64) {
    let said = slow(&run(queue, 1_000, seed, change));
    let requests = in_seconds(queue, said.seconds_needed);
    let longer = run(queue, requests, seed + 100, change);
    assert_eq!(longer.slow_queue, None, "{said:?}");
    (said, reach(&longer, &said.metric.to_string()))
}

#[test]
fn a_run_too_short_for_a_busy_queue_asks_for_seconds_that_tell_it() {
    let mut far = Vec::new();
    for seed in 0..4 {
        for (load, change) in [(0.9, whole as fn(&mut Trip)), (0.84, streams)] {
            let (said, reached) = told_and_done(at(load), seed, change);
            let name = if load < 0.9 { "ttft.p50" } else { "e2e.p50" };
            assert_eq!(said.metric.to_string(), name);
            assert!(said.reach > 0.25 && said.aim < 0.11, "{said:?}");
            far.push(reached);
        }
    }
    // Of two runs one may be luckier than the other.
    far.sort_by(f64::total_cmp);
    assert!(far[6] <= 0.15, "{far:?}");
}

#[test]
fn users_who_think_leave_a_queue_to_be_seen_and_batches_none() {
    let users = |think_seconds| Arrivals::Closed {
        users: 64,
        think_seconds,
    };
    let of = |arrivals| {
        let queue = Queue {
            arrivals,
            ..at(0.9)
        };
        run(queue, 400, 5, streams)
    };
    assert!(slow(&of(users(6.5))).reach > 0.25);
    assert_eq!(of(users(0.0)).slow_queue, None);
    assert_eq!(of(Arrivals::Burst { size: 64 }).slow_queue, None);
}

#[test]
fn what_is_not_precise_yet_says_how_many_seconds_it_takes() {
    let point = run(at(0.9), 1_000, 4, whole);
    let of = |text: &str| text.parse::<Precision>().expect("a metric").of(&point);
    let untold = of("e2e.p50:10%");
    assert!(!untold.precise);
    let said = slow(&point);
    assert_eq!(untold.seconds_needed, Some(said.seconds_needed));
    assert_eq!(untold.at_least, said.at_least);
    // Half of it takes four times as long, and what takes too long is told as the least.
    let half = of("e2e.p50:20%").seconds_needed.expect("not precise");
    assert!((3.8..4.2).contains(&(said.seconds_needed / half)), "{half}");
    assert!(of("e2e.p50:1%").at_least);
    let precise = of("e2e.p50:90%");
    assert!(precise.precise && precise.seconds_needed.is_none());
}

#[test]
fn a_share_of_which_nothing_is_missing_narrows_as_its_run_grows() {
    let point = run(at(0.3), 1_000, 4, whole);
    let result = |text: &str| text.parse::<Precision>().expect("a metric").of(&point);
    let untold = result("success:0.1%");
    let seconds = point.timings.batch_total_seconds.expect("a run").mean;
    let times = untold.seconds_needed.expect("not precise") / seconds;
    let wide = untold.reached.expect("an interval") / 0.001;
    assert!(wide > 2.0, "{wide}");
    assert!((times / wide - 1.0).abs() < 0.1, "{times} for {wide}");
}

#[test]
fn without_an_interval_nobody_knows_how_many_seconds_it_takes() {
    let point = run(at(0.9), 5, 4, whole);
    let precision: Precision = "e2e.p50:10%".parse().expect("a metric");
    let found = precision.of(&point);
    assert!(!found.precise && found.reached.is_none());
    assert_eq!(found.seconds_needed, None);
    assert_eq!(point.slow_queue, None);
}

#[test]
fn a_server_that_makes_nobody_wait_has_no_slow_queue_however_many_are_in_flight() {
    for service in [Service::Constant, Service::LogNormal { sigma: 0.5 }] {
        // Fifty in flight on average, on a server that answers a thousand at once.
        let queue = Queue {
            arrivals: Arrivals::Poisson { rate: 50.0 },
            server: Server::Places(1_000),
            service,
            ..at(1.0)
        };
        for seed in 0..20 {
            let point = run(queue, 150, seed, |trip| {
                trip.first = trip.issued + Nanos::from_millis(50);
                trip.done = trip.done.max(trip.first);
            });
            assert_eq!(point.slow_queue, None, "{service:?} {seed}");
        }
    }
}
