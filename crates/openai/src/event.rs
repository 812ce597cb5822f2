//! What one chunk of a stream carried.

/// What one choice of one chunk carried, or the chunk itself where no choice carried text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamEvent<S> {
    /// What it is.
    pub kind: EventKind,
    /// Stamp of the read that completed it, as the reader gave it.
    pub stamp: S,
    /// Bytes of generated text.
    pub text_bytes: u32,
    /// Tokens in it, where the server counts them with every chunk.
    pub tokens: Option<u32>,
    /// Index of the choice, where a request asked for several.
    pub choice: u32,
}

/// What an event carries. Only `Content`, `Reasoning` and `ToolCall` are token events: those with
/// non-empty generated text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// A role, an empty delta or a finish reason without text.
    Empty,
    /// Non-empty generated text; also where tool calls or reasoning came beside it.
    Content,
    /// Non-empty reasoning text.
    Reasoning,
    /// A non-empty name or arguments of a tool call; also where reasoning came beside it.
    ToolCall,
    /// Token counts without a choice.
    Usage,
    /// `[DONE]`.
    Done,
}

impl EventKind {
    /// Whether it carries non-empty generated text.
    pub const fn is_token(self) -> bool {
        matches!(self, Self::Content | Self::Reasoning | Self::ToolCall)
    }
}
