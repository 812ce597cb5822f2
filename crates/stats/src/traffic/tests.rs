use super::Traffic;
use super::asking::{Asking, Gaps, Who};
use super::bins::Bins;
use super::levels::{Levels, Spans, dispersion, rising};
use super::replay::{ERRORS, REPLAYS, Replays};
use super::server::Server;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use testkit::queues::{Arrivals, Queue, Server as Places, Service};
use trace::{Arrival, Nanos, Pacing};

const MIDDLE: usize = ERRORS.len() / 2;

fn spans(of: &[(f64, f64)]) -> Spans {
    let at = Nanos::from_seconds;
    Spans::new(of.iter().map(|&(from, to)| (at(from), at(to))))
}

fn poisson(rate: f64) -> Pacing {
    Pacing::Open {
        arrival: Arrival::Poisson { rate },
        max_concurrency: None,
    }
}

/// What a client saw of a server of that many places, with services of one second on average.
fn seen(places: usize, load: f64, requests: usize, seed: u64) -> Spans {
    seen_of(Service::Exponential, places, load, requests, seed)
}

fn seen_of(service: Service, places: usize, load: f64, requests: usize, seed: u64) -> Spans {
    let queue = Queue {
        arrivals: Arrivals::Poisson {
            rate: load * places as f64,
        },
        server: Places::Places(places),
        service,
        mean_seconds: 1.0,
        drift: 0.0,
    };
    let trips = queue.run(requests, &mut ChaCha8Rng::seed_from_u64(seed));
    Spans::new(trips.iter().map(|trip| (trip.issued, trip.done)))
}

fn server(runs: &[Spans]) -> (Server, Levels) {
    let mut levels = Levels::default();
    for run in runs {
        run.found(&mut levels);
    }
    let server = Server::of(&levels, runs, &Bins::new()).expect("ends");
    (server, levels)
}

#[test]
fn time_and_ends_are_counted_at_the_level_before_the_change() {
    let mut levels = Levels::default();
    let run = spans(&[(0.0, 3.0), (1.0, 2.0), (4.0, 9.0), (5.0, 6.0)]);
    assert_eq!(run.found(&mut levels), [0, 1, 0, 1]);
    // Alone for a second, two for one, one until 3, none until 4, one until 5: what comes later is not of the run's time.
    assert_eq!(levels.seconds, [1.0, 3.0, 1.0]);
    assert_eq!(levels.ended, [0.0, 1.0, 1.0]);
    assert!((levels.span - 5.0).abs() < 1e-12);
    // A second run begins empty, and adds to what was seen.
    assert_eq!(spans(&[(0.0, 3.0), (1.0, 2.0)]).found(&mut levels), [0, 1]);
    assert_eq!(levels.seconds, [1.0, 4.0, 1.0]);
    assert!((levels.released - 6.0).abs() < 1e-12);
}

#[test]
fn who_ends_when_another_begins_is_not_in_flight_with_it() {
    let run = spans(&[(0.0, 1.0), (1.0, 2.0), (2.0, 3.0)]);
    assert_eq!(run.found(&mut Levels::default()), [0, 0, 0]);
}

#[test]
fn neighbours_that_fall_are_pooled_by_their_weights() {
    let values = [(1.0, 1.0), (5.0, 1.0), (2.0, 3.0), (7.0, 0.0), (9.0, 1.0)];
    assert_eq!(rising(values.into_iter()), [1.0, 2.75, 2.75, 2.75, 9.0]);
    let values = [(0.0, 0.0), (4.0, 1.0), (3.0, 1.0)];
    assert_eq!(rising(values.into_iter()), [3.5, 3.5, 3.5]);
    assert_eq!(rising([(1.0, 0.0)].into_iter()), [0.0]);
}

#[test]
fn a_server_is_full_from_as_many_on_as_it_has_places() {
    for (places, load) in [(1, 0.8), (2, 0.8), (8, 0.9)] {
        let (server, _) = server(&[seen(places, load, 20_000, 7)]);
        assert!(server.places().abs_diff(places) <= places / 8, "{server:?}");
        let full = 1e3 / server.slot(0.0);
        assert!(
            (full / places as f64 - 1.0).abs() < 0.05,
            "{full} of {places}"
        );
    }
}

#[test]
fn a_server_that_was_never_full_may_have_as_few_places_as_were_taken() {
    let (server, levels) = server(&[seen(64, 0.1, 300, 3)]);
    assert!(server.places() < levels.seconds.len());
    assert!(server.places() < 20, "{}", server.places());
}

