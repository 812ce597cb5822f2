use super::Turn;
use crate::RequestMetrics;
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

impl AddedLatency {
    /// In milliseconds; `None` where the response has none, or did not succeed.
    pub fn of(self, record: &Record) -> Option<f64> {
        let metrics = RequestMetrics::from_record(record)?;
        let nanos = match self {
            AddedLatency::EndToEnd => metrics.e2e,
            AddedLatency::EndToEndFromDue => metrics.e2e_from_due,
            AddedLatency::FirstToken => metrics.ttft,
            AddedLatency::StreamEnd => metrics.stream_end,
            AddedLatency::Event => return mean_event(record),
        };
        nanos.map(Nanos::millis)
    }
}

pub(super) fn token_events(record: &Record) -> impl Iterator<Item = &Event> {
    record.events.iter().filter(|event| event.kind.is_token())
}

fn mean_event(record: &Record) -> Option<f64> {
    let waits: Vec<f64> = token_events(record)
        .map(|event| (event.arrived - record.began()).millis())
        .collect();
    (!waits.is_empty()).then(|| waits.iter().sum::<f64>() / waits.len() as f64)
}

/// The turns of three arms in which a latency is known in all; the arms are in the same order.
pub fn turns(
    direct: &[&Record],
    through: &[&Record],
    again: &[&Record],
    of: AddedLatency,
) -> Vec<Turn> {
    let arms = direct.iter().zip(through).zip(again);
    arms.filter_map(|((direct, through), again)| {
        Some(Turn {
            direct: of.of(direct)?,
            through: of.of(through)?,
            again: of.of(again)?,
        })
    })
    .collect()
}
