//! The interval of a percentile from the percentiles of batches.

use super::{MIDDLE, Series};
use crate::Interval;
use crate::quantile::{quantile, sort};
use crate::special::student_t_95;

/// So many values of a batch must lie beyond a percentile above the median for it to be the batch's own: below, it is
/// about the largest value, which lies elsewhere.
const BEYOND_IN_BATCH_MIN: f64 = 5.0;

/// The percentiles of batches may lie off that of all by this part of their own deviation. Where
/// batches differ much, the slow ones make up the tail of all, and no batch has it.
const BATCH_BIAS_MAX: f64 = 0.25;

/// Fewer batches say nothing of how batches differ.
const BATCHES_MIN: f64 = 3.0;

/// Nor fewer than these of how the slow ones do.
const BATCHES_FOR_TAIL_MIN: f64 = 6.0;

impl Series {
    /// From the percentiles of each batch: Student's t about the percentile of all, with the spread of
    /// the batches' own about it (sectioning: Asmussen and Glynn, *Stochastic Simulation*, 2007,
    /// section III.5a). `None` where batches are too few, or too small to have that percentile.
    pub(super) fn sectioned_interval(&self, sorted: &[f64], probability: f64) -> Option<Interval> {
        let value = quantile(sorted, probability)?;
        let is_tail = probability > MIDDLE;
        let beyond = probability.min(1.0 - probability);
        let (mut begin, mut squares, mut sum) = (0, 0.0, 0.0);
        for &end in &self.ends {
            let mut batch = self.values[begin..end].to_vec();
            if is_tail && (batch.len() as f64 * beyond) < BEYOND_IN_BATCH_MIN {
                return None;
            }
            sort(&mut batch);
            let off = quantile(&batch, probability)? - value;
            squares += off * off;
            sum += off;
            begin = end;
        }
        let batches = self.ends.len() as f64;
        let degrees = batches - 1.0;
        if batches
            < if is_tail {
                BATCHES_FOR_TAIL_MIN
            } else {
                BATCHES_MIN
            }
        {
            return None;
        }
        let bias = (sum / batches).abs();
        if is_tail && bias > BATCH_BIAS_MAX * (squares / degrees).sqrt() {
            return None;
        }
        let reach = student_t_95(degrees) * (squares / degrees / batches).sqrt();
        Some(Interval {
            low: value - reach,
            high: value + reach,
        })
    }
}
