//! A request on its way to the engine, and its answer on the way back.

use crate::admission::Admission;
use crate::order::Command;
use engine::{EngineRequest, Refusal, TokenLogprobs};
use openai::ApiError;
use std::sync::mpsc::Sender;
use std::sync::{Arc, OnceLock};
use std::time::Instant;
use tokio::sync::{mpsc, oneshot};

/// A request on its way to the engine thread.
pub(crate) struct Submission {
    /// Which; chosen by the server.
    pub(crate) key: u64,
    pub(crate) request: EngineRequest,
    /// Stop strings.
    pub(crate) stop: Vec<String>,
    /// When it arrived.
    pub(crate) arrived: Instant,
    /// Where its pieces go.
    pub(crate) deltas: mpsc::Sender<Delta>,
    /// Why there are no more, where it is not that all choices ended.
    pub(crate) cut: Arc<OnceLock<Cut>>,
    /// The engine's word.
    pub(crate) accepted: oneshot::Sender<Result<(), Refusal>>,
}

/// What a step brought to one choice.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Delta {
    /// Which choice.
    pub(crate) choice: usize,
    /// Whole characters; may be empty.
    pub(crate) text: String,
    /// Tokens generated since the delta before.
    pub(crate) tokens: usize,
    /// Theirs, where wanted.
    pub(crate) logprobs: Vec<TokenLogprobs>,
    /// Set in the choice's last delta.
    pub(crate) finish: Option<Finish>,
}

/// How a choice ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Finish {
    /// `stop` or `length`.
    pub(crate) reason: &'static str,
    /// Prompt tokens that came from the prefix cache, where known.
    pub(crate) cached_tokens: Option<usize>,
}

/// Why an answer ends before its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The client let too many pieces wait.
    SlowReader {
        /// The limit.
        pieces_max: usize,
    },
    /// The server stopped before the answer was complete.
    Stopped,
    /// A step could not be computed.
    Model(String),
    /// The engine is gone.
    Failed(&'static str),
}

impl Cut {
    /// As the client is told.
    pub(crate) fn error(&self) -> ApiError {
        match self {
            Cut::SlowReader { pieces_max } => ApiError::refused(
                503,
                format!(
                    "the answer was aborted: {pieces_max} pieces of it waited to be read, which is \
                     the limit; read faster"
                ),
                "slow_reader",
            ),
            Cut::Stopped => ApiError::refused(
                503,
                "the answer was aborted: the server stops",
                "server_stopped",
            ),
            Cut::Model(message) => ApiError::refused(500, message.clone(), "model_failed"),
            Cut::Failed(reason) => ApiError::refused(503, *reason, "engine_failed"),
        }
    }
}

/// What the engine thread says when it is gone without a word.
const GONE: Cut = Cut::Failed("the engine has stopped; restart the server");

/// The receiving end of a request. Dropped before its end, it aborts the request.
pub(crate) struct Answer {
    key: u64,
    deltas: mpsc::Receiver<Delta>,
    cut: Arc<OnceLock<Cut>>,
    commands: Sender<Command<Submission>>,
    admission: Arc<Admission>,
    /// The engine knows nothing of it any more.
    ended: bool,
}

impl Answer {
    /// Lets a request in and sends it to the engine thread.
    pub(crate) async fn ask(
        request: Ask,
        commands: &Sender<Command<Submission>>,
        admission: &Arc<Admission>,
    ) -> Result<Answer, AskError> {
        admission.enter().map_err(AskError::Closed)?;
        let (deltas, receiver) = mpsc::channel(request.pieces_max);
        let (accepted, word) = oneshot::channel();
        let cut = Arc::new(OnceLock::new());
        // From here on dropping the answer takes the request back, also while it waits for a word.
        let mut answer = Answer {
            key: request.key,
            deltas: receiver,
            cut: Arc::clone(&cut),
            commands: commands.clone(),
            admission: Arc::clone(admission),
            ended: false,
        };
        let submission = Submission {
            key: request.key,
            request: request.request,
            stop: request.stop,
            arrived: request.arrived,
            deltas,
            cut,
            accepted,
        };
        let sent = commands.send(Command::Submit(Box::new(submission)));
        let word = match sent {
            Ok(()) => word.await.ok(),
            Err(_) => None,
        };
        match word {
            Some(Ok(())) => Ok(answer),
            Some(Err(refusal)) => {
                answer.ended = true;
                Err(AskError::Refused(refusal))
            }
            None => {
                answer.ended = true;
                Err(AskError::Cut(answer.cut()))
            }
        }
    }

    /// Waits for pieces and appends all there are; 0 at the end.
    pub(crate) async fn receive(&mut self, deltas: &mut Vec<Delta>) -> usize {
        /// A choice has at most a few pieces at once; a reader that was late has many.
        const AT_ONCE: usize = 256;
        let count = self.deltas.recv_many(deltas, AT_ONCE).await;
        if count == 0 {
            self.ended = true;
        }
        count
    }

    /// Why it ended, where not all choices did.
    pub(crate) fn cut(&self) -> Cut {
        let said = self.cut.get().cloned();
        said.or_else(|| self.admission.failed().map(Cut::Failed))
            .unwrap_or(GONE)
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if !self.ended {
            // Where the engine thread is gone, so is the request.
            let _ = self.commands.send(Command::Abort(self.key));
        }
        self.admission.leave();
    }
}

/// What [`Answer::ask`] asks.
pub(crate) struct Ask {
    pub(crate) key: u64,
    pub(crate) request: EngineRequest,
    pub(crate) stop: Vec<String>,
    pub(crate) arrived: Instant,
    /// Pieces that may wait for the reader.
    pub(crate) pieces_max: usize,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum AskError {
    /// Not let in.
    Closed(crate::admission::Closed),
    /// The engine's refusal.
    Refused(Refusal),
    /// Let in, and lost.
    Cut(Cut),
}
