//! The interval of a mean.

use super::{EFFECTIVE_MIN, Kind, ORDERED_MIN, Series};
use crate::special::{NORMAL_95, student_t_95};
use crate::traffic::Traffic;
use crate::{Interval, MeanStd};

/// A block of so many autocorrelation times is about independent of the next.
const BLOCK_TIMES: f64 = 4.0;

impl Series {
    /// So many independent values would tell as much of the share of those above `bound`, with the doubt about their
    /// dependence in it: less rather than more. `None` where the series is too short to tell.
    pub(crate) fn effective_of_share(&self, bound: f64, traffic: &Traffic) -> Option<f64> {
        let n = self.values.len();
        let sorted = self.sorted();
        let share = (n - sorted.partition_point(|&value| value <= bound)) as f64 / n as f64;
        if n < ORDERED_MIN {
            return Some(n as f64);
        }
        if self.kind == Kind::InOrder {
            let within = self.within(&sorted, traffic.queue());
            let of = |end: f64| wilsons_size(share, end);
            let Interval { low, high } = within.of_share(bound, share)?;
            return Some(of(low).min(of(high)).clamp(1.0, n as f64));
        }
        let score = |value: f64| f64::from(u8::from(value > bound)) - share;
        let found = self.dependence(score, share * (1.0 - share))?;
        Some(found.cautious())
    }

    /// The 95 % interval of the mean; `None` where the series is too short to tell.
    ///
    /// Student's t with the variance that [`dependence`](crate::dependence) gives, bent by Hall's
    /// transformation ("On the removal of skewness by transformation", 1992), because latencies
    /// are skewed and their mean is too for a while. The skewness is that of sums over blocks
    /// that are long against the memory of the series.
    pub(crate) fn mean_interval(&self) -> Option<Interval> {
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
        if self.is_serial()
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

/// Of so many independent values Wilson's interval of a share ends there. Infinite where it has no width to that side, and
/// where it ends at 0 or 1, which no number of them does: the other side tells.
fn wilsons_size(share: f64, end: f64) -> f64 {
    let size = NORMAL_95 * NORMAL_95 * end * (1.0 - end) / (share - end).powi(2);
    if size > 0.0 { size } else { f64::INFINITY }
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
