use super::{
    AddedLatency, BlockPair, Estimate, Seen, Told, Turn, added, added_at_rate, over_starts,
    woken_p50,
};
use crate::Interval;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use trace::{Event, EventKind, Nanos, Outcome, Record, RunId};

/// A skewed latency around 0.1 ms, in a machine that has slow moments some turns long.
struct Machine {
    rng: ChaCha8Rng,
    slow: f64,
}

impl Machine {
    fn new(seed: u64) -> Self {
        Machine {
            rng: ChaCha8Rng::seed_from_u64(seed),
            slow: 0.0,
        }
    }

    fn unit(&mut self) -> f64 {
        self.rng.random_range(f64::EPSILON..1.0)
    }

    fn latency(&mut self) -> f64 {
        let tail = if self.unit() < 0.02 { 2.0 } else { 0.0 };
        0.1 + 0.02 * -self.unit().ln() + tail * self.unit() + self.slow
    }

    fn turns(&mut self, count: usize, adds: f64) -> Vec<Turn> {
        let mut turn = || {
            // An autoregressive drift, the same for all arms of a turn.
            self.slow = 0.9 * self.slow + 0.01 * -self.unit().ln();
            Turn {
                direct: self.latency(),
                through: self.latency() + adds,
                again: self.latency(),
            }
        };
        (0..count).map(|_| turn()).collect()
    }
}

#[test]
fn within_one_start_the_interval_covers_what_that_start_adds_as_often_as_it_says() {
    let covers = |seed| {
        let turns = Machine::new(seed).turns(400, 0.1);
        let interval = added(&[turns], seed)
            .unwrap()
            .paired_median
            .interval
            .unwrap();
        interval.low <= 0.1 && 0.1 <= interval.high
    };
    let covered = (0..100).filter(|seed| covers(*seed)).count();
    assert!(covered >= 93, "{covered} of 100");
}

#[test]
fn adding_more_moves_the_interval_and_nothing_else() {
    let of = |adds| {
        added(&[Machine::new(3).turns(400, adds)], 3)
            .unwrap()
            .paired_median
    };
    let none = of(0.0).interval.unwrap();
    for adds in [0.02, 1.0, 5.0] {
        let interval = of(adds).interval.unwrap();
        for (end, of_none) in [(interval.low, none.low), (interval.high, none.high)] {
            assert!((end - of_none - adds).abs() < 1e-9, "{adds}");
        }
    }
}

#[test]
fn nothing_is_told_from_nothing() {
    let told = |seed| {
        added(&[Machine::new(seed).turns(400, 0.0)], seed)
            .unwrap()
            .told
    };
    let nothing = (0..100).filter(|seed| told(*seed) == Told::Nothing).count();
    assert!(nothing >= 95, "{nothing} of 100");
}

#[test]
fn the_estimate_is_near_the_truth_and_tells_it() {
    for adds in [0.02, 0.1, 1.0, 5.0] {
        let found = added(&[Machine::new(7).turns(1000, adds)], 7).unwrap();
        let error = (found.paired_median.value - adds).abs();
        assert!(error < f64::max(0.05 * adds, 0.01), "{adds}: {found:?}");
        assert_eq!(found.told, Told::Adds, "{adds}");
        assert!((found.quantiles[0].value - adds).abs() < 0.02, "{found:?}");
    }
    let saves = added(&[Machine::new(7).turns(1000, -0.05)], 7).unwrap();
    assert_eq!(saves.told, Told::Saves);
}

#[test]
fn where_there_are_few_turns_there_is_no_interval() {
    assert_eq!(added(&[], 1), None);
    let few = added(&[Machine::new(1).turns(15, 1.0)], 1).unwrap();
    assert_eq!((few.paired_median.interval, few.told), (None, Told::TooFew));
    let more = added(&[Machine::new(1).turns(100, 1.0)], 1).unwrap();
    let known = more.quantiles.map(|estimate| estimate.interval.is_some());
    assert_eq!(known, [true, true, false]);
    assert_eq!(added(&[Machine::new(1).turns(100, 1.0)], 1), Some(more));
}

