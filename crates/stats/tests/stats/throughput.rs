//! How often the interval of a run's throughput holds the truth.

use crate::builder::{Setting, closed, ms, stream};
use crate::simulated::normal;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use stats::{Interval, SteadyState};
use trace::Nanos;

const SLOTS: usize = 8;
const TOKENS: u64 = 20;
const RUNS: u64 = 150;

/// Requests a second of a closed loop whose answers take exp of a normal, with a median of a second
/// and a mean of e to the 1/8.
fn truth() -> f64 {
    SLOTS as f64 / (0.125f64).exp()
}

/// A run of that closed loop: a request begins when one before it ends.
fn run(requests: u64, rng: &mut ChaCha8Rng) -> SteadyState {
    let mut free = [Nanos::ZERO; SLOTS];
    let mut request = |id: u64| {
        let slot = (0..SLOTS).min_by_key(|&slot| free[slot]).expect("slots");
        let issued = free[slot];
        let each = (0.5 * normal(rng)).exp() / TOKENS as f64;
        let at = |token: u64| issued + Nanos::from_seconds(each * (token + 1) as f64);
        let mut record = stream(id, 0, &vec![0; usize::try_from(TOKENS).expect("few")]);
        for (token, event) in (0..).zip(&mut record.events) {
            (event.arrived, event.read) = (at(token), at(token));
        }
        let done = at(TOKENS - 1);
        (record.due, record.issued) = (issued, issued);
        (record.connected, record.sent) = (Some(issued), Some(issued));
        (record.first_byte, record.done, record.done_read) = (Some(at(0)), done, done);
        free[slot] = done.max(issued + ms(1));
        record
    };
    let records = (0..requests).map(&mut request).collect();
    let concurrency = u32::try_from(SLOTS).expect("few");
    let summary = Setting::new(closed(concurrency), records).summarize();
    let steady = &summary.points[0].steady_state;
    steady.clone().expect("a steady part")
}

/// The share of runs in which an interval holds the truth, of tokens and of requests, and the share
/// of runs that have one.
fn coverage(change: impl Fn(Interval) -> Interval) -> [[f64; 2]; 2] {
    let mut counts = [[0.0; 2]; 2];
    for seed in 0..RUNS {
        let steady = run(1_500, &mut ChaCha8Rng::seed_from_u64(seed));
        let intervals = [
            (
                steady.output_tokens_per_second_interval,
                truth() * TOKENS as f64,
            ),
            (steady.requests_per_second_interval, truth()),
        ];
        for ([covered, present], (interval, truth)) in counts.iter_mut().zip(intervals) {
            let Some(interval) = interval.map(&change) else {
                continue;
            };
            *present += 1.0;
            *covered += f64::from(u8::from((interval.low..=interval.high).contains(&truth)));
        }
    }
    counts.map(|[covered, present]| [covered / present, present / RUNS as f64])
}

#[test]
fn the_throughput_of_one_run_has_an_interval_that_holds_the_truth() {
    for [covered, present] in coverage(|interval| interval) {
        // 93 of 100 or more, and two standard errors: few windows make it rather too wide.
        assert!((0.89..=1.0).contains(&covered), "{covered}");
        assert!(present > 0.9, "{present}");
    }
    let halved = coverage(|Interval { low, high }| {
        let (middle, reach) = (f64::midpoint(low, high), (high - low) / 4.0);
        Interval {
            low: middle - reach,
            high: middle + reach,
        }
    });
    assert!(
        halved.iter().all(|[covered, _]| *covered < 0.89),
        "{halved:?}"
    );
}
