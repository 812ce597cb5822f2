//! How often intervals hold the truth, over samples whose truth is known.
//!
//! An interval that says 95 % is to hold it in 93 to 97 of 100 samples, whatever the tails and
//! whatever the dependence; where a sample cannot carry one it is to be absent, not wrong.

use crate::simulated::{LEVELS, Source};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use stats::{Distribution, Interval, Series};
use std::fmt::Write;

/// What 95 % may come to.
const COVERED: std::ops::RangeInclusive<f64> = 0.93..=0.97;

/// Of all samples, so many may show an interval that misses: those of a series too short to know
/// how long its own memory is.
const WRONG_MAX: f64 = 0.07;

/// From this share of samples with an interval on, they are no selection.
const MOSTLY: f64 = 0.9;

/// Standard errors of a simulated share that are chance.
const CHANCE: f64 = 3.0;

/// The mean, then each of [`LEVELS`].
const NAMES: [&str; 5] = ["mean", "p50", "p90", "p95", "p99"];

/// The intervals of a sample, in the order of [`NAMES`].
type Intervals = [Option<Interval>; 5];

/// How intervals of one kind fared.
#[derive(Clone, Copy, Default)]
struct Tally {
    samples: f64,
    present: f64,
    covered: f64,
}

impl Tally {
    fn add(&mut self, interval: Option<Interval>, truth: f64) {
        self.samples += 1.0;
        let Some(Interval { low, high }) = interval else {
            return;
        };
        self.present += 1.0;
        self.covered += f64::from(u8::from((low..=high).contains(&truth)));
    }

    /// What is wrong with it, if anything. Where few batches tell how much batches differ, it may
    /// hold the truth more often than it says.
    fn complaint(&self, source: Source) -> Option<String> {
        let chance = |share: f64, of: f64| CHANCE * (share * (1.0 - share) / of).sqrt();
        let wrong = (self.present - self.covered) / self.samples;
        if wrong > WRONG_MAX + chance(WRONG_MAX, self.samples) {
            return Some(format!("{:.1} % of samples are missed", wrong * 100.0));
        }
        if self.present < MOSTLY * self.samples {
            return None;
        }
        let covered = self.covered / self.present;
        let slack = chance(0.05, self.present);
        let most = match source {
            Source::Batches { .. } => 1.0,
            _ => COVERED.end() + slack,
        };
        let allowed = COVERED.start() - slack..=most;
        (!allowed.contains(&covered)).then(|| format!("{:.1} % are covered", covered * 100.0))
    }
}

/// Asks `intervals` of so many samples of `n` values.
fn simulate(
    source: Source,
    n: usize,
    samples: u64,
    intervals: impl Fn(&Series) -> Intervals,
) -> [Tally; 5] {
    let mut tallies = [Tally::default(); 5];
    for sample in 0..samples {
        let mut rng = ChaCha8Rng::seed_from_u64(sample * 1_000_003 + n as u64);
        let found = intervals(&source.sample(n, &mut rng));
        let truths = [source.mean()]
            .into_iter()
            .chain(LEVELS.map(|level| source.quantile(level)));
        for ((tally, interval), truth) in tallies.iter_mut().zip(found).zip(truths) {
            tally.add(interval, truth);
        }
    }
    tallies
}

/// The product's own.
fn ours(series: &Series) -> Intervals {
    let Distribution {
        mean_interval,
        p50,
        p90,
        p95,
        p99,
        ..
    } = series.clone().describe().expect("values");
    [
        mean_interval,
        p50.interval,
        p90.interval,
        p95.interval,
        p99.interval,
    ]
}

/// The same, half as wide.
fn halved(series: &Series) -> Intervals {
    ours(series).map(|interval| {
        interval.map(|Interval { low, high }| {
            let (middle, reach) = (f64::midpoint(low, high), (high - low) / 4.0);
            Interval {
                low: middle - reach,
                high: middle + reach,
            }
        })
    })
}

/// The same values, taken for independent.
fn blind_to_order(series: &Series) -> Intervals {
    let described = Distribution::of(series.values().to_vec()).expect("values");
    let levels = [described.p50, described.p90, described.p95, described.p99];
    let [p50, p90, p95, p99] = levels.map(|level| level.interval);
    [None, p50, p90, p95, p99]
}

