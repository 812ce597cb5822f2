//! Sockets and deadlines, on one thread.

use crate::deadlines::Due;
use crate::keys::{FREEZE, LISTENER, STOP, TIMER};
use crate::service::Service;
use crate::stamps::StampedReader;
use crate::truth::TruthWriter;
use crate::{MockConfig, MockError, MockStats, Phase, StopSignal, clock};
use http1::Limits;
use nix::errno::Errno;
use nix::sys::epoll::{EpollEvent, EpollFlags, EpollTimeout};
use std::io;
use std::net::TcpListener;
use std::time::Duration;

/// Writes between two looks at the sockets.
const WRITES_PER_TURN: u32 = 64;
/// Connections taken between two looks at the deadlines.
const ACCEPTS_PER_TURN: usize = 32;
/// How long no connection is taken after the file descriptors ran out.
const ACCEPT_PAUSE: u64 = 10_000_000;
/// With nothing to do for so long, the truth log is written.
const QUIET: Duration = Duration::from_millis(20);

/// One thread's loop: who is due, and who is ready.
pub(crate) struct EventLoop<'a> {
    listener: &'a TcpListener,
    service: Service<'a>,
}

impl<'a> EventLoop<'a> {
    pub(crate) fn new(
        (config, phases): (&'a MockConfig, &'a [Phase]),
        listener: &'a TcpListener,
        reader: StampedReader,
        truth: Option<TruthWriter>,
        limits: Limits,
        stop: &StopSignal,
    ) -> Result<Self, MockError> {
        let service = Service::new(config, phases, reader, truth, limits)?;
        // Edges only of the timer, so that it needs no reading; the stop signal stays ready for
        // ever.
        let edge = EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, TIMER);
        let level = |key| EpollEvent::new(EpollFlags::EPOLLIN, key);
        let epoll = &service.epoll;
        epoll
            .add(&service.deadlines.timer, edge)
            .and_then(|()| epoll.add(stop.event(), level(STOP)))
            .and_then(|()| epoll.add(listener, level(LISTENER)))
            .map_err(MockError::system("epoll_ctl"))?;
        Ok(Self { listener, service })
    }

    /// Serves until the stop signal.
    pub(crate) fn run(mut self) -> Result<MockStats, MockError> {
        let mut ready = [EpollEvent::empty(); 256];
        let mut stopped = false;
        while !stopped {
            self.write_due()?;
            let count = self.wait(&mut ready)?;
            for event in &ready[..count] {
                match event.data() {
                    LISTENER => self.accept()?,
                    STOP => stopped = true,
                    TIMER => {}
                    key => self.service.socket_ready(key, event.events())?,
                }
            }
        }
        self.service.finish()
    }

    fn write_due(&mut self) -> Result<(), MockError> {
        let mut left = WRITES_PER_TURN;
        while left > 0 {
            let Some(due) = self.service.deadlines.pop_due() else {
                break;
            };
            let writes = match due {
                Due::Review(at, key) => {
                    self.service.review(at, key)?;
                    1
                }
                Due::Write(FREEZE) => {
                    self.service.freeze();
                    1
                }
                Due::Write(LISTENER) => {
                    self.listen(EpollFlags::EPOLLIN)?;
                    1
                }
                Due::Write(key) => self.service.advance(key)?,
            };
            // What writes nothing took time too.
            left = left.saturating_sub(writes.max(1));
        }
        Ok(())
    }

    fn wait(&mut self, ready: &mut [EpollEvent]) -> Result<usize, MockError> {
        let Service {
            epoll,
            deadlines,
            truth,
            ..
        } = &mut self.service;
        let unwritten = truth
            .as_mut()
            .filter(|truth| deadlines.is_empty() && truth.is_pending());
        let timeout = match unwritten {
            Some(_) => EpollTimeout::try_from(QUIET).expect("20 ms are a time-out"),
            None => deadlines.timeout()?,
        };
        match (epoll.wait(ready, timeout), unwritten) {
            (Ok(0), Some(truth)) => {
                truth.hand_over();
                Ok(0)
            }
            (Ok(count), _) => Ok(count),
            (Err(Errno::EINTR), _) => Ok(0),
            (Err(error), _) => Err(MockError::system("epoll_wait")(error)),
        }
    }

    fn accept(&mut self) -> Result<(), MockError> {
        for _ in 0..ACCEPTS_PER_TURN {
            match self.listener.accept() {
                Ok((socket, _)) => self.service.adopt(socket)?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if is_shortage(&error) => {
                    // The listener stays ready, so that it must not be watched for a while.
                    self.listen(EpollFlags::empty())?;
                    self.service
                        .deadlines
                        .push(clock::monotonic() + ACCEPT_PAUSE, LISTENER);
                    break;
                }
                // The client gave up before it was taken.
                Err(_) => {}
            }
        }
        Ok(())
    }

    fn listen(&self, interest: EpollFlags) -> Result<(), MockError> {
        let mut event = EpollEvent::new(interest, LISTENER);
        self.service
            .epoll
            .modify(self.listener, &mut event)
            .map_err(MockError::system("epoll_ctl"))
    }
}

/// Whether `accept` failed for want of descriptors or memory, and would again at once.
fn is_shortage(error: &io::Error) -> bool {
    [Errno::EMFILE, Errno::ENFILE, Errno::ENOBUFS, Errno::ENOMEM]
        .into_iter()
        .any(|errno| error.raw_os_error() == Some(errno as i32))
}
