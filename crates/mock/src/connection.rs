use crate::deadlines::Deadlines;
use crate::exchange::Exchange;
use crate::http::{BODY_LIMIT, HEAD_LIMIT};
use crate::stamps::{Arrival, StampedReader};
use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{setsockopt, sockopt};
use std::io::Write as _;
use std::net::TcpStream;

/// Room for a request to begin with.
const ROOM: usize = 4 * 1024;
/// Room for the largest request there can be; chunks may double a body that is sent in single
/// bytes.
const ROOM_MAX: usize = HEAD_LIMIT + 2 * BODY_LIMIT;

/// One client: its socket, what it has sent and was not answered yet, and the request being
/// answered.
pub(crate) struct Connection {
    pub(crate) socket: TcpStream,
    pub(crate) exchange: Option<Exchange>,
    /// The socket is full, and `epoll` was asked to say when it is not.
    pub(crate) blocked: bool,
    /// It has an entry among the deadlines.
    pub(crate) scheduled: bool,
    /// Requests that were taken from it.
    pub(crate) requests: u64,
    /// Of the last bytes read.
    pub(crate) arrival: Arrival,
    buffer: Vec<u8>,
    filled: usize,
    /// Bytes of `buffer` without which there can be no request.
    at_least: usize,
}

impl Connection {
    pub(crate) fn new(socket: TcpStream) -> Self {
        Self {
            socket,
            exchange: None,
            blocked: false,
            scheduled: false,
            requests: 0,
            arrival: Arrival::default(),
            buffer: vec![0; ROOM],
            filled: 0,
            at_least: 1,
        }
    }

    /// Reads once. Zero bytes are the end of what the client sends.
    pub(crate) fn read(&mut self, reader: &mut StampedReader) -> Result<usize, Errno> {
        if self.filled == self.buffer.len() {
            let room = self.at_least.max(2 * self.buffer.len()).min(ROOM_MAX);
            if room == self.filled {
                return Err(Errno::EMSGSIZE);
            }
            self.buffer.resize(room, 0);
        }
        let (bytes, arrival) = reader.read(&self.socket, &mut self.buffer[self.filled..])?;
        self.filled += bytes;
        self.arrival = arrival;
        Ok(bytes)
    }

    /// The bytes that wait to be parsed; none while it would be vain.
    pub(crate) fn unparsed(&self) -> Option<&[u8]> {
        (self.filled >= self.at_least).then(|| &self.buffer[..self.filled])
    }

    /// Parsing is vain before there are so many bytes.
    pub(crate) fn wait_for(&mut self, at_least: usize) {
        self.at_least = at_least;
    }

    /// Tells a client that asks before it sends a body that it may. A socket that has no room for so little is that of a
    /// client that reads nothing, and it sends after a while unasked.
    pub(crate) fn encourage(&self) {
        let _sent = (&self.socket).write(b"HTTP/1.1 100 Continue\r\n\r\n");
    }

    /// Removes a request that was taken.
    pub(crate) fn consume(&mut self, bytes: usize) {
        self.buffer.copy_within(bytes..self.filled, 0);
        self.filled -= bytes;
        self.at_least = 1;
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
