//! What the mock provider answers, and when.

use crate::{Fault, MockError, RecordedTimings, Timing};
use std::collections::BTreeMap;
use std::time::Duration;

/// Longest embedding.
pub(crate) const DIMENSIONS_MAX: u32 = 16_384;

/// What the mock provider answers, and when.
///
/// The token `k` (from 0) of a stream is written at `ttft + k · itl` after the request's last byte
/// arrived, or at `ttft` and the sum of `k` gaps where they are drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct MockConfig {
    /// From the last byte of the request to the first token.
    pub ttft: Timing,
    /// What each word of the prompt adds to that.
    pub prefill: Duration,
    /// From one token to the next. With `ttft` and `itl` both zero, responses leave as fast as the
    /// socket takes them.
    pub itl: Timing,
    /// What each request that is served already, when another begins, adds to the gaps of that one: 0.1 makes them
    /// twice as long beside ten.
    pub slowdown: f64,
    /// Draws timings and faults: the same seed and the same requests in the same order give the same answers.
    pub seed: u64,
    /// Recorded timings take the place of `ttft`, `itl` and `tokens`, one for each request in its turn.
    pub replay: Option<RecordedTimings>,
    /// The head of a stream leaves with its first token, not at once.
    pub late_head: bool,
    /// Tokens per choice, unless the request's `max_tokens` is smaller.
    pub tokens: u32,
    /// Tokens in one event; it leaves when its first token is due. At least 1.
    pub tokens_per_event: u32,
    /// Events (of each choice) in one `write()`; it leaves when its first token is due. At least 1.
    pub events_per_write: u32,
    /// When the role-only chunk of a chat stream leaves.
    pub role_chunk: RoleChunk,
    /// Whether a stream that asked for `include_usage` gets its usage chunk.
    pub usage: bool,
    /// The model that `/v1/models` lists. Responses carry the name the request asked for.
    pub model: String,
    /// At most so many requests are served at once; the others wait in order of arrival. At least
    /// 1.
    pub max_concurrent: Option<u32>,
    /// The one thing that goes wrong. A request's header `x-mock-fault` takes its place for that request.
    pub fault: Option<Fault>,
    /// The part of the completion requests that it happens to, from 0 to 1.
    pub fault_rate: f64,
    /// It happens only from the first to the second span after the start.
    pub fault_window: Option<(Duration, Duration)>,
    /// What happens to every request with that bearer key, whatever `fault` is. Such a key is let in.
    pub fault_keys: BTreeMap<String, Fault>,
    /// The part of the chat answers that call a function, from 0 to 1.
    pub tool_calls: f64,
    /// Numbers of an embedding, unless the request asks for others: 1 to 16,384.
    pub embedding_dimensions: u32,
    /// Where set, a request without this bearer key is answered 401.
    pub api_key: Option<String>,
}

/// What a mock that serves already does from some time on.
#[derive(Clone, Debug, PartialEq)]
pub struct Phase {
    /// Counted from when it began to serve.
    pub from: Duration,
    /// What holds then.
    pub config: MockConfig,
}

/// When the role-only chunk of a chat stream leaves. A legacy completion has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RoleChunk {
    /// In the same write as the first token, in front of it.
    #[default]
    WithFirstToken,
    /// As soon as the request was received: it fools a client that takes any chunk for a token.
    Early,
    /// Never.
    None,
}

impl Default for MockConfig {
    fn default() -> Self {
        Self {
            ttft: Duration::ZERO.into(),
            prefill: Duration::ZERO,
            itl: Duration::ZERO.into(),
            slowdown: 0.0,
            seed: 0,
            replay: None,
            late_head: false,
            tokens: 64,
            tokens_per_event: 1,
            events_per_write: 1,
            role_chunk: RoleChunk::default(),
            usage: true,
            model: "mock".to_owned(),
            max_concurrent: None,
            fault: None,
            fault_rate: 1.0,
            fault_window: None,
            fault_keys: BTreeMap::new(),
            tool_calls: 0.0,
            embedding_dimensions: 384,
            api_key: None,
        }
    }
}

impl MockConfig {
    pub(crate) fn check(&self) -> Result<(), MockError> {
        let counts = [
            ("tokens_per_event", self.tokens_per_event),
            ("events_per_write", self.events_per_write),
            ("max_concurrent", self.max_concurrent.unwrap_or(1)),
        ];
        if !(1..=DIMENSIONS_MAX).contains(&self.embedding_dimensions) {
            return Err(MockError::Dimensions {
                dimensions: self.embedding_dimensions,
                most: DIMENSIONS_MAX,
            });
        }
        match counts.into_iter().find(|&(_, count)| count == 0) {
            Some((field, _)) => Err(MockError::ZeroCount { field }),
            None => Ok(()),
        }
    }
}

/// A span as whole nanoseconds; 584 years at most.
pub(crate) fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
