use serde::Deserialize;

/// Token counts as the server gives them, flattened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "WireUsage")]
pub struct Usage {
    /// `prompt_tokens`; of `/responses` `input_tokens`, and so on.
    pub prompt_tokens: Option<u64>,
    /// `completion_tokens`, which contains the reasoning tokens.
    pub completion_tokens: Option<u64>,
    /// `prompt_tokens_details.cached_tokens`.
    pub cached_tokens: Option<u64>,
    /// `completion_tokens_details.reasoning_tokens`.
    pub reasoning_tokens: Option<u64>,
    /// `total_tokens`.
    pub total_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct WireUsage {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    prompt_tokens_details: Option<PromptTokensDetails>,
    completion_tokens_details: Option<CompletionTokensDetails>,
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    total_tokens: Option<u64>,
    input_tokens_details: Option<PromptTokensDetails>,
    output_tokens_details: Option<CompletionTokensDetails>,
}

#[derive(Deserialize)]
struct PromptTokensDetails {
    cached_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct CompletionTokensDetails {
    reasoning_tokens: Option<u64>,
}

impl From<WireUsage> for Usage {
    fn from(wire: WireUsage) -> Self {
        Self {
            total_tokens: wire.total_tokens,
            prompt_tokens: wire.prompt_tokens.or(wire.input_tokens),
            completion_tokens: wire.completion_tokens.or(wire.output_tokens),
            cached_tokens: wire
                .prompt_tokens_details
                .or(wire.input_tokens_details)
                .and_then(|details| details.cached_tokens),
            reasoning_tokens: wire
                .completion_tokens_details
                .or(wire.output_tokens_details)
                .and_then(|details| details.reasoning_tokens),
        }
    }
}
