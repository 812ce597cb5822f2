//! How much a sample of dependent values knows: its effective size.
//!
//! Requests of one run wait in the same queue, and the gaps of one stream share a server's moods.
//! The mean of n such values varies like that of fewer independent ones.

use crate::special::{NORMAL_95, student_t_95};

/// Longer series are added up by neighbours first, which leaves the variance of the whole sum alone.
const TOTALS_MAX: usize = 4_096;

/// Memory that reaches farther than this part of a series cannot be told from a trend.
const REACH_SHARE_MAX: f64 = 0.1;

/// A short series may show this much, which chance alone gives it.
const REACH_MIN: f64 = 6.0;

/// A pair of autocovariances below this part of the variance adds less than a hundredth to what the
/// pairs before it do. Values that take turns, as behind two servers, leave such pairs without end.
const NEGLIGIBLE: f64 = 0.01;

/// An autocorrelation time above 1 by more standard errors than these is no chance.
const MATERIAL: f64 = 2.0;

/// What dependence leaves of a sample.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dependence {
    /// So many independent values would tell as much; never more than there are.
    pub(crate) effective: f64,
    /// The variance of the sum ÷ what it is for independent values.
    inflation: f64,
    /// Degrees of freedom of that estimate itself.
    pub(crate) degrees: f64,
}

impl Dependence {
    /// Whether there is more of it than chance gives to independent values.
    pub(crate) fn is_material(&self) -> bool {
        self.inflation > 1.0 + MATERIAL * (2.0 / self.degrees).sqrt()
    }

    /// The effective size that makes an interval as wide as Student's t makes it: where the
    /// variance rests on few independent stretches, it is itself uncertain.
    pub(crate) fn cautious(&self) -> f64 {
        self.effective * (NORMAL_95 / student_t_95(self.degrees)).powi(2)
    }

    fn new(n: usize, inflation: f64, degrees: f64) -> Self {
        // Values that take turns about their mean may leave nothing of their sum's variance.
        let inflation = inflation.max(f64::MIN_POSITIVE);
        Self {
            effective: (n as f64 / inflation).clamp(1.0, n as f64),
            inflation,
            degrees: degrees.max(1.0),
        }
    }

    /// Of so many values that have nothing to do with each other.
    pub(crate) fn none(n: usize) -> Self {
        Self::new(n, 1.0, f64::INFINITY)
    }
}

/// Of scores (each value's part in an estimate, with mean 0) in the order of time. `totals` are
/// their sums over clusters, `variance` is that of one score, `n` is their number. `None` where
/// the series is too short against its own memory.
///
/// The variance of the whole sum is K·c₀·τ, of K totals with variance c₀ and the integrated
/// autocorrelation time τ = 1 + 2·Σρₖ. The sum ends before the first pair of neighbouring
/// autocovariances that is not positive (or negligible), and no pair counts for more than one before it: the
/// initial monotone sequence of Geyer, "Practical Markov chain Monte Carlo" (1992). That the mean
/// comes from the same values makes it too small by (2M + 1) / K for a reach of M, and it has
/// about K / (2M + 1) degrees of freedom: Wolff, "Monte Carlo errors with less errors" (2004),
/// equations 49 and 42.
pub(crate) fn in_order(totals: Vec<f64>, variance: f64, n: usize) -> Option<Dependence> {
    let totals = condense(totals);
    let count = totals.len() as f64;
    let covariance = |lag: usize| {
        let later = totals.get(lag..).unwrap_or_default();
        totals.iter().zip(later).map(|(a, b)| a * b).sum::<f64>() / count
    };
    let nearest = covariance(0);
    if nearest <= 0.0 || variance <= 0.0 {
        return Some(Dependence::none(n));
    }
    let reach_max = (REACH_SHARE_MAX * count).max(REACH_MIN.min(count / 2.0));
    let (mut sum, mut lag, mut smallest) = (-nearest, 0, f64::INFINITY);
    loop {
        let pair = covariance(lag) + covariance(lag + 1);
        if pair <= NEGLIGIBLE * nearest {
            break;
        }
        smallest = pair.min(smallest);
        sum += 2.0 * smallest;
        lag += 2;
        if lag as f64 > reach_max {
            return None;
        }
    }
    let reach = lag.saturating_sub(1);
    let window = (2 * reach + 1) as f64 / count;
    let of_sum = count * sum / (1.0 - window).max(0.1);
    Some(Dependence::new(
        n,
        of_sum / (n as f64 * variance),
        1.0 / window,
    ))
}

/// Of scores in batches that have nothing to do with each other: the design effect of cluster
/// sampling (Kish, *Survey Sampling*, 1965), with a degree of freedom less than batches.
pub(crate) fn in_batches(totals: &[f64], variance: f64, n: usize) -> Option<Dependence> {
    let degrees = totals.len().checked_sub(1).filter(|&degrees| degrees > 0)? as f64;
    let of_sum = totals.iter().map(|total| total * total).sum::<f64>() * (1.0 + 1.0 / degrees);
    if variance <= 0.0 {
        return Some(Dependence::none(n));
    }
    Some(Dependence::new(n, of_sum / (n as f64 * variance), degrees))
}

/// Sums of neighbours, few enough to correlate.
fn condense(totals: Vec<f64>) -> Vec<f64> {
    let together = totals.len().div_ceil(TOTALS_MAX);
    if together <= 1 {
        return totals;
    }
    let sums = totals.chunks(together).map(|chunk| chunk.iter().sum());
    sums.collect()
}
