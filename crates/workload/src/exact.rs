//! Prompts of exactly so many tokens.

mod draft;

use crate::WorkloadError;
use draft::Draft;
use std::fmt;
use trace::Prompt;

/// What the caller's tokenizer can do. Errors are sentences without a full stop.
pub trait Tokenizer {
    /// The tokens of a text, without special tokens at its ends.
    fn encode(&self, text: &str) -> Result<Vec<u32>, String>;

    /// The text of tokens. It need not give back the text that was encoded: what a character is cut
    /// into may become U+FFFD, a leading space may be lost, and case may be changed.
    fn decode(&self, tokens: &[u32]) -> Result<String, String>;
}

/// A tokenizer that knows how a server counts a whole prompt: chat template and special tokens with
/// it. Prompts are made on a thread of their own.
pub trait PromptTokenizer: Tokenizer + fmt::Debug + Send + Sync {
    /// The tokens that the server will count. Errors are sentences without a full stop.
    fn prompt_tokens(&self, prompt: &Prompt) -> Result<usize, String>;
}

/// How often a text that missed its length is cut shorter and topped up again.
const TRIES: usize = 16;

/// A number of tokens to be hit, and how they are counted.
#[derive(Clone, Copy)]
pub struct TokenBudget<'a> {
    /// Cuts texts at tokens.
    pub tokenizer: &'a dyn Tokenizer,
    /// The tokens of a whole prompt with that text in it: what the server will count, with its chat
    /// template, special tokens and system message. Errors are sentences without a full stop.
    pub total: &'a dyn Fn(&str) -> Result<usize, String>,
    /// What `total` has to be.
    pub tokens: usize,
}

impl TokenBudget<'_> {
    /// The text that begins with `fixed`, goes on with `pieces` as far as they are needed, and has
    /// exactly the tokens of the budget.
    ///
    /// Tokens are not additive: two texts put together may have fewer tokens, or more, than both
    /// alone, and the text of the first tokens of a text need not have as many. So every step is
    /// counted again on the whole prompt. The text grows to the budget or above, is cut at a token
    /// and, where the cut itself changed the count, topped up with short words that are found to add
    /// a token in that place. `fixed` is never cut.
    ///
    /// It fails where `fixed` leaves no room, where `pieces` end too soon, where the tokenizer
    /// fails, and where a vocabulary knows no text of that length.
    pub fn fill(
        &self,
        fixed: &str,
        pieces: impl IntoIterator<Item = String>,
    ) -> Result<String, WorkloadError> {
        let mut draft = Draft::new(self, fixed)?;
        if !fixed.is_empty() && draft.is_exact() {
            return Ok(draft.text);
        }
        if draft.count >= self.tokens {
            return Err(WorkloadError::TokenBudgetTaken {
                budget: self.tokens,
                taken: draft.count,
            });
        }
        draft.grow(&mut pieces.into_iter())?;
        for spare in 0..TRIES {
            draft.cut(spare)?;
            if draft.is_exact() || draft.top_up(spare)? {
                return Ok(draft.text);
            }
            if draft.is_exhausted() {
                break;
            }
        }
        Err(WorkloadError::TokenBudgetMissed {
            budget: self.tokens,
            nearest: draft.nearest,
        })
    }
}

/// The tokenizer's own sentence as an error of ours.
pub(crate) fn failed(reason: String) -> WorkloadError {
    WorkloadError::Tokenizer { reason }
}
