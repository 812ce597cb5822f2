//! Drives the engine against the clock and stamps what leaves its steps.

use crate::failure::Failure;
use engine::{
    DriveMode, Engine, EngineEvent, EngineRequest, FinishReason, Host, Model, Submission, TokenId,
};
use load::Watch;
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

/// An engine and a clock.
pub(super) struct Driver<M: Model> {
    engine: Engine<M>,
    keep_prefix_cache: bool,
    clock: Clock,
}

/// What a run is made of.
pub(super) struct Asked<'a> {
    pub(super) id: RunId,
    pub(super) first_id: u64,
    /// When each request is due, from the run's start on, ascending.
    pub(super) due: &'a [Nanos],
    /// Makes the request of that number, as it is submitted.
    pub(super) request: &'a dyn Fn(usize) -> Result<EngineRequest, Failure>,
    /// The user has had enough.
    pub(super) stopped: &'a dyn Fn() -> bool,
    /// Bytes of a token's text.
    pub(super) text_bytes: &'a dyn Fn(TokenId) -> usize,
}

impl<M: Model> Driver<M> {
    pub(super) fn new(engine: Engine<M>, keep_prefix_cache: bool) -> Self {
        Driver {
            engine,
            keep_prefix_cache,
            clock: Clock {
                zero: Instant::now(),
            },
        }
    }

    /// Runs all requests, or until it is to stop: what was not done by then is cancelled.
    pub(super) fn run(&mut self, mode: DriveMode, asked: &Asked<'_>) -> Result<RunLog, Failure> {
        if !self.keep_prefix_cache {
            self.engine.reset_prefix_cache();
        }
        let watch = Watch::start();
        let start = self.clock.now();
        let due: Vec<Nanos> = asked.due.iter().map(|due| start + *due).collect();
        let mut run = Run {
            asked,
            clock: self.clock,
            // Only online does a request's wait begin before it is submitted.
            due: (mode == DriveMode::Online).then_some(due.as_slice()),
            records: Vec::with_capacity(due.len()),
        };
        engine::drive(&mut self.engine, &due, mode, &mut run)?;
        Ok(RunLog {
            facts: RunFacts {
                interrupted: (asked.stopped)(),
                instrument: own(&watch.finish(Vec::new())),
                ..RunFacts::new(
                    asked.id,
                    start,
                    self.clock.now(),
                    due.len() as u64,
                    StampSource::User,
                )
            },
            records: run.records,
        })
    }
}

/// Time since the program began to measure.
#[derive(Clone, Copy)]
struct Clock {
    zero: Instant,
}

impl Clock {
    fn now(self) -> Nanos {
        Nanos(u64::try_from(self.zero.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    fn wait_until(self, due: Nanos) {
        let missing = Duration::from_nanos(due.0.saturating_sub(self.now().0));
        std::thread::sleep(missing.saturating_sub(ACTIVE));
        while self.now() < due {
            std::hint::spin_loop();
        }
    }
}

/// One run under way: a record for each request.
struct Run<'a> {
    asked: &'a Asked<'a>,
    clock: Clock,
    due: Option<&'a [Nanos]>,
    records: Vec<Record>,
}

impl<M> Host<M> for Run<'_> {
    type Error = Failure;

    fn now(&mut self, _: &mut M) -> Nanos {
        self.clock.now()
    }

    fn wait_until(&mut self, _: &mut M, due: Nanos) {
        self.clock.wait_until(due);
    }

    fn request(&mut self, index: usize) -> Result<EngineRequest, Failure> {
        (self.asked.request)(index)
    }

    fn submitted(&mut self, submission: Submission) -> Result<(), Failure> {
        if let Some(refusal) = submission.refusal {
            return Err(Failure::usage(refusal.to_string()));
        }
        let issued = submission.at;
        let due = self.due.map_or(issued, |due| due[submission.index]);
        let id = self.asked.first_id + submission.index as u64;
        self.records.push(Record {
            due,
            connected: Some(issued),
            sent: Some(issued),
            stream: true,
            usage: Some(Usage {
                prompt_tokens: Some(submission.prompt_tokens as u64),
                ..Usage::default()
            }),
            ..Record::begun(self.asked.id, id, issued)
        });
        Ok(())
    }

    fn stopped(&mut self) -> bool {
        (self.asked.stopped)()
    }

    fn event(&mut self, index: usize, event: &EngineEvent, left: Nanos) {
        let record = &mut self.records[index];
        match *event {
            EngineEvent::Token { token, .. } => {
                let text_bytes = (self.asked.text_bytes)(token);
                record.first_byte.get_or_insert(left);
                record.body_bytes += text_bytes as u64;
                record.events.push(Event {
                    kind: EventKind::Content,
                    arrived: left,
                    read: left,
                    read_index: u32::try_from(record.events.len()).unwrap_or(u32::MAX),
                    text_bytes: u32::try_from(text_bytes).unwrap_or(u32::MAX),
                    tokens: Some(1),
                    choice: 0,
                });
            }
            EngineEvent::Finished {
                reason,
                cached_tokens,
                ..
            } => {
                if let Some(usage) = &mut record.usage {
                    usage.completion_tokens = Some(record.events.len() as u64);
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
            }
            EngineEvent::Preempted { .. } => {}
        }
    }
}

/// There is no receiving thread here, and the engine may use every processor: what was seen of it and of idle timers
/// says nothing about the stamps. How long the engine's own thread waited for a processor does.
fn own(instrument: &Instrument) -> Instrument {
    Instrument {
        canary_late_p50: None,
        canary_late_p99: None,
        canary_late_max: None,
        receiver_cpu: None,
        seconds: Vec::new(),
        ..instrument.clone()
    }
}
