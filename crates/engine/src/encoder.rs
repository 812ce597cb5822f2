//! What turns texts into vectors.

use crate::{ModelError, TextId, TokenId};

/// Turns texts into vectors: a network on the CPU, or a toy in tests.
pub trait Encoder {
    /// Tokens that exist.
    fn vocab_size(&self) -> usize;

    /// Tokens of one text, at most.
    fn text_tokens_max(&self) -> usize;

    /// Numbers of a vector.
    fn dimensions(&self) -> usize;

    /// The vectors of a batch, one after the other in the order of its texts: [`dimensions`](Self::dimensions) numbers for
    /// each. A text's vector does not depend on the batch that it is in.
    fn encode(&mut self, batch: &TextBatch, vectors: &mut Vec<f32>) -> Result<(), ModelError>;
}

/// Texts that are computed together, one after the other without padding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextBatch {
    /// Which texts, the longest first.
    pub texts: Vec<TextId>,
    /// Tokens of each of them.
    pub lengths: Vec<usize>,
    /// All tokens, those of the first text first.
    pub tokens: Vec<TokenId>,
}

impl TextBatch {
    /// Forgets the texts, and keeps the memory.
    pub fn clear(&mut self) {
        self.texts.clear();
        self.lengths.clear();
        self.tokens.clear();
    }

    /// Adds a text.
    pub fn push(&mut self, text: TextId, tokens: &[TokenId]) {
        self.texts.push(text);
        self.lengths.push(tokens.len());
        self.tokens.extend_from_slice(tokens);
    }
}
