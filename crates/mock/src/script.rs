//! Which bytes leave when, for one request. Pure: nothing here knows a clock or a socket.

use crate::Fault;
use crate::completion::Completion;
use crate::config::nanos;
use crate::distort;
use crate::frames::{self, FrameKind};
use crate::paced::{Endless, Paced};
use crate::step::{Marks, Step, StepView};
use http1::Envelope;

/// The whole of an answer: its writes in order, and how the connection goes on after the last.
pub(crate) struct Script {
    pub(crate) body: Body,
    pub(crate) end: End,
}

pub(crate) enum Body {
    /// A regular stream, whose writes are made of the same few buffers however long it is.
    Paced(Paced),
    /// Every write by itself.
    Steps(Vec<Step>),
}

/// How the connection goes on after the last write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The next request may come.
    KeepAlive,
    /// Closed (FIN).
    Close,
    /// Closed, once the client has had the time to read the answer: what it still sends is dropped.
    Linger,
    /// Reset (RST).
    Reset,
    /// Nothing happens, until the client goes.
    Hang,
}

impl Script {
    /// One write at once.
    pub(crate) fn whole(bytes: Vec<u8>, envelope: &Envelope<'_>) -> Self {
        Self {
            body: Body::Steps(vec![step(0, bytes)]),
            end: after(envelope.close),
        }
    }

    /// No write at all.
    pub(crate) fn silent(end: End) -> Self {
        Self {
            body: Body::Steps(Vec::new()),
            end,
        }
    }

    /// Write number `index`; none after the last.
    pub(crate) fn step(&self, index: u64) -> Option<StepView<'_>> {
        match &self.body {
            Body::Paced(paced) => paced.step(index),
            Body::Steps(steps) => {
                let Step { at, bytes, marks } = steps.get(usize::try_from(index).ok()?)?;
                Some(StepView {
                    at: *at,
                    bytes,
                    marks: *marks,
                })
            }
        }
    }

    /// Bytes of memory that it takes.
    pub(crate) fn held(&self) -> usize {
        match &self.body {
            Body::Paced(paced) => paced.held(),
            Body::Steps(steps) => {
                let bytes = steps.iter().map(|step| step.bytes.capacity());
                bytes.sum::<usize>() + steps.capacity() * size_of::<Step>()
            }
        }
    }

    /// The answer to a completion request, faults of the stream included.
    pub(crate) fn of(completion: &Completion<'_>, envelope: &Envelope<'_>) -> Self {
        match (completion.fault, completion.stream) {
            (Some(Fault::Never), _) => Self::silent(End::Hang),
            (None | Some(Fault::Freeze { .. } | Fault::Stale), true) => {
                let per_write = completion.config.events_per_write;
                Self::paced(
                    Paced::plain(completion, envelope, per_write),
                    after(envelope.stream_ends_connection()),
                )
            }
            (Some(Fault::Coalesce(events)), true) => {
                let end = after(envelope.stream_ends_connection());
                Self::paced(Paced::plain(completion, envelope, *events), end)
            }
            (Some(Fault::EndlessTokens), true) => {
                Self::endless(completion, envelope, Endless::Tokens)
            }
            (Some(Fault::EndlessPings), true) => {
                Self::endless(completion, envelope, Endless::Pings)
            }
            (Some(Fault::EndlessLine), true) => Self::endless(completion, envelope, Endless::Line),
            (Some(fault), true) => Self::faulty_stream(completion, envelope, fault),
            (fault, false) => {
                let at = completion.token_at(completion.tokens.saturating_sub(1));
                let tokens = completion.tokens.saturating_mul(completion.choices);
                Self::in_one(at, &completion.body(), tokens, envelope, fault)
            }
        }
    }

    fn paced(paced: Paced, end: End) -> Self {
        Self {
            body: Body::Paced(paced),
            end,
        }
    }

    fn endless(completion: &Completion<'_>, envelope: &Envelope<'_>, what: Endless) -> Self {
        Self::paced(Paced::endless(completion, envelope, what), End::Hang)
    }

    /// Every frame a write of its own, so that a fault can alter any of them.
    fn faulty_stream(completion: &Completion<'_>, envelope: &Envelope<'_>, fault: &Fault) -> Self {
        let frames = distort::frames(fault, completion, frames::all(completion));
        let end = match fault {
            Fault::Reset(_) => End::Reset,
            Fault::Fin(_) => End::Close,
            Fault::Stall { span: None, .. } => End::Hang,
            _ => after(envelope.stream_ends_connection()),
        };
        let head_at = if completion.config.late_head {
            completion.token_at(0)
        } else {
            0
        };
        let mut steps = vec![step(head_at, envelope.stream_head(&[]))];
        steps.extend(frames.into_iter().map(|frame| {
            let mut bytes = Vec::with_capacity(frame.bytes.len() + 8);
            envelope.push(&mut bytes, &frame.bytes);
            let events = u32::from(frame.kind == FrameKind::Content);
            Step {
                at: frame.at,
                bytes,
                marks: Marks {
                    role: frame.kind == FrameKind::Role,
                    events,
                    tokens: frame.tokens,
                },
            }
        }));
        let unfinished = matches!(fault, Fault::Reset(_) | Fault::Fin(_)) || end == End::Hang;
        if !unfinished && let Some(last) = steps.last_mut() {
            last.bytes.extend_from_slice(envelope.stream_end());
        }
        Self {
            body: Body::Steps(distort::writes(fault, steps)),
            end,
        }
    }

    /// A body that is no stream, due at `at`, with `tokens` generated; faults included.
    pub(crate) fn in_one(
        at: u64,
        body: &[u8],
        tokens: u32,
        envelope: &Envelope<'_>,
        fault: Option<&Fault>,
    ) -> Self {
        let mut bytes = envelope.whole(200, "application/json", &[], body);
        let at = match fault {
            Some(Fault::AckComb(span)) => at.next_multiple_of(nanos(*span)),
            _ => at,
        };
        let half = bytes.len() / 2;
        let (end, rest) = match fault {
            Some(Fault::Never) => return Self::silent(End::Hang),
            Some(Fault::Reset(_)) => (Some(End::Reset), None),
            Some(Fault::Fin(_)) => (Some(End::Close), None),
            Some(Fault::Stall { span: None, .. }) => (Some(End::Hang), None),
            Some(Fault::Stall {
                span: Some(span), ..
            }) => {
                let later = at.saturating_add(nanos(*span));
                (None, Some(step(later, bytes.split_off(half))))
            }
            _ => (None, None),
        };
        if end.is_some() {
            bytes.truncate(half);
        }
        let mut steps = vec![step(at, bytes)];
        steps.extend(rest);
        if let (None, Some(last)) = (end, steps.last_mut()) {
            last.marks.tokens = tokens;
        }
        let steps = match fault {
            Some(fault) => distort::writes(fault, steps),
            None => steps,
        };
        Self {
            body: Body::Steps(steps),
            end: end.unwrap_or_else(|| after(envelope.close)),
        }
    }
}

/// How the connection goes on after a regular answer.
fn after(closes: bool) -> End {
    if closes { End::Close } else { End::KeepAlive }
}

fn step(at: u64, bytes: Vec<u8>) -> Step {
    Step {
        at,
        bytes,
        marks: Marks::default(),
    }
}

#[cfg(test)]
mod tests;
