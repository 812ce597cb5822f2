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
        done: Nanos(2),
        done_read: Nanos(2),
        stream: true,
        events: vec![event; events],
        outcome: Outcome::Complete,
        ..Record::begun(RunId::default(), 0, Nanos(0))
    }
}
