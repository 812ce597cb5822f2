use crate::{Arrival, Nanos};
use serde::{Deserialize, Serialize};
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
}

/// The text of a request. Shared, because a data set with fewer rows than requests repeats.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prompt {
    /// What text is generated from.
    Chat {
        /// The system message, if any.
        system: Option<Arc<str>>,
        /// The user's message.
        user: Arc<str>,
    },
    /// What is turned into vectors, or compared with a query.
    Texts {
        /// What the texts are compared with, where scores and not vectors are asked for.
        query: Option<Arc<str>>,
        /// At least one.
        texts: Arc<[Arc<str>]>,
    },
}

impl Prompt {
    /// A user's message alone.
    pub fn user(text: impl Into<Arc<str>>) -> Self {
        Prompt::Chat {
            system: None,
            user: text.into(),
        }
    }

    /// Texts or documents, each of which is answered by a vector or a score; a chat is one.
    pub fn inputs(&self) -> u32 {
        match self {
            Prompt::Chat { .. } => 1,
            Prompt::Texts { texts, .. } => u32::try_from(texts.len()).unwrap_or(u32::MAX),
        }
    }

    /// Its texts in order: system message and query first.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        let (before, texts) = match self {
            Prompt::Chat { system, user } => (system, std::slice::from_ref(user)),
            Prompt::Texts { query, texts } => (query, &**texts),
        };
        before.iter().chain(texts).map(|text| &**text)
    }
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
}
