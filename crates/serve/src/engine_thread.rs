//! The thread that owns the engine.

use crate::admission::Admission;
use crate::answer::{Cut, Submission};
use crate::codec::TextCodec;
use crate::live::{Accepted, Live, Unsent};
use crate::metrics::Metrics;
use crate::order::{Command, Order, PANICKED};
use engine::{Engine, EngineEvent, FinishReason, Model, Nanos, Refusal, RequestId, TokenLogprobs};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Owns the engine, and what running requests need beside it.
pub(crate) struct EngineThread<M: Model> {
    engine: Engine<M>,
    codec: Arc<TextCodec>,
    commands: Receiver<Command<Submission>>,
    admission: Arc<Admission>,
    metrics: Arc<Mutex<Metrics>>,
    live: HashMap<RequestId, Live>,
    keys: HashMap<u64, RequestId>,
    /// Those that the step brought something.
    touched: Vec<RequestId>,
    started: Instant,
}

impl<M: Model> EngineThread<M> {
    pub(crate) fn new(
        engine: Engine<M>,
        codec: Arc<TextCodec>,
        commands: Receiver<Command<Submission>>,
        admission: Arc<Admission>,
        metrics: Arc<Mutex<Metrics>>,
    ) -> Self {
        EngineThread {
            engine,
            codec,
            commands,
            admission,
            metrics,
            live: HashMap::new(),
            keys: HashMap::new(),
            touched: Vec::new(),
            started: Instant::now(),
        }
    }

    /// Until it is told to stop. A panic, of the model or our own, ends all answers with an error.
    pub(crate) fn run(mut self) {
        let ended = catch_unwind(AssertUnwindSafe(|| self.steps()));
        let why = if ended.is_ok() {
            Cut::Stopped
        } else {
            self.admission.fail(PANICKED);
            Cut::Failed(PANICKED)
        };
        // Before the answers end: who reads of it may ask for the counts at once.
        let mut gauges = self.admission.gauges();
        (gauges.running, gauges.waiting) = (0, 0);
        // The engine ends here, and with it whoever holds a block.
        gauges.blocks_free += std::mem::take(&mut gauges.blocks_owned);
        self.admission.stepped(gauges);
        self.cut_all(&why);
        // What has panicked once may panic again.
        let _ = catch_unwind(AssertUnwindSafe(move || drop(self)));
    }

    fn steps(&mut self) {
        let mut events = Vec::new();
        while self.take_commands() {
            if !self.engine.has_work() {
                continue;
            }
            let stepped = self.engine.step(self.now(), &mut events);
            let failure = stepped.err().map(|error| error.to_string());
            self.route(&mut events, failure.as_deref());
        }
    }

