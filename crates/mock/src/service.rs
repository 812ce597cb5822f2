//! Serves all connections of the event loop.

use crate::config::nanos;
use crate::connection::Sends;
use crate::connections::Connections;
use crate::deadlines::Deadlines;
use crate::exchange::{Exchange, Progress, Turn};
use crate::provider::Provider;
use crate::script::End;
use crate::stamps::StampedReader;
use crate::truth::TruthWriter;
use crate::{MockConfig, MockError, MockStats, Phase, clock};
use http1::{Budget, Limits};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent};
use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

mod intake;

/// Bytes of one read.
const READ_BYTES: usize = 64 << 10;

/// Writes of one connection before others have theirs.
const WRITES_PER_CONNECTION: u32 = 16;

/// Everything about the connections: requests in, writes out, who waits for what.
///
/// A connection with a started exchange is in `deadlines`, once, or blocked on a full socket, or
/// hangs by its script.
pub(crate) struct Service<'a> {
    provider: Provider<'a>,
    pub(crate) epoll: Epoll,
    pub(crate) deadlines: Deadlines,
    pub(crate) truth: Option<TruthWriter>,
    reader: StampedReader,
    /// What was read, until its connection has it.
    buffer: Vec<u8>,
    limits: Limits,
    /// Of all connections.
    budget: Arc<Budget>,
    connections: Connections,
    /// Those beyond as many as may be, the oldest first; some of them are gone.
    guests: VecDeque<u64>,
    started: Instant,
    /// Connections whose exchange waits for its turn. Those that are gone are passed over.
    waiting: VecDeque<u64>,
    /// How long the one freeze takes, once it is sure to come.
    freeze: Option<Duration>,
}

impl<'a> Service<'a> {
    pub(crate) fn new(
        config: &'a MockConfig,
        phases: &'a [Phase],
        reader: StampedReader,
        truth: Option<TruthWriter>,
        limits: Limits,
    ) -> Result<Self, MockError> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)
            .map_err(MockError::system("epoll_create1"))?;
        Ok(Self {
            provider: Provider::new(config, phases),
            epoll,
            deadlines: Deadlines::new()?,
            truth,
            reader,
            buffer: vec![0; READ_BYTES],
            limits,
            budget: Budget::new(limits.held_bytes_max),
            connections: Connections::default(),
            guests: VecDeque::new(),
            started: Instant::now(),
            waiting: VecDeque::new(),
            freeze: None,
        })
    }

    /// Makes `epoll` look for what the connection waits for.
    pub(super) fn watch(&mut self, key: u64) -> Result<(), MockError> {
        let Some(connection) = self.connections.get(key) else {
            return Ok(());
        };
        let wanted = connection.wanted();
        if wanted == connection.interest {
            return Ok(());
        }
        connection.interest = wanted;
        self.epoll
            .modify(&connection.socket, &mut EpollEvent::new(wanted, key))
            .map_err(MockError::system("epoll_ctl"))
    }

    /// Does what is due on a connection; returns how many writes that took.
    pub(crate) fn advance(&mut self, key: u64) -> Result<u32, MockError> {
        let Some(connection) = self.connections.get(key) else {
            return Ok(0);
        };
        connection.scheduled = false;
        let Some(exchange) = &mut connection.exchange else {
            self.take_request(key);
            return Ok(0);
        };
        if !exchange.is_started() {
            return Ok(0);
        }
        let mut turn = Turn {
            writes: WRITES_PER_CONNECTION,
            stats: &mut self.provider.stats,
            lateness: &mut self.provider.lateness,
        };
        let progress = exchange.advance(&connection.socket, &mut turn);
        let writes = WRITES_PER_CONNECTION - turn.writes;
        match progress {
            Progress::Until(at) => connection.schedule(at, key, &mut self.deadlines),
            Progress::Blocked => {
                connection.blocked = true;
                let due = clock::monotonic().saturating_add(nanos(self.limits.write_stall));
                connection.expect_by(due, key, &mut self.deadlines);
            }
            Progress::Played(End::Hang) => {}
            Progress::Played(End::KeepAlive) => self.next_request(key),
            Progress::Played(End::Reset) => {
                connection.reset_on_close();
                self.close(key);
            }
            Progress::Played(End::Linger) if connection.sends != Sends::NoMore => self.linger(key),
            Progress::Played(End::Close | End::Linger) | Progress::Gone => self.close(key),
        }
        self.watch(key)?;
        Ok(writes)
    }

    /// Stops everything for the span of [`Fault::Freeze`].
    pub(crate) fn freeze(&self) {
        if let Some(span) = self.freeze {
            thread::sleep(span);
        }
    }

    /// Drops every connection and completes the truth log.
    pub(crate) fn finish(mut self) -> Result<MockStats, MockError> {
        if let Some(mut truth) = self.truth {
            let exchanges = self
                .connections
                .drain()
                .filter_map(|connection| connection.exchange);
            exchanges
                .filter_map(Exchange::into_truth)
                .for_each(|record| truth.push(record));
            truth.finish()?;
        }
        Ok(self.provider.into_stats())
    }

    fn is_full(&self) -> bool {
        let most = self.provider.config().max_concurrent;
        most.is_some_and(|most| self.provider.gauges.running >= most)
    }

    /// Service of the connection's exchange begins, if it did not yet; whether it does.
    fn start(&mut self, key: u64, at: u64) -> bool {
        let Some(connection) = self.connections.get(key) else {
            return false;
        };
        let Some(exchange) = connection
            .exchange
            .as_mut()
            .filter(|exchange| !exchange.is_started())
        else {
            return false;
        };
        exchange.start(at);
        self.provider.begin(exchange);
        connection.schedule(at, key, &mut self.deadlines);
        true
    }

    /// The connection's response is written; another request may be there already.
    fn next_request(&mut self, key: u64) {
        let Some(connection) = self.connections.get(key) else {
            return;
        };
        let exchange = connection.exchange.take();
        if connection.received.held() > 0 {
            // Not at once: a client that sends a thousand requests ahead has no more turns than
            // others.
            connection.schedule(clock::monotonic(), key, &mut self.deadlines);
        } else if connection.sends == Sends::NoMore {
            self.close(key);
        } else {
            self.await_rest(key);
        }
        self.ended(exchange);
    }

    fn close(&mut self, key: u64) {
        if let Some(connection) = self.connections.remove(key) {
            self.ended(connection.exchange);
        }
    }

    fn ended(&mut self, exchange: Option<Exchange>) {
        let Some(exchange) = exchange else { return };
        self.provider.end(&exchange);
        if let (Some(truth), Some(record)) = (&mut self.truth, exchange.into_truth()) {
            truth.push(record);
        }
        while !self.is_full()
            && let Some(key) = self.waiting.pop_front()
        {
            let begun = self.start(key, clock::monotonic());
            self.provider.gauges.waiting -= u32::from(begun);
        }
    }
}
