//! What something in between adds: the same requests sent directly, through it, and directly again, in turns, over
//! several starts of everything that can be started anew.

mod estimate;
mod latency;
mod regime;
mod shape;

pub use estimate::Estimate;
pub use latency::{AddedLatency, Seen, turns, woken_p50};
pub use regime::regimes;
pub use shape::{StreamHarm, StreamShape, stream_harm};

use crate::quantile::{quantile, sort};
use estimate::{Drawn, Sample, estimate, over_starts};

/// Neighbours in time are alike, so they are drawn together, in so many blocks at most.
const BLOCKS_MAX: usize = 50;

/// A latency of one turn in each of its arms, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Turn {
    /// Straight to the provider.
    pub direct: f64,
    /// Through what is in between.
    pub through: f64,
    /// Straight to the provider once more: what the instrument cannot tell from zero.
    pub again: f64,
}

/// What the measurement lets one say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// It adds something.
    Adds,
    /// It takes something away, which says that the two ways differ in more than what is in between.
    Saves,
    /// It cannot be told from nothing on this machine.
    Nothing,
    /// There are too few turns.
    TooFew,
}

/// The latency that something in between adds.
#[derive(Clone, Debug, PartialEq)]
pub struct Added {
    /// Turns of which all three arms succeeded.
    pub turns: usize,
    /// What each start says, in the order of time; those without a turn are left out.
    pub starts: Vec<StartAdded>,
    /// Median of the differences, through − direct, of each turn and both of its direct arms; the mean over starts.
    pub paired_median: Estimate,
    /// p50, p95 and p99 through, minus those direct (of both arms), over the turns of all starts.
    pub quantiles: [Estimate; 3],
    /// The same median of the second direct arm − the first: the floor; the mean over starts.
    pub floor: Estimate,
    /// p50 of the direct arms; the mean over starts.
    pub direct_p50: f64,
    /// p50 through; the mean over starts.
    pub through_p50: f64,
    /// What it comes to.
    pub told: Told,
}

/// One start, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StartAdded {
    /// Its number, from 0.
    pub start: usize,
    /// Its turns.
    pub turns: usize,
    /// Median of its differences.
    pub paired_median: f64,
    /// Median of its second direct arm − the first.
    pub floor: f64,
    /// p50 of its direct arms.
    pub direct_p50: f64,
    /// p50 through.
    pub through_p50: f64,
}

/// The probabilities of [`Added::quantiles`].
pub const ADDED_QUANTILES: [f64; 3] = [0.5, 0.95, 0.99];

/// Turns without which a quantile has no interval: for one of both ends to lie within the sample.
const TURNS_MIN: [usize; 3] = [20, 72, 368];

/// What is added, over starts, and within each over turns in the order of time; `None` without any turn. The same
/// seed gives the same intervals.
///
/// Each turn is its own comparison, so that what drifts during the measurement is in all of its arms. What stays as
/// it is from a start's beginning to its end (who shares a processor with whom, who is asleep when a byte comes) is in
/// none of the differences between its turns, so that no interval from the turns of one start can hold the truth over
/// starts. So each start is one value, and the interval is Student's t of them; there need be no model of what is
/// within a start, because it is in the spread of the values too. Of a single start the interval comes from drawing
/// blocks of neighbouring turns (Carlstein, 1986), and holds within that start only.
pub fn added(starts: &[Vec<Turn>], seed: u64) -> Option<Added> {
    let values: Vec<StartAdded> = starts
        .iter()
        .enumerate()
        .filter_map(|(start, turns)| of_start(start, turns))
        .collect();
    let turns = values.iter().map(|start| start.turns).sum();
    let drawn = if values.len() > 1 {
        Drawn::Starts
    } else {
        Drawn::Blocks
    };
    let (samples, groups) = samples(starts, turns, drawn);
    let [paired, floor, p50, p95, p99] = estimate(samples, groups, drawn, seed, statistics)?;
    let [paired, floor] = match drawn {
        Drawn::Blocks => [paired, floor],
        Drawn::Starts => [
            over_starts(values.iter().map(|start| start.paired_median))?,
            over_starts(values.iter().map(|start| start.floor))?,
        ],
    };
    let enough = |mut estimate: Estimate, least: usize| {
        estimate.interval = estimate.interval.filter(|_| turns >= least);
        estimate
    };
    let [paired_median, floor] = [paired, floor].map(|estimate| enough(estimate, TURNS_MIN[0]));
    let mean =
        |of: fn(&StartAdded) -> f64| values.iter().map(of).sum::<f64>() / values.len() as f64;
    Some(Added {
        turns,
        told: told(paired_median, floor),
        paired_median,
        quantiles: [
            enough(p50, TURNS_MIN[0]),
            enough(p95, TURNS_MIN[1]),
            enough(p99, TURNS_MIN[2]),
        ],
        floor,
        direct_p50: mean(|start| start.direct_p50),
        through_p50: mean(|start| start.through_p50),
        starts: values,
    })
}

fn of_start(start: usize, turns: &[Turn]) -> Option<StartAdded> {
    let median = |values: &mut Vec<f64>| {
        sort(values);
        quantile(values, 0.5)
    };
    let both = |of: fn(&Turn) -> [f64; 2]| turns.iter().flat_map(of).collect::<Vec<f64>>();
    Some(StartAdded {
        start,
        turns: turns.len(),
        paired_median: median(&mut both(|turn| {
            [turn.through - turn.direct, turn.through - turn.again]
        }))?,
        floor: median(&mut turns.iter().map(|turn| turn.again - turn.direct).collect())?,
        direct_p50: median(&mut both(|turn| [turn.direct, turn.again]))?,
        through_p50: median(&mut turns.iter().map(|turn| turn.through).collect())?,
    })
}

