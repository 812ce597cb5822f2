use crate::queues::{Arrivals, Queue, Server, Service, Trip, saved};
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use trace::Nanos;

/// Requests whose waiting says what a closed form says.
const MANY: usize = 400_000;

fn open(load: f64, places: usize, service: Service) -> Queue {
    Queue {
        arrivals: Arrivals::Poisson {
            rate: load * places as f64,
        },
        server: Server::Places(places),
        service,
        mean_seconds: 1.0,
        drift: 0.0,
    }
}

fn run(queue: Queue, requests: usize, seed: u64) -> Vec<Trip> {
    queue.run(requests, &mut ChaCha8Rng::seed_from_u64(seed))
}

fn mean(trips: &[Trip], of: impl Fn(&Trip) -> f64) -> f64 {
    trips.iter().map(of).sum::<f64>() / trips.len() as f64
}

fn sojourn(trip: &Trip) -> f64 {
    (trip.done - trip.issued).seconds()
}

/// The first token comes after a quarter of the service: what is left of it is waiting.
fn waiting(trip: &Trip) -> f64 {
    let service = (trip.done - trip.first).seconds() / 0.75;
    sojourn(trip) - service
}

#[track_caller]
fn about(found: f64, expected: f64, share: f64) {
    assert!(
        (found / expected - 1.0).abs() <= share,
        "{found} for {expected}"
    );
}

/// The probability that all of so many places are taken, of exponential service: Erlang's C (1917).
fn erlang_c(places: u32, load: f64) -> f64 {
    let offered = load * f64::from(places);
    let (mut term, mut sum) = (1.0, 0.0);
    for taken in 0..places {
        sum += term;
        term *= offered / f64::from(taken + 1);
    }
    term / (1.0 - load) / (sum + term / (1.0 - load))
}

#[test]
fn erlangs_c_is_that_of_the_tables() {
    about(erlang_c(1, 0.6), 0.6, 1e-12);
    // Two places, offered 1: 1/3.
    about(erlang_c(2, 0.5), 1.0 / 3.0, 1e-12);
}

#[test]
fn one_place_without_memory_takes_as_long_as_the_closed_form_says() {
    for (load, share) in [(0.3, 0.02), (0.67, 0.04), (0.84, 0.09)] {
        let trips = run(open(load, 1, Service::Exponential), MANY, 1);
        about(mean(&trips, sojourn), 1.0 / (1.0 - load), share);
    }
}

#[test]
fn eight_places_without_memory_wait_as_erlang_says() {
    for (load, share) in [(0.5, 0.08), (0.67, 0.06), (0.84, 0.09)] {
        let trips = run(open(load, 8, Service::Exponential), MANY, 2);
        let waits = mean(&trips, |trip| f64::from(u8::from(waiting(trip) > 1e-6)));
        about(waits, erlang_c(8, load), share);
        let expected = erlang_c(8, load) / (8.0 * (1.0 - load));
        about(mean(&trips, waiting), expected, 1.5 * share);
    }
}

#[test]
fn one_place_waits_as_the_second_moment_of_service_says() {
    // Pollaczek and Khinchine: λ E[S²] / 2 (1 − ρ).
    let services = [
        Service::Constant,
        Service::LogNormal { sigma: 0.5 },
        Service::Bimodal,
    ];
    for service in services {
        let trips = run(open(0.6, 1, service), MANY, 3);
        let expected = 0.6 * service.second_moment() / (2.0 * 0.4);
        about(mean(&trips, waiting), expected, 0.06);
    }
}

#[test]
fn services_have_the_moments_that_they_say() {
    let services = [
        Service::Constant,
        Service::Exponential,
        Service::LogNormal { sigma: 0.5 },
        Service::Bimodal,
        Service::Pareto { tail: 4.5 },
    ];
    for service in services {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let draws: Vec<f64> = (0..MANY).map(|_| service.draw(&mut rng)).collect();
        let moment = |power| draws.iter().map(|x: &f64| x.powi(power)).sum::<f64>() / MANY as f64;
        about(moment(1), 1.0, 0.01);
        about(moment(2), service.second_moment(), 0.05);
    }
}

#[test]
fn a_closed_loop_as_large_as_its_server_never_waits_and_has_the_rate_of_its_service() {
    let queue = Queue {
        arrivals: Arrivals::Closed {
            users: 8,
            think_seconds: 0.0,
        },
        ..open(0.5, 8, Service::LogNormal { sigma: 0.5 })
    };
    let trips = run(queue, 40_000, 5);
    assert!(trips.iter().all(|trip| waiting(trip) < 1e-6));
    let seconds = trips.last().expect("some").issued.seconds();
    about(trips.len() as f64 / seconds, 8.0, 0.03);
}

#[test]
fn users_who_think_ask_as_often_as_their_circle_takes() {
    let queue = Queue {
        arrivals: Arrivals::Closed {
            users: 8,
            think_seconds: 3.0,
        },
        ..open(0.5, 8, Service::Exponential)
    };
    let trips = run(queue, 40_000, 6);
    let seconds = trips.last().expect("some").issued.seconds();
    about(trips.len() as f64 / seconds, 8.0 / 4.0, 0.03);
    let saved = saved(&trips, queue.arrivals);
    let begin = saved.records.iter().filter(|record| record.begins());
    about(begin.count() as f64, 8_000.0, 0.01);
}

