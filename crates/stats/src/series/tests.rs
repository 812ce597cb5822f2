use super::Series;
use crate::{Distribution, Interval};
use proptest::prelude::*;

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
}
