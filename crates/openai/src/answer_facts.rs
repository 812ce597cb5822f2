//! What an answer says beside its text and its stamps.

use crate::{LeftOut, TextCounts};

/// Facts of an answer, streamed or whole, for whoever judges it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnswerFacts {
    /// The model that the server says it is.
    pub model: Option<String>,
    /// Choices that came: with text, or with a finish reason.
    pub choices: u32,
    /// Why the choices after the first ended, in their order.
    pub other_finish_reasons: Vec<String>,
    /// All generated text, of every kind and choice.
    pub text: TextCounts,
    /// Calls of tools and functions.
    pub tool_calls: u32,
    /// The token counts as they were sent, cut where they are long: the last of them that counted something.
    pub usage_excerpt: Option<String>,
    /// Fields whose value is none of their kind, which were left out: the first of each name.
    pub left_out: Vec<LeftOut>,
}
