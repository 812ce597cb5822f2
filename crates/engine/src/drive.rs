use crate::{CostModel, Engine, EngineEvent, EngineRequest, Model, ModelError, Refusal, RequestId};
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

/// A request, and when it is due.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrival {
    /// On the clock of [`drive`]; ascending.
    pub due: Nanos,
    /// What is asked.
    pub request: EngineRequest,
}

/// The stamps of one request, taken when its events leave a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DrivenRequest {
    /// When it was due; offline: when it was submitted.
    pub due: Nanos,
    /// When it was submitted.
    pub submitted: Nanos,
    /// When its first token left a step.
    pub first: Option<Nanos>,
    /// When its last choice was complete.
    pub finished: Option<Nanos>,
    /// Tokens of all its choices.
    pub tokens: usize,
    /// Why it was not taken.
    pub refusal: Option<Refusal>,
}

/// The clock of [`drive`]: it says the time; with a due time it first waits for it, or jumps to it.
pub trait DriveClock<M>: FnMut(&mut M, Option<Nanos>) -> Nanos {}

impl<M, F: FnMut(&mut M, Option<Nanos>) -> Nanos> DriveClock<M> for F {}

/// The clock of a [`CostModel`]: its own virtual time.
pub fn virtual_clock(model: &mut CostModel, wait_until: Option<Nanos>) -> Nanos {
    if let Some(due) = wait_until {
        model.wait_until(due);
    }
    model.elapsed()
}

/// Runs all requests to their end through an idle engine, and gives the stamps of each, in their order. One loop for
/// all modes: they differ in when the next request may come.
///
/// `on_event` gets the index of the request, each event, and the time at which it left its step.
pub fn drive<M: Model>(
    engine: &mut Engine<M>,
    arrivals: Vec<Arrival>,
    mode: DriveMode,
    mut clock: impl DriveClock<M>,
    mut on_event: impl FnMut(usize, &EngineEvent, Nanos),
) -> Result<Vec<DrivenRequest>, ModelError> {
    let mut drive = Drive {
        requests: Vec::with_capacity(arrivals.len()),
        taken: Vec::with_capacity(arrivals.len()),
    };
    let mut arrivals = arrivals.into_iter().peekable();
    let mut events = Vec::new();
    loop {
        let now = clock(engine.model_mut(), None);
        let idle = !engine.has_work();
        if let Some(next) = arrivals.next_if(|next| match mode {
            DriveMode::Naive => idle && next.due <= now,
            DriveMode::Offline => true,
            DriveMode::Online => next.due <= now,
        }) {
            drive.submit(engine, next, mode, now);
        } else if !idle {
            let step = engine.step(now, &mut events);
            let left = clock(engine.model_mut(), None);
            for event in events.drain(..) {
                drive.stamp(&event, left, &mut on_event);
            }
            step?;
        } else if let Some(next) = arrivals.peek() {
            clock(engine.model_mut(), Some(next.due));
        } else {
            return Ok(drive.requests);
        }
    }
}

struct Drive {
    requests: Vec<DrivenRequest>,
    /// What the engine took, ascending, with the index of the request and its choices that are not complete.
    taken: Vec<(RequestId, usize, usize)>,
}

impl Drive {
    fn submit<M: Model>(
        &mut self,
        engine: &mut Engine<M>,
        Arrival { due, request }: Arrival,
        mode: DriveMode,
        now: Nanos,
    ) {
        let index = self.requests.len();
        let choices = request.params.n.max(1);
        let mut driven = DrivenRequest {
            due: if mode == DriveMode::Offline { now } else { due },
            submitted: now,
            ..DrivenRequest::default()
        };
        match engine.submit(request, now) {
            Ok(id) => self.taken.push((id, index, choices)),
            Err(refusal) => driven.refusal = Some(refusal),
        }
        self.requests.push(driven);
    }

    fn stamp(
        &mut self,
        event: &EngineEvent,
        left: Nanos,
        on_event: &mut impl FnMut(usize, &EngineEvent, Nanos),
    ) {
        let (EngineEvent::Token { request, .. }
        | EngineEvent::Finished { request, .. }
        | EngineEvent::Preempted { request, .. }) = event;
        let Ok(place) = self.taken.binary_search_by_key(request, |taken| taken.0) else {
            return;
        };
        let (_, index, open) = &mut self.taken[place];
        let driven = &mut self.requests[*index];
        match event {
            EngineEvent::Token { .. } => {
                driven.first.get_or_insert(left);
                driven.tokens += 1;
            }
            EngineEvent::Finished { .. } => {
                *open -= 1;
                if *open == 0 {
                    driven.finished = Some(left);
                }
            }
            EngineEvent::Preempted { .. } => {}
        }
        on_event(*index, event, left);
    }
}
