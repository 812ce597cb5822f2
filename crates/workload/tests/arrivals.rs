//! Arrival processes whose rate changes with time.

use proptest::prelude::*;
use trace::{Arrival, Gaps, Nanos, Pacing, Plan, RunId, Stop};
use workload::{
    PromptSource, TextLength, TextSource, Texts, WorkloadConfig, WorkloadError, build_plan,
    due_times, expected_arrivals,
};

const SECOND: Nanos = Nanos(1_000_000_000);

fn seconds(seconds: f64) -> Nanos {
    Nanos::from_seconds(seconds)
}

/// The times of a process mapped back to one of rate 1.
fn unit_times(arrival: Arrival, dues: &[Nanos]) -> Vec<f64> {
    dues.iter()
        .map(|&due| expected_arrivals(arrival, due).unwrap())
        .collect()
}

/// The Anderson–Darling statistic of a sample against the exponential distribution of its mean,
/// with the correction for a sample of its size (D'Agostino and Stephens, *Goodness-of-Fit
/// Techniques*, table 4.14: 5 % of exponential samples are above 1.321, 1 % above 1.959).
fn anderson_darling_exponential(mut gaps: Vec<f64>) -> f64 {
    gaps.sort_by(f64::total_cmp);
    let count = gaps.len() as f64;
    let mean = gaps.iter().sum::<f64>() / count;
    let weighted: f64 = gaps
        .iter()
        .zip(gaps.iter().rev())
        .zip(1_u32..)
        .map(|((low, high), rank)| {
            let below = -(-low / mean).exp_m1();
            (2.0 * f64::from(rank) - 1.0) * (below.max(1e-300).ln() - high / mean)
        })
        .sum();
    (-count - weighted / count) * (1.0 + 0.6 / count)
}

