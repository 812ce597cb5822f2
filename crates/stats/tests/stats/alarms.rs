//! How often warm-up and drift are seen where there is none, and found where there is some.

use crate::builder::{Setting, ms, open, stream};
use crate::simulated::{Source, autoregressive, queue};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use trace::Nanos;

/// Of runs in which nothing changes.
const FALSE_MAX: f64 = 0.05;

/// A run in open loop, ten requests a second, each with a first token after that many tenths of a
/// second, and a second one 10 ms later.
fn run(latencies: &[f64]) -> Setting {
    let request = |(id, latency): (u64, &f64)| {
        let issued = id * 100;
        let mut record = stream(id, issued, &[issued, issued]);
        let first = ms(issued) + Nanos::from_seconds(latency / 10.0);
        let at = [first, first + ms(10)];
        for (event, at) in record.events.iter_mut().zip(at) {
            (event.arrived, event.read) = (at, at);
        }
        (record.first_byte, record.done, record.done_read) = (Some(first), at[1], at[1]);
        record
    };
    Setting::new(open(10.0), (0..).zip(latencies).map(request).collect())
}

/// Shares of so many runs that are said to drift, and to have a warm-up.
fn alarms(runs: u64, latencies: impl Fn(&mut ChaCha8Rng) -> Vec<f64>) -> [f64; 2] {
    let mut counts = [0.0; 2];
    for seed in 0..runs {
        let mut rng = ChaCha8Rng::seed_from_u64(seed * 7_919 + 11);
        let summary = run(&latencies(&mut rng)).summarize();
        let reasons = &summary.points[0].verdict.reasons;
        let drifts = reasons.iter().any(|reason| reason.code == "drift");
        let steady = summary.points[0].steady_state.as_ref();
        let warms_up = steady.is_some_and(|steady| steady.warmup_seconds.is_some());
        for (count, found) in counts.iter_mut().zip([drifts, warms_up]) {
            *count += f64::from(u8::from(found)) / runs as f64;
        }
    }
    counts
}

/// Lognormal latencies that depend on their neighbours, around a level that changes with time.
fn changing(n: usize, rng: &mut ChaCha8Rng, level: impl Fn(f64) -> f64) -> Vec<f64> {
    let states = autoregressive(n, 0.5, rng).enumerate();
    let value = |(at, state): (usize, f64)| (0.3 * state).exp() * level(at as f64 / n as f64);
    states.map(value).collect()
}

#[test]
fn a_run_in_which_nothing_changes_is_rarely_accused() {
    let sources = [
        Source::LogNormal { spread: 1.0 },
        Source::Autocorrelated {
            correlation: 0.9,
            spread: 0.5,
        },
        Source::Queue { load: 0.5 },
        Source::Queue { load: 0.9 },
    ];
    for source in sources {
        for n in [60, 600] {
            let runs = 200;
            let sample = |rng: &mut ChaCha8Rng| source.sample(n, rng).values().to_vec();
            // Three standard errors are chance.
            let most = FALSE_MAX + 3.0 * (FALSE_MAX * (1.0 - FALSE_MAX) / runs as f64).sqrt();
            let [drift, warmup] = alarms(runs, sample);
            assert!(drift <= most, "{drift} of {source:?} {n} are said to drift");
            assert!(
                warmup <= most,
                "{warmup} of {source:?} {n} are said to warm up"
            );
        }
    }
}

#[test]
fn latency_that_rises_by_a_third_is_found() {
    let [drift, _] = alarms(40, |rng| changing(1_000, rng, |time| 1.0 + time / 3.0));
    assert!(drift >= 0.9, "{drift}");
}

#[test]
fn a_queue_that_grows_is_found() {
    let [drift, _] = alarms(40, |rng| queue(1_000, 1.5, rng));
    assert!(drift >= 0.9, "{drift}");
}

#[test]
fn a_server_that_is_slow_at_first_is_found_and_its_warm_up_left_out() {
    let level = |time: f64| if time < 0.1 { 2.0 } else { 1.0 };
    let [_, warmup] = alarms(40, |rng| changing(1_000, rng, level));
    assert!(warmup >= 0.9, "{warmup}");

    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let slow_at_first = run(&changing(1_000, &mut rng, level)).summarize();
    let steady = slow_at_first.points[0].steady_state.as_ref().expect("one");
    let seconds = steady.warmup_seconds.expect("a warm-up");
    // A tenth of 100 seconds, to within a few requests.
    assert!((seconds - 10.0).abs() <= 1.5, "{seconds}");
    let whole = slow_at_first.points[0].latency.ttft.as_ref().expect("one");
    assert!(steady.ttft.as_ref().expect("one").mean < whole.mean);
}
