//! A TCP stream that stamps every read on receipt, before anybody parses it.

use crate::clock::{Clock, read as read_clock};
use crate::stamps::Stamps;
use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, TimestampingFlag, recvmsg, setsockopt, sockopt,
};
use nix::time::ClockId;
use std::cell::RefCell;
use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use trace::{Nanos, StampSource};

/// A kernel stamp older than this is not believed: the wall clock was stepped in between.
const PLAUSIBLE_LAG: Nanos = Nanos::from_millis(10_000);

/// Space for the kernel's stamp of a read, shared by all sockets of the receiving thread.
pub(crate) type Control = Rc<RefCell<Vec<u8>>>;

pub(crate) fn control() -> Control {
    Rc::new(RefCell::new(nix::cmsg_space!([i64; 6], [i64; 6])))
}

/// Asks the kernel to stamp what `socket` receives, and says who will do it.
pub(crate) fn stamp_source(socket: &impl AsFd) -> StampSource {
    let flags = TimestampingFlag::SOF_TIMESTAMPING_RX_SOFTWARE
        | TimestampingFlag::SOF_TIMESTAMPING_SOFTWARE;
    match setsockopt(socket, sockopt::Timestamping, &flags) {
        Ok(()) => StampSource::Kernel,
        Err(_) => StampSource::User,
    }
}

/// A connected TCP socket with `TCP_NODELAY` that notes each read and write.
pub struct StampedTcp {
    socket: TcpStream,
    control: Control,
    stamps: Rc<Stamps>,
}

impl StampedTcp {
    /// Takes over a connected socket.
    pub(crate) fn new(socket: TcpStream, control: Control, stamps: Rc<Stamps>) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        // Where the kernel refuses, reads carry no stamp and the user-space one is used.
        let _ = stamp_source(&socket);
        Ok(StampedTcp {
            socket,
            control,
            stamps,
        })
    }

    fn receive(&self, bytes: &mut [u8]) -> nix::Result<usize> {
        let mut control = self.control.borrow_mut();
        let mut slices = [IoSliceMut::new(bytes)];
        let message = recvmsg::<()>(
            self.socket.as_raw_fd(),
            &mut slices,
            Some(&mut control),
            MsgFlags::empty(),
        )?;
        let monotonic = Clock::Monotonic.now();
        if message.bytes == 0 {
            self.stamps.note_end(monotonic);
            return Ok(0);
        }
        let kernel = message.cmsgs()?.find_map(|control| match control {
            ControlMessageOwned::ScmTimestampsns(stamps) => Some(
                Nanos(u64::try_from(stamps.system.tv_sec()).ok()? * 1_000_000_000)
                    + Nanos(u64::try_from(stamps.system.tv_nsec()).ok()?),
            ),
            _ => None,
        });
        let lag = kernel
            .and_then(|kernel| lag_behind(kernel, read_clock(ClockId::CLOCK_REALTIME)))
            .unwrap_or(Nanos::ZERO);
        self.stamps.note_read(monotonic - lag, monotonic);
        Ok(message.bytes)
    }
}

/// How long before `now` the kernel stamped, both on the wall clock; `None` where the wall clock
/// was stepped in between, so that the difference means nothing.
fn lag_behind(kernel: Nanos, now: Nanos) -> Option<Nanos> {
    let plausible = kernel != Nanos::ZERO && kernel <= now && now - kernel < PLAUSIBLE_LAG;
    plausible.then(|| now - kernel)
}

impl AsyncRead for StampedTcp {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let me = self.get_mut();
        let want = buffer.remaining();
        if me.stamps.asks_socket() {
            match me.receive(buffer.initialize_unfilled()) {
                Ok(read) => {
                    buffer.advance(read);
                    return Poll::Ready(Ok(()));
                }
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
        loop {
            ready!(me.socket.poll_read_ready(cx))?;
            let mut outcome = Err(Errno::EAGAIN);
            // A short read emptied the socket. Saying "would block" then, as for an empty one,
            // spares the system call that would only learn so.
            let _ = me.socket.try_io(Interest::READABLE, || {
                outcome = me.receive(buffer.initialize_unfilled());
                match outcome {
                    Ok(read) if read == 0 || read == want => Ok(()),
                    Ok(_) | Err(Errno::EAGAIN) => Err(io::ErrorKind::WouldBlock.into()),
                    Err(_) => Ok(()),
                }
            });
            match outcome {
                Ok(read) => {
                    buffer.advance(read);
                    return Poll::Ready(Ok(()));
                }
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
    }
}

impl AsyncWrite for StampedTcp {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let me = self.get_mut();
        let outcome = Pin::new(&mut me.socket).poll_write(cx, bytes);
        if matches!(outcome, Poll::Ready(Ok(_))) {
            me.stamps.note_write(Clock::Monotonic.now());
        }
        outcome
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::lag_behind;
    use trace::Nanos;

    #[test]
    fn fault_30_a_wall_clock_stepped_by_an_hour_changes_no_stamp() {
        let kernel = Nanos::from_millis(10_000_000);
        let hour = Nanos::from_millis(3_600_000);
        assert_eq!(lag_behind(kernel, kernel + Nanos(700)), Some(Nanos(700)));
        assert_eq!(lag_behind(kernel, kernel + hour), None);
        assert_eq!(lag_behind(kernel, kernel - hour), None);
        assert_eq!(lag_behind(Nanos::ZERO, kernel), None);
    }
}