#[test]
fn batches_begin_when_all_of_the_last_are_answered() {
    let queue = Queue {
        arrivals: Arrivals::Burst { size: 16 },
        ..open(0.5, 8, Service::Exponential)
    };
    let trips = run(queue, 160, 7);
    let mut last = Nanos::ZERO;
    for batch in trips.chunks(16) {
        assert!(batch.iter().all(|trip| trip.issued == last));
        last = batch.iter().map(|trip| trip.done).max().expect("some");
    }
}

#[test]
fn a_server_in_steps_answers_at_the_ends_of_steps_and_idles_until_it_is_asked() {
    let step_seconds = 0.25;
    let queue = Queue {
        server: Server::Lockstep {
            places: 2,
            step_seconds,
        },
        ..open(0.5, 2, Service::Exponential)
    };
    let trips = run(queue, 2_000, 8);
    let (mut busy_until, mut began, mut idle) = (Nanos::ZERO, Nanos::ZERO, 0);
    for trip in &trips {
        if trip.issued >= busy_until {
            began = trip.issued;
            idle += 1;
            assert_eq!(trip.first, trip.issued + Nanos::from_seconds(step_seconds));
        }
        for at in [trip.first, trip.done] {
            assert_eq!((at - began).0 % 250_000_000, 0);
        }
        assert!(trip.first - trip.issued >= Nanos::from_seconds(step_seconds));
        busy_until = busy_until.max(trip.done);
    }
    assert!((100..1_900).contains(&idle), "{idle}");
}

#[test]
fn who_waits_when_a_batch_begins_is_in_it() {
    let queue = Queue {
        server: Server::Batches { most: 4 },
        ..open(0.8, 4, Service::Exponential)
    };
    let trips = run(queue, 4_000, 9);
    let batches: Vec<&[Trip]> = trips.chunk_by(|a, b| a.done == b.done).collect();
    let mut free_at = Nanos::ZERO;
    for pair in batches.windows(2) {
        let begins = pair[0][0].issued.max(free_at);
        free_at = pair[0][0].done;
        assert!(pair[0].len() <= 4 && pair[0].iter().all(|trip| trip.issued <= begins));
        // Whoever is not in it had come too late, or found it full.
        assert!(pair[0].len() == 4 || pair[1][0].issued > begins);
    }
    assert!(batches.iter().any(|batch| batch.len() == 4));
}

#[test]
fn a_server_that_drifts_becomes_slower_by_the_share_that_was_asked() {
    let queue = Queue {
        drift: 0.5,
        ..open(0.1, 8, Service::Constant)
    };
    let trips = run(queue, 4_000, 10);
    about(sojourn(&trips[0]), 1.0, 0.001);
    about(sojourn(&trips[3_999]), 1.5, 0.001);
}

fn queues() -> impl Strategy<Value = Queue> {
    let arrivals = prop_oneof![
        (0.5f64..10.0).prop_map(|rate| Arrivals::Poisson { rate }),
        ((0.5f64..10.0), (0.2f64..2.0)).prop_map(|(rate, shape)| Arrivals::Gamma { rate, shape }),
        ((1u32..12), (0.0f64..2.0)).prop_map(|(users, think_seconds)| Arrivals::Closed {
            users,
            think_seconds
        }),
        (1u32..12).prop_map(|size| Arrivals::Burst { size }),
    ];
    let server = prop_oneof![
        (1usize..9).prop_map(Server::Places),
        ((1usize..9), (0.01f64..1.0)).prop_map(|(places, step_seconds)| Server::Lockstep {
            places,
            step_seconds
        }),
        (1usize..9).prop_map(|most| Server::Batches { most }),
    ];
    let service = prop::sample::select(vec![
        Service::Constant,
        Service::Exponential,
        Service::LogNormal { sigma: 1.0 },
        Service::Bimodal,
        Service::Pareto { tail: 2.5 },
    ]);
    (arrivals, server, service).prop_map(|(arrivals, server, service)| Queue {
        arrivals,
        server,
        service,
        mean_seconds: 1.0,
        drift: 0.0,
    })
}

/// The most trips under way at one moment; who ends makes room for who begins at the same one.
fn peak(trips: &[Trip]) -> usize {
    let mut changes: Vec<(Nanos, i32)> = trips
        .iter()
        .flat_map(|trip| [(trip.issued, 1), (trip.done, -1)])
        .collect();
    changes.sort_unstable();
    let (mut now, mut most) = (0, 0);
    for (_, change) in changes {
        now += change;
        most = most.max(now);
    }
    usize::try_from(most).expect("no more end than begin")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_the_queue_requests_come_in_order_and_none_is_lost(
        queue in queues(),
        requests in 1usize..300,
        seed: u64,
    ) {
        let trips = run(queue, requests, seed);
        prop_assert_eq!(trips.len(), requests);
        prop_assert_eq!(&trips, &run(queue, requests, seed));
        prop_assert!(trips.is_sorted_by_key(|trip| trip.issued));
        let in_turn = |trip: &Trip| {
            trip.due == trip.issued && trip.issued <= trip.first && trip.first <= trip.done
        };
        prop_assert!(trips.iter().all(in_turn));
        match queue.arrivals {
            Arrivals::Closed { users, .. } => prop_assert!(peak(&trips) <= users as usize),
            Arrivals::Burst { size } => prop_assert!(peak(&trips) <= size as usize),
            Arrivals::Poisson { .. } | Arrivals::Gamma { .. } => {}
        }
        let saved = saved(&trips, queue.arrivals);
        let same = |(record, trip): (&trace::Record, &Trip)| {
            record.issued == trip.issued && record.done == trip.done
        };
        prop_assert!(saved.records.iter().zip(&trips).all(same));
    }
}
