//! Where a run stops warming up: found in its own latencies.

use crate::dependence::in_order;
use crate::trend::ranks;

/// Values that are taken together, as MSER-5 has it.
const TOGETHER: usize = 5;

/// Fewer values are all beginning.
const VALUES_MIN: usize = 40;

/// How many standard errors the beginning must lie off the rest. The rule places the cut where it
/// looks best, so that chance gives more than the two of a cut that was fixed before.
const ERRORS_MIN: f64 = 5.0;

/// How many of `values`, in the order of time, belong to the warm-up; 0 where none do, or where
/// the series is too short against its own memory to tell.
///
/// The cut is that of MSER-5 (White, "An effective truncation heuristic for bias reduction in
/// simulation output", 1997; White and Franklin, "Evaluation of the MSER-5 truncation rule", 2000):
/// of the means of five values each, it leaves out those whose absence makes the standard error of
/// the rest's mean smallest, at most half of all. That rule cuts a series that has no warm-up too,
/// and so the beginning counts only where its mean rank lies off the rest's by more than the
/// dependence within the rest explains.
pub(crate) fn warmup(values: &[f64]) -> usize {
    if values.len() < VALUES_MIN {
        return 0;
    }
    let cut = mser(values) * TOGETHER;
    if cut > 0 && is_off(&ranks(values), cut) {
        cut
    } else {
        0
    }
}

/// How many means of [`TOGETHER`] values MSER leaves out.
fn mser(values: &[f64]) -> usize {
    let means: Vec<f64> = values
        .chunks_exact(TOGETHER)
        .map(|chunk| chunk.iter().sum::<f64>() / TOGETHER as f64)
        .collect();
    // From the end, so that each step adds one value to mean and squares (Welford, 1962).
    let (mut mean, mut squares) = (0.0, 0.0);
    let (mut best, mut least) = (0, f64::INFINITY);
    for (begin, value) in means.iter().enumerate().rev() {
        let count = (means.len() - begin) as f64;
        let off = value - mean;
        mean += off / count;
        squares += off * (value - mean);
        let error = squares / (count * count);
        if begin <= means.len() / 2 && error <= least {
            (best, least) = (begin, error);
        }
    }
    best
}

/// Whether the mean of the ranks before the cut is too far off for chance.
fn is_off(ranks: &[f64], cut: usize) -> bool {
    let mean = |ranks: &[f64]| ranks.iter().sum::<f64>() / ranks.len() as f64;
    let (first, rest) = ranks.split_at(cut);
    let center = mean(rest);
    let scores: Vec<f64> = rest.iter().map(|rank| rank - center).collect();
    let variance = scores.iter().map(|score| score * score).sum::<f64>() / rest.len() as f64;
    let Some(found) = in_order(scores, variance, rest.len()) else {
        return false;
    };
    let time = rest.len() as f64 / found.cautious();
    let error = (variance * time * (1.0 / first.len() as f64 + 1.0 / rest.len() as f64)).sqrt();
    (mean(first) - center).abs() > ERRORS_MIN * error
}

#[cfg(test)]
mod tests {
    use super::{mser, warmup};

    /// 1, 2, … 7 over and over: without chance, and without dependence worth the name.
    fn level(n: u32) -> Vec<f64> {
        (0..n).map(|n| f64::from(n * 3 % 7 + 1)).collect()
    }

    #[test]
    fn a_slow_beginning_is_cut_where_it_ends() {
        let mut values = level(300);
        for value in &mut values[..40] {
            *value += 50.0;
        }
        assert_eq!(warmup(&values), 40);
    }

    #[test]
    fn a_fast_beginning_is_one_too() {
        let mut values = level(300);
        for value in &mut values[..25] {
            *value -= 20.0;
        }
        assert_eq!(warmup(&values), 25);
    }

    #[test]
    fn a_level_series_has_no_warmup() {
        assert_eq!(warmup(&level(300)), 0);
        assert_eq!(warmup(&[5.0; 300]), 0);
    }

    #[test]
    fn at_most_half_is_cut() {
        let rising: Vec<f64> = (0..400).map(f64::from).collect();
        assert!(mser(&rising) <= 40);
    }

    #[test]
    fn a_handful_of_values_is_all_beginning() {
        let mut values = level(39);
        values[..20].fill(500.0);
        assert_eq!(warmup(&values), 0);
    }
}
