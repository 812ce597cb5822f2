//! What came back for one request.

use crate::{Nanos, PlannedTokens, ResponseFacts, TextFacts};
use serde::{Deserialize, Serialize};

/// Which part of an invocation a record belongs to.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct RunId {
    /// Index into [`crate::RunHeader::points`].
    pub point: u32,
    /// Counted from 0 within the point, warm-up runs and measured runs apart.
    pub run: u32,
    /// A warm-up run enters no number.
    pub warmup: bool,
}

/// What came back for one request: stamps and facts, never a derived number.
///
/// `due ≤ issued ≤ connected ≤ sent ≤ first_byte ≤ events ≤ done`, on the clock of [`Nanos`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Where it belongs.
    pub run: RunId,
    /// Unique in the invocation; the server sees it as [`request_id`].
    pub id: u64,
    /// When the plan says it should start; equal to `issued` in closed loop.
    pub due: Nanos,
    /// The client begins: slot granted, before connecting.
    pub issued: Nanos,
    /// When the request was sent once more, on a new connection, because the reused one turned out to be
    /// closed: latencies begin there, and how late the client was is still said by `issued`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reissued: Option<Nanos>,
    /// TCP and TLS ready; equal to `issued` on a kept-alive connection.
    pub connected: Option<Nanos>,
    /// The last byte of the request was written.
    pub sent: Option<Nanos>,
    /// The first byte of the response arrived.
    pub first_byte: Option<Nanos>,
    /// `[DONE]`, the end of the body, or the moment of failure.
    pub done: Nanos,
    /// The user-space stamp of the read that gave `done`; later by the client's own lag.
    pub done_read: Nanos,
    /// When the next request could take its place, where that was a millisecond later than `done` or more: its body stayed
    /// open after its last event. Files before version 2 have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released: Option<Nanos>,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// What the stream carried, in order of arrival; empty for a response that is not a stream.
    pub events: Vec<Event>,
    /// Token counts as the server gave them.
    pub usage: Option<Usage>,
    /// What the plan says of the prompt's tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planned_tokens: Option<PlannedTokens>,
    /// The limit on generated tokens that was asked for; absent where none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// Which class of the traffic it belongs to: a place in [`crate::RunHeader::classes`].
    #[serde(default)]
    pub class: u32,
    /// Which turn of a conversation it is, where it is one of several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<Turn>,
    /// The vectors or scores that came back, where those were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vectors: Option<Vectors>,
    /// The server's `finish_reason` of the first choice.
    pub finish_reason: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// What to tell a person about a failure: the server's or the system's words.
    pub detail: Option<String>,
    /// HTTP status, where a response began.
    pub status: Option<u16>,
    /// Seconds of a `Retry-After` header, where one came.
    pub retry_after_seconds: Option<u64>,
    /// What a gateway says that it added: `x-litellm-overhead-duration-ms`.
    pub gateway_overhead: Option<Nanos>,
    /// Bytes of body received.
    pub body_bytes: u64,
    /// What the answer said beside its events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<Box<ResponseFacts>>,
    /// The text that was sent: of every message, or of every input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_text: Option<TextFacts>,
}

impl Record {
    /// When the request that was answered was sent off: what latencies count from.
    pub fn began(&self) -> Nanos {
        self.reissued.unwrap_or(self.issued)
    }

    /// A request that began at that moment, when it was due, and to which nothing else has happened: as long
    /// as that is so, it is a cancelled one.
    pub const fn begun(run: RunId, id: u64, at: Nanos) -> Self {
        Self {
            run,
            id,
            due: at,
            issued: at,
            reissued: None,
            connected: None,
            sent: None,
            first_byte: None,
            done: at,
            done_read: at,
            released: None,
            stream: false,
            events: Vec::new(),
            usage: None,
            planned_tokens: None,
            max_tokens: None,
            class: 0,
            turn: None,
            vectors: None,
            finish_reason: None,
            outcome: Outcome::Cancelled,
            detail: None,
            status: None,
            retry_after_seconds: None,
            gateway_overhead: None,
            body_bytes: 0,
            response: None,
            prompt_text: None,
        }
    }
}

/// The `x-request-id` header of a request: `invocation` tells one invocation from another, `id` is
/// [`Record::id`], of which the low 48 bits count.
///
/// A version 4 UUID, because some servers (llama-cpp-python's among them) answer 400 to anything
/// else, and others take it for the request's key, so that it must not come twice.
pub fn request_id(invocation: u64, id: u64) -> String {
    format!(
        "{:08x}-{:04x}-4{:03x}-800{:x}-{:012x}",
        invocation >> 32,
        (invocation >> 16) & 0xffff,
        (invocation >> 4) & 0xfff,
        invocation & 0xf,
        id & 0xffff_ffff_ffff
    )
}

/// One server-sent event that carried something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// What it carried.
    pub kind: EventKind,
    /// Stamp of the read that completed it: the kernel's where it gives one.
    pub arrived: Nanos,
    /// The user-space stamp of the same read; later than `arrived` by the client's own lag.
    pub read: Nanos,
    /// Which read of the response, from 0. Events of one read share it: they were coalesced.
    pub read_index: u32,
    /// Bytes of generated text.
    pub text_bytes: u32,
    /// Tokens in it, where the server says so with every event.
    pub tokens: Option<u32>,
    /// Index of the choice, where `n` > 1.
    pub choice: u32,
}

