//! What all requests of a client have in common.

use crate::clock::Clock;
use crate::connector::Connector;
use crate::deadline::Deadlines;
use crate::outbox::Outbox;
use crate::pool::Pool;
use std::cell::Cell;
use std::time::Duration;
use trace::Nanos;

/// What the requests in flight share.
pub(crate) struct Shared<C: Connector> {
    pub(crate) connector: C,
    pub(crate) clock: Clock,
    pub(crate) stream: bool,
    pub(crate) deadlines: Deadlines,
    pub(crate) outbox: Outbox,
    pub(crate) pool: Pool<C>,
    /// Connections that failed since the last one that was opened.
    pub(crate) refused_in_a_row: Cell<u64>,
}

impl<C: Connector> Shared<C> {
    pub(crate) fn note_connecting(&self, opened: bool) {
        let refused = self.refused_in_a_row.get() + 1;
        self.refused_in_a_row.set(if opened { 0 } else { refused });
    }

    /// From now until `moment`, for the runtime's timer.
    pub(crate) fn span_until(&self, moment: Nanos) -> Duration {
        Duration::from_nanos((moment - self.clock.now()).0)
    }
}
