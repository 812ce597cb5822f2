//! Texts on their way to an encoder, and vectors on their way back.

use crate::admission::{Admission, Closed};
use crate::answer::Cut;
use crate::order::Command;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Instant;
use tokio::sync::oneshot;

/// Texts on their way to an encoder's thread.
pub(crate) struct VectorSubmission {
    /// Which request; chosen by the server.
    pub(crate) key: u64,
    /// Tokens of each text: at least one text, and none longer than the model takes.
    pub(crate) texts: Vec<Vec<u32>>,
    /// When they arrived.
    pub(crate) arrived: Instant,
    /// Where their vectors go, one after the other in the order of the texts.
    pub(crate) answer: oneshot::Sender<Result<Vec<f32>, Cut>>,
}

/// Why there are no vectors.
#[derive(Debug)]
pub(crate) enum NoVectors {
    /// Not let in.
    Closed(Closed),
    /// Let in, and lost.
    Cut(Cut),
}

/// What an encoder's thread says when it is gone without a word.
const GONE: Cut = Cut::Failed("the engine has stopped; restart the server");

/// A request that was let in. Dropped before its end, it is taken back.
struct Waiting<'a> {
    key: u64,
    commands: &'a Sender<Command<VectorSubmission>>,
    admission: &'a Admission,
    ended: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.ended {
            // Where the thread is gone, so is the request.
            let _ = self.commands.send(Command::Abort(self.key));
        }
        self.admission.leave();
    }
}

/// Lets a request in, sends it to the encoder's thread, and waits for its vectors.
pub(crate) async fn vectors(
    key: u64,
    texts: Vec<Vec<u32>>,
    arrived: Instant,
    commands: &Sender<Command<VectorSubmission>>,
    admission: &Arc<Admission>,
) -> Result<Vec<f32>, NoVectors> {
    admission
        .enter_with(texts.len())
        .map_err(NoVectors::Closed)?;
    let mut waiting = Waiting {
        key,
        commands,
        admission,
        ended: false,
    };
    let (answer, word) = oneshot::channel();
    let submission = VectorSubmission {
        key,
        texts,
        arrived,
        answer,
    };
    let sent = commands.send(Command::Submit(Box::new(submission)));
    let word = match sent {
        Ok(()) => word.await.ok(),
        Err(_) => None,
    };
    waiting.ended = true;
    match word {
        Some(Ok(vectors)) => Ok(vectors),
        Some(Err(cut)) => Err(NoVectors::Cut(cut)),
        None => Err(NoVectors::Cut(admission.failed().map_or(GONE, Cut::Failed))),
    }
}
