//! Running requests, as the engine thread keeps them.

use crate::answer::{Cut, Delta, Submission};
use crate::choice::Choice;
use crate::codec::TextCodec;
use engine::{EngineRequest, Refusal};
use std::sync::{Arc, OnceLock};
use std::time::Instant;
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;

/// Who waits for the engine's word.
pub(crate) type Accepted = oneshot::Sender<Result<(), Refusal>>;

/// A request that the engine has, as the engine thread keeps it.
pub(crate) struct Live {
    pub(crate) key: u64,
    pub(crate) prompt_tokens: usize,
    pub(crate) arrived: Instant,
    pub(crate) choices: Vec<Choice>,
    /// Stop strings do not count before.
    pub(crate) tokens_min: usize,
    /// Tokens that end a choice and are no text.
    stop_tokens: Vec<u32>,
    /// Its first token came.
    pub(crate) begun: bool,
    /// It is in the list of those that the step brought something.
    pub(crate) touched: bool,
    deltas: Sender<Delta>,
    cut: Arc<OnceLock<Cut>>,
}

/// Why nothing more can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unsent {
    /// The client went away.
    Gone,
    /// Too many pieces wait.
    Full,
}

impl Live {
    /// Takes a submission apart: what stays here, what goes to the engine, and who waits for its word.
    pub(crate) fn of(submission: Submission, codec: &TextCodec) -> (Live, EngineRequest, Accepted) {
        let params = &submission.request.params;
        let mut stop_tokens = params.stop_tokens.clone();
        if !params.ignore_eos {
            stop_tokens.extend_from_slice(&params.eos_tokens);
        }
        let live = Live {
            key: submission.key,
            prompt_tokens: submission.request.prompt.len(),
            arrived: submission.arrived,
            choices: (0..params.n)
                .map(|index| Choice::new(index, codec.detokenizer(), &submission.stop))
                .collect(),
            tokens_min: params.tokens_min,
            stop_tokens,
            begun: false,
            touched: false,
            deltas: submission.deltas,
            cut: submission.cut,
        };
        (live, submission.request, submission.accepted)
    }

    pub(crate) fn is_stop_token(&self, token: u32) -> bool {
        self.stop_tokens.contains(&token)
    }

    /// All choices have ended.
    pub(crate) fn ended(&self) -> bool {
        self.open() == 0
    }

    /// Sends what the step brought. Never waits.
    pub(crate) fn send(&mut self) -> Result<(), Unsent> {
        self.touched = false;
        for choice in &mut self.choices {
            if let Some(delta) = choice.take() {
                self.deltas.try_send(delta).map_err(|error| match error {
                    TrySendError::Full(_) => Unsent::Full,
                    TrySendError::Closed(_) => Unsent::Gone,
                })?;
            }
        }
        Ok(())
    }

    /// Choices that have not ended.
    pub(crate) fn open(&self) -> usize {
        self.choices.iter().filter(|choice| !choice.ended).count()
    }

    /// The client is told so when it has read what is there; nothing more is sent.
    pub(crate) fn cut(self, why: Cut) {
        // The first reason counts.
        let _ = self.cut.set(why);
    }

    /// Pieces that may wait.
    pub(crate) fn pieces_max(&self) -> usize {
        self.deltas.max_capacity()
    }
}
