//! What something in between adds: the same requests sent directly, through it, and directly again, in turns.

mod latency;
mod shape;

pub use latency::{AddedLatency, turns};
pub use shape::{StreamHarm, StreamShape, stream_harm};

use crate::Interval;
use crate::quantile::{quantile, sort};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Enough for the ends of a 95 % interval to be steady in the second digit.
const RESAMPLES: usize = 1_000;

/// Neighbours in time are alike, so they are drawn together, in so many blocks at most.
const BLOCKS_MAX: usize = 50;

/// Fewer blocks have too little to choose from.
const BLOCKS_MIN: usize = 10;

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

/// A value and its 95 % interval, where there are turns enough for one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// In milliseconds.
    pub value: f64,
    /// Percentile bootstrap over blocks of neighbouring turns.
    pub interval: Option<Interval>,
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
    /// Median of the differences, through − direct, of each turn and both of its direct arms.
    pub paired_median: Estimate,
    /// p50, p95 and p99 through, minus those direct (of both arms).
    pub quantiles: [Estimate; 3],
    /// The same median of the second direct arm − the first: the floor.
    pub floor: Estimate,
    /// p50 of the direct arms.
    pub direct_p50: f64,
    /// p50 through.
    pub through_p50: f64,
    /// What it comes to.
    pub told: Told,
}

/// The probabilities of [`Added::quantiles`].
pub const ADDED_QUANTILES: [f64; 3] = [0.5, 0.95, 0.99];

/// Turns without which a quantile has no interval: for one of both ends to lie within the sample.
const TURNS_MIN: [usize; 3] = [20, 72, 368];

/// What is added, over turns in the order of time; `None` without any. The same seed gives the same intervals.
///
/// Each turn is its own comparison, so that what drifts during the measurement is in all of its arms. The intervals
/// come from drawing blocks of neighbouring turns (Carlstein, 1986), because a disturbance lasts longer than one turn.
pub fn added(turns: &[Turn], seed: u64) -> Option<Added> {
    // Neighbouring turns are one block.
    let length = turns.len().div_ceil(BLOCKS_MAX).max(1);
    let mut samples: [Sample; 4] = Default::default();
    for (index, turn) in turns.iter().enumerate() {
        let Turn {
            direct,
            through,
            again,
        } = *turn;
        let [directs, throughs, paired, floor] = &mut samples;
        let block = index / length;
        directs.extend([(direct, block), (again, block)]);
        throughs.push((through, block));
        paired.extend([(through - direct, block), (through - again, block)]);
        floor.push((again - direct, block));
    }
    let estimates = estimate(samples, turns.len().div_ceil(length), seed, statistics)?;
    let enough = |mut estimate: Estimate, least: usize| {
        estimate.interval = estimate.interval.filter(|_| turns.len() >= least);
        estimate
    };
    let [paired, floor, p50, p95, p99, direct_p50, through_p50] = estimates;
    let [paired_median, floor] = [paired, floor].map(|estimate| enough(estimate, TURNS_MIN[0]));
    Some(Added {
        turns: turns.len(),
        told: told(paired_median, floor),
        paired_median,
        quantiles: [
            enough(p50, TURNS_MIN[0]),
            enough(p95, TURNS_MIN[1]),
            enough(p99, TURNS_MIN[2]),
        ],
        floor,
        direct_p50: direct_p50.value,
        through_p50: through_p50.value,
    })
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

/// Paired median, floor, three differences of quantiles, p50 direct, p50 through.
fn statistics([direct, through, paired, floor]: &[Vec<f64>; 4]) -> Option<[f64; 7]> {
    let [p50, p95, p99] = differences(direct, through)?;
    Some([
        quantile(paired, 0.5)?,
        quantile(floor, 0.5)?,
        p50,
        p95,
        p99,
        quantile(direct, 0.5)?,
        quantile(through, 0.5)?,
    ])
}

/// The differences of the quantiles of sorted values.
fn differences(direct: &[f64], through: &[f64]) -> Option<[f64; 3]> {
    let mut found = [0.0; 3];
    for (difference, probability) in found.iter_mut().zip(ADDED_QUANTILES) {
        *difference = quantile(through, probability)? - quantile(direct, probability)?;
    }
    Some(found)
}

/// Values, each with the block that it is drawn with.
type Sample = Vec<(f64, usize)>;

/// Statistics of sorted samples, each with the interval that drawing their blocks again and again gives it.
///
/// The samples are sorted once: a draw takes each value as often as its block was drawn, in the order that there is.
fn estimate<const K: usize, const N: usize>(
    mut samples: [Sample; K],
    blocks: usize,
    seed: u64,
    statistics: impl Fn(&[Vec<f64>; K]) -> Option<[f64; N]>,
) -> Option<[Estimate; N]> {
    for sample in &mut samples {
        sample.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    }
    let mut drawn: [Vec<f64>; K] = std::array::from_fn(|_| Vec::new());
    let mut times = vec![1_usize; blocks];
    let mut draw = |times: &[usize]| {
        for (drawn, sample) in drawn.iter_mut().zip(&samples) {
            drawn.clear();
            for (value, block) in sample {
                drawn.extend(std::iter::repeat_n(*value, times[*block]));
            }
        }
        statistics(&drawn)
    };
    let values = draw(&times)?;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut resampled: [Vec<f64>; N] = std::array::from_fn(|_| Vec::new());
    for _ in 0..if blocks < BLOCKS_MIN { 0 } else { RESAMPLES } {
        times.fill(0);
        for _ in 0..blocks {
            times[rng.random_range(0..blocks)] += 1;
        }
        // A draw that is empty on one side says nothing.
        for (all, value) in resampled.iter_mut().zip(draw(&times).into_iter().flatten()) {
            all.push(value);
        }
    }
    let estimate = |at: usize| {
        let resampled = &mut resampled[at];
        sort(resampled);
        let ends = quantile(resampled, 0.025).zip(quantile(resampled, 0.975));
        Estimate {
            value: values[at],
            interval: ends.map(|(low, high)| Interval { low, high }),
        }
    };
    let at: [usize; N] = std::array::from_fn(|at| at);
    Some(at.map(estimate))
}

/// Latencies of the blocks of a schedule that was sent to both sides in turns, in milliseconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BlockPair {
    /// Straight to the provider.
    pub direct: Vec<f64>,
    /// Through what is in between.
    pub through: Vec<f64>,
}

/// p50, p95 and p99 through minus those direct, over all blocks; intervals by drawing pairs of blocks. `None` where an
/// arm is empty.
pub fn added_at_rate(blocks: &[BlockPair], seed: u64) -> Option<[Estimate; 3]> {
    let all = |of: fn(&BlockPair) -> &Vec<f64>| -> Sample {
        let of_block = |(index, block)| of(block).iter().map(move |value| (*value, index));
        blocks.iter().enumerate().flat_map(of_block).collect()
    };
    let samples = [all(|block| &block.direct), all(|block| &block.through)];
    estimate(samples, blocks.len(), seed, |[direct, through]| {
        differences(direct, through)
    })
}

#[cfg(test)]
mod tests;
