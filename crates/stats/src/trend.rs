//! Whether a series rises or falls, and how surely.

use crate::dependence::in_order;
use crate::quantile::{quantile, sort};

/// The test looks at so many blocks, if the series is long enough.
const BLOCKS_MAX: usize = 20;

/// Fewer cannot rise often enough for chance to be ruled out.
const BLOCKS_MIN: usize = 8;

/// A median of fewer values is none.
const BLOCK_MIN: usize = 5;

/// Blocks must be this many autocorrelation times long for their medians to be independent.
const BLOCK_TIMES: f64 = 4.0;

/// The test of Mann and Kendall, of one series or several together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Trend {
    /// Pairs of blocks of which the later is higher − those of which it is lower.
    surplus: f64,
    /// Of that, where there is no trend.
    variance: f64,
}

impl Trend {
    /// Adds a series, in the order of time, that is independent of those before it: Hirsch and
    /// Slack, "A nonparametric trend test for seasonal data with serial dependence" (1984). Too
    /// short a series adds nothing.
    ///
    /// The values of one series depend on each other, and a series that does so over its whole
    /// length looks like a trend. So the test is on medians of blocks that are long against the
    /// memory of what remains when the straight line is taken out.
    pub(crate) fn add(&mut self, values: &[f64]) {
        let Some(blocks) = blocks(values) else { return };
        for (at, early) in blocks.iter().enumerate() {
            let later = blocks[at + 1..].iter();
            self.surplus += later
                .map(|late| {
                    late.partial_cmp(early)
                        .map_or(0.0, |order| f64::from(order as i8))
                })
                .sum::<f64>();
        }
        let count = blocks.len() as f64;
        // Kendall, *Rank Correlation Methods*, 4th ed., section 4.9, with its correction for ties.
        let pairs = |count: f64| count * (count - 1.0) * (2.0 * count + 5.0);
        let mut sorted = blocks;
        sort(&mut sorted);
        let equal = sorted.chunk_by(|a, b| a.total_cmp(b).is_eq());
        let of_ties: f64 = equal.map(|block| pairs(block.len() as f64)).sum();
        self.variance += (pairs(count) - of_ties) / 18.0;
    }

    /// The standard normal statistic, corrected for continuity; 0 where nothing was long enough.
    pub(crate) fn score(&self) -> f64 {
        if self.variance <= 0.0 {
            return 0.0;
        }
        self.surplus.signum() * (self.surplus.abs() - 1.0).max(0.0) / self.variance.sqrt()
    }
}

/// Medians of consecutive blocks; `None` where there are too few of them.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a time lies between 1 and the number of values"
)]
fn blocks(values: &[f64]) -> Option<Vec<f64>> {
    let n = values.len();
    let residuals = detrended(&ranks(values));
    let variance = residuals.iter().map(|value| value * value).sum::<f64>() / n as f64;
    let found = in_order(residuals, variance, n)?;
    let memory = BLOCK_TIMES * n as f64 / found.effective;
    let length = n
        .div_ceil(BLOCKS_MAX)
        .max(BLOCK_MIN)
        .max(if found.is_material() {
            memory as usize
        } else {
            0
        });
    let count = n / length;
    if count < BLOCKS_MIN {
        return None;
    }
    let median = |block: &[f64]| {
        let mut block = block.to_vec();
        sort(&mut block);
        quantile(&block, 0.5)
    };
    values[n - count * length..]
        .chunks(length)
        .map(median)
        .collect()
}

/// How much the straight line of least squares through a series rises from its first value to its last.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rise {
    pub(crate) by: f64,
    /// The standard error of that.
    pub(crate) error: f64,
}

impl Rise {
    /// `None` of a series that is too short against its own memory, or that is a straight line itself.
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        let n = values.len();
        let (slope, squares) = line(values);
        let residuals = detrended(values);
        let freedom = n.checked_sub(2).filter(|&freedom| freedom > 0)? as f64;
        let of_residuals: f64 = residuals.iter().map(|value| value * value).sum();
        let found = in_order(residuals, of_residuals / n as f64, n)?;
        let dependent = if found.is_material() {
            n as f64 / found.effective
        } else {
            1.0
        };
        let length = n as f64 - 1.0;
        let error = length * (dependent * of_residuals / freedom / squares).sqrt();
        (error > 0.0).then_some(Self {
            by: slope * length,
            error,
        })
    }
}

