//! Which prompts a run sends.

use crate::texts::estimated_tokens;
use crate::{TextLength, Trace, Traffic, WorkloadError, texts};
use std::ops::Range;
use std::sync::Arc;
use trace::{Nanos, PlannedRequest, Prompt};

/// Where prompts come from: an endless deck, shuffled by a seed and dealt from the top.
///
/// Runs that are dealt different ranges of one deck share no prompt before the source runs out,
/// so that a server's prefix cache never meets a prompt again by accident.
#[derive(Clone, Debug)]
pub enum PromptSource {
    /// Chats, which are made when they are wanted: see [`Traffic`].
    Chat(Arc<Traffic>),
    /// Texts to be turned into vectors or scores: card `n` holds the texts from `n · per_request` on.
    Texts {
        /// How long each is.
        length: TextLength,
        /// Texts in each request.
        per_request: u32,
        /// Whether they are compared with a query.
        query: bool,
    },
}

impl PromptSource {
    /// The requests at those positions in the deck of that seed, due at those times. Ids count from 0.
    pub(crate) fn requests(
        &self,
        positions: Range<usize>,
        dues: &[Nanos],
        seed: u64,
    ) -> Vec<PlannedRequest> {
        match self {
            Self::Chat(traffic) => traffic.requests(positions, dues),
            Self::Texts {
                length,
                per_request,
                query,
            } => (0..)
                .zip(positions)
                .zip(dues)
                .map(|((id, position), &due)| {
                    let prompt =
                        texts::request(*length, *per_request, *query, seed, position as u64);
                    PlannedRequest {
                        due,
                        input_tokens: Some(estimated_tokens(&prompt)),
                        ..PlannedRequest::new(id, prompt)
                    }
                })
                .collect(),
        }
    }

    /// The prompt of a request that this source planned.
    pub fn prompt(&self, planned: &PlannedRequest) -> Result<Prompt, WorkloadError> {
        match self {
            Self::Chat(traffic) => traffic.prompt(planned),
            Self::Texts { .. } => Ok(planned.prompt.clone()),
        }
    }

    /// The trace that decides when requests are due.
    pub(crate) fn trace(&self) -> Option<&Trace> {
        match self {
            Self::Chat(traffic) => traffic.trace().map(|trace| &**trace),
            Self::Texts { .. } => None,
        }
    }

    /// What tells the source of prompts that plans only name from any other, for
    /// [`crate::workload_hash`]; empty where plans hold their prompts.
    pub fn fingerprint(&self) -> Result<String, WorkloadError> {
        match self {
            Self::Chat(traffic) => traffic.fingerprint(),
            Self::Texts { .. } => Ok(String::new()),
        }
    }
}
