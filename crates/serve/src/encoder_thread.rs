//! The thread that owns an encoder.

use crate::admission::Admission;
use crate::answer::Cut;
use crate::metrics::Metrics;
use crate::order::{Command, Order, PANICKED};
use crate::vector_answer::VectorSubmission;
use engine::{Encoder, Gauges, TextBatch, TextId, TextQueue};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Owns an encoder, and the texts that wait for it. Whatever came while a batch was computed waits
/// for the next one; a text that finds nobody before it is computed at once.
pub(crate) struct EncoderThread<E: Encoder> {
    encoder: E,
    queue: TextQueue,
    commands: Receiver<Command<VectorSubmission>>,
    admission: Arc<Admission>,
    metrics: Arc<Mutex<Metrics>>,
    requests: HashMap<u64, Request>,
    /// Of each text that has no vector yet: the key of its request, and its place there.
    owners: HashMap<TextId, (u64, usize)>,
}

/// A request some of whose vectors are missing.
struct Request {
    texts: Vec<TextId>,
    /// Texts without a vector.
    missing: usize,
    vectors: Vec<f32>,
    arrived: Instant,
    answer: oneshot::Sender<Result<Vec<f32>, Cut>>,
}

/// The last word on a request, and who waits for it.
type Word = (
    oneshot::Sender<Result<Vec<f32>, Cut>>,
    Result<Vec<f32>, Cut>,
);

impl<E: Encoder> EncoderThread<E> {
    pub(crate) fn new(
        encoder: E,
        queue: TextQueue,
        commands: Receiver<Command<VectorSubmission>>,
        admission: Arc<Admission>,
        metrics: Arc<Mutex<Metrics>>,
    ) -> Self {
        EncoderThread {
            encoder,
            queue,
            commands,
            admission,
            metrics,
            requests: HashMap::new(),
            owners: HashMap::new(),
        }
    }

    /// Until it is told to stop. A panic, of the encoder or our own, ends all requests with an error.
    pub(crate) fn run(mut self) {
        let ended = catch_unwind(AssertUnwindSafe(|| self.batches()));
        let why = if ended.is_ok() {
            Cut::Stopped
        } else {
            self.admission.fail(PANICKED);
            Cut::Failed(PANICKED)
        };
        self.admission.stepped(Gauges::default());
        self.cut_all(&why);
        // What has panicked once may panic again.
        let _ = catch_unwind(AssertUnwindSafe(move || drop(self)));
    }

    fn batches(&mut self) {
        let mut batch = TextBatch::default();
        let mut vectors = Vec::new();
        while self.take_commands() {
            if !self.queue.next_batch(&mut batch) {
                continue;
            }
            self.admission.stepped(self.gauges(batch.texts.len()));
            let encoded = self.encoder.encode(&batch, &mut vectors);
            let whole = batch.texts.len() * self.encoder.dimensions();
            let words = match encoded {
                Ok(()) if vectors.len() == whole => self.hand_out(&batch, &vectors),
                // Who has no vector would wait for ever.
                Ok(()) => self.fail(&batch, "the model made no vector for some of the texts"),
                Err(error) => self.fail(&batch, &error.to_string()),
            };
            // Before the words: who gets one may ask for the counts at once.
            self.admission.stepped(self.gauges(0));
            for (answer, word) in words {
                // Who does not wait for it any more has sent an abort, too.
                let _ = answer.send(word);
            }
        }
    }

    fn gauges(&self, running: usize) -> Gauges {
        Gauges {
            running,
            waiting: self.queue.len(),
            ..Gauges::default()
        }
    }

