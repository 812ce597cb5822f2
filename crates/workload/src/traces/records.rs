//! What was measured before, as a trace.

use super::{MOONCAKE_BLOCK_TOKENS, Trace, TraceRow};
use crate::WorkloadError;
use trace::{Nanos, Record, RunId};

impl Trace {
    /// The requests of a run, when they were issued and as long as the server said that they were.
    /// Left out is what did not complete, or came without token counts.
    pub fn of_records(records: &[Record], run: RunId) -> Result<Self, WorkloadError> {
        let of_run = || records.iter().filter(|record| record.run == run);
        let mut timed: Vec<(Nanos, TraceRow)> = of_run()
            .filter(|record| record.outcome.is_complete())
            .filter_map(|record| {
                let usage = record.usage?;
                let tokens = |count: u64| u32::try_from(count).ok().filter(|count| *count > 0);
                let row = TraceRow {
                    due: Nanos::ZERO,
                    input_tokens: tokens(usage.prompt_tokens?)?,
                    output_tokens: tokens(usage.completion_tokens?)?,
                    prefix_blocks: Vec::new(),
                };
                Some((record.issued, row))
            })
            .collect();
        timed.sort_by_key(|(issued, _)| *issued);
        let Some(first) = timed.first().map(|(issued, _)| *issued) else {
            return Err(WorkloadError::EmptyTrace);
        };
        let left_out = of_run().count() - timed.len();
        let rows = timed.into_iter().map(|(issued, row)| TraceRow {
            due: issued - first,
            ..row
        });
        Ok(Self {
            rows: rows.collect(),
            block_tokens: MOONCAKE_BLOCK_TOKENS,
            left_out,
        })
    }

    /// Requests per second, on average over the gaps between them; of one request, 1.
    pub fn rate(&self) -> f64 {
        let last = self.rows.last().map_or(0.0, |row| row.due.seconds());
        if last > 0.0 {
            (self.rows.len() - 1) as f64 / last
        } else {
            1.0
        }
    }
}
