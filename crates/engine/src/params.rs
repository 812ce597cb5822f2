//! How the next token is chosen.

use crate::TokenId;

/// How the next token is chosen. The defaults are those of the completions API.
#[derive(Clone, Debug, PartialEq)]
pub struct SamplingParams {
    /// 0 is greedy: the most probable token, the lowest id among equals.
    pub temperature: f32,
    /// Keep only this many of the most probable tokens; 0 keeps all.
    pub top_k: usize,
    /// Keep the smallest set of tokens whose probabilities sum to this, in (0, 1].
    pub top_p: f32,
    /// Keep tokens at least this probable, relative to the most probable one, in [0, 1].
    pub min_p: f32,
    /// The same seed, prompt and choice give the same tokens.
    pub seed: u64,
    /// Choices: sequences that share the prompt. At least 1.
    pub n: usize,
    /// Tokens to generate at most, at least 1.
    pub tokens_max: usize,
    /// End-of-sequence and stop tokens are not sampled before this many tokens.
    pub tokens_min: usize,
    /// Tokens that end a sequence (the model's end tokens and the request's own); the token itself is the last one.
    pub stop_tokens: Vec<TokenId>,
    /// Go on past the model's end tokens: `eos_tokens` do not stop.
    pub ignore_eos: bool,
    /// The model's end-of-sequence tokens.
    pub eos_tokens: Vec<TokenId>,
    /// With each token its log-probability and those of this many most probable tokens.
    pub logprobs: Option<usize>,
    /// Added to the logits of single tokens.
    pub logit_bias: Vec<(TokenId, f32)>,
    /// Subtracted once from the logits of tokens that the choice has generated already.
    pub presence_penalty: f32,
    /// Subtracted from a token's logit for each time that the choice has generated it.
    pub frequency_penalty: f32,
}

impl Default for SamplingParams {
    fn default() -> Self {
        SamplingParams {
            temperature: 1.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            seed: 0,
            n: 1,
            tokens_max: 16,
            tokens_min: 0,
            stop_tokens: Vec::new(),
            ignore_eos: false,
            eos_tokens: Vec::new(),
            logprobs: None,
            logit_bias: Vec::new(),
            presence_penalty: 0.0,
            frequency_penalty: 0.0,
        }
    }
}
