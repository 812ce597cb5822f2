use crate::answer::Outcome;
use crate::circumstances::Circumstances;
use crate::config::nanos;
use crate::connection::Connection;
use crate::connections::Connections;
use crate::deadlines::Deadlines;
use crate::exchange::{Exchange, Progress, Turn};
use crate::http::{self, Parsed};
use crate::metrics;
use crate::route;
use crate::script::End;
use crate::stamps::StampedReader;
use crate::stats::Lateness;
use crate::truth::TruthWriter;
use crate::vectors::Vectors;
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
    /// What holds now.
    config: &'a MockConfig,
    /// What holds later, in order.
    phases: &'a [Phase],
    vectors: Vectors,
    pub(crate) epoll: Epoll,
    pub(crate) deadlines: Deadlines,
    pub(crate) truth: Option<TruthWriter>,
    reader: StampedReader,
    connections: Connections,
    /// Started exchanges of a model's work.
    serving: u32,
    started: Instant,
    /// Connections whose exchange waits for its turn. Those that are gone are passed over.
    waiting: VecDeque<u64>,
    /// Those of them that are not gone.
    waiting_count: u64,
    streams: u64,
    /// How long the one freeze takes, once it is sure to come.
    freeze: Option<Duration>,
    stats: MockStats,
    lateness: Lateness,
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
            config,
            phases,
            vectors: Vectors::default(),
            epoll,
            deadlines: Deadlines::new()?,
            truth,
            reader,
            connections: Connections::default(),
            serving: 0,
            started: Instant::now(),
            waiting: VecDeque::new(),
            waiting_count: 0,
            freeze: None,
            streams: 0,
            stats: MockStats::default(),
            lateness: Lateness::new(),
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
                    self.stats.received_bytes += bytes as u64;
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
            stats: &mut self.stats,
            lateness: &mut self.lateness,
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
        Ok(MockStats {
            lateness: self.lateness.summary(),
            ..self.stats
        })
    }

    /// Begins to answer what the connection has sent, if that is a whole request and none is being
    /// answered.
    fn take_request(&mut self, key: u64) {
        let sequence = self.stats.requests;
        let since_start = self.started.elapsed();
        self.keep_phase(since_start);
        let Some(connection) = self
            .connections
            .get(key)
            .filter(|connection| connection.exchange.is_none())
        else {
            return;
        };
        let circumstances = Circumstances {
            sequence,
            earlier_on_connection: connection.requests,
            created: clock::realtime() / 1_000_000_000,
            serving: self.serving,
            since_start,
        };
        let Some(bytes) = connection.unparsed() else {
            return;
        };
        let (answer, consumed, id) = match http::parse(bytes) {
            Ok(Parsed::Partial { at_least }) => return connection.wait_for(at_least),
            Ok(Parsed::Whole { request, consumed }) => {
                let id = request
                    .id
                    .map(|id| String::from_utf8_lossy(id).into_owned());
                let answer = if request.path == route::METRICS {
                    let gauges = metrics::Gauges {
                        running: u64::from(self.serving),
                        waiting: self.waiting_count,
                        streams: self.streams,
                    };
                    let (model, stats) = (&self.config.model, &self.stats);
                    route::metrics(&request, || {
                        metrics::text(model, gauges, stats, &self.lateness)
                    })
                } else {
                    route::answer(self.config, &mut self.vectors, &request, circumstances)
                };
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
        self.stats.requests += u64::from(served);
        if served && self.is_full() {
            self.waiting.push_back(key);
            self.waiting_count += 1;
        } else {
            self.start(key, arrival.kernel);
        }
    }

    /// Goes on to the phase that has begun, where there is one.
    fn keep_phase(&mut self, since_start: Duration) {
        while let Some((next, later)) = self.phases.split_first()
            && next.from <= since_start
        {
            self.config = &next.config;
            self.phases = later;
        }
    }

    fn is_full(&self) -> bool {
        self.config
            .max_concurrent
            .is_some_and(|most| self.serving >= most)
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
        self.serving += u32::from(exchange.is_served());
        self.stats.prompt_tokens += exchange.account().prompt_tokens;
        if exchange.is_stream() {
            self.streams += 1;
            self.stats.streams += 1;
            self.stats.concurrent_streams_peak =
                self.stats.concurrent_streams_peak.max(self.streams);
        }
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
        if exchange.is_started() {
            self.serving -= u32::from(exchange.is_served());
            self.streams -= u64::from(exchange.is_stream());
        } else {
            self.waiting_count -= u64::from(exchange.is_served());
        }
        self.count(&exchange);
        if let (Some(truth), Some(record)) = (&mut self.truth, exchange.into_truth()) {
            truth.push(record);
        }
        while !self.is_full()
            && let Some(key) = self.waiting.pop_front()
        {
            let begun = self.start(key, clock::monotonic());
            self.waiting_count -= u64::from(begun);
        }
    }

    /// How a model's work ended.
    fn count(&mut self, exchange: &Exchange) {
        if !exchange.is_served() {
            return;
        }
        let (account, stats) = (exchange.account(), &mut self.stats);
        match account.outcome {
            Outcome::Refused => stats.refused += 1,
            Outcome::Fault => stats.faults += 1,
            Outcome::Complete if !exchange.is_played() => stats.aborted += 1,
            Outcome::Complete => {
                stats.complete += 1;
                let ended = if account.limited {
                    &mut stats.limited
                } else {
                    &mut stats.stopped
                };
                *ended += u64::from(account.choices);
            }
        }
    }
}
