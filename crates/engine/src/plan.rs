//! What one step computes.

use crate::TokenId;
use std::ops::Range;

/// Index of a KV block in the model's cache.
pub type BlockId = u32;

/// What one step computes. Flat vectors that are reused from step to step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepPlan {
    /// One for each sequence that takes part, prefill and decode mixed.
    pub chunks: Vec<Chunk>,
    /// The tokens of all chunks, one after the other: the rows of the step.
    pub tokens: Vec<TokenId>,
    /// The block tables of all chunks, one after the other; each covers its chunk's end.
    pub blocks: Vec<BlockId>,
    /// Whole blocks to copy, one after the other, before anything is computed (copy-on-write). The order counts: what
    /// is copied to may have been copied from before.
    pub copies: Vec<BlockCopy>,
}

/// A run of tokens of one sequence, to be computed in this step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The scheduler's slot of the sequence.
    pub slot: u32,
    /// Position of the first token in its sequence: the tokens before it are in the cache already.
    pub start: usize,
    /// Where its tokens lie in [`StepPlan::tokens`].
    pub tokens: Range<usize>,
    /// Where its block table lies in [`StepPlan::blocks`]; entry `i` holds positions `16·i` to `16·i + 15`.
    pub blocks: Range<usize>,
    /// The logits of its last token are wanted; the rows of [`crate::Logits`] follow the order of these chunks.
    pub logits: bool,
}

/// Copy-on-write: the contents of `from` are wanted in `to`, in all layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockCopy {
    /// The shared block.
    pub from: BlockId,
    /// The new block of the one that writes.
    pub to: BlockId,
}

impl StepPlan {
    /// Rows of logits that the step gives.
    pub fn logits_rows(&self) -> usize {
        self.chunks.iter().filter(|chunk| chunk.logits).count()
    }

    /// Makes it empty and keeps its memory.
    pub fn clear(&mut self) {
        self.chunks.clear();
        self.tokens.clear();
        self.blocks.clear();
        self.copies.clear();
    }
}
