//! Regular streams, made of the same few buffers.

use crate::completion::{Completion, EventPlace};
use crate::step::{Marks, StepView};
use http1::Envelope;
use std::borrow::Cow;

/// Bytes of an endless line in one write.
const LINE_BYTES: usize = 16 * 1024;
/// Between the comments of an endless stream of them.
const PING_EVERY: u64 = 1_000_000;

/// A stream whose writes follow one another at a fixed span, or at times that were drawn. Between the first and the last they
/// are the same bytes, so that a stream costs the same memory however long it is, and an event
/// costs no allocation.
pub(crate) struct Paced {
    /// Written by itself at the start: the head, and an early role chunk.
    opening: Option<Vec<u8>>,
    first: Vec<u8>,
    middle: Vec<u8>,
    /// Unused where there is one write only.
    last: Vec<u8>,
    first_at: u64,
    every: Every,
    writes: u64,
    /// Content events in each write but the last.
    events_per_write: u32,
    events_in_last: u32,
    /// Tokens in the same.
    tokens_per_write: u32,
    tokens_in_last: u32,
    role: RolePlace,
}

/// When writes are due.
enum Every {
    /// Each so long after the one before.
    Span(u64),
    /// Each at its time.
    Times(Vec<u64>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum RolePlace {
    Opening,
    First,
    Nowhere,
}

/// What an endless stream consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endless {
    Tokens,
    Pings,
    Line,
}

impl Paced {
    /// A regular stream with `per_write` events of each choice in a write.
    pub(crate) fn plain(
        completion: &Completion<'_>,
        envelope: &Envelope<'_>,
        per_write: u32,
    ) -> Self {
        let tokens_per_event = completion.config.tokens_per_event;
        let events = completion.tokens.div_ceil(tokens_per_event);
        let per_write = per_write.min(events.max(1));
        let writes = events.div_ceil(per_write).max(1);
        let events_in_last = events - (writes - 1) * per_write;

        let event = pieces(
            envelope,
            completion.event_frames(tokens_per_event, EventPlace::MIDDLE),
        );
        let mut last = Vec::new();
        if let Some(whole_events) = events.checked_sub(1) {
            let is_first = whole_events == 0;
            let before = events_in_last - 1;
            if writes == 1 && !is_first {
                last.extend_from_slice(&first_event(completion, envelope, &event));
                last.extend(event.repeat(before as usize - 1));
            } else {
                last.extend(event.repeat(before as usize));
            }
            let rest = completion.tokens - whole_events * tokens_per_event;
            let place = EventPlace {
                is_first,
                is_last: true,
            };
            last.extend(pieces(envelope, completion.event_frames(rest, place)));
        }
        last.extend(pieces(envelope, completion.closing_frames()));
        last.extend_from_slice(envelope.stream_end());

        let (opening, mut first, role) = start(completion, envelope);
        let mut middle = Vec::new();
        if writes > 1 {
            middle = event.repeat(per_write as usize);
            first.extend_from_slice(&first_event(completion, envelope, &event));
            first.extend_from_slice(&middle[event.len()..]);
        } else {
            first.extend_from_slice(&last);
        }
        let tokens_per_write = u64::from(per_write) * u64::from(tokens_per_event);
        let before_last = tokens_per_write.saturating_mul(u64::from(writes) - 1);
        let tokens_in_last = u64::from(completion.tokens).saturating_sub(before_last);
        let of_all_choices = |tokens: u64| {
            let tokens = tokens.saturating_mul(u64::from(completion.choices));
            u32::try_from(tokens).unwrap_or(u32::MAX)
        };
        Self {
            opening,
            first,
            middle,
            last,
            first_at: completion.token_at(0),
            every: match completion.even_gap() {
                Some(gap) => Every::Span(gap.saturating_mul(tokens_per_write)),
                None => Every::Times(
                    (0..u64::from(writes))
                        .map(|write| {
                            let token = write.saturating_mul(tokens_per_write);
                            completion.token_at(u32::try_from(token).unwrap_or(u32::MAX))
                        })
                        .collect(),
                ),
            },
            writes: u64::from(writes),
            events_per_write: per_write.saturating_mul(completion.choices),
            events_in_last: events_in_last.saturating_mul(completion.choices),
            tokens_per_write: of_all_choices(tokens_per_write),
            tokens_in_last: of_all_choices(tokens_in_last),
            role,
        }
    }

