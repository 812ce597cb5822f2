//! Idle connections, and whether the server can be trusted to keep them.

use crate::channel::Channel;
use crate::connector::Connector;
use std::cell::{Cell, RefCell};
use trace::Nanos;

/// A server that closes a connection this soon after an answer keeps none, whatever its headers say. Those
/// that do keep them wait for two seconds (gunicorn) to some minutes.
const CLOSED_AT_ONCE: Nanos = Nanos::from_millis(1000);

/// Of so many connections that served again one may have been closed at once, as by a process that is
/// replaced after a number of requests; above that, connections are not used again.
const SERVED_PER_CLOSED: u64 = 100;

/// The connections to one server that wait for a request.
pub(crate) struct Pool<C: Connector> {
    keep_alive: bool,
    idle: RefCell<Vec<(Channel<C>, Nanos)>>,
    /// Requests that got an answer on a connection which had served before.
    served_again: Cell<u64>,
    /// Connections that the server closed right after an answer.
    closed_at_once: Cell<u64>,
    given_up: Cell<bool>,
}

impl<C: Connector> Pool<C> {
    /// An empty one. Without `keep_alive` it stays so.
    pub(crate) fn new(keep_alive: bool) -> Self {
        Self {
            keep_alive,
            idle: RefCell::default(),
            served_again: Cell::default(),
            closed_at_once: Cell::default(),
            given_up: Cell::default(),
        }
    }

    /// Whether connections are used again.
    pub(crate) fn reuses(&self) -> bool {
        self.keep_alive && !self.is_given_up()
    }

    /// Whether the server was seen closing connections that it had promised to keep, and none is used again since.
    pub(crate) fn is_given_up(&self) -> bool {
        self.given_up.get()
    }

    /// A connection that the server has not closed meanwhile, and since when it is idle.
    pub(crate) fn take(&self, now: Nanos) -> Option<(Channel<C>, Nanos)> {
        loop {
            let (mut channel, since) = self.idle.borrow_mut().pop()?;
            if channel.is_idle() {
                return Some((channel, since));
            }
            self.note_closed(&channel, since, now);
        }
    }

    /// Keeps a connection for the next request, where connections are used again.
    pub(crate) fn give_back(&self, channel: Channel<C>, now: Nanos) {
        if self.reuses() {
            self.idle.borrow_mut().push((channel, now));
        }
    }

    /// How many are idle and still open.
    pub(crate) fn count(&self) -> usize {
        let mut idle = self.idle.borrow_mut();
        idle.retain_mut(|(channel, _)| channel.is_idle());
        idle.len()
    }

    /// A connection that had served before served once more.
    pub(crate) fn note_served_again(&self) {
        self.served_again.set(self.served_again.get() + 1);
    }

    /// The server closed a connection that was idle since then.
    pub(crate) fn note_closed(&self, channel: &Channel<C>, since: Nanos, now: Nanos) {
        if channel.has_served() && now - since < CLOSED_AT_ONCE {
            self.closed_at_once.set(self.closed_at_once.get() + 1);
        }
        if self.closed_at_once.get() * SERVED_PER_CLOSED > self.served_again.get() {
            self.given_up.set(true);
            self.idle.borrow_mut().clear();
        }
    }
}
