//! What decoding tells receiving of a request that goes on.

use crate::stamps::ReadStamp;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use trace::Nanos;

/// What the decoding thread lets the receiving one know of a request that goes on.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// The body is kept until the end, for what it says.
    keeps: bool,
    decoded_bytes: AtomicU64,
    last_token: AtomicU64,
    done: AtomicU64,
    finished: AtomicU64,
    worthless: AtomicBool,
}

impl Progress {
    /// Of a response whose text is wanted.
    pub(crate) fn keeping(keeps: bool) -> Self {
        Self {
            keeps,
            ..Self::default()
        }
    }

    /// Whether the body is kept until the end.
    pub(crate) const fn keeps(&self) -> bool {
        self.keeps
    }

    /// So much more of the body is decoded; what it held is noted before.
    pub(crate) fn note_decoded(&self, bytes: usize) {
        self.decoded_bytes
            .fetch_add(bytes as u64, Ordering::Release);
    }

    /// Bytes of body that are decoded.
    pub(crate) fn decoded_bytes(&self) -> u64 {
        self.decoded_bytes.load(Ordering::Acquire)
    }

    /// The arrival of the latest token event decoded so far.
    pub(crate) fn last_token(&self) -> Option<Nanos> {
        moment(&self.last_token)
    }

    pub(crate) fn note_token(&self, arrived: Nanos) {
        self.last_token.store(arrived.0.max(1), Ordering::Release);
    }

    /// When `[DONE]` came, or what stands for it.
    pub(crate) fn done(&self) -> Option<Nanos> {
        moment(&self.done)
    }

    /// When every choice had its finish reason, and no token came after.
    pub(crate) fn finished(&self) -> Option<Nanos> {
        moment(&self.finished)
    }

    pub(crate) fn note_ends(&self, done: Option<ReadStamp>, finished: Option<ReadStamp>) {
        let nanos = |stamp: Option<ReadStamp>| stamp.map_or(0, |stamp| stamp.read.0.max(1));
        self.done.store(nanos(done), Ordering::Release);
        self.finished.store(nanos(finished), Ordering::Release);
    }

    /// Whether the rest of the response need not be received.
    pub(crate) fn is_worthless(&self) -> bool {
        self.worthless.load(Ordering::Acquire)
    }

    pub(crate) fn note_worthless(&self) {
        self.worthless.store(true, Ordering::Release);
    }
}

fn moment(cell: &AtomicU64) -> Option<Nanos> {
    match cell.load(Ordering::Acquire) {
        0 => None,
        nanos => Some(Nanos(nanos)),
    }
}
