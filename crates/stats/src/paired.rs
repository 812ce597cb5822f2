//! Two servers measured by turns, block against block.

use crate::compare::{LogRatio, compare_by};
use crate::special::student_t;
use crate::{CompareOptions, Comparison, PointSummary, Summary};

/// Fewer blocks carry no interval.
pub const BLOCKS_MIN: usize = 3;

/// One block of requests, as two servers answered it, one right after the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// What the first one did.
    pub base: Summary,
    /// What the second one did.
    pub new: Summary,
}

/// Compares two servers that answered the same blocks of requests by turns. `base` and `new` are all
/// blocks of each together; the intervals of the ratios come from the blocks alone: Student's t of the
/// logarithms of the blocks' ratios. What a machine does to both servers within minutes, such as its
/// clock's or a neighbour's changes, is in both parts of a ratio and leaves it.
pub fn compare_blocks(
    base: &Summary,
    new: &Summary,
    blocks: &[Block],
    options: &CompareOptions,
) -> Comparison {
    compare_by(base, new, options, &|metric, point, _, outside| {
        let value = |summary: &Summary| {
            let same = |other: &&PointSummary| other.point.key == point.point.key;
            let measured = metric.of(summary.points.iter().find(same)?)?;
            (measured.value > 0.0).then(|| measured.value.ln())
        };
        let logs = blocks
            .iter()
            .map(|block| Some(value(&block.new)? - value(&block.base)?));
        let logs: Vec<f64> = logs.collect::<Option<_>>()?;
        if logs.len() < BLOCKS_MIN {
            return None;
        }
        let n = logs.len() as f64;
        let mean = logs.iter().sum::<f64>() / n;
        let squares: f64 = logs.iter().map(|log| (log - mean).powi(2)).sum();
        let reach = student_t(n - 1.0, outside) * (squares / (n - 1.0) / n).sqrt();
        Some(LogRatio {
            log: mean,
            below: reach,
            above: reach,
        })
    })
}
