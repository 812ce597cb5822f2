//! What an answer said beside its events, and what was asked for: facts that a verdict is made from.

use serde::{Deserialize, Serialize};

/// What was asked of every request of an invocation. A summary holds it against what came back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Names of the models that requests ask for; several with adapters.
    #[serde(default)]
    pub models: Vec<String>,
    /// `n`: how many choices each request asks for.
    pub choices: u32,
    /// Whether an answer is to go on to its limit, whatever the model says (`ignore_eos`).
    #[serde(default)]
    pub ignore_eos: bool,
    /// What is said of tools.
    #[serde(default)]
    pub tools: ToolUse,
}

/// Whether an answer is expected to call a tool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolUse {
    /// No tools are offered.
    #[default]
    None,
    /// Tools are offered, and the model chooses.
    Offered,
    /// Every answer has to call one: `tool_choice` is `required`, or names it.
    Required,
    /// Each conversation goes on with what its tools returned, as long as the model calls one.
    Loop,
}

/// What an answer said beside its events. Absent from a record, it was not kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponseFacts {
    /// The model that the server says it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Choices that came: with text, or with a finish reason.
    pub choices: u32,
    /// Why the choices after the first ended, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_finish_reasons: Vec<String>,
    /// All generated text, of every kind and choice.
    pub text: TextFacts,
    /// Calls of tools and functions.
    #[serde(default)]
    pub tool_calls: u32,
    /// The server's token counts as they were sent, cut where they are long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage_excerpt: Option<String>,
    /// Fields whose value is none of their kind, which were left out: the first of each name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
    /// How often a gateway says that it tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<u32>,
    /// How often a gateway says that it went on to another model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallbacks: Option<u32>,
}

/// A field of an answer that could not be read, and was passed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Where it stands: `usage.prompt_tokens`.
    pub field: String,
    /// Its JSON as it was sent, cut where it is long.
    pub value: String,
}

/// What is known of a text without keeping it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextFacts {
    /// In UTF-8.
    pub bytes: u64,
    /// Unicode scalar values.
    pub characters: u64,
    /// Of those, ASCII.
    pub ascii: u64,
    /// Runs of letters and digits, and each other character that is no white space.
    pub words: u64,
}
