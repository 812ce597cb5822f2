//! Which prompts a run sends.

use crate::{Texts, Trace, Traffic, WorkloadError};
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
    /// Texts to be turned into vectors or scores, which plans hold.
    Texts(Texts),
}

impl PromptSource {
    /// The requests at those positions in the deck of that seed, due at those times. Ids count from 0.
    pub(crate) fn requests(
        &self,
        positions: Range<usize>,
        dues: &[Nanos],
        seed: u64,
    ) -> Result<Vec<PlannedRequest>, WorkloadError> {
        match self {
            Self::Chat(traffic) => Ok(traffic.requests(positions, dues)),
            Self::Texts(texts) => texts.requests(positions, dues, seed),
        }
    }

    /// The prompt of a request that this source planned.
    pub fn prompt(&self, planned: &PlannedRequest) -> Result<Prompt, WorkloadError> {
        match self {
            Self::Chat(traffic) => traffic.prompt(planned),
            Self::Texts(_) => Ok(planned.prompt.clone()),
        }
    }

    /// The trace that decides when requests are due.
    pub(crate) fn trace(&self) -> Option<&Trace> {
        match self {
            Self::Chat(traffic) => traffic.trace().map(|trace| &**trace),
            Self::Texts(_) => None,
        }
    }

    /// What tells the source of prompts that plans only name from any other, for
    /// [`crate::workload_hash`]; empty where plans hold their prompts.
    pub fn fingerprint(&self) -> Result<String, WorkloadError> {
        match self {
            Self::Chat(traffic) => traffic.fingerprint(),
            Self::Texts(_) => Ok(String::new()),
        }
    }
}
