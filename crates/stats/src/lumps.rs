//! The token events of a choice, put together as they came: what one read brought is a lump.
//!
//! Inside a lump nothing is known of the time between tokens. From one lump to the next it is.

use crate::stream::TokenStream;
use trace::Nanos;

/// Reads that follow each other faster than this part of the mean gap are one lump in pieces: a proxy that
/// empties its buffer in several writes.
const TINY: f64 = 0.02;

/// Where this part of the gaps is as small, and not only one of a stream that is otherwise even.
const TINY_SHARE_MIN: f64 = 0.1;

/// Token events that came together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Lump {
    /// When the last of them was there.
    pub(crate) at: Nanos,
    /// How many.
    pub(crate) events: u64,
    /// Tokens in them, where they are known; else their events.
    pub(crate) tokens: u64,
    /// Bytes of their text.
    pub(crate) bytes: u64,
}

/// The lumps of a stream, in order; `counts` are the tokens of its events, one each where absent.
pub(crate) fn lumps(stream: &TokenStream, counts: Option<&[u64]>) -> Vec<Lump> {
    let mut reads: Vec<Lump> = Vec::with_capacity(stream.arrived.len());
    let mut last_read = None;
    for (index, &at) in stream.arrived.iter().enumerate() {
        let event = Lump {
            at,
            events: 1,
            tokens: counts.map_or(1, |counts| counts[index]),
            bytes: stream.bytes[index],
        };
        match reads.last_mut() {
            Some(lump) if last_read == Some(stream.reads[index]) => lump.take(event),
            _ => reads.push(event),
        }
        last_read = Some(stream.reads[index]);
    }
    joined(reads)
}

impl Lump {
    fn take(&mut self, next: Lump) {
        self.at = next.at;
        self.events += next.events;
        self.tokens += next.tokens;
        self.bytes += next.bytes;
    }
}

/// Puts reads together that are one lump in pieces.
fn joined(reads: Vec<Lump>) -> Vec<Lump> {
    let gaps = reads.len().saturating_sub(1);
    let (Some(first), Some(last)) = (reads.first(), reads.last()) else {
        return reads;
    };
    let limit = TINY * (last.at - first.at).millis() / gaps.max(1) as f64;
    let is_tiny = |before: &Lump, after: &Lump| (after.at - before.at).millis() < limit;
    let tiny = reads.windows(2).filter(|pair| is_tiny(&pair[0], &pair[1]));
    if (tiny.count() as f64) < TINY_SHARE_MIN * gaps as f64 || limit <= 0.0 {
        return reads;
    }
    let mut lumps: Vec<Lump> = Vec::with_capacity(reads.len());
    for read in reads {
        match lumps.last_mut() {
            Some(lump) if is_tiny(lump, &read) => lump.take(read),
            _ => lumps.push(read),
        }
    }
    lumps
}