/// The slope of the straight line of least squares, and the sum of squared distances from the middle.
fn line(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let middle = (n - 1.0) / 2.0;
    let mean = values.iter().sum::<f64>() / n;
    let (mut together, mut squares) = (0.0, 0.0);
    for (index, value) in values.iter().enumerate() {
        let at = index as f64 - middle;
        together += at * (value - mean);
        squares += at * at;
    }
    let slope = if squares > 0.0 {
        together / squares
    } else {
        0.0
    };
    (slope, squares)
}

/// What is left of a series when its straight line of least squares is taken out.
fn detrended(values: &[f64]) -> Vec<f64> {
    let n = values.len() as f64;
    let middle = (n - 1.0) / 2.0;
    let mean = values.iter().sum::<f64>() / n;
    let (slope, _) = line(values);
    let rest = |(index, value): (usize, &f64)| value - mean - slope * (index as f64 - middle);
    values.iter().enumerate().map(rest).collect()
}

/// The rank of each value, from 1; equal ones share theirs.
pub(crate) fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for equal in order.chunk_by(|&a, &b| values[a].total_cmp(&values[b]).is_eq()) {
        let shared = before as f64 + f64::midpoint(equal.len() as f64, 1.0);
        for &index in equal {
            ranks[index] = shared;
        }
        before += equal.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::{Rise, Trend, ranks};

    fn score(values: &[f64]) -> f64 {
        let mut trend = Trend::default();
        trend.add(values);
        trend.score()
    }

    #[test]
    fn equal_values_share_their_rank() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 2.0]), [3.5, 1.0, 3.5, 2.0]);
    }

    #[test]
    fn a_rise_is_positive_a_fall_negative_and_a_level_series_neither() {
        let rise: Vec<f64> = (0..200u32).map(|n| f64::from(n + n * 7 % 11)).collect();
        let fall: Vec<f64> = rise.iter().rev().copied().collect();
        // All 190 pairs of 20 blocks rise: (190 − 1) / √(20 · 19 · 45 / 18) = 6.13.
        assert!((score(&rise) - 189.0 / 950f64.sqrt()).abs() < 1e-12);
        assert!((score(&fall) + 189.0 / 950f64.sqrt()).abs() < 1e-12);
        assert!(score(&[4.0; 200]).abs() < 1e-12);
    }

    #[test]
    fn several_series_are_surer_than_one() {
        let rise: Vec<f64> = (0..60u32).map(|n| f64::from(n + n * 7 % 11)).collect();
        let mut both = Trend::default();
        both.add(&rise);
        both.add(&rise);
        assert!(both.score() > score(&rise));
        // Nor does one that is higher as a whole make a trend.
        let mut apart = Trend::default();
        apart.add(&[1.0; 100]);
        apart.add(&[9.0; 100]);
        assert!(apart.score().abs() < 1e-12);
    }

    #[test]
    fn a_handful_of_values_tells_nothing() {
        let few: Vec<f64> = (0..39).map(f64::from).collect();
        assert!(score(&few).abs() < 1e-12);
    }

    #[test]
    fn a_rise_has_the_error_of_a_regression() {
        // 2, −2 in turn about 0, 1, 2, …: the slope of 1000 values is all but 1.
        let values: Vec<f64> = (0..1000u32)
            .map(|n| f64::from(n) + if n.is_multiple_of(2) { 2.0 } else { -2.0 })
            .collect();
        let rise = Rise::of(&values).unwrap();
        assert!((rise.by - 999.0).abs() < 0.05, "{rise:?}");
        // 999 · √(4 · 1000 / 998 / (1000 · 999 · 1001 / 12)).
        assert!((rise.error - 0.219).abs() < 0.001, "{rise:?}");
        assert_eq!(Rise::of(&[1.0, 2.0]), None);
        assert_eq!(Rise::of(&[1.0, 1.0, 1.0, 1.0]), None);
    }
}