    fn metrics(&self) -> MutexGuard<'_, Metrics> {
        self.metrics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what is there; waits where there is nothing to compute. False at the end.
    fn take_commands(&mut self) -> bool {
        let mut taken = 0;
        let mut changed = false;
        let mut go_on = true;
        while go_on {
            let command = if changed || !self.queue.is_empty() {
                match self.commands.try_recv() {
                    Err(TryRecvError::Empty) => break,
                    received => received.ok(),
                }
            } else {
                self.commands.recv().ok()
            };
            changed = true;
            match command {
                Some(Command::Submit(submission)) => {
                    taken += submission.texts.len();
                    self.submit(*submission);
                }
                Some(Command::Abort(key)) => self.abort(key),
                Some(Command::Order(Order::CutAll)) => self.cut_all(&Cut::Stopped),
                Some(Command::Order(Order::Stop)) | None => go_on = false,
            }
        }
        if changed {
            self.admission.taken(taken, self.gauges(0));
        }
        go_on
    }

    fn submit(&mut self, submission: VectorSubmission) {
        let count = submission.texts.len();
        let mut request = Request {
            texts: Vec::with_capacity(count),
            missing: count,
            vectors: vec![0.0; count * self.encoder.dimensions()],
            arrived: submission.arrived,
            answer: submission.answer,
        };
        for (place, tokens) in submission.texts.into_iter().enumerate() {
            match self.queue.submit(tokens) {
                Ok(text) => {
                    self.owners.insert(text, (submission.key, place));
                    request.texts.push(text);
                }
                // The door has checked the lengths: this is said by no request that came through it.
                Err(refusal) => {
                    self.forget(&request.texts);
                    let _ = request.answer.send(Err(Cut::Model(refusal.to_string())));
                    return;
                }
            }
        }
        self.requests.insert(submission.key, request);
    }

    /// The client went away: nothing of its request is computed any more.
    fn abort(&mut self, key: u64) {
        if let Some(request) = self.remove(key) {
            let mut metrics = self.metrics();
            metrics.aborted += 1;
            metrics.finish("abort", request.texts.len());
        }
    }

    fn remove(&mut self, key: u64) -> Option<Request> {
        let request = self.requests.remove(&key)?;
        self.forget(&request.texts);
        Some(request)
    }

    fn forget(&mut self, texts: &[TextId]) {
        for text in texts {
            self.queue.abort(*text);
            self.owners.remove(text);
        }
    }

    fn cut_all(&mut self, why: &Cut) {
        let keys: Vec<u64> = self.requests.keys().copied().collect();
        for key in keys {
            if let Some(request) = self.remove(key) {
                self.metrics().finish("abort", request.texts.len());
                let _ = request.answer.send(Err(why.clone()));
            }
        }
    }

    /// Each vector goes to its request; those that have all of theirs are at their end.
    fn hand_out(&mut self, batch: &TextBatch, vectors: &[f32]) -> Vec<Word> {
        let now = Instant::now();
        let width = self.encoder.dimensions();
        let mut words = Vec::new();
        let mut metrics = self.metrics.lock().unwrap_or_else(PoisonError::into_inner);
        metrics.batches += 1;
        metrics.batched_texts += batch.texts.len() as u64;
        metrics.prompt_tokens += batch.tokens.len() as u64;
        for (text, vector) in batch.texts.iter().zip(vectors.chunks_exact(width)) {
            // Whoever has gone meanwhile is not there any more.
            let Some((key, place)) = self.owners.remove(text) else {
                continue;
            };
            let Some(request) = self.requests.get_mut(&key) else {
                continue;
            };
            request.vectors[place * width..][..width].copy_from_slice(vector);
            request.missing -= 1;
            if request.missing == 0
                && let Some(request) = self.requests.remove(&key)
            {
                metrics.finish("stop", request.texts.len());
                metrics.times(now - request.arrived, Duration::ZERO, 0);
                words.push((request.answer, Ok(request.vectors)));
            }
        }
        words
    }

    /// The encoder failed a batch: the requests of its texts are lost, with their other texts.
    fn fail(&mut self, batch: &TextBatch, why: &str) -> Vec<Word> {
        self.metrics().failed_steps += 1;
        let mut words = Vec::new();
        for text in &batch.texts {
            let Some((key, _)) = self.owners.remove(text) else {
                continue;
            };
            if let Some(request) = self.remove(key) {
                self.metrics().finish("abort", request.texts.len());
                words.push((request.answer, Err(Cut::Model(why.to_owned()))));
            }
        }
        words
    }
}
