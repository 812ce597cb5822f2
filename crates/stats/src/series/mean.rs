//! The interval of a mean.

use super::{EFFECTIVE_MIN, Kind, ORDERED_MIN, Series};
use crate::share::share_interval;
use crate::special::{NORMAL_95, student_t_95};
use crate::traffic::Traffic;
use crate::{Interval, MeanStd};

/// A block of so many autocorrelation times is about independent of the next.
const BLOCK_TIMES: f64 = 4.0;

impl Series {
    /// The 95 % interval of the share of values above `bound`, and so many independent values would tell as much of it, with
    /// the doubt about their dependence in both. `None` where the series is too short to tell.
    pub(crate) fn share_above(&self, bound: f64, traffic: &Traffic) -> Option<(Interval, f64)> {
        let n = self.values.len() as f64;
        let sorted = self.sorted();
        let below = sorted.partition_point(|&value| value <= bound) as f64;
        let share = 1.0 - below / n;
        if self.values.len() >= ORDERED_MIN && self.kind == Kind::InOrder {
            let within = self.within(&sorted, traffic.queue());
            let interval = within.of_share(bound, share)?;
            return Some((interval, wilsons_size(share, interval, n)));
        }
        let variance = share * (1.0 - share);
        let size = if self.values.len() < ORDERED_MIN || variance <= 0.0 {
            n
        } else {
            let score = |value: f64| f64::from(u8::from(value > bound)) - share;
            self.dependence(score, variance)?.cautious()
        };
        Some((share_interval(share, size)?, size))
    }

    /// The 95 % interval of the mean; `None` where the series is too short to tell.
    ///
    /// Student's t with the variance that [`dependence`](crate::dependence) gives, bent by Hall's
    /// transformation ("On the removal of skewness by transformation", 1992), because latencies
    /// are skewed and their mean is too for a while. The skewness is that of sums over blocks
    /// that are long against the memory of the series.
    pub(crate) fn mean_interval(&self) -> Option<Interval> {
        self.mean_by_itself(true)
    }

    /// The same of values of whose mean it is known that its interval reaches so far at least: whatever the series says of
    /// itself, which a calm one says as well as one that is not.
    pub(crate) fn mean_interval_beyond(&self, reach: f64) -> Option<Interval> {
        let mean = MeanStd::of(&self.values)?.mean;
        let Interval { low, high } = self.mean_by_itself(false)?;
        Some(Interval {
            low: low.min(mean - reach),
            high: high.max(mean + reach),
        })
    }

    /// `None` where the series `tells` whether it is too short against its own memory, and is.
    fn mean_by_itself(&self, tells: bool) -> Option<Interval> {
        let MeanStd { mean, std, .. } = MeanStd::of(&self.values)?;
        let n = self.values.len();
        if n < ORDERED_MIN {
            return None;
        }
        let variance = std * std;
        if variance <= 0.0 {
            return Some(Interval {
                low: mean,
                high: mean,
            });
        }
        let score = |value: f64| value - mean;
        let found = self.dependence(score, variance)?;
        let clustered = self.ends.len() < n;
        if tells
            && self.is_serial()
            && (clustered || found.is_material())
            && found.cautious() < EFFECTIVE_MIN
        {
            return None;
        }
        let totals = self.totals(score);
        let skewness = skewness_of_sum(&totals, n as f64 / found.effective);
        let error = std / found.effective.sqrt();
        let t = student_t_95(found.degrees);
        Some(Interval {
            low: mean - error * halls_inverse(t, skewness),
            high: mean - error * halls_inverse(-t, skewness),
        })
    }
}

/// Of so many independent values, `n` at most, Wilson's interval of a share is as wide as this one to its wider side. No
/// number of them reaches 0 or 1: where one end does, the other tells, and where that says nothing either, none count.
fn wilsons_size(share: f64, interval: Interval, n: f64) -> f64 {
    let Interval { low, high } = interval;
    let size = |end: f64| NORMAL_95 * NORMAL_95 * end * (1.0 - end) / (share - end).powi(2);
    // Of a share of 0 or 1 that side has no width.
    let ends = [low, high].into_iter();
    let told: Vec<f64> = ends
        .filter(|end| (end - share).abs() > 0.0)
        .map(size)
        .collect();
    match told
        .iter()
        .copied()
        .filter(|&size| size > 0.0)
        .reduce(f64::min)
    {
        Some(size) => size.clamp(1.0, n),
        None if told.is_empty() => n,
        None => 1.0,
    }
}

/// The skewness of the sum of `totals`, from blocks of several autocorrelation `times`.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a time lies between 1 and the number of values"
)]
pub(super) fn skewness_of_sum(totals: &[f64], times: f64) -> f64 {
    let length = (BLOCK_TIMES * times) as usize;
    let blocks: Vec<f64> = totals
        .chunks_exact(length.clamp(1, (totals.len() / 2).max(1)))
        .map(|block| block.iter().sum())
        .collect();
    let count = blocks.len() as f64;
    let mean = blocks.iter().sum::<f64>() / count;
    let moment = |power| {
        blocks
            .iter()
            .map(|sum| (sum - mean).powi(power))
            .sum::<f64>()
            / count
    };
    let variance = moment(2);
    if variance > 0.0 {
        moment(3) / variance.powf(1.5) / count.sqrt()
    } else {
        0.0
    }
}

/// What becomes of a bound of the symmetric statistic where the sum has that skewness: the inverse
/// of g(t) = t + γt²/3 + γ²t³/27 + γ/6.
pub(super) fn halls_inverse(bound: f64, skewness: f64) -> f64 {
    if skewness.abs() < 1e-9 {
        return bound;
    }
    3.0 / skewness * ((1.0 + skewness * (bound - skewness / 6.0)).cbrt() - 1.0)
}

#[cfg(test)]
mod tests {
    use super::wilsons_size;
    use crate::Interval;
    use crate::share::share_interval;

    #[test]
    fn a_share_of_wilsons_interval_has_his_size() {
        for (share, n) in [(0.3, 50.0), (0.0, 80.0), (1.0, 80.0)] {
            let interval = share_interval(share, n).unwrap();
            let size = wilsons_size(share, interval, 1_000.0);
            assert!((size - n).abs() < 1e-6, "{share}: {size}");
        }
    }

    #[test]
    fn an_interval_that_leaves_everything_open_is_of_one_value() {
        let of = |share, low, high| wilsons_size(share, Interval { low, high }, 1_000.0);
        for share in [0.0, 0.3, 1.0] {
            assert!((of(share, 0.0, 1.0) - 1.0).abs() < 1e-12, "{share}");
        }
        // Where one end is open, the other one tells.
        let size = of(0.1, 0.0, 0.2);
        assert!((size - 3.8415 * 0.16 / 0.01).abs() < 0.01, "{size}");
        assert!((of(0.0, 0.0, 0.0) - 1_000.0).abs() < 1e-12);
    }
}
