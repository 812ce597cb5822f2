//! Traces made faster, shorter, thinner or smaller.

use super::Trace;
use crate::WorkloadError;
use crate::seed::{purpose_seed, stream};
use rand::RngExt;
use sha2::{Digest, Sha256};
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
    /// machine. Blocks shrink or grow with the prompts, so that requests share what they shared; those
    /// that would become so small that rounding changes the lengths are put together before.
    pub fn scale(mut self, factor: f64) -> Result<Self, WorkloadError> {
        positive("scale", factor)?;
        if self.block_tokens < SMALL_TOKENS {
            self.join_blocks(factor);
        }
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

    /// Makes as many blocks one as have [`SCALED_TOKENS_MIN`] tokens when they are scaled. Servers cache
    /// no fewer.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`as` saturates, and the quotient is positive"
    )]
    fn join_blocks(&mut self, factor: f64) {
        let tokens = f64::from(self.block_tokens) * factor;
        let together = (SCALED_TOKENS_MIN / tokens).ceil().max(1.0) as u32;
        let Some(joined) = self.block_tokens.checked_mul(together) else {
            return;
        };
        if together == 1 {
            return;
        }
        for row in &mut self.rows {
            let chunks = row.prefix_blocks.chunks(together as usize);
            row.prefix_blocks = chunks.map(joined_id).collect();
        }
        self.block_tokens = joined;
    }
}

/// Blocks below this may be put together; Mooncake's are never.
const SMALL_TOKENS: u32 = 64;

/// With that many, rounding changes a length by 3 % at most.
const SCALED_TOKENS_MIN: f64 = 16.0;

/// An id for several in that order.
fn joined_id(ids: &[u64]) -> u64 {
    let mut hash = Sha256::new();
    for id in ids {
        hash.update(id.to_le_bytes());
    }
    let bytes: [u8; 32] = hash.finalize().into();
    bytes
        .iter()
        .take(8)
        .fold(0, |id, &byte| id << 8 | u64::from(byte))
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
