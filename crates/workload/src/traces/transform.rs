//! Traces made faster, shorter, thinner or smaller.

use super::Trace;
use crate::WorkloadError;
use crate::seed::{purpose_seed, stream};
use rand::RngExt;
use trace::Nanos;

impl Trace {
    /// The same requests `factor` times as fast: all due times are divided by it.
    pub fn speed(mut self, factor: f64) -> Result<Self, WorkloadError> {
        positive("speed", factor)?;
        for row in &mut self.rows {
            row.due = Nanos::from_seconds(row.due.seconds() / factor);
        }
        Ok(self)
    }

    /// The requests due from `begin` on and before `end`, counted from `begin`.
    pub fn window(mut self, begin: Nanos, end: Nanos) -> Result<Self, WorkloadError> {
        let last = self.rows.last().map_or(Nanos::ZERO, |row| row.due);
        self.rows.retain(|row| (begin..end).contains(&row.due));
        if self.rows.is_empty() {
            return Err(WorkloadError::TraceWindow { begin, end, last });
        }
        for row in &mut self.rows {
            row.due = row.due - begin;
        }
        Ok(self)
    }

    /// Every request is kept with this probability, by the seed: the same traffic with fewer users.
    /// Requests that are kept at a smaller share are kept at a larger one too.
    pub fn thin(mut self, share: f64, seed: u64) -> Result<Self, WorkloadError> {
        positive("share", share)?;
        let mut rng = stream(purpose_seed(seed, "thinning"), 0);
        self.rows.retain(|_| rng.random::<f64>() < share);
        if self.rows.is_empty() {
            return Err(WorkloadError::EmptyTrace);
        }
        Ok(self)
    }

    /// All lengths times `factor`, rounded and at least 1: the same traffic for a smaller model or
    /// machine. Blocks shrink or grow with the prompts, so that requests share what they shared.
    pub fn scale(mut self, factor: f64) -> Result<Self, WorkloadError> {
        positive("scale", factor)?;
        let block_tokens = scaled(self.block_tokens, factor);
        for row in &mut self.rows {
            row.output_tokens = scaled(row.output_tokens, factor);
            // Block by block, so that there are as many blocks as before.
            let full = (row.input_tokens - 1) / self.block_tokens;
            let rest = row.input_tokens - full * self.block_tokens;
            row.input_tokens = if row.prefix_blocks.is_empty() {
                scaled(row.input_tokens, factor)
            } else {
                let rest = scaled(rest, factor).min(block_tokens);
                full.saturating_mul(block_tokens).saturating_add(rest)
            };
        }
        self.block_tokens = block_tokens;
        Ok(self)
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, and neither number is negative"
)]
fn scaled(tokens: u32, factor: f64) -> u32 {
    ((f64::from(tokens) * factor).round() as u32).max(1)
}

fn positive(name: &'static str, value: f64) -> Result<(), WorkloadError> {
    if value.is_finite() && value > 0.0 {
        Ok(())
    } else {
        Err(WorkloadError::NotPositive { name, value })
    }
}
