//! A measurement over time.

use crate::builder::{Setting, closed, every, failure, ms, open, stream};
use stats::{Timeline, TimelineBin};
use trace::{
    Instrument, Nanos, Outcome, RunFacts, SavedRun, ServerSample, TimeoutKind, WatchedSecond,
};

fn saved(setting: Setting) -> SavedRun {
    SavedRun {
        header: setting.header,
        facts: setting.facts,
        records: setting.records,
    }
}

fn close(actual: f64, expected: f64) {
    assert!(
        (actual - expected).abs() < 1e-9,
        "{actual} is not {expected}"
    );
}

/// One slot, 40 requests of 250 ms, each 20 tokens: 10 s.
fn steady() -> Setting {
    let request = |n: u64| stream(n, n * 250, &every(n * 250 + 60, 10, 20));
    Setting::new(closed(1), (0..40).map(request).collect())
}

#[test]
fn what_came_and_what_was_in_flight_adds_up_to_the_whole() {
    let timeline = Timeline::of(&saved(steady())).unwrap();
    close(timeline.seconds, 10.0);
    close(timeline.bin_seconds, 0.05);
    assert!(timeline.streams && timeline.tokens);
    let [run] = &timeline.runs[..] else {
        panic!("{:?}", timeline.runs)
    };
    assert_eq!(
        (run.point.as_str(), run.warmup, run.bins.len()),
        ("8", false, 200)
    );
    let sum = |of: fn(&TimelineBin) -> f64| run.bins.iter().map(of).sum::<f64>() * 0.05;
    close(sum(|bin| bin.rate), 800.0);
    close(sum(|bin| bin.in_flight), 10.0);
    close(run.bins[0].at, 0.025);
    assert_eq!(run.bins[0].latency_p50, Some(60.0));
    assert_eq!(run.bins[1].latency_p50, None);
}

#[test]
fn the_rest_of_a_run_makes_no_bin_of_its_own_in_which_a_rate_would_be_none() {
    // 2,003 ms in bins of 10: the tokens of the last moment come in 13 ms.
    let tokens = every(3, 10, 201);
    let records = (0..64).map(|n| stream(n, 0, &tokens)).collect();
    let timeline = Timeline::of(&saved(Setting::new(closed(64), records))).unwrap();
    let bins = &timeline.runs[0].bins;
    assert_eq!(bins.len(), 200);
    let highest = bins.iter().map(|bin| bin.rate).fold(0.0, f64::max);
    assert!(highest < 64.0 * 100.0 * 1.6, "{highest}");
    let last = bins[199];
    close(last.rate * 0.013, 2.0 * 64.0);
    close(last.in_flight, 64.0);
    // All at one moment.
    let at_once = Timeline::of(&saved(Setting::new(closed(1), vec![stream(0, 5, &[5])]))).unwrap();
    let [bin] = at_once.runs[0].bins[..] else {
        panic!("{:?}", at_once.runs)
    };
    assert!(bin.rate.is_finite() && at_once.seconds == 0.0);
}

#[test]
fn in_an_open_loop_latency_counts_from_the_due_time_and_failures_are_seen_there() {
    let mut late = stream(0, 100, &[150]);
    late.due = ms(20);
    let broken = failure(1, 900, 950, Outcome::Timeout(TimeoutKind::Total));
    let timeline = Timeline::of(&saved(Setting::new(open(1.0), vec![late, broken]))).unwrap();
    let bins = &timeline.runs[0].bins;
    assert_eq!(bins[0].latency_max, Some(130.0));
    let failed: Vec<u64> = bins.iter().map(|bin| bin.failed).collect();
    assert_eq!(failed.iter().sum::<u64>(), 1);
    // Issued 800 ms after the first release, in bins of 10.
    assert_eq!(failed[80], 1);
}

#[test]
fn disturbed_seconds_and_the_servers_words_lie_where_they_were() {
    let late = WatchedSecond {
        number: 3,
        canary_late_max: Some(ms(40)),
        ..WatchedSecond::default()
    };
    let quiet = WatchedSecond {
        number: 4,
        ..WatchedSecond::default()
    };
    let setting = steady().facts(|facts: &mut RunFacts| {
        facts.instrument = Instrument {
            began: Some(Nanos::ZERO),
            seconds: vec![late, quiet],
            ..Instrument::default()
        };
        let look = |number: u64| ServerSample {
            at: ms(500 + 1_000 * number),
            running: Some(1.0),
            ..ServerSample::default()
        };
        facts.server = (0..7).map(look).collect();
    });
    let timeline = Timeline::of(&saved(setting)).unwrap();
    assert_eq!(timeline.disturbed, [(3.0, 4.0)]);
    let look = timeline.runs[0].server[2];
    close(look.at, 2.5);
    assert_eq!((look.running, look.waiting), (Some(1.0), None));
}

#[test]
fn runs_stand_one_after_the_other_and_nothing_gives_nothing() {
    let mut first = steady();
    let mut second = first.records.clone();
    for record in &mut second {
        record.run.warmup = true;
        for moment in [&mut record.issued, &mut record.due, &mut record.done] {
            *moment = *moment + ms(20_000);
        }
        for event in &mut record.events {
            event.arrived = event.arrived + ms(20_000);
        }
    }
    first.records.extend(second);
    let timeline = Timeline::of(&saved(first.clone())).unwrap();
    close(timeline.seconds, 30.0);
    let spans: Vec<(f64, f64, bool)> = timeline
        .runs
        .iter()
        .map(|run| (run.from, run.to, run.warmup))
        .collect();
    assert_eq!(spans, [(0.0, 10.0, false), (20.0, 30.0, true)]);
    first.records.clear();
    assert_eq!(Timeline::of(&saved(first)), None);
}
