use super::Series;
use crate::traffic::Traffic;
use crate::{Distribution, Interval};
use proptest::prelude::*;
use trace::{Arrival, Nanos, Pacing};

/// Numbers without an order that anything could see.
fn shuffled(n: u64) -> impl Iterator<Item = f64> {
    (0..n).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as f64)
}

#[test]
fn equal_gaps_of_a_request_count_as_one() {
    let mut series = Series::default();
    for request in shuffled(300) {
        (0..100).for_each(|_| series.push(request));
        series.close();
    }
    let described = series.describe().expect("values");
    let effective = described.n_effective.expect("an effective size");
    assert!((200.0..=400.0).contains(&effective), "{effective}");
    // 30,000 independent values carry a p99, 300 do not.
    assert!(described.p50.interval.is_some() && described.p99.interval.is_none());
}

#[test]
fn values_that_have_nothing_to_do_with_each_other_count_each() {
    let described = Series::in_order(shuffled(2_000).collect())
        .describe()
        .expect("values");
    assert_eq!(described.n_effective, Some(2_000.0));
    let of_no_order = Distribution::of(shuffled(2_000).collect()).expect("values");
    assert_eq!(described.p99, of_no_order.p99);
}

#[test]
fn values_that_take_turns_tell_no_less_than_independent_ones() {
    let turns = (0..500u32).zip(shuffled(500));
    let turns = turns.map(|(n, value)| value + f64::from(n % 2) * 1e9);
    let described = Series::in_order(turns.collect()).describe();
    assert_eq!(described.expect("values").n_effective, Some(500.0));
}

#[test]
fn a_series_that_only_rises_has_no_interval() {
    let described = Series::in_order((0..500).map(f64::from).collect())
        .describe()
        .expect("values");
    assert_eq!(described.n_effective, None);
    assert_eq!(
        (described.p50.interval, described.mean_interval),
        (None, None)
    );
}

#[test]
fn batches_that_differ_count_as_batches() {
    let batches = |shared: f64| {
        let mut series = Series::of_batches();
        let (mut batch, mut each) = (shuffled(40), shuffled(40 * 50));
        for common in batch.by_ref() {
            (0..50).for_each(|_| series.push(shared * common + each.next().expect("one")));
            series.close();
        }
        series.describe().expect("values").n_effective.expect("one")
    };
    assert!(batches(0.0) > 1_000.0 && batches(10.0) < 80.0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_the_values_intervals_are_in_order_and_hold_their_percentile(
        values in prop::collection::vec(
            prop_oneof![0.0f64..1e3, Just(0.0), Just(7.0)], 1..400,
        ),
        size in 1usize..20,
        in_batches: bool,
    ) {
        let mut series = if in_batches { Series::of_batches() } else { Series::default() };
        for cluster in values.chunks(size) {
            series.extend(cluster.iter().copied());
            series.close();
        }
        let described = series.describe().expect("values");
        if let Some(Interval { low, high }) = described.mean_interval {
            prop_assert!(low <= high && low.is_finite() && high.is_finite());
        }
        let Distribution { p50, p90, p95, p99, n, .. } = described;
        for level in [p50, p90, p95, p99] {
            if let Some(Interval { low, high }) = level.interval {
                prop_assert!(low <= level.value && level.value <= high);
            }
        }
        if let Some(effective) = described.n_effective {
            prop_assert!(1.0 <= effective && effective <= n as f64);
        }
    }

    #[test]
    fn whatever_the_queue_intervals_are_in_order_and_hold_their_percentile(
        requests in prop::collection::vec(
            (0u64..200, 0u64..3_000, prop::option::of(0.0f64..1e3), 1usize..4), 1..120,
        ),
        users in prop::option::of(1u32..40),
        most in prop::option::of(1u32..40),
        runs in 1usize..4,
    ) {
        let pacing = users.map_or(
            Pacing::Open { arrival: Arrival::Poisson { rate: 10.0 }, max_concurrency: most },
            |concurrency| Pacing::Closed { concurrency },
        );
        let spans = |requests: &[(u64, u64, Option<f64>, usize)]| {
            let mut now = 0;
            let span = |&(gap, takes, ..): &(u64, u64, Option<f64>, usize)| {
                now += gap;
                (Nanos::from_millis(now), Nanos::from_millis(now + takes))
            };
            requests.iter().map(span).collect::<Vec<_>>()
        };
        let length = requests.len().div_ceil(runs);
        let traffic = Traffic::of(pacing, requests.chunks(length).map(spans));
        let mut series = Series::default();
        for (run, requests) in requests.chunks(length).enumerate() {
            for (index, &(.., value, times)) in requests.iter().enumerate() {
                series.begin(traffic.found(run, index));
                series.extend(value.into_iter().cycle().take(value.map_or(0, |_| times)));
            }
        }
        if let Some(described) = series.describe_in(&traffic) {
            let Distribution { p50, p90, p95, p99, n, mean, mean_interval, .. } = described;
            let levels = [p50, p90, p95, p99].map(|level| (level.value, level.interval));
            for (value, interval) in levels.into_iter().chain([(mean, mean_interval)]) {
                if let Some(Interval { low, high }) = interval {
                    prop_assert!(low.is_finite() && high.is_finite());
                    prop_assert!(low <= value + 1e-9 && value <= high + 1e-9, "{low} {value} {high}");
                }
            }
            if let Some(effective) = described.n_effective {
                prop_assert!(1.0 <= effective && effective <= n as f64);
            }
        }
    }
}

#[test]
fn many_gaps_of_few_requests_have_no_interval() {
    let spans = (0..40).map(|n| {
        (
            Nanos::from_millis(100 * n),
            Nanos::from_millis(100 * n + 250),
        )
    });
    let pacing = Pacing::Open {
        arrival: Arrival::Constant { rate: 10.0 },
        max_concurrency: None,
    };
    let traffic = Traffic::of(pacing, [spans.collect()]);
    let interval = |requests: u32| {
        let mut series = Series::default();
        for request in 0..requests {
            series.begin(traffic.found(0, request as usize));
            series.extend((0..50).map(|gap| f64::from(gap * 7 % 11 + request % 5)));
        }
        series.describe_in(&traffic).expect("values").p50.interval
    };
    assert_eq!(interval(19), None);
    assert!(interval(40).is_some());
}
