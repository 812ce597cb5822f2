//! A model that only costs time, for simulations.

use crate::{Chunk, Logits, Model, ModelError, StepPlan};
use trace::Nanos;

/// What a step costs: the sum of these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StepCost {
    /// Of every step: reading all weights once.
    pub step: Nanos,
    /// Of each token of a prompt, or of a preempted sequence that is computed again.
    pub prefill_token: Nanos,
    /// Of each sequence that computes only its latest token.
    pub decode_sequence: Nanos,
    /// Of each position that a token attends to, itself among them, in picoseconds: it is often below a nanosecond.
    pub attended_token_picos: u64,
}

impl StepCost {
    /// The cost of a plan. A chunk of one token that is not the first of its sequence, and whose logits are wanted,
    /// counts as decode, also where it is the rest of a prompt.
    pub fn of(&self, plan: &StepPlan) -> Nanos {
        let mut total = self.step;
        let mut attended = 0;
        for chunk in &plan.chunks {
            let tokens = chunk.tokens.len() as u64;
            if is_decode(chunk) {
                total = total + self.decode_sequence;
            } else {
                total = total + Nanos(self.prefill_token.0.saturating_mul(tokens));
            }
            // Position p attends to p + 1 tokens.
            attended += tokens * chunk.start as u64 + tokens * (tokens + 1) / 2;
        }
        total + Nanos(attended.saturating_mul(self.attended_token_picos) / 1000)
    }
}

fn is_decode(chunk: &Chunk) -> bool {
    chunk.tokens.len() == 1 && chunk.start > 0 && chunk.logits
}

/// A model that computes nothing and says how long it would have taken. Its vocabulary has one token, so only a
/// request's `tokens_max` ends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CostModel {
    cost: StepCost,
    blocks: usize,
    context_tokens: usize,
    elapsed: Nanos,
}

impl CostModel {
    /// A model with the given cache and context, at time zero.
    pub fn new(cost: StepCost, blocks: usize, context_tokens: usize) -> Self {
        CostModel {
            cost,
            blocks,
            context_tokens,
            elapsed: Nanos::ZERO,
        }
    }

    /// The virtual time: all steps so far, and what was waited for.
    pub fn elapsed(&self) -> Nanos {
        self.elapsed
    }

    /// Moves the virtual clock on to `due`; it never goes back.
    pub fn wait_until(&mut self, due: Nanos) {
        self.elapsed = self.elapsed.max(due);
    }
}

impl Model for CostModel {
    fn vocab_size(&self) -> usize {
        1
    }

    fn context_tokens(&self) -> usize {
        self.context_tokens
    }

    fn blocks(&self) -> usize {
        self.blocks
    }

    fn forward(&mut self, plan: &StepPlan, logits: &mut Logits) -> Result<(), ModelError> {
        self.elapsed = self.elapsed + self.cost.of(plan);
        logits.resize(plan.logits_rows(), 1);
        logits.values_mut().fill(0.0);
        Ok(())
    }
}
