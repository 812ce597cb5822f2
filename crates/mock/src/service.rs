use crate::circumstances::Circumstances;
use crate::config::nanos;
use crate::connection::Connection;
use crate::connections::Connections;
use crate::deadlines::Deadlines;
use crate::exchange::{Exchange, Progress, Turn};
use crate::http::{self, Parsed};
use crate::provider::Provider;
use crate::route;
use crate::script::End;
use crate::stamps::StampedReader;
use crate::truth::TruthWriter;
use crate::{Fault, MockConfig, MockError, MockStats, Phase, clock};
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use std::collections::VecDeque;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

// Keys of what is no connection; those of connections are below 2^63.
pub(crate) const LISTENER: u64 = u64::MAX;
pub(crate) const STOP: u64 = u64::MAX - 1;
pub(crate) const TIMER: u64 = u64::MAX - 2;
pub(crate) const FREEZE: u64 = u64::MAX - 3;

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
    connections: Connections,
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
    ) -> Result<Self, MockError> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)
            .map_err(MockError::system("epoll_create1"))?;
        Ok(Self {
            provider: Provider::new(config, phases),
            epoll,
            deadlines: Deadlines::new()?,
            truth,
            reader,
            connections: Connections::default(),
            started: Instant::now(),
            waiting: VecDeque::new(),
            freeze: None,
        })
    }

    /// Takes a new client in.
    pub(crate) fn adopt(&mut self, socket: TcpStream) -> Result<(), MockError> {
        socket
            .set_nonblocking(true)
            .map_err(MockError::system("making a socket non-blocking"))?;
        let key = self.connections.insert(Connection::new(socket));
        let connection = self.connections.get(key).expect("it was just inserted");
        self.epoll
            .add(
                &connection.socket,
                EpollEvent::new(EpollFlags::EPOLLIN, key),
            )
            .map_err(MockError::system("epoll_ctl"))
    }

    /// Reads and resumes writing, as far as the socket is ready for it.
    pub(crate) fn socket_ready(&mut self, key: u64, ready: EpollFlags) -> Result<(), MockError> {
        let Some(connection) = self.connections.get(key) else {
            return Ok(());
        };
        if ready.contains(EpollFlags::EPOLLOUT) && connection.blocked {
            connection.blocked = false;
            let mut event = EpollEvent::new(EpollFlags::EPOLLIN, key);
            self.epoll
                .modify(&connection.socket, &mut event)
                .map_err(MockError::system("epoll_ctl"))?;
            connection.schedule(clock::monotonic(), key, &mut self.deadlines);
        }
        if ready.intersects(EpollFlags::EPOLLIN | EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR) {
            match connection.read(&mut self.reader) {
                Ok(bytes @ 1..) => {
                    self.provider.stats.received_bytes += bytes as u64;
                    self.take_request(key);
                }
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                Ok(0) | Err(_) => self.close(key),
            }
        }
        Ok(())
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
                let mut event = EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT, key);
                self.epoll
                    .modify(&connection.socket, &mut event)
                    .map_err(MockError::system("epoll_ctl"))?;
            }
            Progress::Played(End::Hang) => {}
            Progress::Played(End::KeepAlive) => self.next_request(key),
            Progress::Played(End::Reset) => {
                connection.reset_on_close();
                self.close(key);
            }
            Progress::Played(End::Close) | Progress::Gone => self.close(key),
        }
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

    /// Begins to answer what the connection has sent, if that is a whole request and none is being
    /// answered.
    fn take_request(&mut self, key: u64) {
        let since_start = self.started.elapsed();
        self.provider.keep_phase(since_start);
        let Some(connection) = self
            .connections
            .get(key)
            .filter(|connection| connection.exchange.is_none())
        else {
            return;
        };
        let sequence = self.provider.stats.requests;
        let circumstances = Circumstances {
            sequence,
            earlier_on_connection: connection.requests,
            created: clock::realtime() / 1_000_000_000,
            serving: self.provider.gauges.running,
            since_start,
        };
        let Some(bytes) = connection.unparsed() else {
            return;
        };
        let (answer, consumed, id) = match http::parse(bytes) {
            Ok(Parsed::Partial {
                at_least,
                awaits_word,
            }) => {
                if awaits_word {
                    connection.encourage();
                }
                return connection.wait_for(at_least);
            }
            Ok(Parsed::Whole { request, consumed }) => {
                let id = request
                    .id
                    .map(|id| String::from_utf8_lossy(id).into_owned());
                let answer = self.provider.answer(&request, circumstances);
                (answer, consumed, id)
            }
            Err(refused) => (route::refuse(&refused), bytes.len(), None),
        };
        let served = answer.served;
        let log = served && self.truth.is_some();
        let id = log.then(|| id.unwrap_or_else(|| format!("mock-{sequence}")));
        let arrival = connection.arrival;
        if let (Some(Fault::Freeze { span, after }), None) = (&answer.freeze, self.freeze) {
            self.freeze = Some(*span);
            self.deadlines
                .push(arrival.kernel.saturating_add(nanos(*after)), FREEZE);
        }
        connection.exchange = Some(Exchange::new(answer, arrival, id));
        connection.requests += 1;
        connection.consume(consumed);
        self.provider.stats.requests += u64::from(served);
        if served && self.is_full() {
            self.waiting.push_back(key);
            self.provider.gauges.waiting += 1;
        } else {
            self.start(key, arrival.kernel);
        }
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
        if connection.unparsed().is_some() {
            // Not at once: a client that sends a thousand requests ahead has no more turns than
            // others.
            connection.schedule(clock::monotonic(), key, &mut self.deadlines);
        }
        let exchange = connection.exchange.take();
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