#[test]
fn at_a_rate_the_blocks_of_both_sides_are_compared() {
    let block = |adds: f64, seed| {
        let mut machine = Machine::new(seed);
        BlockPair {
            start: 0,
            direct: (0..50).map(|_| machine.latency()).collect(),
            through: (0..50).map(|_| machine.latency() + adds).collect(),
        }
    };
    let blocks: Vec<BlockPair> = (0..20).map(|seed| block(0.5, seed)).collect();
    let [p50, ..] = added_at_rate(&blocks, 1).unwrap();
    let interval = p50.interval.unwrap();
    assert!(interval.low < 0.5 && 0.5 < interval.high, "{p50:?}");
    assert!(
        added_at_rate(&blocks[..3], 1).unwrap()[0]
            .interval
            .is_none()
    );
    assert_eq!(added_at_rate(&[BlockPair::default()], 1), None);
}

/// A measurement of several starts. Each draws, from a normal distribution with this deviation, what it adds beside 0.1 ms,
/// and how much slower everything is in it.
fn starts(count: usize, turns: usize, deviation: f64, seed: u64) -> Vec<Vec<Turn>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x5eed);
    let mut normal = || {
        let mut unit = || -> f64 { rng.random_range(f64::EPSILON..1.0) };
        (-2.0 * unit().ln()).sqrt() * (std::f64::consts::TAU * unit()).cos()
    };
    let mut start = |number| {
        let (adds, slower) = (0.1 + deviation * normal(), 0.05 * normal().abs());
        let mut turns = Machine::new(seed * 100 + number).turns(turns, adds);
        for turn in &mut turns {
            turn.direct += slower;
            turn.through += slower;
            turn.again += slower;
        }
        turns
    };
    (0..count as u64).map(&mut start).collect()
}

fn holds(interval: Option<Interval>, truth: f64) -> bool {
    interval.is_some_and(|interval| interval.low <= truth && truth <= interval.high)
}

#[test]
fn over_starts_the_interval_holds_the_truth_over_starts_as_often_as_it_says() {
    for (count, deviation) in [(3, 0.03), (5, 0.03), (8, 0.03), (5, 0.0)] {
        let held = |seed: &u64| {
            let starts = starts(count, 20, deviation, *seed);
            holds(added(&starts, *seed).unwrap().paired_median.interval, 0.1)
        };
        let held = (0..100).filter(held).count();
        assert!(held >= 93, "{count} starts, {deviation} ms: {held} of 100");
    }
}

#[test]
fn the_turns_of_one_start_say_nothing_of_the_next() {
    let held = |seed: &u64| {
        let starts = starts(1, 100, 0.03, *seed);
        holds(added(&starts, *seed).unwrap().paired_median.interval, 0.1)
    };
    let held = (0..100).filter(held).count();
    assert!(held < 50, "{held} of 100");
}

#[test]
fn quantiles_over_starts_hold_theirs_too() {
    let held = |seed: &u64| {
        let starts = starts(5, 20, 0.03, *seed);
        // What is added to all is added to each quantile; over many starts it is 0.1 ms at the median.
        holds(added(&starts, *seed).unwrap().quantiles[0].interval, 0.1)
    };
    let held = (0..100).filter(held).count();
    assert!(held >= 93, "{held} of 100");
    let blocks = |deviation: f64, seed: u64| -> Vec<BlockPair> {
        let starts = starts(5, 40, deviation, seed).into_iter().enumerate();
        let block = |(start, turns): (usize, Vec<Turn>)| BlockPair {
            start,
            direct: turns.iter().map(|turn| turn.direct).collect(),
            through: turns.iter().map(|turn| turn.through).collect(),
        };
        starts.map(block).collect()
    };
    let held = |seed: &u64| {
        let [p50, ..] = added_at_rate(&blocks(0.03, *seed), *seed).unwrap();
        holds(p50.interval, 0.1)
    };
    let held = (0..100).filter(held).count();
    assert!(held >= 93, "at a rate: {held} of 100");
}

#[test]
fn each_start_is_one_value_however_many_turns_it_has() {
    let adds = |adds, turns| {
        vec![
            Turn {
                direct: 1.0,
                through: 1.0 + adds,
                again: 1.0,
            };
            turns
        ]
    };
    let found = added(&[adds(1.0, 100), Vec::new(), adds(3.0, 10)], 1).unwrap();
    assert_eq!(found.turns, 110);
    assert!((found.paired_median.value - 2.0).abs() < 1e-12);
    let starts: Vec<usize> = found.starts.iter().map(|start| start.start).collect();
    assert_eq!(starts, [0, 2]);
    // Student's t of two values, one degree of freedom: 12.706 · √2 / √2.
    let interval = found.paired_median.interval.unwrap();
    assert!((interval.high - 2.0 - 12.706_204_736).abs() < 1e-6);
    assert_eq!(over_starts([0.0; 0].into_iter()), None);
}

