//! Server-sent events and the chunks of HTTP around them.

use crate::completion::{Completion, EventPlace};

/// A server-sent event before it is a chunk of HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// When it is due.
    pub(crate) at: u64,
    pub(crate) bytes: Vec<u8>,
    pub(crate) kind: FrameKind,
    /// That it carries.
    pub(crate) tokens: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameKind {
    Role,
    /// Carries tokens.
    Content,
    Other,
}

/// Every frame of a stream, one by one.
pub(crate) fn all(completion: &Completion<'_>) -> Vec<Frame> {
    let mut frames = Vec::new();
    if let Some(at) = completion.role_at() {
        frames.extend(frames_at(at, FrameKind::Role, 0, completion.role_frames()));
    }
    let mut first_token = 0;
    let mut at = completion.token_at(0);
    for tokens in completion.event_sizes() {
        let place = EventPlace {
            is_first: first_token == 0,
            is_last: first_token + tokens == completion.tokens,
        };
        at = completion.token_at(first_token);
        frames.extend(frames_at(
            at,
            FrameKind::Content,
            tokens,
            completion.event_frames(tokens, place),
        ));
        first_token += tokens;
    }
    frames.extend(frames_at(
        at,
        FrameKind::Other,
        0,
        completion.closing_frames(),
    ));
    frames
}

fn frames_at(
    at: u64,
    kind: FrameKind,
    tokens: u32,
    frames: impl Iterator<Item = Vec<u8>>,
) -> impl Iterator<Item = Frame> {
    frames.map(move |bytes| Frame {
        at,
        bytes,
        kind,
        tokens,
    })
}
