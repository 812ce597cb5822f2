//! One client.

use crate::deadlines::Deadlines;
use crate::exchange::Exchange;
use crate::stamps::{Arrival, StampedReader};
use http1::{Budget, CONTINUE, Head, Limits, Receiver};
use nix::errno::Errno;
use nix::libc;
use nix::sys::epoll::EpollFlags;
use nix::sys::socket::{setsockopt, sockopt};
use std::io::Write as _;
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

/// It waits for nothing that has a limit.
const NEVER: u64 = u64::MAX;

/// What a client sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sends {
    /// Requests.
    Requests,
    /// What nobody looks at: its last answer is written.
    Unread,
    /// Nothing more; it may still read.
    NoMore,
}

/// What a connection waits for from its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Awaits {
    /// The first byte of another request.
    Request,
    /// The rest of a head; of the first request, all of it.
    Head,
    /// The rest of a body.
    Body,
}

/// One client: its socket, what it has sent and was not answered yet, and the request being
/// answered.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact that changes by itself"
)]
pub(crate) struct Connection {
    pub(crate) socket: TcpStream,
    pub(crate) received: Receiver,
    /// Of the request whose body is still to come.
    pub(crate) head: Option<Head>,
    pub(crate) exchange: Option<Exchange>,
    /// The socket is full, and `epoll` was asked to say when it is not.
    pub(crate) blocked: bool,
    pub(crate) sends: Sends,
    /// The client whose request is answered reads words before the answer: it is of HTTP/1.1.
    pub(crate) reads_interim: bool,
    /// It is one too many, and there for one question.
    pub(crate) guest: bool,
    /// What `epoll` looks for.
    pub(crate) interest: EpollFlags,
    /// It has an entry among the deadlines.
    pub(crate) scheduled: bool,
    /// Requests that were taken from it.
    pub(crate) requests: u64,
    /// Of the last bytes read.
    pub(crate) arrival: Arrival,
    /// The end of its patience: what it waits for must have come by then.
    due: u64,
    /// What that is.
    awaits: Option<Awaits>,
    /// When that is looked at next, at the latest.
    reviewed: u64,
}

impl Connection {
    pub(crate) fn new(socket: TcpStream, limits: &Limits, budget: &Arc<Budget>) -> Self {
        Self {
            socket,
            received: Receiver::new(limits, budget),
            head: None,
            exchange: None,
            blocked: false,
            sends: Sends::Requests,
            reads_interim: false,
            guest: false,
            interest: EpollFlags::EPOLLIN,
            scheduled: false,
            requests: 0,
            arrival: Arrival::default(),
            due: NEVER,
            awaits: Some(Awaits::Head),
            reviewed: NEVER,
        }
    }

    /// Reads once. Zero bytes are the end of what the client sends.
    pub(crate) fn read<'b>(
        &mut self,
        reader: &mut StampedReader,
        buffer: &'b mut [u8],
    ) -> Result<&'b [u8], Errno> {
        let (bytes, arrival) = reader.read(&self.socket, buffer)?;
        self.arrival = arrival;
        Ok(&buffer[..bytes])
    }

    /// What `epoll` is to look for from now on.
    pub(crate) fn wanted(&self) -> EpollFlags {
        let ahead = self.exchange.is_some() && self.received.held() >= Limits::AHEAD_MAX;
        let mut wanted = EpollFlags::empty();
        wanted.set(EpollFlags::EPOLLIN, self.sends != Sends::NoMore && !ahead);
        wanted.set(EpollFlags::EPOLLOUT, self.blocked);
        wanted
    }

    /// Tells a client that asks before it sends a body that it may. A socket that has no room for so little is that of a
    /// client that reads nothing, and it sends after a while unasked.
    ///
    /// False where the client has gone.
    pub(crate) fn encourage(&self) -> bool {
        match (&self.socket).write(CONTINUE) {
            Ok(count) => count == CONTINUE.len(),
            Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
        }
    }

    /// Ends our half; what the client still sends is dropped.
    pub(crate) fn linger(&mut self) {
        self.sends = Sends::Unread;
        self.received.forget();
        // A socket that cannot be shut down is at its end.
        let _ended = self.socket.shutdown(Shutdown::Write);
    }

    /// It must be done with what it waits for at `due`.
    pub(crate) fn expect_by(&mut self, due: u64, key: u64, deadlines: &mut Deadlines) {
        self.due = due;
        if due < self.reviewed {
            self.reviewed = due;
            deadlines.review(due, key);
        }
    }

    /// Notes what it waits for. True where that is news: more bytes of the same prolong nothing, nor do empty lines, after
    /// which there is as little of a head as before.
    pub(crate) fn awaits(&mut self, what: Awaits) -> bool {
        let news = match self.awaits {
            None => true,
            Some(Awaits::Head) => what == Awaits::Body,
            Some(before) => what != before,
        };
        if news {
            self.awaits = Some(what);
        }
        news
    }

    /// It waits for nothing that has a limit.
    pub(crate) fn expect_nothing(&mut self) {
        self.due = NEVER;
        self.awaits = None;
    }

    /// Its review at `at` has come. True where its patience has ended.
    pub(crate) fn is_overdue(&mut self, at: u64, key: u64, deadlines: &mut Deadlines) -> bool {
        if at != self.reviewed {
            // An earlier one took its place.
            return false;
        }
        self.reviewed = NEVER;
        if self.due <= at {
            return true;
        }
        if self.due != NEVER {
            self.expect_by(self.due, key, deadlines);
        }
        false
    }

    /// Enters it among the deadlines, unless it has an earlier entry: whoever finds that finds the
    /// reason for this one too.
    pub(crate) fn schedule(&mut self, at: u64, key: u64, deadlines: &mut Deadlines) {
        if !self.scheduled {
            self.scheduled = true;
            deadlines.push(at, key);
        }
    }

    /// Makes closing the socket reset the connection.
    pub(crate) fn reset_on_close(&self) {
        let at_once = libc::linger {
            l_onoff: 1,
            l_linger: 0,
        };
        // A socket that takes no options is reset already.
        let _reset = setsockopt(&self.socket, sockopt::Linger, &at_once);
    }
}
