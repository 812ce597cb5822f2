//! Drives the engine against the clock and stamps what leaves its steps.

use super::Mode;
use crate::failure::Failure;
use engine::{Engine, EngineEvent, EngineRequest, FinishReason, Model, RequestId, TokenId};
use load::Watch;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use trace::{
    Event, EventKind, Instrument, Nanos, Outcome, Record, RunFacts, RunId, StampSource, Usage,
};

/// The last stretch before a due time is waited out actively: a sleep is up to some ms late.
const ACTIVE: Duration = Duration::from_millis(3);

/// What one run left.
pub(super) struct RunLog {
    pub(super) records: Vec<Record>,
    pub(super) facts: RunFacts,
}

/// Makes the request of that number, as it is submitted.
type MakeRequest<'a> = dyn Fn(usize) -> Result<EngineRequest, Failure> + 'a;

/// An engine and a clock.
pub(super) struct Driver<M: Model> {
    engine: Engine<M>,
    keep_prefix_cache: bool,
    zero: Instant,
}

/// One run under way.
struct Run<'a> {
    id: RunId,
    first_id: u64,
    records: Vec<Record>,
    /// Requests of the engine to positions in `records`; finished ones have left it.
    open: HashMap<RequestId, usize>,
    text_bytes: &'a dyn Fn(TokenId) -> usize,
}

impl<M: Model> Driver<M> {
    pub(super) fn new(engine: Engine<M>, keep_prefix_cache: bool) -> Self {
        Driver {
            engine,
            keep_prefix_cache,
            zero: Instant::now(),
        }
    }

    fn now(&self) -> Nanos {
        Nanos(u64::try_from(self.zero.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// Runs one request for each of `due`, which ascends.
    pub(super) fn run(
        &mut self,
        mode: Mode,
        id: RunId,
        first_id: u64,
        due: &[Nanos],
        request: &MakeRequest<'_>,
        text_bytes: &dyn Fn(TokenId) -> usize,
    ) -> Result<RunLog, Failure> {
        if !self.keep_prefix_cache {
            self.engine.reset_prefix_cache();
        }
        let watch = Watch::start();
        let start = self.now();
        let mut run = Run {
            id,
            first_id,
            records: Vec::with_capacity(due.len()),
            open: HashMap::new(),
            text_bytes,
        };
        let mut events = Vec::new();
        let mut next = 0;
        while next < due.len() || self.engine.has_work() {
            while next < due.len() && self.may_come(mode, start + due[next]) {
                self.submit(&mut run, start + due[next], next, mode, request)?;
                next += 1;
            }
            if !self.engine.has_work() {
                self.wait_until(start + due[next]);
                continue;
            }
            let now = self.now();
            self.engine
                .step(now, &mut events)
                .map_err(|error| Failure::failed(error.to_string()))?;
            let left = self.now();
            for event in events.drain(..) {
                run.take(&event, left);
            }
        }
        let end = self.now();
        Ok(RunLog {
            facts: RunFacts {
                run: id,
                start,
                end,
                planned: due.len() as u64,
                interrupted: false,
                stamps: StampSource::User,
                instrument: own(&watch.finish(Vec::new())),
            },
            records: run.records,
        })
    }

    /// Whether a request due at `due` enters now.
    fn may_come(&self, mode: Mode, due: Nanos) -> bool {
        match mode {
            Mode::Naive => !self.engine.has_work(),
            Mode::Offline => true,
            Mode::Online => due <= self.now(),
        }
    }

    fn submit(
        &mut self,
        run: &mut Run<'_>,
        due: Nanos,
        index: usize,
        mode: Mode,
        request: &MakeRequest<'_>,
    ) -> Result<(), Failure> {
        let issued = self.now();
        let request = request(index)?;
        let prompt_tokens = request.prompt.len() as u64;
        let id = self
            .engine
            .submit(request, issued)
            .map_err(|refusal| Failure::usage(refusal.to_string()))?;
        run.open.insert(id, run.records.len());
        let due = if mode == Mode::Online { due } else { issued };
        run.records.push(Record {
            run: run.id,
            id: run.first_id + index as u64,
            due: due.min(issued),
            issued,
            connected: Some(issued),
            sent: Some(issued),
            first_byte: None,
            done: issued,
            done_read: issued,
            stream: true,
            events: Vec::new(),
            usage: Some(Usage {
                prompt_tokens: Some(prompt_tokens),
                ..Usage::default()
            }),
            finish_reason: None,
            outcome: Outcome::Cancelled,
            detail: None,
            status: None,
            retry_after_seconds: None,
            body_bytes: 0,
        });
        Ok(())
    }

    fn wait_until(&self, due: Nanos) {
        let missing = Duration::from_nanos(due.0.saturating_sub(self.now().0));
        std::thread::sleep(missing.saturating_sub(ACTIVE));
        while self.now() < due {
            std::hint::spin_loop();
        }
    }
}

impl Run<'_> {
    /// Stamps what left a step at `left`.
    fn take(&mut self, event: &EngineEvent, left: Nanos) {
        match *event {
            EngineEvent::Token { request, token, .. } => {
                let text_bytes = u32::try_from((self.text_bytes)(token)).unwrap_or(u32::MAX);
                let Some(record) = self.record(request) else {
                    return;
                };
                record.first_byte.get_or_insert(left);
                record.body_bytes += u64::from(text_bytes);
                let read_index = u32::try_from(record.events.len()).unwrap_or(u32::MAX);
                record.events.push(Event {
                    kind: EventKind::Content,
                    arrived: left,
                    read: left,
                    read_index,
                    text_bytes,
                    tokens: Some(1),
                    choice: 0,
                });
            }
            EngineEvent::Finished {
                request,
                reason,
                cached_tokens,
                ..
            } => {
                let Some(record) = self.record(request) else {
                    return;
                };
                let completion_tokens = record.events.len() as u64;
                if let Some(usage) = &mut record.usage {
                    usage.completion_tokens = Some(completion_tokens);
                    usage.cached_tokens = Some(cached_tokens as u64);
                }
                record.done = left;
                record.done_read = left;
                let (outcome, words) = match reason {
                    FinishReason::Stop => (Outcome::Complete, "stop"),
                    FinishReason::Length => (Outcome::Complete, "length"),
                    FinishReason::Abort => (Outcome::Truncated, "abort"),
                };
                record.outcome = outcome;
                record.finish_reason = Some(words.to_owned());
                self.open.remove(&request);
            }
            EngineEvent::Preempted { .. } => {}
        }
    }

    fn record(&mut self, request: RequestId) -> Option<&mut Record> {
        self.records.get_mut(*self.open.get(&request)?)
    }
}

/// There is no receiving thread here, and the engine may use every processor: what was seen of
/// them says nothing about the stamps.
fn own(instrument: &Instrument) -> Instrument {
    Instrument {
        canary_late_p50: None,
        canary_late_p99: None,
        canary_late_max: None,
        receiver_cpu: None,
        receiver_run_queue_wait: None,
        ..instrument.clone()
    }
}
