//! What is asked of an engine.

use crate::{SamplingParams, TokenId};
use thiserror::Error;

/// Unique in a scheduler's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// A prompt and how to go on from it.
#[derive(Clone, Debug, PartialEq)]
pub struct EngineRequest {
    /// At least one token.
    pub prompt: Vec<TokenId>,
    /// How tokens are chosen, and when to end.
    pub params: SamplingParams,
}

/// The limits of a scheduler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SchedulerConfig {
    /// Blocks of the model's cache.
    pub blocks: usize,
    /// Sequences that run at once, at most.
    pub sequences_max: usize,
    /// Tokens that a step computes, at most.
    pub step_tokens_max: usize,
    /// Sequences that wait, at most; while so many do, requests are refused. Preempted ones count.
    pub queue_max: usize,
    /// Positions of a sequence, prompt and answer together.
    pub context_tokens: usize,
    /// Full blocks are kept for prompts that begin alike.
    pub prefix_cache: bool,
}

/// Why a request was not taken.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Refusal {
    /// There is nothing to go on from.
    #[error("the prompt is empty; it needs at least one token")]
    EmptyPrompt,
    /// Prompt and answer are longer than the context.
    #[error(
        "prompt ({prompt} tokens) and answer (up to {tokens_max}) exceed the context of {context} tokens"
    )]
    ContextExceeded {
        /// Tokens of the prompt.
        prompt: usize,
        /// Tokens asked for.
        tokens_max: usize,
        /// The limit.
        context: usize,
    },
    /// It would not fit into an empty cache.
    #[error("the request needs up to {needed} KV blocks, and the cache has {blocks}")]
    NeverFits {
        /// Blocks that it needs at its longest.
        needed: usize,
        /// Blocks that exist.
        blocks: usize,
    },
    /// More choices than can run at once.
    #[error("{choices} choices were asked for, and at most {choices_max} sequences run at once")]
    TooManyChoices {
        /// Choices asked for.
        choices: usize,
        /// The limit: sequences at once, or tokens of a step.
        choices_max: usize,
    },
    /// `queue_max` requests wait already.
    #[error("{waiting} requests wait already, which is the limit; try again later")]
    QueueFull {
        /// Requests that wait.
        waiting: usize,
    },
}
