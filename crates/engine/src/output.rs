//! What a step brought, before the scheduler takes it.

use crate::{TokenId, TokenLogprobs};

/// Tokens sampled by a step: for each chunk with logits, in order, one token for each choice that samples from its
/// row ([`crate::Sampling::choices`]: all `n` at the end of a shared prefill, else one).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepOutput {
    /// In the order of the chunks, then of the choices.
    pub samples: Vec<Sample>,
}

/// One sampled token.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The slot of the chunk that it continues.
    pub slot: u32,
    /// Which of the request's `n` choices.
    pub choice: usize,
    /// The token.
    pub token: TokenId,
    /// Where log-probabilities were asked for.
    pub logprobs: Option<Box<TokenLogprobs>>,
}
