//! The latencies of a request that a gateway can add to.

use super::Turn;
use crate::RequestMetrics;
use crate::quantile::{quantile, sort};
use trace::{Event, Nanos, Record};

/// A latency of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddedLatency {
    /// Issued to the end of the body, or the last token event.
    EndToEnd,
    /// Due to the end: what a user saw who came on schedule.
    EndToEndFromDue,
    /// Issued to the first token event.
    FirstToken,
    /// Issued to the token events, on average: what each of them waits more is what is added per event.
    Event,
    /// Issued to `[DONE]`.
    StreamEnd,
}

/// Until when a latency counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Until the last byte was at this machine: the kernel's stamp, where it gives one.
    Arrived,
    /// Until the client had it: its read has returned. The time in which its thread is woken is in this and not in
    /// the other.
    Read,
}

impl AddedLatency {
    /// In milliseconds; `None` where the response has none, or did not succeed.
    pub fn of(self, record: &Record, seen: Seen) -> Option<f64> {
        let metrics = RequestMetrics::from_record(record)?;
        let (nanos, late) = match self {
            AddedLatency::EndToEnd => (metrics.e2e, woken_at_end(record)),
            AddedLatency::EndToEndFromDue => (metrics.e2e_from_due, woken_at_end(record)),
            AddedLatency::FirstToken => (metrics.ttft, token_events(record).next().map(woken)),
            AddedLatency::StreamEnd => (metrics.stream_end, Some(record.done_read - record.done)),
            AddedLatency::Event => return mean_event(record, seen),
        };
        match seen {
            Seen::Arrived => nanos.map(Nanos::millis),
            Seen::Read => Some((nanos? + late?).millis()),
        }
    }
}

/// From the arrival of an event to the return of the read that brought it.
fn woken(event: &Event) -> Nanos {
    event.read - event.arrived
}

/// The same of what ends `e2e`: a stream's last token event, otherwise the body.
fn woken_at_end(record: &Record) -> Option<Nanos> {
    if record.stream {
        token_events(record).last().map(woken)
    } else {
        Some(record.done_read - record.done)
    }
}

pub(super) fn token_events(record: &Record) -> impl Iterator<Item = &Event> {
    record.events.iter().filter(|event| event.kind.is_token())
}

fn mean_event(record: &Record, seen: Seen) -> Option<f64> {
    let until = |event: &Event| match seen {
        Seen::Arrived => event.arrived,
        Seen::Read => event.read,
    };
    let waits: Vec<f64> = token_events(record)
        .map(|event| (until(event) - record.began()).millis())
        .collect();
    (!waits.is_empty()).then(|| waits.iter().sum::<f64>() / waits.len() as f64)
}

/// The turns of three arms in which a latency is known in all; the arms are in the same order.
pub fn turns(
    direct: &[&Record],
    through: &[&Record],
    again: &[&Record],
    of: AddedLatency,
    seen: Seen,
) -> Vec<Turn> {
    let arms = direct.iter().zip(through).zip(again);
    arms.filter_map(|((direct, through), again)| {
        Some(Turn {
            direct: of.of(direct, seen)?,
            through: of.of(through, seen)?,
            again: of.of(again, seen)?,
        })
    })
    .collect()
}

/// p50 of what lies between the two [`Seen`] of the end of these records' answers, in milliseconds: how long the client's
/// thread took to be there. `None` where none is complete.
pub fn woken_p50<'a>(records: impl IntoIterator<Item = &'a Record>) -> Option<f64> {
    let complete = records
        .into_iter()
        .filter(|record| record.outcome.is_complete());
    let mut woken: Vec<f64> = complete
        .filter_map(|record| Some(woken_at_end(record)?.millis()))
        .collect();
    sort(&mut woken);
    quantile(&woken, 0.5)
}
