//! What a step tells the outside.

use crate::{RequestId, TokenId};

/// What a step brought. Finished sequences leave the step as events: nobody scans for them.
#[derive(Clone, Debug, PartialEq)]
pub enum EngineEvent {
    /// A token of one choice.
    Token {
        /// Whose.
        request: RequestId,
        /// Which of its `n` choices.
        choice: usize,
        /// The token.
        token: TokenId,
        /// Where log-probabilities were asked for.
        logprobs: Option<Box<TokenLogprobs>>,
    },
    /// A choice is complete; its blocks are free. Follows its last token.
    Finished {
        /// Whose.
        request: RequestId,
        /// Which of its `n` choices.
        choice: usize,
        /// Why.
        reason: FinishReason,
        /// Prompt tokens that came from the prefix cache when the request was first admitted.
        cached_tokens: usize,
    },
    /// A choice lost its blocks and waits to be computed again; no token is lost.
    Preempted {
        /// Whose.
        request: RequestId,
        /// Which of its `n` choices.
        choice: usize,
    },
}

/// Why a sequence ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FinishReason {
    /// An end-of-sequence or stop token.
    Stop,
    /// `tokens_max`, or the model's context, was reached.
    Length,
    /// The model failed in a step of this sequence. Who takes a request back with [`crate::Scheduler::abort`] gets no
    /// event.
    Abort,
}

/// A token's log-probability, natural logarithm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TokenLogprob {
    /// The token.
    pub token: TokenId,
    /// Its log-probability, before temperature and cuts.
    pub logprob: f32,
}

/// The log-probability of a token and of the most probable ones in its place.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenLogprobs {
    /// The token that was taken.
    pub chosen: TokenLogprob,
    /// The most probable ones, most probable first.
    pub top: Vec<TokenLogprob>,
}
