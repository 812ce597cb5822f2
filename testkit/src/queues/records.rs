//! What a client would have recorded of a simulated run.

use crate::INVOCATION;
use crate::queues::{Arrivals, Trip};
use std::collections::BTreeMap;
use trace::{
    Event, EventKind, Nanos, Outcome, PointInfo, Record, RunFacts, RunHeader, RunId,
    SCHEMA_VERSION, SavedRun, StampSource, Turn, Usage,
};

/// Users who think between their requests hold conversations of so many.
const TURNS: u32 = 5;

/// The run as its file would hold it, for the statistics. Of each answer the first and the last token are seen; where all
/// came at once it was no stream.
pub fn saved(trips: &[Trip], arrivals: Arrivals) -> SavedRun {
    let header = RunHeader {
        schema_version: SCHEMA_VERSION,
        invocation: INVOCATION,
        metadata: serde_json::Map::new(),
        points: vec![PointInfo {
            key: "1".to_owned(),
            pacing: arrivals.pacing(),
        }],
        slo: None,
        classes: Vec::new(),
        asked: None,
        subject: None,
    };
    let thinks = matches!(arrivals, Arrivals::Closed { think_seconds, .. } if think_seconds > 0.0);
    let mut held: BTreeMap<u32, Turn> = BTreeMap::new();
    let mut turn = |id: u64, user: u32| {
        let turn = held.entry(user).and_modify(|turn| turn.number += 1);
        let turn = turn.or_insert(Turn {
            session: id,
            number: 0,
        });
        if turn.number == TURNS {
            *turn = Turn {
                session: id,
                number: 0,
            };
        }
        *turn
    };
    let records: Vec<Record> = (0..)
        .zip(trips)
        .map(|(id, trip)| Record {
            turn: thinks.then(|| turn(id, trip.user)),
            ..record(id, trip)
        })
        .collect();
    let start = records.first().map(|record| record.issued);
    let end = records.iter().map(|record| record.done).max();
    let facts = RunFacts::new(
        RunId::default(),
        start.unwrap_or_default(),
        end.unwrap_or_default(),
        records.len() as u64,
        StampSource::Kernel,
    );
    SavedRun {
        header,
        facts: vec![facts],
        records,
    }
}

fn record(id: u64, trip: &Trip) -> Record {
    let event = |at: Nanos, read_index| Event {
        kind: EventKind::Content,
        arrived: at,
        read: at,
        read_index,
        text_bytes: 4,
        tokens: None,
        choice: 0,
    };
    let stream = trip.first < trip.done;
    let events = if stream {
        vec![event(trip.first, 0), event(trip.done, 1)]
    } else {
        Vec::new()
    };
    Record {
        due: trip.due,
        connected: Some(trip.issued),
        sent: Some(trip.issued),
        first_byte: Some(trip.first),
        done: trip.done,
        done_read: trip.done,
        stream,
        usage: Some(Usage {
            prompt_tokens: Some(10),
            completion_tokens: Some(2),
            ..Usage::default()
        }),
        events,
        finish_reason: Some("stop".to_owned()),
        outcome: Outcome::Complete,
        status: Some(200),
        ..Record::begun(RunId::default(), id, trip.issued)
    }
}
