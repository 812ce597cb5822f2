//! How streams look with and without a gateway.

use super::latency::token_events;
use trace::Record;

/// How the streams of an arm look; means over its complete streams.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StreamShape {
    /// Token events.
    pub events: f64,
    /// Reads that brought them: fewer than events where some came together.
    pub reads: f64,
    /// From the first token event to the last, in milliseconds.
    pub spread_ms: f64,
}

impl StreamShape {
    /// Of the complete streams among these; `None` where there is none with a token.
    pub fn of(records: &[&Record]) -> Option<Self> {
        let mut sum = StreamShape {
            events: 0.0,
            reads: 0.0,
            spread_ms: 0.0,
        };
        let mut count = 0.0;
        for record in records.iter().filter(|record| record.outcome.is_complete()) {
            let events: Vec<_> = token_events(record).collect();
            let (Some(first), Some(last)) = (events.first(), events.last()) else {
                continue;
            };
            let mut reads: Vec<u32> = events.iter().map(|event| event.read_index).collect();
            reads.dedup();
            sum.events += events.len() as f64;
            sum.reads += reads.len() as f64;
            sum.spread_ms += (last.arrived - first.arrived).millis();
            count += 1.0;
        }
        (count > 0.0).then(|| StreamShape {
            events: sum.events / count,
            reads: sum.reads / count,
            spread_ms: sum.spread_ms / count,
        })
    }
}

/// What something in between does to streams, beside delaying them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamHarm {
    /// Tokens come all at once that were sent one after the other.
    Buffered,
    /// Events come together that were sent apart.
    Merged,
    /// Events are missing.
    Lost,
}

/// What was done to the streams; nothing where they look alike.
pub fn stream_harm(direct: StreamShape, through: StreamShape) -> Vec<StreamHarm> {
    /// Below this all tokens were sent at once anyway.
    const SPREAD_MIN_MS: f64 = 2.0;
    let mut found = Vec::new();
    if through.events < 0.99 * direct.events {
        found.push(StreamHarm::Lost);
    }
    if direct.spread_ms >= SPREAD_MIN_MS && through.spread_ms < 0.2 * direct.spread_ms {
        found.push(StreamHarm::Buffered);
    } else if through.reads / through.events < 0.8 * direct.reads / direct.events {
        found.push(StreamHarm::Merged);
    }
    found
}