#[test]
fn a_rate_is_as_doubtful_as_it_rests_on_few_ends() {
    let wide = |requests| server(&[seen(1, 0.5, requests, 1)]).0.slower(2.0);
    assert!(wide(100) > 1.15 && wide(10_000) < 1.03);
    let (server, _) = server(&[seen(1, 0.5, 100, 1)]);
    assert!((server.slower(2.0) * server.slower(-2.0) - 1.0).abs() < 1e-12);
}

#[test]
fn even_ends_vary_less_than_those_of_chance() {
    let even: Vec<(f64, f64)> = (0..400).map(|n| (0.0, 1.0 + f64::from(n))).collect();
    let mut even = even;
    even.push((500.0, 501.0));
    assert!(dispersion(&[spans(&even)], 1) < 0.01);
    let chance = dispersion(&[seen(1, 0.9, 20_000, 5)], 1);
    assert!((0.8..1.2).contains(&chance), "{chance}");
}

#[test]
fn uneven_service_makes_waves_higher() {
    let deviation = |service| {
        let (server, _) = server(&[seen_of(service, 1, 0.84, 20_000, 2)]);
        let replays = replays_of(&server, &[400], 0.84);
        let levels = replays.at[MIDDLE].counts.iter();
        let levels: Vec<f64> = levels
            .map(|counts| mean_level(counts) / counts.iter().sum::<f64>())
            .collect();
        crate::MeanStd::of(&levels).expect("levels").std
    };
    let [even, uneven] = [Service::LogNormal { sigma: 0.5 }, Service::Bimodal].map(deviation);
    assert!(uneven > 1.5 * even, "{uneven} and {even}");
}

fn replays(lengths: &[usize], load: f64) -> Replays {
    let (server, _) = server(&[seen(1, load, 20_000, 2)]);
    replays_of(&server, lengths, load)
}

fn replays_of(server: &Server, lengths: &[usize], load: f64) -> Replays {
    let asking = Asking {
        who: Who::Anybody { rate: load },
        gaps: Gaps::Drawn(1.0),
    };
    Replays::of(&asking, server, lengths, &Bins::new(), 1).expect("replays")
}

fn mean_level(shares: &[f64]) -> f64 {
    let bins = Bins::new();
    let levels = shares.iter().enumerate();
    levels.map(|(bin, share)| share * bins.middle(bin)).sum()
}

#[test]
fn a_long_run_finds_what_the_closed_form_of_a_queue_says() {
    // M/M/1 at half load: an arrival finds n with probability 0.5 to the power of n + 1.
    let replays = replays(&[1_000_000], 0.5);
    let found = &replays.at[MIDDLE];
    for (level, expected) in [0.5, 0.25, 0.125].into_iter().enumerate() {
        assert!(
            (found.expected[level] - expected).abs() < 0.02,
            "{:?}",
            found.expected
        );
    }
    // And so do the replays themselves, each of 4,000 requests.
    let sum: f64 = found.counts.iter().flatten().sum();
    assert!((sum - 4_000.0 * REPLAYS as f64).abs() < 0.5);
    let empty: f64 = found.counts.iter().map(|counts| counts[0]).sum();
    assert!((empty / sum - 0.5).abs() < 0.02, "{}", empty / sum);
    // What a million find deviates by as much less as 4,000 are fewer.
    let scale = replays.scale / (4_000.0_f64 / 1e6).sqrt();
    assert!((scale - 1.0).abs() < 0.1, "{scale}");
}

#[test]
fn short_runs_begin_with_an_empty_server() {
    let [short, long] = [20, 2_000].map(|requests| replays(&[requests], 0.9));
    let levels = [&short, &long].map(|replays| mean_level(&replays.at[MIDDLE].expected));
    assert!(levels[0] < 3.5 && levels[1] > 6.0, "{levels:?}");
    // Several short runs are several beginnings.
    let several = replays(&[20; 30], 0.9);
    let level = mean_level(&several.at[MIDDLE].expected);
    assert!((level - levels[0]).abs() < 0.5, "{level} and {levels:?}");
}

#[test]
fn a_slower_server_has_longer_queues() {
    let replays = replays(&[500], 0.84);
    let levels: Vec<f64> = replays
        .at
        .iter()
        .map(|found| mean_level(&found.expected))
        .collect();
    assert!(levels.is_sorted(), "{levels:?}");
    assert!(levels[ERRORS.len() - 1] > 1.05 * levels[0], "{levels:?}");
}

