//! Drives an engine through a list of requests.

use crate::{Engine, EngineEvent, EngineRequest, Model, ModelError, Refusal, RequestId};
use std::collections::HashMap;
use trace::Nanos;

/// How requests get to an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriveMode {
    /// One after the other, none before it is due: the baseline.
    Naive,
    /// All at once; when they are due does not count.
    Offline,
    /// Each when it is due, while others run.
    Online,
}

impl DriveMode {
    /// `naive`, `offline` or `online`.
    pub const fn name(self) -> &'static str {
        match self {
            DriveMode::Naive => "naive",
            DriveMode::Offline => "offline",
            DriveMode::Online => "online",
        }
    }

    /// Offline, nobody waits for a single request: it is throughput that counts.
    pub const fn measures_latency(self) -> bool {
        !matches!(self, DriveMode::Offline)
    }
}

/// The other side of [`drive`]: a clock, requests, and who is told what becomes of them.
pub trait Host<M> {
    /// What ends a drive early.
    type Error: From<ModelError>;

    /// The time.
    fn now(&mut self, model: &mut M) -> Nanos;

    /// Waits until that time, or jumps to it.
    fn wait_until(&mut self, model: &mut M, due: Nanos);

    /// Makes the request of that number; it is submitted right after.
    fn request(&mut self, index: usize) -> Result<EngineRequest, Self::Error>;

    /// A request was submitted.
    fn submitted(&mut self, submission: Submission) -> Result<(), Self::Error>;

    /// Whether to end before all is done; what runs is then left as it is.
    fn stopped(&mut self) -> bool {
        false
    }

    /// An event of the request of that number left a step at `left`.
    fn event(&mut self, index: usize, event: &EngineEvent, left: Nanos);
}

/// A request on its way into an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// Which one, in the order of their due times.
    pub index: usize,
    /// When the host began to make it.
    pub at: Nanos,
    /// Tokens of its prompt.
    pub prompt_tokens: usize,
    /// Why it was not taken, where it was not.
    pub refusal: Option<Refusal>,
}

/// Runs one request for each of `due`, which ascends, to its end through an idle engine. One loop for all modes: they
/// differ in when the next request may come.
pub fn drive<M: Model, H: Host<M>>(
    engine: &mut Engine<M>,
    due: &[Nanos],
    mode: DriveMode,
    host: &mut H,
) -> Result<(), H::Error> {
    // What runs: its number, and its choices that are not complete.
    let mut open: HashMap<RequestId, (usize, usize)> = HashMap::new();
    let mut events = Vec::new();
    let mut next = 0;
    while !host.stopped() {
        let now = host.now(engine.model_mut());
        let idle = !engine.has_work();
        let comes = due.get(next).filter(|due| match mode {
            DriveMode::Naive => idle && **due <= now,
            DriveMode::Offline => true,
            DriveMode::Online => **due <= now,
        });
        if comes.is_some() {
            submit(engine, host, &mut open, next, now)?;
            next += 1;
        } else if !idle {
            let step = engine.step(now, &mut events);
            let left = host.now(engine.model_mut());
            for event in events.drain(..) {
                hand_on(host, &mut open, &event, left);
            }
            step?;
        } else if let Some(due) = due.get(next) {
            host.wait_until(engine.model_mut(), *due);
        } else {
            break;
        }
    }
    Ok(())
}

fn submit<M: Model, H: Host<M>>(
    engine: &mut Engine<M>,
    host: &mut H,
    open: &mut HashMap<RequestId, (usize, usize)>,
    index: usize,
    at: Nanos,
) -> Result<(), H::Error> {
    let request = host.request(index)?;
    let (prompt_tokens, choices) = (request.prompt.len(), request.params.n.max(1));
    let refusal = match engine.submit(request, at) {
        Ok(id) => {
            open.insert(id, (index, choices));
            None
        }
        Err(refusal) => Some(refusal),
    };
    host.submitted(Submission {
        index,
        at,
        prompt_tokens,
        refusal,
    })
}

/// Forgets a request with its last choice, so that the cost of an event does not grow with those that are finished.
fn hand_on<M, H: Host<M>>(
    host: &mut H,
    open: &mut HashMap<RequestId, (usize, usize)>,
    event: &EngineEvent,
    left: Nanos,
) {
    let (EngineEvent::Token { request, .. }
    | EngineEvent::Finished { request, .. }
    | EngineEvent::Preempted { request, .. }) = event;
    let Some((index, choices)) = open.get_mut(request) else {
        return;
    };
    host.event(*index, event, left);
    if matches!(event, EngineEvent::Finished { .. }) {
        *choices -= 1;
        if *choices == 0 {
            open.remove(request);
        }
    }
}
