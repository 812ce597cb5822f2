//! The bytes of one client.

use http1::{CONTINUE, Limits, Receiver, Refusal};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncWriteExt, Interest};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

/// Bytes of one read.
const READ_BYTES: usize = 8 << 10;
/// Bytes that are read and dropped behind a refusal, at most.
const LINGER_BYTES: usize = 64 << 20;

/// The connection has ended; nobody is there to be told why.
#[derive(Debug)]
pub(crate) struct Ended;

impl From<io::Error> for Ended {
    fn from(_: io::Error) -> Self {
        Ended
    }
}

/// Why there is no request.
pub(crate) enum NoRequest {
    Ended,
    Refused(Refusal),
}

impl From<Ended> for NoRequest {
    fn from(_: Ended) -> Self {
        NoRequest::Ended
    }
}

impl From<Refusal> for NoRequest {
    fn from(refusal: Refusal) -> Self {
        NoRequest::Refused(refusal)
    }
}

/// One client: its socket, and what it has sent.
pub(crate) struct Client {
    stream: TcpStream,
    pub(crate) received: Receiver,
    write_stall: Duration,
    /// It sends nothing more. Whether it still reads is not known from that.
    half_closed: bool,
}

impl Client {
    pub(crate) fn new(stream: TcpStream, received: Receiver, write_stall: Duration) -> Self {
        Client {
            stream,
            received,
            write_stall,
            half_closed: false,
        }
    }

    /// Takes what comes; at least one byte.
    pub(crate) async fn read(&mut self) -> Result<(), NoRequest> {
        loop {
            self.stream.readable().await.map_err(Ended::from)?;
            if let Some(count) = self.take()? {
                return if count == 0 {
                    Err(NoRequest::Ended)
                } else {
                    Ok(())
                };
            }
        }
    }

    /// Takes what is there, if anything is; zero bytes are the end of what the client sends. The buffer is no part of a
    /// future, which would be as large for every connection, and be cleared whenever it is polled anew.
    fn take(&mut self) -> Result<Option<usize>, NoRequest> {
        let mut bytes = [0; READ_BYTES];
        match self.stream.try_read(&mut bytes) {
            Ok(count) => {
                self.received.push(&bytes[..count])?;
                Ok(Some(count))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(_) => Err(NoRequest::Ended),
        }
    }

    /// Sends all of it; a client that takes nothing for too long is given up.
    pub(crate) async fn write(&self, bytes: &[u8]) -> Result<(), Ended> {
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.stream.try_write(rest) {
                Ok(count) => rest = &rest[count..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let writable = timeout(self.write_stall, self.stream.writable());
                    writable.await.map_err(|_| Ended)??;
                }
                Err(_) => return Err(Ended),
            }
        }
        Ok(())
    }

    /// Waits until the client goes away. What it sends ahead is kept, up to a limit.
    ///
    /// A client that closes its half of the connection has either gone or only has nothing more to send; both look the
    /// same until something is sent to it. So `probe` is sent, which whoever still reads passes over: whoever has gone
    /// answers with a reset. Without a probe the answer itself shows it.
    pub(crate) async fn gone(&mut self, probe: Option<&[u8]>) {
        while !self.half_closed && self.received.held() < Limits::AHEAD_MAX {
            if self.stream.readable().await.is_err() {
                return;
            }
            match self.take() {
                Ok(Some(0)) => {
                    self.half_closed = true;
                    if probe.is_some_and(|probe| !self.probed(probe)) {
                        return;
                    }
                }
                Ok(_) => {}
                // What it sent ahead cannot be kept, or it is gone.
                Err(_) => return,
            }
        }
        // Of a client that sends too much ahead, the end is noticed when a write fails.
        let _ = self.stream.ready(Interest::ERROR).await;
    }

    /// False where the client has gone.
    fn probed(&self, probe: &[u8]) -> bool {
        match self.stream.try_write(probe) {
            // Half of it would spoil what follows; so little room has only a client that does not read.
            Ok(count) => count == probe.len(),
            // What waits to be sent shows it as well.
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        }
    }

    /// Reads and drops what the client still sends, so that it reads the answer before the end.
    pub(crate) async fn linger(&mut self, limit: Duration) {
        self.received.forget();
        let _ = self.stream.shutdown().await;
        let drain = async {
            let mut dropped = 0;
            while dropped < LINGER_BYTES && self.stream.readable().await.is_ok() {
                match self.take() {
                    Ok(Some(count @ 1..)) => dropped += count,
                    Ok(None) => {}
                    Ok(Some(_)) | Err(_) => break,
                }
                self.received.forget();
            }
        };
        let _ = timeout(limit, drain).await;
    }
}

/// The probe of a client whose answer has not begun.
pub(crate) fn probe(is_1_1: bool) -> Option<&'static [u8]> {
    is_1_1.then_some(CONTINUE)
}

/// Waits until the server ends.
pub(crate) async fn closed(closing: &mut watch::Receiver<bool>) {
    // A guard of the value must not live across an await of the caller.
    let _ = closing.wait_for(|closing| *closing).await;
}
