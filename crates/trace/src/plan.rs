//! What one run sends, and when.

use crate::{Arrival, Nanos, Prompt};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::Arc;

/// What one run sends, and when: a pure function of configuration and seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// [`crate::SCHEMA_VERSION`] of the writer.
    pub schema_version: u32,
    /// The seed that everything random in the plan was drawn from.
    pub seed: u64,
    /// The rule that releases requests.
    pub pacing: Pacing,
    /// When the run stops releasing requests; what is in flight is then waited for.
    pub stop: Stop,
    /// In the order in which they are released.
    pub requests: Vec<PlannedRequest>,
}

impl Plan {
    /// Requests that are sent where all goes well: every turn of every conversation.
    pub fn exchanges(&self) -> u64 {
        self.requests.iter().map(PlannedRequest::exchanges).sum()
    }
}

/// One request of a [`Plan`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedRequest {
    /// Unique in the plan: its position.
    pub id: u64,
    /// When it should start, counted from the start of the run. Zero unless the pacing is open.
    pub due: Nanos,
    /// What is asked.
    pub prompt: Prompt,
    /// The limit on generated tokens; the server's own where absent.
    pub max_tokens: Option<u32>,
    /// How many tokens the prompt has, where the plan knows or estimates it.
    pub input_tokens: Option<PlannedTokens>,
    /// Which class of the plan's traffic it belongs to: a place in [`crate::RunHeader::classes`].
    #[serde(default)]
    pub class: u32,
    /// Fields of the body that differ from the other requests', such as `model` for an adapter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<Arc<Map<String, Value>>>,
    /// Which of the endless series of made images come with the prompt; none where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<u64>,
    /// What the same user says next, turn by turn, each time the answer has come.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub turns: Arc<[FollowUp]>,
}

impl PlannedRequest {
    /// Its own turn and those that follow.
    pub fn exchanges(&self) -> u64 {
        1 + self.turns.len() as u64
    }

    /// A request of one turn, due at the start of the run, that leaves everything else to the server.
    pub fn new(id: u64, prompt: Prompt) -> Self {
        Self {
            id,
            due: Nanos::ZERO,
            prompt,
            max_tokens: None,
            input_tokens: None,
            class: 0,
            changes: None,
            images: None,
            turns: Arc::default(),
        }
    }
}

/// A turn of a conversation after the first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FollowUp {
    /// From the end of the answer before to this turn.
    pub think: Nanos,
    /// What is added to what was said: [`Prompt::Card`], or the messages themselves.
    pub prompt: Prompt,
    /// The limit on generated tokens; the server's own where absent.
    pub max_tokens: Option<u32>,
    /// How many tokens this turn adds before its answer.
    pub input_tokens: Option<PlannedTokens>,
}

/// How many tokens a client thinks that its request has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedTokens {
    /// Tokens.
    pub count: u32,
    /// Counted with the model's own tokenizer; otherwise estimated from the words.
    pub exact: bool,
}

/// The rule that releases the requests of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Pacing {
    /// `size` requests at once; the next batch when all of them are done.
    Burst {
        /// Requests per batch.
        size: u32,
    },
    /// A request is released as soon as fewer than `concurrency` are in flight.
    Closed {
        /// Requests in flight.
        concurrency: u32,
    },
    /// Each request is released at its due time, whatever the others do.
    Open {
        /// The process that drew the due times.
        arrival: Arrival,
        /// At most so many in flight, as `vllm bench serve` has it; later requests wait, and
        /// their wait shows as issue lag.
        max_concurrency: Option<u32>,
    },
}

/// When a run stops releasing requests.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "when")]
pub enum Stop {
    /// After the last planned one.
    AllRequests,
    /// After this span; the planned requests repeat from the first when they run out.
    Deadline {
        /// Counted from the start of the run.
        after: Nanos,
    },
    /// After the last planned one, or after this span: whichever comes first.
    AllRequestsWithin {
        /// Counted from the start of the run.
        after: Nanos,
    },
}

impl Stop {
    /// The span after which no request is released.
    pub const fn deadline(self) -> Option<Nanos> {
        match self {
            Self::AllRequests => None,
            Self::Deadline { after } | Self::AllRequestsWithin { after } => Some(after),
        }
    }
}