/// One line per kind of interval that does not hold what it says.
fn complaints(
    cases: &[(Source, usize)],
    samples: u64,
    intervals: impl Fn(&Series) -> Intervals + Copy,
) -> (String, Vec<String>) {
    let mut table = format!("{:34} {:>6}", "source", "n");
    for name in NAMES {
        let _ = write!(table, " {name:>14}");
    }
    let mut found = Vec::new();
    for &(source, n) in cases {
        let tallies = simulate(source, n, samples, intervals);
        let _ = write!(table, "\n{:34} {n:>6}", format!("{source:?}"));
        for (tally, name) in tallies.iter().zip(NAMES) {
            let present = 100.0 * tally.present / tally.samples;
            if tally.present > 0.0 {
                let covered = 100.0 * tally.covered / tally.present;
                let _ = write!(table, "  {covered:5.1} ({present:3.0} %)");
            } else {
                let _ = write!(table, " {:>14}", "absent");
            }
            if let Some(complaint) = tally.complaint(source) {
                found.push(format!("{name} of {n} {source:?}: {complaint}"));
            }
        }
    }
    (table, found)
}

const CASES: [(Source, usize); 8] = [
    (Source::LogNormal { spread: 1.0 }, 200),
    (Source::LogNormal { spread: 1.0 }, 2_000),
    (Source::Pareto { tail: 3.0 }, 500),
    (
        Source::Autocorrelated {
            correlation: 0.5,
            spread: 0.5,
        },
        1_000,
    ),
    (
        Source::Autocorrelated {
            correlation: 0.8,
            spread: 0.5,
        },
        2_000,
    ),
    (Source::Queue { load: 0.5 }, 2_000),
    (
        Source::Streams {
            shared: 0.5,
            gaps: 20,
        },
        400,
    ),
    (
        Source::Batches {
            shared: 0.1,
            size: 64,
        },
        10,
    ),
];

#[test]
fn intervals_hold_the_truth_as_often_as_they_say() {
    let (table, found) = complaints(&CASES, 300, ours);
    assert!(found.is_empty(), "{}\n{table}", found.join("\n"));
}

#[test]
fn intervals_half_as_wide_are_found_out() {
    for case in CASES {
        let (table, found) = complaints(&[case], 150, halved);
        assert!(!found.is_empty(), "{table}");
    }
}

#[test]
fn intervals_that_take_a_queue_for_independent_requests_are_found_out() {
    let queue = [(Source::Queue { load: 0.5 }, 1_000)];
    assert!(complaints(&queue, 150, ours).1.is_empty());
    assert!(complaints(&queue, 150, blind_to_order).1.len() >= 3);
}

/// Alike, a little different and much different.
fn batches() -> impl Iterator<Item = (Source, usize)> {
    [0.0, 0.1, 0.5].into_iter().flat_map(|shared| {
        [2, 8, 64, 256].into_iter().flat_map(move |size| {
            [3, 6, 10, 30].map(|batches| (Source::Batches { shared, size }, batches))
        })
    })
}

#[test]
fn intervals_hold_the_truth_from_3_to_30_batches() {
    let cases: Vec<_> = batches().collect();
    let (table, found) = complaints(&cases, 300, ours);
    assert!(found.is_empty(), "{}\n{table}", found.join("\n"));
}

/// The whole table, as the documentation has it.
#[test]
#[allow(
    clippy::disallowed_macros,
    reason = "a test's table is for whoever runs it"
)]
fn intervals_hold_the_truth_from_200_to_10_000_values() {
    if !crate::simulated::asked_for_slow_tests() {
        return;
    }
    let sources = [
        Source::LogNormal { spread: 0.5 },
        Source::LogNormal { spread: 1.0 },
        Source::Pareto { tail: 2.5 },
        Source::Pareto { tail: 3.5 },
        Source::Autocorrelated {
            correlation: 0.2,
            spread: 1.0,
        },
        Source::Autocorrelated {
            correlation: 0.5,
            spread: 1.0,
        },
        Source::Autocorrelated {
            correlation: 0.8,
            spread: 0.5,
        },
        Source::Autocorrelated {
            correlation: 0.9,
            spread: 1.0,
        },
        Source::Queue { load: 0.5 },
        Source::Queue { load: 0.7 },
        Source::Queue { load: 0.8 },
        Source::Streams {
            shared: 0.5,
            gaps: 20,
        },
    ];
    let sizes = [200, 500, 1_000, 2_000, 5_000, 10_000];
    let mut cases: Vec<_> = sources
        .iter()
        .flat_map(|&source| sizes.map(|n| (source, n)))
        .collect();
    cases.extend(batches());
    let (table, found) = complaints(&cases, 1_000, ours);
    eprintln!("{table}");
    assert!(found.is_empty(), "{}", found.join("\n"));
}