fn around(value: f64, reach: f64) -> Estimate {
    Estimate {
        value,
        interval: Some(Interval {
            low: value - reach,
            high: value + reach,
        }),
    }
}

/// Whether it matters beside 39 µs with an interval that reaches so far.
fn floor_matters(reach: f64, floor: Estimate, told: Told) -> bool {
    let mut found = added(&[Machine::new(1).turns(100, 1.0)], 1).unwrap();
    found.paired_median = around(0.039, reach);
    found.floor = floor;
    found.told = told;
    found.floor_matters()
}

#[test]
fn a_floor_is_worth_a_word_only_where_it_is_much_beside_what_is_reported() {
    let no_chance = |floor: f64| around(floor, floor.abs() / 2.0);
    let narrow = |floor| floor_matters(0.002, no_chance(floor), Told::Adds);
    assert!(!narrow(15e-6));
    assert!(!narrow(0.0015));
    assert!(narrow(0.0025));
    assert!(narrow(-0.0045));
    // A tenth of the value is much, however wide the interval is; where nothing is told, the interval is the measure.
    let wide = |told| floor_matters(0.02, no_chance(0.005), told);
    assert!(wide(Told::Adds));
    assert!(!wide(Told::Nothing));
    // What may be nothing is nothing.
    assert!(!floor_matters(0.001, around(0.01, 0.1), Told::Adds));
}

/// A record that was issued at 1 ms; each of its events arrived and was read then, and so was its end.
fn record(events: &[(EventKind, u64, u64)], done: (u64, u64)) -> Record {
    let at = |micros| Nanos(1_000 * micros);
    let event = |(kind, arrived, read): &(EventKind, u64, u64)| Event {
        kind: *kind,
        arrived: at(*arrived),
        read: at(*read),
        read_index: 0,
        text_bytes: 1,
        tokens: None,
        choice: 0,
    };
    Record {
        stream: !events.is_empty(),
        events: events.iter().map(event).collect(),
        done: at(done.0),
        done_read: at(done.1),
        outcome: Outcome::Complete,
        ..Record::begun(RunId::default(), 1, at(1_000))
    }
}

#[test]
fn a_client_sees_an_answer_when_its_read_returns_and_not_when_it_arrived() {
    let whole = record(&[], (1_050, 1_085));
    let of = |record: &Record, latency: AddedLatency| {
        [Seen::Arrived, Seen::Read].map(|seen| latency.of(record, seen).unwrap())
    };
    let close = |found: [f64; 2], expected: [f64; 2]| {
        let apart = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
        assert!(apart.fold(0.0, f64::max) < 1e-9, "{found:?} {expected:?}");
    };
    close(of(&whole, AddedLatency::EndToEnd), [0.05, 0.085]);
    close(of(&whole, AddedLatency::EndToEndFromDue), [0.05, 0.085]);
    let stream = record(
        &[
            (EventKind::Empty, 1_010, 1_011),
            (EventKind::Content, 1_020, 1_024),
            (EventKind::Content, 1_040, 1_060),
            (EventKind::Done, 1_041, 1_070),
        ],
        (1_042, 1_072),
    );
    close(of(&stream, AddedLatency::FirstToken), [0.02, 0.024]);
    close(of(&stream, AddedLatency::Event), [0.03, 0.042]);
    close(of(&stream, AddedLatency::EndToEnd), [0.04, 0.06]);
    close(of(&stream, AddedLatency::StreamEnd), [0.042, 0.072]);
    let failed = Record {
        outcome: Outcome::Http,
        ..whole.clone()
    };
    assert_eq!(AddedLatency::EndToEnd.of(&failed, Seen::Read), None);
    let woken = woken_p50([&whole, &failed, &stream]).unwrap();
    assert!((woken - 0.0275).abs() < 1e-9, "{woken}");
    assert_eq!(woken_p50([&failed]), None);
}