#[test]
fn a_trace_is_replayed_at_its_own_times() {
    let at: Vec<(f64, f64)> = [0.0, 1.0, 4.0, 4.5].map(|at| (at, at + 1.0)).to_vec();
    let run = spans(&at);
    let mut levels = Levels::default();
    run.found(&mut levels);
    let pacing = Pacing::Open {
        arrival: Arrival::Ramp {
            from: 1.0,
            to: 2.0,
            duration: Nanos::from_seconds(4.0),
            gaps: trace::Gaps::Equal,
        },
        max_concurrency: None,
    };
    let asking = Asking::of(pacing, &levels, &[run]).expect("an open loop");
    // Three gaps in 4.5 seconds: in gaps of 1.5 seconds.
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let gaps = asking.gaps.draws(4, 2, &mut rng);
    let of_run = [0.0_f32, 1.0 / 1.5, 3.0 / 1.5, 0.5 / 1.5];
    for (gap, expected) in gaps.iter().zip(of_run.iter().cycle()) {
        assert!((gap - expected).abs() < 1e-6, "{gaps:?}");
    }
    assert_eq!(gaps.len(), 8);
}

#[test]
fn users_who_never_think_and_bursts_show_no_queue() {
    let users: Vec<(Nanos, Nanos)> = (0..400)
        .map(|turn| (Nanos(turn / 2 * 100), Nanos(turn / 2 * 100 + 100)))
        .collect();
    for pacing in [Pacing::Closed { concurrency: 2 }, Pacing::Burst { size: 2 }] {
        assert!(Traffic::of(pacing, [users.clone()]).queue().is_none());
    }
    // Four would find two of themselves free.
    let thinking = Pacing::Closed { concurrency: 4 };
    assert!(Traffic::of(thinking, [users.clone()]).queue().is_some());
    let traffic = Traffic::of(poisson(100.0), [users]);
    assert!(traffic.queue().is_some());
    assert_eq!([traffic.found(0, 0), traffic.found(0, 3)], [0, 1]);
}

#[test]
fn what_tells_nothing_is_no_queue_and_no_panic() {
    for requests in [
        vec![],
        vec![(Nanos(5), Nanos(5))],
        vec![(Nanos(5), Nanos(1)); 30],
    ] {
        let traffic = Traffic::of(poisson(10.0), [requests]);
        assert!(traffic.queue().is_none());
        assert_eq!(traffic.found(0, 99), 0);
    }
}

#[test]
fn a_run_that_was_cut_short_does_not_stand_for_the_others() {
    let cut = replays(&[20, 3_900, 3_900], 0.9);
    let level = mean_level(&cut.at[MIDDLE].expected);
    assert!(level > 6.0, "{level}");
}

#[test]
fn a_queue_that_only_grows_is_as_long_as_a_replay_makes_it() {
    let growing = replays(&[20_000], 1.2);
    let level = mean_level(&growing.at[MIDDLE].expected);
    // A fifth of 4,000 requests are left at the end of each, and half of that on average.
    assert!((100.0..800.0).contains(&level), "{level}");
}

#[test]
fn a_client_that_lets_requests_wait_shows_another_queue() {
    let requests: Vec<(Nanos, Nanos)> = (0..100)
        .map(|turn| {
            (
                Nanos::from_millis(turn * 50),
                Nanos::from_millis(turn * 50 + 120),
            )
        })
        .collect();
    let of = |most| {
        let pacing = Pacing::Open {
            arrival: Arrival::Poisson { rate: 20.0 },
            max_concurrency: Some(most),
        };
        Traffic::of(pacing, [requests.clone()]).queue().is_some()
    };
    assert!(!of(3) && of(4));
}

#[test]
fn turns_of_conversations_come_as_often_as_they_were_seen() {
    // A plan of 4 conversations a second, each of five turns.
    let requests = (0..200).map(|turn| {
        (
            Nanos::from_millis(turn * 50),
            Nanos::from_millis(turn * 50 + 40),
        )
    });
    let run = Spans::new(requests);
    let mut levels = Levels::default();
    run.found(&mut levels);
    let asking = Asking::of(poisson(4.0), &levels, &[run]).expect("an open loop");
    let Who::Anybody { rate } = asking.who else {
        panic!("nobody is a user here");
    };
    assert!((rate - 20.0).abs() < 0.1, "{rate}");
}