/// What an event carries. Only `Content`, `Reasoning` and `ToolCall` are token events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A role, an empty delta or a finish reason without text.
    Empty,
    /// Non-empty generated text.
    Content,
    /// Non-empty reasoning text.
    Reasoning,
    /// Non-empty tool-call name or arguments.
    ToolCall,
    /// Usage alone.
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

/// A request's place in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// [`Record::id`] of the conversation's first request.
    pub session: u64,
    /// From 0.
    pub number: u32,
}

impl Record {
    /// Whether it goes on with no conversation: it is what arrivals and concurrencies release.
    pub fn begins(&self) -> bool {
        self.turn.is_none_or(|turn| turn.number == 0)
    }
}

/// The answer to an embedding, scoring or ranking request: one vector, or one score, for each text sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vectors {
    /// Vectors or scores.
    pub count: u32,
    /// Numbers in each vector; absent of scores.
    pub dimensions: Option<u32>,
    /// How long the client took to decode them, after the last byte had come: in no latency.
    pub decoding: Nanos,
}

/// Token counts as the server gave them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// `usage.prompt_tokens`.
    pub prompt_tokens: Option<u64>,
    /// `usage.completion_tokens`, which contains the reasoning tokens.
    pub completion_tokens: Option<u64>,
    /// `usage.prompt_tokens_details.cached_tokens`.
    pub cached_tokens: Option<u64>,
    /// `usage.completion_tokens_details.reasoning_tokens`.
    pub reasoning_tokens: Option<u64>,
    /// `usage.total_tokens`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_tokens: Option<u64>,
}

/// How a request ended. A failure is data: it stays in every denominator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "which")]
pub enum Outcome {
    /// A whole response.
    Complete,
    /// A status other than 2xx.
    Http,
    /// A deadline passed.
    Timeout(TimeoutKind),
    /// No connection, or no TLS.
    Connect,
    /// A kept-alive connection was closed under the request, before any byte came back: in records of
    /// version 1, which did not send it again.
    Stale,
    /// The connection ended before a byte of the answer came, too late to be a connection that the
    /// server had closed while it was idle: the server gave the request up.
    ClosedBeforeAnswer,
    /// The server says that it gave the answer up: its `finish_reason` is abort, error or the like.
    Aborted,
    /// The response ended before it was whole.
    Truncated,
    /// The response was not what the protocol says.
    Protocol,
    /// The server reported an error inside a 200.
    ServerError,
    /// We stopped it.
    Cancelled,
}

/// Which deadline passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeoutKind {
    /// TCP and TLS.
    Connect,
    /// Sent to first token.
    FirstToken,
    /// Token to token.
    Stall,
    /// The whole request.
    Total,
}

impl Outcome {
    /// Every outcome there is, in the order of the enum.
    pub const ALL: [Outcome; 14] = [
        Outcome::Complete,
        Outcome::Http,
        Outcome::Timeout(TimeoutKind::Connect),
        Outcome::Timeout(TimeoutKind::FirstToken),
        Outcome::Timeout(TimeoutKind::Stall),
        Outcome::Timeout(TimeoutKind::Total),
        Outcome::Connect,
        Outcome::Stale,
        Outcome::ClosedBeforeAnswer,
        Outcome::Aborted,
        Outcome::Truncated,
        Outcome::Protocol,
        Outcome::ServerError,
        Outcome::Cancelled,
    ];

    /// Whether the request counts as answered.
    pub const fn is_complete(self) -> bool {
        matches!(self, Self::Complete)
    }

    /// A stable name, the same in every file and table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Http => "http",
            Self::Timeout(TimeoutKind::Connect) => "timeout_connect",
            Self::Timeout(TimeoutKind::FirstToken) => "timeout_first_token",
            Self::Timeout(TimeoutKind::Stall) => "timeout_stall",
            Self::Timeout(TimeoutKind::Total) => "timeout_total",
            Self::Connect => "connect",
            Self::Stale => "stale_connection",
            Self::ClosedBeforeAnswer => "closed_before_answer",
            Self::Aborted => "aborted",
            Self::Truncated => "truncated",
            Self::Protocol => "protocol",
            Self::ServerError => "server_error",
            Self::Cancelled => "cancelled",
        }
    }

    /// The outcome of that [`name`](Self::name).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::{Outcome, request_id};

    #[test]
    fn a_request_id_is_a_version_4_uuid_with_the_number_at_its_end() {
        assert_eq!(
            request_id(0x0123_4567_89ab_cdef, 0x2a),
            "01234567-89ab-4cde-800f-00000000002a"
        );
        assert_eq!(request_id(u64::MAX, u64::MAX).len(), 36);
    }

    #[test]
    fn every_outcome_has_a_name_of_its_own_that_leads_back_to_it() {
        for outcome in Outcome::ALL {
            assert_eq!(Outcome::from_name(outcome.name()), Some(outcome));
        }
    }
}
