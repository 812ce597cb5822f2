use super::{BlockPair, Told, Turn, added, added_at_rate};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

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
fn the_interval_covers_the_truth_as_often_as_it_says() {
    let covers = |seed| {
        let turns = Machine::new(seed).turns(400, 0.1);
        let interval = added(&turns, seed).unwrap().paired_median.interval.unwrap();
        interval.low <= 0.1 && 0.1 <= interval.high
    };
    let covered = (0..100).filter(|seed| covers(*seed)).count();
    assert!(covered >= 93, "{covered} of 100");
}

#[test]
fn adding_more_moves_the_interval_and_nothing_else() {
    let of = |adds| {
        added(&Machine::new(3).turns(400, adds), 3)
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
        added(&Machine::new(seed).turns(400, 0.0), seed)
            .unwrap()
            .told
    };
    let nothing = (0..100).filter(|seed| told(*seed) == Told::Nothing).count();
    assert!(nothing >= 95, "{nothing} of 100");
}

#[test]
fn the_estimate_is_near_the_truth_and_tells_it() {
    for adds in [0.02, 0.1, 1.0, 5.0] {
        let found = added(&Machine::new(7).turns(1000, adds), 7).unwrap();
        let error = (found.paired_median.value - adds).abs();
        assert!(error < f64::max(0.05 * adds, 0.01), "{adds}: {found:?}");
        assert_eq!(found.told, Told::Adds, "{adds}");
        assert!((found.quantiles[0].value - adds).abs() < 0.02, "{found:?}");
    }
    let saves = added(&Machine::new(7).turns(1000, -0.05), 7).unwrap();
    assert_eq!(saves.told, Told::Saves);
}

#[test]
fn where_there_are_few_turns_there_is_no_interval() {
    assert_eq!(added(&[], 1), None);
    let few = added(&Machine::new(1).turns(15, 1.0), 1).unwrap();
    assert_eq!((few.paired_median.interval, few.told), (None, Told::TooFew));
    let more = added(&Machine::new(1).turns(100, 1.0), 1).unwrap();
    let known = more.quantiles.map(|estimate| estimate.interval.is_some());
    assert_eq!(known, [true, true, false]);
    assert_eq!(added(&Machine::new(1).turns(100, 1.0), 1), Some(more));
}

#[test]
fn at_a_rate_the_blocks_of_both_sides_are_compared() {
    let block = |adds: f64, seed| {
        let mut machine = Machine::new(seed);
        BlockPair {
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
