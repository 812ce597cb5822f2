//! Prompts of a planned length, against the server's count.

use crate::{MeanStd, PromptLengths};
use trace::Record;

/// Differences of requests whose length was planned by a tokenizer and counted by the server.
#[derive(Default)]
pub(crate) struct LengthTally {
    differences: Vec<f64>,
    exact: u64,
}

impl LengthTally {
    /// Adds one complete request.
    pub(crate) fn add(&mut self, record: &Record) {
        let planned = record.planned_tokens.filter(|planned| planned.exact);
        let counted = record.usage.and_then(|usage| usage.prompt_tokens);
        if let (Some(planned), Some(counted)) = (planned, counted) {
            self.exact += u64::from(u64::from(planned.count) == counted);
            self.differences
                .push(counted as f64 - f64::from(planned.count));
        }
    }

    /// Absent where no length was planned, or none counted.
    pub(crate) fn finish(self) -> Option<PromptLengths> {
        Some(PromptLengths {
            exact_share: self.exact as f64 / self.differences.len() as f64,
            difference: MeanStd::of(&self.differences)?,
        })
    }
}
