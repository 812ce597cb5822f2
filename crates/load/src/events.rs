//! The events of a stream as a record keeps them.

use crate::stamps::ReadStamp;
use openai::{EventKind as WireKind, StreamEvent};
use trace::{Event, EventKind};

/// Those that were decoded, with no more memory than they take.
pub(crate) fn events(decoded: Vec<StreamEvent<ReadStamp>>) -> Vec<Event> {
    /// Beyond so many, two lists of them would be most of the memory.
    const MANY: usize = 1 << 16;
    let event = |event: StreamEvent<ReadStamp>| Event {
        kind: kind(event.kind),
        arrived: event.stamp.arrived,
        read: event.stamp.read,
        read_index: event.stamp.index,
        text_bytes: event.text_bytes,
        tokens: event.tokens,
        choice: event.choice,
    };
    // Collecting in place keeps the decoder's spare capacity, which is a waste with every record.
    let mut events = if decoded.len() > MANY {
        decoded.into_iter().map(event).collect()
    } else {
        let mut events = Vec::with_capacity(decoded.len());
        events.extend(decoded.into_iter().map(event));
        events
    };
    events.shrink_to_fit();
    events
}

fn kind(kind: WireKind) -> EventKind {
    match kind {
        WireKind::Empty => EventKind::Empty,
        WireKind::Content => EventKind::Content,
        WireKind::Reasoning => EventKind::Reasoning,
        WireKind::ToolCall => EventKind::ToolCall,
        WireKind::Usage => EventKind::Usage,
        WireKind::Done => EventKind::Done,
    }
}
