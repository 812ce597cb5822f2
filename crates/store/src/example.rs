//! A record for the tests of this crate.

use trace::{Event, EventKind, Nanos, Outcome, Record, RunId};

/// A record of so many equal events, and little else.
pub(crate) fn record(events: usize) -> Record {
    let event = Event {
        kind: EventKind::Content,
        arrived: Nanos(1),
        read: Nanos(1),
        read_index: 0,
        text_bytes: 1,
        tokens: None,
        choice: 0,
    };
    Record {
        run: RunId::default(),
        id: 0,
        due: Nanos(0),
        issued: Nanos(0),
        connected: None,
        sent: None,
        first_byte: None,
        done: Nanos(2),
        done_read: Nanos(2),
        stream: true,
        events: vec![event; events],
        usage: None,
        finish_reason: None,
        outcome: Outcome::Complete,
        detail: None,
        status: None,
        retry_after_seconds: None,
        planned_tokens: None,
        max_tokens: None,
        class: 0,
        turn: None,
        vectors: None,
        gateway_overhead: None,
        body_bytes: 0,
    }
}
