//! What comes in: clients, their bytes, their requests.

use super::Service;
use crate::circumstances::Circumstances;
use crate::config::nanos;
use crate::connection::{Awaits, Connection, Sends};
use crate::exchange::Exchange;
use crate::keys::FREEZE;
use crate::request::Request;
use crate::{Fault, MockError, clock, route};
use http1::{Body, Head, Limits, Method, Refusal, Share};
use nix::errno::Errno;
use nix::sys::epoll::{EpollEvent, EpollFlags};
use nix::sys::socket::{setsockopt, sockopt};
use std::net::TcpStream;

/// What comes in: clients, their bytes, their requests, and the end of their patience or ours.
impl Service<'_> {
    /// Takes a new client in: where there are as many as may be, in the place of the oldest of those beyond.
    pub(crate) fn adopt(&mut self, socket: TcpStream) -> Result<(), MockError> {
        socket
            .set_nonblocking(true)
            .map_err(MockError::system("making a socket non-blocking"))?;
        if let Some(bytes) = self.limits.send_buffer_bytes {
            // Where it is refused, the kernel buffers more.
            let _ = setsockopt(&socket, sockopt::SndBuf, &bytes);
        }
        let mut connection = Connection::new(socket, &self.limits, &self.budget);
        let guest = self.is_crowded();
        connection.guest = guest;
        let patience = if guest {
            self.limits.guest_head
        } else {
            self.limits.head
        };
        let key = self.connections.insert(connection);
        if guest {
            if self.guests.len() >= Limits::GUESTS_MAX
                && let Some(oldest) = self.guests.pop_front()
            {
                self.close(oldest);
            }
            self.guests.push_back(key);
        }
        let connection = self.connections.get(key).expect("it was just inserted");
        let due = clock::monotonic().saturating_add(nanos(patience));
        connection.expect_by(due, key, &mut self.deadlines);
        self.epoll
            .add(
                &connection.socket,
                EpollEvent::new(connection.interest, key),
            )
            .map_err(MockError::system("epoll_ctl"))
    }

    /// There are as many connections as may be, beside guests.
    fn is_crowded(&mut self) -> bool {
        let most = self.limits.connections_max;
        if self.connections.len() < most {
            return false;
        }
        let connections = &mut self.connections;
        self.guests
            .retain(|&guest| connections.get(guest).is_some());
        self.connections.len() - self.guests.len() >= most
    }

    /// Reads and resumes writing, as far as the socket is ready for it.
    pub(crate) fn socket_ready(&mut self, key: u64, ready: EpollFlags) -> Result<(), MockError> {
        let Some(connection) = self.connections.get(key) else {
            return Ok(());
        };
        if ready.contains(EpollFlags::EPOLLOUT) && connection.blocked {
            connection.blocked = false;
            connection.expect_nothing();
            connection.schedule(clock::monotonic(), key, &mut self.deadlines);
        }
        let gone = ready.intersects(EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR);
        if gone && connection.sends == Sends::NoMore {
            self.close(key);
        } else if gone || ready.contains(EpollFlags::EPOLLIN) {
            self.read(key);
        }
        self.watch(key)
    }

    fn read(&mut self, key: u64) {
        let Some(connection) = self.connections.get(key) else {
            return;
        };
        match connection.read(&mut self.reader, &mut self.buffer) {
            Ok([]) => self.half_closed(key),
            Ok(bytes) => {
                self.provider.stats.received_bytes += bytes.len() as u64;
                if connection.sends == Sends::Unread {
                    return;
                }
                match connection.received.push(bytes) {
                    Ok(()) => self.take_request(key),
                    Err(refusal) if connection.exchange.is_none() => self.refuse(key, &refusal),
                    // What it sent ahead cannot be kept.
                    Err(_) => self.close(key),
                }
            }
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            Err(_) => self.close(key),
        }
    }

    /// The client sends nothing more: it has gone, or only reads from now on. Both look the same until something is sent
    /// to it; whoever has gone answers that with a reset.
    fn half_closed(&mut self, key: u64) {
        let Some(connection) = self.connections.get(key) else {
            return;
        };
        connection.sends = Sends::NoMore;
        let stays = connection.exchange.as_ref().is_some_and(|exchange| {
            let asked = exchange.is_before_first_write() && connection.reads_interim;
            !exchange.hangs() && (!asked || connection.encourage())
        });
        if !stays {
            self.close(key);
        }
    }

    /// Looks whether the connection's patience has ended at `at`.
    pub(crate) fn review(&mut self, at: u64, key: u64) -> Result<(), MockError> {
        let Some(connection) = self.connections.get(key) else {
            return Ok(());
        };
        if connection.is_overdue(at, key, &mut self.deadlines) {
            if connection.exchange.is_none() && connection.head.is_some() {
                self.refuse(key, &Refusal::too_slow(self.limits.body));
            } else {
                self.close(key);
            }
        }
        self.watch(key)
    }

    /// Begins to answer what the connection has sent, if that is a whole request and none is being
    /// answered.
    pub(super) fn take_request(&mut self, key: u64) {
        let Some(connection) = self.connections.get(key).filter(|connection| {
            connection.exchange.is_none() && connection.sends != Sends::Unread
        }) else {
            return;
        };
        match next_request(connection, &self.limits) {
            Ok(Some((head, body))) => {
                connection.expect_nothing();
                self.answer(key, &head, body);
            }
            Ok(None) if connection.sends == Sends::NoMore => self.close(key),
            Ok(None) => self.await_rest(key),
            Err(refusal) => self.refuse(key, &refusal),
        }
    }

    /// Gives the client as long as it may take for what comes next.
    pub(super) fn await_rest(&mut self, key: u64) {
        let Some(connection) = self.connections.get(key) else {
            return;
        };
        let limits = &self.limits;
        let (what, patience) = match (&connection.head, connection.received.held()) {
            (Some(_), _) if connection.guest => (Awaits::Body, limits.guest_head),
            (Some(_), _) => (Awaits::Body, limits.body),
            (None, 0) => (Awaits::Request, limits.idle),
            (None, _) => (Awaits::Head, limits.head),
        };
        if connection.awaits(what) {
            let due = clock::monotonic().saturating_add(nanos(patience));
            connection.expect_by(due, key, &mut self.deadlines);
        }
    }

    fn answer(&mut self, key: u64, head: &Head, body: Body) {
        self.provider.keep_phase(self.started.elapsed());
        let Some(connection) = self.connections.get(key) else {
            return;
        };
        let sequence = self.provider.stats.requests;
        let circumstances = Circumstances {
            sequence,
            earlier_on_connection: connection.requests,
            created: clock::realtime() / 1_000_000_000,
            serving: self.provider.gauges.running,
            since_start: self.started.elapsed(),
        };
        let Body { bytes, mut share } = body;
        let request = Request { head, body: &bytes };
        let answer = self.provider.answer(&request, circumstances);
        if !share.set(answer.script.held()) {
            let refusal = Refusal::no_room(self.limits.held_bytes_max);
            return self.refuse(key, &refusal);
        }
        let served = answer.served;
        let log = served && self.truth.is_some();
        let id = head.request_id().map(str::to_owned);
        let id = log.then(|| id.unwrap_or_else(|| format!("mock-{sequence}")));
        let arrival = connection.arrival;
        if let (Some(Fault::Freeze { span, after }), None) = (&answer.freeze, self.freeze) {
            self.freeze = Some(*span);
            self.deadlines
                .push(arrival.kernel.saturating_add(nanos(*after)), FREEZE);
        }
        connection.exchange = Some(Exchange::new(answer, arrival, id, share));
        connection.reads_interim = head.is_1_1();
        connection.requests += 1;
        self.provider.stats.requests += u64::from(served);
        if served && self.is_full() {
            self.waiting.push_back(key);
            self.provider.gauges.waiting += 1;
        } else {
            self.start(key, arrival.kernel);
        }
    }

    /// Says what is wrong, and ends the connection.
    fn refuse(&mut self, key: u64, refusal: &Refusal) {
        let Some(connection) = self.connections.get(key) else {
            return;
        };
        // What was received goes first: others may need the room.
        connection.received.forget();
        connection.head = None;
        connection.expect_nothing();
        let (arrival, share) = (connection.arrival, Share::new(&self.budget));
        let exchange = Exchange::new(route::refuse(refusal), arrival, None, share);
        connection.exchange = Some(exchange);
        self.start(key, arrival.kernel);
    }

    /// Lets the client read its last answer before the connection ends.
    pub(super) fn linger(&mut self, key: u64) {
        let Some(connection) = self.connections.get(key) else {
            return;
        };
        connection.linger();
        let due = clock::monotonic().saturating_add(nanos(self.limits.linger));
        connection.expect_by(due, key, &mut self.deadlines);
        let exchange = connection.exchange.take();
        self.ended(exchange);
    }
}

/// The connection's next request, once all of it is there.
fn next_request(
    connection: &mut Connection,
    limits: &Limits,
) -> Result<Option<(Head, Body)>, Refusal> {
    if connection.head.is_none() {
        let Some(head) = connection.received.head()? else {
            return Ok(None);
        };
        if connection.guest && !matches!(head.method(), Method::Get | Method::Head) {
            return Err(Refusal::too_many_connections(limits.connections_max));
        }
        let expects = head.expects_continue();
        connection.head = Some(if connection.guest {
            head.into_last()
        } else {
            head
        });
        let body = connection.received.body()?;
        // Whoever sends already waits for no word. Where the client has gone, the next read says so.
        if body.is_none() && expects && connection.received.held() == 0 {
            connection.encourage();
        }
        return Ok(body.and_then(|body| Some((connection.head.take()?, body))));
    }
    let body = connection.received.body()?;
    Ok(body.and_then(|body| Some((connection.head.take()?, body))))
}
