use super::levels::{Drain, Spans, rising};
use super::rates::Rates;
use super::{Answered, describe_in_flight};
use proptest::prelude::*;
use trace::{Arrival, Nanos, Pacing};

fn seconds(at: f64) -> Nanos {
    Nanos::from_seconds(at)
}

fn spans(of: &[(f64, f64)]) -> Spans {
    Spans::new(of.iter().map(|&(from, to)| (seconds(from), seconds(to))))
}

fn poisson(rate: f64) -> Pacing {
    Pacing::Open {
        arrival: Arrival::Poisson { rate },
        max_concurrency: None,
    }
}

#[test]
fn time_and_ends_are_counted_at_the_level_before_the_change() {
    let levels = spans(&[(0.0, 3.0), (1.0, 2.0), (4.0, 9.0), (5.0, 6.0)]).levels();
    assert_eq!(levels.found, [0, 1, 0, 1]);
    // Alone for a second, two for one, one until 3, none until 4, one until 5: what comes later is not of the run's time.
    assert_eq!(levels.seconds, [1.0, 3.0, 1.0]);
    assert_eq!(levels.ended, [0.0, 1.0, 1.0]);
    assert!((levels.span - 5.0).abs() < 1e-12);
}

#[test]
fn who_ends_when_another_begins_is_not_in_flight_with_it() {
    let levels = spans(&[(0.0, 1.0), (1.0, 2.0), (2.0, 3.0)]).levels();
    assert_eq!(levels.found, [0, 0, 0]);
}

#[test]
fn neighbours_that_fall_are_pooled_by_their_weights() {
    let values = [(1.0, 1.0), (5.0, 1.0), (2.0, 3.0), (2.0, 0.0), (9.0, 1.0)];
    let expected = [1.0, 2.75, 2.75, 2.75, 9.0];
    assert_eq!(rising(values.into_iter()), expected);
}

#[test]
fn a_server_is_full_from_the_level_on_from_which_it_gets_no_faster() {
    // One second each alone and by two, in turns; two end twice as fast as one.
    let mut of = Vec::new();
    for round in 0..400 {
        let begin = f64::from(round) * 3.0;
        of.push((begin, begin + 2.0));
        of.push((begin + 1.0, begin + 1.5));
        of.push((begin + 1.5, begin + 2.0));
    }
    let spans = spans(&of);
    let drain = spans.drain(&spans.levels()).expect("ends");
    assert_eq!(drain.level, 2);
    // Of 400 seconds by two, there are ends every half one.
    assert!((drain.rate - 2.0).abs() < 0.01, "{}", drain.rate);
}

#[test]
fn a_run_in_which_nothing_ended_says_nothing_of_its_server() {
    let of: Vec<(f64, f64)> = (0..100).map(|n| (f64::from(n), 1e3)).collect();
    let spans = spans(&of);
    assert_eq!(spans.drain(&spans.levels()), None);
}

/// The chain of one place without memory, a request of which takes a second.
fn one_place(load: f64, errors: f64) -> Rates {
    let levels = spans(&[(0.0, 1.0), (2.0, 3.0)]).levels();
    let drain = Drain {
        level: 1,
        rate: 1.0,
        error: 0.1,
        spread: 1.0,
    };
    Rates::new(poisson(load), &levels, drain, errors).expect("an open loop")
}

#[test]
fn the_waves_of_one_place_without_memory_are_those_of_the_closed_form() {
    for load in [0.3, 0.6, 0.9_f64] {
        // Of what arrivals find, the variance of a sum is ρ(1 + ρ)²/(1 − ρ)⁴ each: with a worth of (k + 1)ρ/(1 − ρ) between
        // k and the next level, a step up counts (k/(1 − ρ))², one down (kρ/(1 − ρ))², and E[k²] is ρ(1 + ρ)/(1 − ρ)².
        let expected =
            load * (1.0 + load).powi(2) / (1.0 - load).powi(4) - load / (1.0 - load).powi(2);
        let found = one_place(load, 0.0).settled(&[&|level| level as f64]);
        let found = found.expect("it settles")[0].added;
        assert!((found / expected - 1.0).abs() < 1e-6, "{found} {expected}");
    }
}

#[test]
fn long_runs_of_the_chain_vary_as_it_does_without_end() {
    let rates = one_place(0.5, 0.0);
    let level: &dyn Fn(usize) -> f64 = &|level| level as f64;
    let settled = rates.settled(&[level]).expect("it settles")[0].added;
    let replayed = rates.replayed(20_000, &[level])[0].added;
    // 48 runs know a variance to a fifth.
    assert!(
        (replayed / settled - 1.0).abs() < 0.5,
        "{replayed} {settled}"
    );
}

#[test]
fn short_runs_from_an_empty_server_vary_less_than_waves_do() {
    let rates = one_place(0.9, 0.0);
    let level: &dyn Fn(usize) -> f64 = &|level| level as f64;
    let settled = rates.settled(&[level]).expect("it settles")[0].added;
    assert!(rates.replayed(50, &[level])[0].added < settled / 3.0);
}

#[test]
fn where_more_may_come_than_can_end_no_run_settles() {
    let level: &dyn Fn(usize) -> f64 = &|level| level as f64;
    assert!(one_place(0.9, 0.0).settled(&[level]).is_some());
    // Slower by 2.6 errors of a tenth.
    assert!(one_place(0.9, 2.6).settled(&[level]).is_none());
}

#[test]
fn a_level_that_all_latencies_are_alike_at_adds_nothing() {
    let flat: &dyn Fn(usize) -> f64 = &|_| 7.0;
    let rates = one_place(0.8, 0.0);
    assert!(rates.settled(&[flat]).expect("it settles")[0].added.abs() < 1e-9);
    assert!(rates.replayed(100, &[flat])[0].added.abs() < 1e-9);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_came_back_intervals_are_in_order_and_hold_their_number(
        requests in prop::collection::vec(
            (0u64..200, 0u64..400, prop::option::weighted(0.9, 0.0f64..1e3)), 0..300,
        ),
        users in 1u32..40,
        rate in 0.1f64..1e4,
        kind in 0u8..4,
    ) {
        let mut now = 0;
        let requests: Vec<Answered> = requests
            .into_iter()
            .map(|(gap, took, value)| {
                now += gap;
                let issued = Nanos::from_millis(now);
                Answered { issued, done: issued + Nanos::from_millis(took), value }
            })
            .collect();
        let pacing = match kind {
            0 => poisson(rate),
            1 => Pacing::Open {
                arrival: Arrival::Gamma { rate, shape: 0.1 },
                max_concurrency: None,
            },
            2 => Pacing::Closed { concurrency: users },
            _ => Pacing::Burst { size: users },
        };
        let described = describe_in_flight(pacing, &requests);
        prop_assert_eq!(&described, &describe_in_flight(pacing, &requests));
        let values = requests.iter().filter(|request| request.value.is_some()).count() as u64;
        prop_assert_eq!(described.as_ref().map_or(0, |described| described.n), values);
        let Some(described) = described else { return Ok(()) };
        for level in [described.p50, described.p90, described.p95, described.p99] {
            if let Some(interval) = level.interval {
                prop_assert!(interval.low <= level.value && level.value <= interval.high);
            }
        }
        if let Some(interval) = described.mean_interval {
            prop_assert!(interval.low <= interval.high && interval.high.is_finite());
        }
        if let Some(effective) = described.n_effective {
            prop_assert!(effective.is_finite() && effective <= values as f64 + 1e-9);
        }
    }
}
