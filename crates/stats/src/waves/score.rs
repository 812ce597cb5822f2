//! What each value adds to a number, and how far a run itself shows that number to vary.

use crate::MeanStd;
use crate::dependence::in_order;
use crate::quantile::quantile;
use crate::special::{NORMAL_95, student_t_95};

/// The percentiles that have intervals.
pub(super) const LEVELS: [f64; 4] = [0.5, 0.9, 0.95, 0.99];

/// Batches whose means tell the spread of the mean: long ones see what lies far apart, and how they spread depends little on
/// what the run looks like. Schmeiser recommends 10 to 30, "Batch size effects in the analysis of simulation output"
/// (1982).
const BATCHES: usize = 16;

/// Shorter batches are no batches.
const BATCH_MIN: usize = 3;

/// Each value's part in one number.
pub(super) struct Score {
    /// Of each value, with mean 0.
    pub(super) parts: Vec<f64>,
    pub(super) variance: f64,
    /// Values above this count 1, others 0; absent of the mean, in which each counts as it is.
    pub(super) above: Option<f64>,
}

/// Of the mean, then of each of [`LEVELS`].
pub(super) fn scores(values: &[f64], sorted: &[f64]) -> Vec<Score> {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let of_parts = |parts: Vec<f64>, above| Score {
        variance: parts.iter().map(|part| part * part).sum::<f64>() / parts.len() as f64,
        parts,
        above,
    };
    let mut all = vec![of_parts(
        values.iter().map(|value| value - mean).collect(),
        None,
    )];
    for level in LEVELS {
        let at = quantile(sorted, level).unwrap_or(mean);
        let above = values.iter().filter(|&&value| value > at).count() as f64 / values.len() as f64;
        let part = |&value: &f64| f64::from(u8::from(value > at)) - above;
        all.push(of_parts(values.iter().map(part).collect(), Some(at)));
    }
    all
}

impl Score {
    /// The variance of the mean score, in variances of that of independent values, with the doubt about it: the larger one
    /// of what neighbours and what long batches say. `None` where the run is too short against its own memory.
    pub(super) fn spread(&self) -> Option<f64> {
        let values = self.parts.len();
        let found = in_order(self.parts.clone(), self.variance, values)?;
        Some((values as f64 / found.cautious()).max(self.of_batches()?))
    }

    /// From the means of batches, with the doubt of so few in it; 1 where they are too short.
    fn of_batches(&self) -> Option<f64> {
        let length = self.parts.len() / BATCHES;
        if length < BATCH_MIN || self.variance <= 0.0 {
            return Some(1.0);
        }
        let batches = self.parts.chunks_exact(length).take(BATCHES);
        let means: Vec<f64> = batches
            .map(|batch| batch.iter().sum::<f64>() / length as f64)
            .collect();
        let deviation = MeanStd::of(&means)?.std;
        let doubt = student_t_95(BATCHES as f64 - 1.0) / NORMAL_95;
        let spread = (deviation * doubt).powi(2) * self.parts.len() as f64
            / (BATCHES as f64 * self.variance);
        Some(spread.max(1.0))
    }
}