    /// A stream that never ends.
    pub(crate) fn endless(
        completion: &Completion<'_>,
        envelope: &Envelope<'_>,
        what: Endless,
    ) -> Self {
        let (opening, mut first, role) = start(completion, envelope);
        // What never ends has no list of times.
        let itl = completion.even_gap().unwrap_or(PING_EVERY);
        let tokens_per_event = completion.config.tokens_per_event;
        let (middle, every, events) = match what {
            Endless::Tokens => (
                pieces(
                    envelope,
                    completion.event_frames(tokens_per_event, EventPlace::MIDDLE),
                ),
                itl.saturating_mul(u64::from(tokens_per_event)),
                completion.choices,
            ),
            Endless::Pings => (
                pieces(envelope, [b": ping\n\n".to_vec()].into_iter()),
                itl.max(PING_EVERY),
                0,
            ),
            Endless::Line => {
                envelope.push(&mut first, b"data: ");
                (
                    pieces(envelope, [vec![b'a'; LINE_BYTES]].into_iter()),
                    itl,
                    0,
                )
            }
        };
        match what {
            Endless::Tokens => first.extend_from_slice(&first_event(completion, envelope, &middle)),
            Endless::Pings | Endless::Line => first.extend_from_slice(&middle),
        }
        Self {
            opening,
            first,
            middle,
            last: Vec::new(),
            first_at: completion.token_at(0),
            every: Every::Span(every),
            writes: u64::MAX,
            events_per_write: events,
            events_in_last: 0,
            tokens_per_write: events.saturating_mul(tokens_per_event),
            tokens_in_last: 0,
            role,
        }
    }

    /// Bytes of memory that it takes.
    pub(crate) fn held(&self) -> usize {
        let opening = self.opening.as_ref().map_or(0, Vec::capacity);
        let writes = self.first.capacity() + self.middle.capacity() + self.last.capacity();
        let times = match &self.every {
            Every::Span(_) => 0,
            Every::Times(times) => times.capacity() * size_of::<u64>(),
        };
        opening + writes + times
    }

    /// Write number `index`; none after the last.
    pub(crate) fn step(&self, index: u64) -> Option<StepView<'_>> {
        let write = match (&self.opening, index) {
            (Some(opening), 0) => {
                let marks = Marks {
                    role: self.role == RolePlace::Opening,
                    ..Marks::default()
                };
                return Some(StepView {
                    at: 0,
                    bytes: opening,
                    marks,
                });
            }
            (Some(_), _) => index - 1,
            (None, _) => index,
        };
        if write >= self.writes {
            return None;
        }
        let is_last = write + 1 == self.writes;
        let bytes = match (write, is_last) {
            (0, _) => &self.first,
            (_, true) => &self.last,
            (_, false) => &self.middle,
        };
        let (events, tokens) = if is_last {
            (self.events_in_last, self.tokens_in_last)
        } else {
            (self.events_per_write, self.tokens_per_write)
        };
        let marks = Marks {
            role: write == 0 && self.role == RolePlace::First,
            events,
            tokens,
        };
        let at = match &self.every {
            Every::Span(span) => self.first_at.saturating_add(span.saturating_mul(write)),
            Every::Times(times) => {
                let time = usize::try_from(write)
                    .ok()
                    .and_then(|write| times.get(write));
                time.copied().unwrap_or(self.first_at)
            }
        };
        Some(StepView { at, bytes, marks })
    }
}

/// What stands in front of the first event: what leaves at once, what leaves with the event, and
/// which of them has the role chunk.
fn start(
    completion: &Completion<'_>,
    envelope: &Envelope<'_>,
) -> (Option<Vec<u8>>, Vec<u8>, RolePlace) {
    let mut opening = envelope.stream_head(&[]);
    let roles = || pieces(envelope, completion.role_frames());
    let first_at = completion.token_at(0);
    match completion.role_at() {
        // Everything is due at once: one write.
        role_at if first_at == 0 || completion.config.late_head => {
            if role_at.is_some() {
                opening.extend(roles());
            }
            let place = role_at.map_or(RolePlace::Nowhere, |_| RolePlace::First);
            (None, opening, place)
        }
        None => (Some(opening), Vec::new(), RolePlace::Nowhere),
        Some(0) => {
            opening.extend(roles());
            (Some(opening), Vec::new(), RolePlace::Opening)
        }
        Some(_) => (Some(opening), roles(), RolePlace::First),
    }
}

/// The first of several events: as the others, unless it names what is called.
fn first_event<'e>(
    completion: &Completion<'_>,
    envelope: &Envelope<'_>,
    other: &'e [u8],
) -> Cow<'e, [u8]> {
    if !completion.is_call() {
        return Cow::Borrowed(other);
    }
    let place = EventPlace {
        is_first: true,
        is_last: false,
    };
    Cow::Owned(pieces(
        envelope,
        completion.event_frames(completion.config.tokens_per_event, place),
    ))
}

fn pieces(envelope: &Envelope<'_>, frames: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut out = Vec::new();
    for frame in frames {
        envelope.push(&mut out, &frame);
    }
    out
}
