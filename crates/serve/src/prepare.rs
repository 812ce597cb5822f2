//! A request becomes what the engine takes.

use crate::codec::TextCodec;
use engine::{BLOCK_TOKENS, EngineRequest, Refusal, SamplingParams, SchedulerConfig};
use openai::{ApiError, Endpoint, Prompt, RequestLimits, ServerRequest};

/// `max_tokens` of a completion that names none: that of the first API.
const COMPLETION_TOKENS: usize = 16;

/// What the model and the scheduler allow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Capacity {
    pub(crate) limits: RequestLimits,
    /// KV blocks.
    pub(crate) blocks: usize,
}

impl Capacity {
    /// `scheduler` is at most what the model has.
    pub(crate) fn new(vocab_size: usize, scheduler: &SchedulerConfig, n_max: usize) -> Self {
        Capacity {
            limits: RequestLimits {
                vocab_size,
                context_tokens: scheduler.context_tokens,
                // Each choice that runs gets a token in each step.
                n_max: n_max
                    .min(scheduler.sequences_max)
                    .min(scheduler.step_tokens_max)
                    .max(1),
            },
            blocks: scheduler.blocks,
        }
    }

    /// The refusal of what would not fit into an empty cache: said here, since the engine's word
    /// comes after its step. The last token is never computed, so it needs no place.
    fn check_blocks(&self, prompt: usize, tokens_max: usize) -> Result<(), ApiError> {
        let needed = (prompt + tokens_max - 1).div_ceil(BLOCK_TOKENS);
        if needed <= self.blocks {
            return Ok(());
        }
        Err(context_exceeded(
            "max_tokens",
            Refusal::NeverFits {
                needed,
                blocks: self.blocks,
            }
            .to_string()
                + "; send a shorter prompt or a smaller `max_tokens`",
        ))
    }

    /// How long the answer may be: what was asked for, else what is left.
    fn tokens_max(
        &self,
        request: &ServerRequest,
        prompt: usize,
        endpoint: Endpoint,
    ) -> Result<usize, ApiError> {
        let context = self.limits.context_tokens;
        let field = prompt_field(endpoint);
        let left = context.checked_sub(prompt).filter(|&left| left > 0).ok_or_else(|| {
            context_exceeded(
                field,
                format!(
                    "`{field}` has {prompt} tokens, which leaves no room for an answer in the context of \
                     {context} tokens; send a shorter one"
                ),
            )
        })?;
        match request.tokens_max {
            Some((field, most)) if most > left => Err(context_exceeded(
                field,
                format!(
                    "`{field}` is {most}, and the prompt has {prompt} tokens: together they exceed the context of \
                     {context} tokens; ask for at most {left}"
                ),
            )),
            Some((_, most)) => Ok(most),
            // A cache smaller than the context limits what "up to the end" can mean.
            None => {
                let cached = self.blocks * BLOCK_TOKENS + 1;
                let fits = cached.saturating_sub(prompt).clamp(1, left);
                let most = match endpoint {
                    Endpoint::ChatCompletions => fits,
                    Endpoint::Completions | Endpoint::Responses => {
                        fits.min(COMPLETION_TOKENS.max(request.tokens_min))
                    }
                };
                if request.tokens_min > most {
                    return Err(ApiError::invalid(
                        "min_tokens",
                        format!(
                            "`min_tokens` is {}, and there is room for {most} tokens",
                            request.tokens_min
                        ),
                    ));
                }
                Ok(most)
            }
        }
    }
}

/// The tokens of a prompt.
pub(crate) fn prompt_tokens(prompt: Prompt, codec: &TextCodec) -> Result<Vec<u32>, ApiError> {
    let (field, tokens) = match prompt {
        Prompt::Messages(messages) => ("messages", codec.chat(messages, true)?),
        Prompt::Text(text) => ("prompt", codec.prompt(&text)?),
        Prompt::Tokens(tokens) => ("prompt", tokens),
    };
    if tokens.is_empty() {
        return Err(ApiError::invalid(
            field,
            format!("`{field}` is empty; it needs at least one token"),
        ));
    }
    Ok(tokens)
}

/// The field that holds the prompt.
pub(crate) fn prompt_field(endpoint: Endpoint) -> &'static str {
    match endpoint {
        Endpoint::ChatCompletions => "messages",
        Endpoint::Completions | Endpoint::Responses => "prompt",
    }
}

/// What the engine gets; `seed` is for a request that names none.
pub(crate) fn engine_request(
    request: &ServerRequest,
    prompt: Vec<u32>,
    endpoint: Endpoint,
    capacity: &Capacity,
    codec: &TextCodec,
    seed: u64,
) -> Result<EngineRequest, ApiError> {
    let tokens_max = capacity.tokens_max(request, prompt.len(), endpoint)?;
    capacity.check_blocks(prompt.len(), tokens_max)?;
    Ok(EngineRequest {
        prompt,
        params: SamplingParams {
            temperature: request.temperature,
            top_k: request.top_k,
            top_p: request.top_p,
            min_p: request.min_p,
            seed: request.seed.unwrap_or(seed),
            n: request.n,
            tokens_max,
            tokens_min: request.tokens_min,
            stop_tokens: request.stop_tokens.clone(),
            ignore_eos: request.ignore_eos,
            eos_tokens: codec.eos.clone(),
            logprobs: request.logprobs,
            logit_bias: request.logit_bias.clone(),
            presence_penalty: request.presence_penalty,
            frequency_penalty: request.frequency_penalty,
        },
    })
}

/// The engine's refusal, as the client is told.
pub(crate) fn refusal(refusal: &Refusal, field: &'static str) -> ApiError {
    match refusal {
        Refusal::QueueFull { .. } => ApiError::refused(429, refusal.to_string(), "queue_full"),
        Refusal::EmptyPrompt => ApiError::invalid(field, format!("`{field}`: {refusal}")),
        Refusal::TooManyChoices { .. } => ApiError::invalid("n", format!("`n`: {refusal}")),
        Refusal::ContextExceeded { .. } | Refusal::NeverFits { .. } => context_exceeded(
            "max_tokens",
            format!("{refusal}; send a shorter `{field}` or a smaller `max_tokens`"),
        ),
    }
}

pub(crate) fn context_exceeded(param: &str, message: String) -> ApiError {
    ApiError {
        code: Some("context_length_exceeded"),
        ..ApiError::invalid(param, message)
    }
}