/// Direct, through, differences and the floor's, each value with what it is drawn with; and how many there are to draw.
fn samples(starts: &[Vec<Turn>], turns: usize, drawn: Drawn) -> ([Sample; 4], usize) {
    let length = turns.div_ceil(BLOCKS_MAX).max(1);
    let mut samples: [Sample; 4] = Default::default();
    let mut group = 0;
    for turns in starts.iter().filter(|turns| !turns.is_empty()) {
        for (index, turn) in turns.iter().enumerate() {
            let Turn {
                direct,
                through,
                again,
            } = *turn;
            let [directs, throughs, paired, floor] = &mut samples;
            let of = match drawn {
                Drawn::Starts => group,
                // Neighbouring turns are one block.
                Drawn::Blocks => index / length,
            };
            directs.extend([(direct, of), (again, of)]);
            throughs.push((through, of));
            paired.extend([(through - direct, of), (through - again, of)]);
            floor.push((again - direct, of));
        }
        group += 1;
    }
    let groups = match drawn {
        Drawn::Starts => group,
        Drawn::Blocks => turns.div_ceil(length),
    };
    (samples, groups)
}

/// Through is told from direct where its interval leaves zero out, and it is beyond what the two direct arms differ by.
fn told(paired: Estimate, floor: Estimate) -> Told {
    let (Some(paired), Some(floor)) = (paired.interval, floor.interval) else {
        return Told::TooFew;
    };
    let noise = floor.low.abs().max(floor.high.abs());
    if paired.low > 0.0 && paired.high > noise {
        Told::Adds
    } else if paired.high < 0.0 && -paired.low > noise {
        Told::Saves
    } else {
        Told::Nothing
    }
}

/// The larger part of the value by which the two direct arms may differ without being worth a word.
const FLOOR_SHARE: f64 = 0.02;

/// However wide the interval is, a larger part of the value is worth one.
const FLOOR_SHARE_MAX: f64 = 0.1;

impl Added {
    /// Whether the two direct arms, between which nothing differs, are apart beyond doubt and by much beside what is
    /// reported.
    ///
    /// A difference of fifteen nanoseconds that is no chance is of no consequence for 39 µs. What is added comes from
    /// both arms, so it is off by the floor at most; that matters beyond 2 % of it and beyond half its interval, and
    /// beyond a tenth of it in any case.
    pub fn floor_matters(&self) -> bool {
        let (Some(floor), Some(interval)) = (self.floor.interval, self.paired_median.interval)
        else {
            return false;
        };
        let (off, value) = (self.floor.value.abs(), self.paired_median.value.abs());
        let half = (interval.high - interval.low) / 2.0;
        let is_much = off > f64::max(FLOOR_SHARE * value, half);
        let is_more =
            matches!(self.told, Told::Adds | Told::Saves) && off > FLOOR_SHARE_MAX * value;
        let differs = floor.low > 0.0 || floor.high < 0.0;
        differs && (is_much || is_more)
    }
}

/// Paired median, floor, three differences of quantiles.
fn statistics([direct, through, paired, floor]: &[Vec<f64>; 4]) -> Option<[f64; 5]> {
    let [p50, p95, p99] = differences(direct, through)?;
    Some([quantile(paired, 0.5)?, quantile(floor, 0.5)?, p50, p95, p99])
}

/// The differences of the quantiles of sorted values.
fn differences(direct: &[f64], through: &[f64]) -> Option<[f64; 3]> {
    let mut found = [0.0; 3];
    for (difference, probability) in found.iter_mut().zip(ADDED_QUANTILES) {
        *difference = quantile(through, probability)? - quantile(direct, probability)?;
    }
    Some(found)
}

/// Latencies of the blocks of a schedule that was sent to both sides in turns, in milliseconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BlockPair {
    /// The start that it belongs to, from 0.
    pub start: usize,
    /// Straight to the provider.
    pub direct: Vec<f64>,
    /// Through what is in between.
    pub through: Vec<f64>,
}

/// p50, p95 and p99 through minus those direct, over all blocks; intervals by drawing starts, or pairs of blocks where
/// there is one start only. `None` where an arm is empty.
pub fn added_at_rate(blocks: &[BlockPair], seed: u64) -> Option<[Estimate; 3]> {
    let mut starts: Vec<usize> = blocks.iter().map(|block| block.start).collect();
    starts.sort_unstable();
    starts.dedup();
    let (drawn, groups) = if starts.len() > 1 {
        (Drawn::Starts, starts.len())
    } else {
        (Drawn::Blocks, blocks.len())
    };
    let group = |index: usize, block: &BlockPair| match drawn {
        Drawn::Starts => starts.binary_search(&block.start).unwrap_or_default(),
        Drawn::Blocks => index,
    };
    let all = |of: fn(&BlockPair) -> &Vec<f64>| -> Sample {
        let of_block = |(index, block)| {
            let group = group(index, block);
            of(block).iter().map(move |value| (*value, group))
        };
        blocks.iter().enumerate().flat_map(of_block).collect()
    };
    let samples = [all(|block| &block.direct), all(|block| &block.through)];
    estimate(samples, groups, drawn, seed, |[direct, through]| {
        differences(direct, through)
    })
}

#[cfg(test)]
mod tests;
