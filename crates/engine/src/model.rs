//! What computes a step.

use crate::StepPlan;
use thiserror::Error;

/// What computes a step: a real model, or a cost model in simulation.
pub trait Model {
    /// Tokens that exist.
    fn vocab_size(&self) -> usize;

    /// Positions that a sequence can have, prompt and answer together.
    fn context_tokens(&self) -> usize;

    /// KV blocks that the model's cache holds.
    fn blocks(&self) -> usize;

    /// Copies [`StepPlan::copies`], computes all chunks, writes their keys and values into their blocks, and fills
    /// `logits` with one row for each chunk with [`crate::Chunk::logits`], in their order.
    fn forward(&mut self, plan: &StepPlan, logits: &mut Logits) -> Result<(), ModelError>;
}

/// Rows of raw logits, `vocab_size` wide, one after the other.
#[derive(Clone, Debug, Default)]
pub struct Logits {
    width: usize,
    values: Vec<f32>,
}

impl Logits {
    /// Makes it `rows` × `width`; the contents are unspecified until written.
    pub fn resize(&mut self, rows: usize, width: usize) {
        self.width = width;
        self.values.resize(rows * width, 0.0);
    }

    /// All rows, one after the other.
    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }

    /// One row, to be read.
    pub fn row(&self, index: usize) -> &[f32] {
        &self.values[index * self.width..][..self.width]
    }

    /// One row, to be changed in place by the sampler.
    pub fn row_mut(&mut self, index: usize) -> &mut [f32] {
        &mut self.values[index * self.width..][..self.width]
    }
}

/// A step could not be computed; all sequences in it are lost.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("the model could not compute a step: {0}")]
pub struct ModelError(pub String);

impl<M: Model + ?Sized> Model for Box<M> {
    fn vocab_size(&self) -> usize {
        (**self).vocab_size()
    }

    fn context_tokens(&self) -> usize {
        (**self).context_tokens()
    }

    fn blocks(&self) -> usize {
        (**self).blocks()
    }

    fn forward(&mut self, plan: &StepPlan, logits: &mut Logits) -> Result<(), ModelError> {
        (**self).forward(plan, logits)
    }
}