    /// Time since the start, which is the engine's clock.
    fn now(&self) -> Nanos {
        let nanos = self.started.elapsed().as_nanos();
        Nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Takes what is there; waits where there is nothing to compute. False at the end.
    fn take_commands(&mut self) -> bool {
        let mut words = Vec::new();
        let mut changed = false;
        let mut go_on = true;
        while go_on {
            let command = if self.engine.has_work() || changed {
                match self.commands.try_recv() {
                    Err(TryRecvError::Empty) => break,
                    received => received.ok(),
                }
            } else {
                self.commands.recv().ok()
            };
            changed = true;
            match command {
                Some(Command::Submit(submission)) => words.push(self.submit(*submission)),
                Some(Command::Abort(key)) => self.abort(key),
                Some(Command::Order(Order::CutAll)) => self.abort_all(),
                Some(Command::Order(Order::Stop)) | None => go_on = false,
            }
        }
        if changed {
            // Before the words: who gets one may ask for the counts at once.
            self.admission.taken(words.len(), self.engine.gauges());
        }
        for (accepted, word) in words {
            // Who does not wait for it any more has sent an abort, too.
            let _ = accepted.send(word);
        }
        go_on
    }

    /// Gives a request to the engine; its word is told when the counts are.
    fn submit(&mut self, submission: Submission) -> (Accepted, Result<(), Refusal>) {
        let (live, request, accepted) = Live::of(submission, &self.codec);
        let word = self.engine.submit(request, self.now()).map(|request| {
            self.keys.insert(live.key, request);
            self.live.insert(request, live);
        });
        (accepted, word)
    }

    /// All answers end, and the engine is empty.
    fn abort_all(&mut self) {
        let mut metrics = self.metrics.lock().unwrap_or_else(PoisonError::into_inner);
        for (&request, live) in &self.live {
            self.engine.abort(request);
            metrics.finish("abort", live.open());
        }
        drop(metrics);
        self.admission.taken(0, self.engine.gauges());
        self.cut_all(&Cut::Stopped);
    }

    /// The client went away: everything of its request is free when this returns.
    fn abort(&mut self, key: u64) {
        if let Some(request) = self.keys.remove(&key) {
            self.engine.abort(request);
            if let Some(live) = self.live.remove(&request) {
                let mut metrics = self.metrics.lock().unwrap_or_else(PoisonError::into_inner);
                metrics.aborted += 1;
                metrics.finish("abort", live.open());
            }
        }
    }

    fn cut_all(&mut self, why: &Cut) {
        self.keys.clear();
        for (_, live) in self.live.drain() {
            live.cut(why.clone());
        }
    }

    /// Events of one step become text, and go to their readers.
    fn route(&mut self, events: &mut Vec<EngineEvent>, failure: Option<&str>) {
        let metrics = Arc::clone(&self.metrics);
        let mut metrics = metrics.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        metrics.failed_steps += u64::from(failure.is_some());
        for event in events.drain(..) {
            match event {
                EngineEvent::Token {
                    request,
                    choice,
                    token,
                    logprobs,
                } => self.token(
                    request,
                    choice,
                    token,
                    logprobs.map(|boxed| *boxed),
                    now,
                    &mut metrics,
                ),
                EngineEvent::Finished {
                    request,
                    reason: FinishReason::Abort,
                    ..
                } => self.lost(request, failure, &mut metrics),
                EngineEvent::Finished {
                    request,
                    choice,
                    reason,
                    cached_tokens,
                } => self.finished(request, choice, reason, cached_tokens, now, &mut metrics),
                EngineEvent::Preempted { .. } => {}
            }
        }
        // Before the answers: who gets its last token may ask for the counts at once.
        self.admission.stepped(self.engine.gauges());
        self.flush(&mut metrics);
    }

    fn token(
        &mut self,
        request: RequestId,
        choice: usize,
        token: u32,
        logprobs: Option<TokenLogprobs>,
        now: Instant,
        metrics: &mut Metrics,
    ) {
        let Some(live) = self.live.get_mut(&request) else {
            return;
        };
        if live.choices[choice].ended {
            return;
        }
        metrics.generation_tokens += 1;
        if !live.begun {
            live.begun = true;
            // Known now, and no longer where a stop string ends the request before the engine does.
            let cached = self.engine.cached_tokens(request);
            for choice in &mut live.choices {
                choice.cached_tokens = cached;
            }
            metrics.prompt_tokens += live.prompt_tokens as u64;
        }
        let stop_token = live.is_stop_token(token);
        let tokens_min = live.tokens_min;
        let state = &mut live.choices[choice];
        match state.last_token.replace(now) {
            None => metrics.time_to_first_token.observe(now - live.arrived),
            Some(last) => metrics.inter_token.observe(now - last),
        }
        state.first_token.get_or_insert(now);
        if state.push(token, logprobs, stop_token, tokens_min) {
            ended(live, choice, "stop", now, metrics);
            if live.ended() {
                self.engine.abort(request);
            }
        }
        touch(live, request, &mut self.touched);
    }

    fn finished(
        &mut self,
        request: RequestId,
        choice: usize,
        reason: FinishReason,
        cached_tokens: usize,
        now: Instant,
        metrics: &mut Metrics,
    ) {
        let Some(live) = self.live.get_mut(&request) else {
            return;
        };
        if live.choices[choice].ended {
            return;
        }
        let reason = match reason {
            FinishReason::Length => "length",
            _ => "stop",
        };
        live.choices[choice].finish(reason, cached_tokens);
        ended(live, choice, reason, now, metrics);
        touch(live, request, &mut self.touched);
    }

    /// The model failed the request's step: the choices that it had left are lost, too.
    fn lost(&mut self, request: RequestId, failure: Option<&str>, metrics: &mut Metrics) {
        if let Some(live) = self.remove(request) {
            self.engine.abort(request);
            metrics.finish("abort", live.open());
            let why = failure.unwrap_or("the engine gave the request up");
            live.cut(Cut::Model(why.to_owned()));
        }
    }

    fn remove(&mut self, request: RequestId) -> Option<Live> {
        let live = self.live.remove(&request)?;
        self.keys.remove(&live.key);
        Some(live)
    }

    /// One send for each choice that the step brought something.
    fn flush(&mut self, metrics: &mut Metrics) {
        let mut aborted = false;
        let mut touched = std::mem::take(&mut self.touched);
        for request in touched.drain(..) {
            let Some(live) = self.live.get_mut(&request) else {
                continue;
            };
            let sent = live.send();
            if sent.is_ok() && !live.ended() {
                continue;
            }
            let live = self.remove(request).expect("it was there a line above");
            let Err(unsent) = sent else {
                continue;
            };
            self.engine.abort(request);
            aborted = true;
            metrics.finish("abort", live.open());
            match unsent {
                Unsent::Gone => metrics.aborted += 1,
                Unsent::Full => {
                    metrics.slow_readers += 1;
                    let pieces_max = live.pieces_max();
                    live.cut(Cut::SlowReader { pieces_max });
                }
            }
        }
        self.touched = touched;
        if aborted {
            self.admission.taken(0, self.engine.gauges());
        }
    }
}

/// Remembers, once, that the step brought a request something.
fn touch(live: &mut Live, request: RequestId, touched: &mut Vec<RequestId>) {
    if !live.touched {
        live.touched = true;
        touched.push(request);
    }
}

/// Counts a choice that has ended.
fn ended(live: &Live, choice: usize, reason: &'static str, now: Instant, metrics: &mut Metrics) {
    let choice = &live.choices[choice];
    let decode = choice
        .first_token
        .map_or(Duration::ZERO, |first| now - first);
    metrics.finish(reason, 1);
    metrics.times(now - live.arrived, decode, choice.tokens);
}
