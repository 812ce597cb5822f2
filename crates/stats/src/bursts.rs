//! Batches: requests that begin together.

use trace::{Pacing, Record};

/// Requests that share a fate: those of a batch begin together, and wait for each other. Elsewhere
/// each request is a batch of its own.
pub(crate) fn batch_size(pacing: Pacing) -> usize {
    match pacing {
        Pacing::Burst { size } => size.max(1) as usize,
        Pacing::Closed { .. } | Pacing::Open { .. } => 1,
    }
}

/// The batches of a burst, from records in the order of release: each begins when all of the
/// batch before are done.
pub(crate) fn batches<'a, 'b>(
    size: usize,
    records: &'b [&'a Record],
) -> std::slice::Chunks<'b, &'a Record> {
    records.chunks(size)
}