fn gaps(times: &[f64]) -> Vec<f64> {
    times.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

/// The share of seeds whose gaps, mapped back to rate 1, are rejected as exponential at 5 %.
fn rejected(arrival: Arrival, mapped_by: Arrival) -> f64 {
    let rejections = (0..200_u32).filter(|&seed| {
        let dues = due_times(arrival, 400, u64::from(seed)).unwrap();
        anderson_darling_exponential(gaps(&unit_times(mapped_by, &dues))) > 1.321
    });
    rejections.count() as f64 / 200.0
}

fn ramp(gaps: Gaps) -> Arrival {
    Arrival::Ramp {
        from: 1.0,
        to: 40.0,
        duration: seconds(15.0),
        gaps,
    }
}

fn steps(gaps: Gaps) -> Arrival {
    Arrival::Steps {
        from: 24.0,
        to: 3.0,
        step: 5.0,
        hold: seconds(4.0),
        gaps,
    }
}

fn on_off(gaps: Gaps) -> Arrival {
    Arrival::OnOff {
        rate: 30.0,
        on: seconds(1.3),
        off: seconds(2.1),
        gaps,
    }
}

#[test]
fn gaps_are_exponential_once_the_change_of_rate_is_taken_out() {
    for process in [ramp, steps, on_off] {
        let arrival = process(Gaps::Exponential);
        let share = rejected(arrival, arrival);
        assert!((0.005..=0.12).contains(&share), "{share}: {arrival:?}");
    }
}

#[test]
fn the_test_for_exponential_gaps_fails_where_it_should() {
    let even = Arrival::Gamma {
        rate: 5.0,
        shape: 1.5,
    };
    assert!(rejected(even, even) > 0.9);
    let flat = Arrival::Poisson { rate: 5.0 };
    assert!(rejected(ramp(Gaps::Exponential), flat) > 0.9);
}

#[test]
fn equal_gaps_follow_the_expected_number_exactly() {
    let dues = due_times(ramp(Gaps::Equal), 500, 0).unwrap();
    for (number, time) in (0..).zip(unit_times(ramp(Gaps::Equal), &dues)) {
        assert!((time - f64::from(number)).abs() < 1e-6, "{number}: {time}");
    }
}

#[test]
fn a_ramp_goes_on_at_the_rate_it_ends_with() {
    let arrival = Arrival::Ramp {
        from: 0.0,
        to: 2.0,
        duration: seconds(4.0),
        gaps: Gaps::Equal,
    };
    let dues = due_times(arrival, 8, 0).unwrap();
    let expected = [0.0, 2.0, 8_f64.sqrt(), 12_f64.sqrt(), 4.0, 4.5, 5.0, 5.5];
    assert_eq!(dues, expected.map(seconds));
}

#[test]
fn steps_hold_their_rates_in_both_directions() {
    let stairs = |from, to| Arrival::Steps {
        from,
        to,
        step: 1.0,
        hold: SECOND,
        gaps: Gaps::Equal,
    };
    let up = [0.0, 1.0, 1.5, 2.0, 2.0 + 1.0 / 3.0, 2.0 + 2.0 / 3.0, 3.0];
    assert_eq!(due_times(stairs(1.0, 3.0), 7, 0).unwrap(), up.map(seconds));
    let down = [0.0, 1.0 / 3.0, 2.0 / 3.0, 1.0, 1.5, 2.0, 3.0, 4.0];
    assert_eq!(
        due_times(stairs(3.0, 1.0), 8, 0).unwrap(),
        down.map(seconds)
    );
}

#[test]
fn nothing_arrives_while_the_process_is_off() {
    let (on, period) = (seconds(1.3), seconds(3.4));
    for gaps in [Gaps::Equal, Gaps::Exponential] {
        for due in due_times(on_off(gaps), 2_000, 3).unwrap() {
            // A nanosecond of rounding at the edge.
            assert!(due.0 % period.0 <= on.0 + 1, "{due:?}");
        }
    }
}

#[test]
fn bursts_come_on_time_and_at_once() {
    let arrival = Arrival::Bursts {
        rate: 1.0,
        size: 3,
        every: seconds(2.0),
        gaps: Gaps::Equal,
    };
    let expected = [0.0, 1.0, 2.0, 2.0, 2.0, 2.0, 3.0, 4.0, 4.0];
    let dues = due_times(arrival, 9, 0).unwrap();
    assert_eq!(dues, expected.map(seconds));
    let alone = Arrival::Bursts {
        rate: 0.0,
        size: 2,
        every: SECOND,
        gaps: Gaps::Exponential,
    };
    let dues = due_times(alone, 5, 0).unwrap();
    assert_eq!(dues, [1.0, 1.0, 2.0, 2.0, 3.0].map(seconds));
}

fn plan_until(arrival: Arrival, end: Nanos, seed: u64) -> Result<Plan, WorkloadError> {
    let config = WorkloadConfig {
        source: PromptSource::Texts(
            Texts::new(TextSource::Length(TextLength::Words(1)), 1, false, None).unwrap(),
        ),
        pacing: Pacing::Open {
            arrival,
            max_concurrency: None,
        },
        stop: Stop::Deadline { after: end },
        requests: 0,
        max_tokens: None,
        seed,
    };
    let run = RunId {
        point: 0,
        run: 0,
        warmup: false,
    };
    build_plan(&config, run, 0)
}

#[test]
fn a_deadline_ends_every_process() {
    let bursts = Arrival::Bursts {
        rate: 3.0,
        size: 10,
        every: seconds(2.0),
        gaps: Gaps::Exponential,
    };
    for (arrival, end, count) in [
        (ramp(Gaps::Exponential), 20.0, 15.0 * 20.5 + 5.0 * 40.0),
        (
            steps(Gaps::Exponential),
            10.0,
            4.0 * 24.0 + 4.0 * 19.0 + 2.0 * 14.0,
        ),
        (on_off(Gaps::Exponential), 20.0, 30.0 * (5.0 * 1.3 + 1.3)),
        // The burst at the end itself is after it.
        (bursts, 20.0, 60.0 + 90.0),
    ] {
        let end = seconds(end);
        let expected = expected_arrivals(arrival, end).unwrap();
        assert!((expected - count).abs() < 1e-9, "{expected}: {arrival:?}");
        let plan = plan_until(arrival, end, 5).unwrap();
        assert!((plan.requests.len() as f64 - count).abs() <= 0.5);
        assert!(plan.requests.iter().all(|request| request.due < end));
    }
}

#[test]
fn absurd_rates_and_spans_end_in_a_sentence_or_a_plan() {
    for (rate, span) in [(1e300, 1), (1e300, u64::MAX), (1e-300, 1), (5e-324, 7)] {
        let span = Nanos(span);
        let gaps = Gaps::Exponential;
        for arrival in [
            Arrival::Ramp {
                from: 0.0,
                to: rate,
                duration: span,
                gaps,
            },
            Arrival::Steps {
                from: rate,
                to: rate,
                step: rate,
                hold: span,
                gaps,
            },
            Arrival::Bursts {
                rate,
                size: u32::MAX,
                every: span,
                gaps,
            },
            Arrival::OnOff {
                rate,
                on: span,
                off: span,
                gaps,
            },
        ] {
            let dues = due_times(arrival, 1_000, 0).unwrap();
            assert_eq!(dues.len(), 1_000);
            assert!(dues.is_sorted(), "{arrival:?}");
            match plan_until(arrival, SECOND, 0) {
                Ok(plan) => assert!(plan.requests.is_sorted_by_key(|request| request.due)),
                Err(error) => assert!(matches!(
                    error,
                    WorkloadError::TooManyRequests { .. } | WorkloadError::NothingArrives { .. }
                )),
            }
        }
    }
}

#[test]
fn parameters_out_of_range_are_refused_with_their_name() {
    let refusal = |arrival| due_times(arrival, 1, 0).unwrap_err().to_string();
    let gaps = Gaps::Equal;
    assert_eq!(
        refusal(Arrival::Ramp {
            from: -1.0,
            to: 2.0,
            duration: SECOND,
            gaps
        }),
        "`from` of `ramp` arrivals must be at least 0 requests per second and finite, got `-1`."
    );
    assert_eq!(
        refusal(Arrival::Ramp {
            from: 1.0,
            to: 0.0,
            duration: SECOND,
            gaps
        }),
        "`to` of `ramp` arrivals must be above 0 requests per second and finite, got `0`."
    );
    assert_eq!(
        refusal(Arrival::Ramp {
            from: 1.0,
            to: 2.0,
            duration: Nanos::ZERO,
            gaps
        }),
        "`duration` of `ramp` arrivals must be above 0 seconds, got `0`."
    );
    assert_eq!(
        refusal(Arrival::Steps {
            from: 1.0,
            to: 2.0,
            step: 1e-9,
            hold: SECOND,
            gaps
        }),
        "`step` of `steps` arrivals must be so high that there are at most 10000 steps, got \
         `0.000000001`."
    );
    assert_eq!(
        refusal(Arrival::Steps {
            from: 1.0,
            to: 2.0,
            step: f64::NAN,
            hold: SECOND,
            gaps
        }),
        "`step` of `steps` arrivals must be above 0 requests per second and finite, got `NaN`."
    );
    assert_eq!(
        refusal(Arrival::Bursts {
            rate: 1.0,
            size: 0,
            every: SECOND,
            gaps
        }),
        "`size` of `bursts` arrivals must be at least 1 request, got `0`."
    );
    assert_eq!(
        refusal(Arrival::OnOff {
            rate: 1.0,
            on: Nanos::ZERO,
            off: SECOND,
            gaps
        }),
        "`on` of `on_off` arrivals must be above 0 seconds, got `0`."
    );
}

fn any_gaps() -> impl Strategy<Value = Gaps> {
    prop_oneof![Just(Gaps::Exponential), Just(Gaps::Equal)]
}

fn any_arrival() -> impl Strategy<Value = Arrival> {
    let (rate, span) = (0.1..50.0_f64, 0.1..20.0_f64);
    let rates = (0.1..50.0_f64, rate, 0.2..10.0_f64);
    (rates, span.clone(), span, 1_u32..20, any_gaps(), 0_u8..4).prop_map(
        |((from, to, step), first, second, size, gaps, kind)| match kind {
            0 => Arrival::Ramp {
                from,
                to,
                duration: seconds(first),
                gaps,
            },
            1 => Arrival::Steps {
                from,
                to,
                step,
                hold: seconds(first),
                gaps,
            },
            2 => Arrival::Bursts {
                rate: from,
                size,
                every: seconds(first),
                gaps,
            },
            _ => Arrival::OnOff {
                rate: from,
                on: seconds(first),
                off: seconds(second),
                gaps,
            },
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    // A Poisson count is within seven standard deviations, all of them but one in 10^11.
    #[test]
    fn at_any_time_about_as_many_have_come_as_are_expected(
        arrival in any_arrival(), seed: u64, share in 0.05..0.95_f64,
    ) {
        let dues = due_times(arrival, 2_000, seed).unwrap();
        prop_assert!(dues.is_sorted());
        prop_assert_eq!(dues.len(), 2_000);
        let until = Nanos::from_seconds(dues[1_999].seconds() * share);
        let expected = expected_arrivals(arrival, until).unwrap();
        let came = dues.partition_point(|due| *due < until) as f64;
        let bound = 7.0 * expected.sqrt() + 2.0;
        prop_assert!((came - expected).abs() < bound, "{} for {}", came, expected);
    }

    #[test]
    fn the_same_seed_gives_the_same_times(arrival in any_arrival(), seed: u64) {
        let dues = due_times(arrival, 300, seed).unwrap();
        prop_assert_eq!(&dues, &due_times(arrival, 300, seed).unwrap());
    }
}
