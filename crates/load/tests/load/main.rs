//! The client against scripted servers: in virtual time over pipes, and over real sockets.

mod bytes;
mod closing;
mod deadlines;
mod ending;
mod exact;
mod heard;
mod labels;
mod open_bodies;
mod pacing;
mod pooled;
mod prompts;
mod reuse;
mod sessions;
mod sockets;
mod status;
mod teardown;

use trace::{Nanos, Outcome, Record};

/// Whole milliseconds, as scripts have them.
const fn ms(millis: u64) -> Nanos {
    Nanos::from_millis(millis)
}

fn outcomes(records: &[Record]) -> Vec<Outcome> {
    records.iter().map(|record| record.outcome).collect()
}

fn detail(record: &Record) -> &str {
    record.detail.as_deref().unwrap_or_default()
}
