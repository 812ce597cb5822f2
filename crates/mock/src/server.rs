//! Starts and stops the event loop.

use crate::event_loop::EventLoop;
use crate::stamps::StampedReader;
use crate::truth::TruthWriter;
use crate::{MockConfig, MockError, MockStats, Phase};
use http1::Limits;
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::socket::{Backlog, listen, setsockopt, sockopt};
use std::ffi::OsString;
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

/// Ends [`MockServer::serve`] from another thread, or before it begins. Clones are the same signal.
#[derive(Clone, Debug)]
pub struct StopSignal(Arc<EventFd>);

impl StopSignal {
    /// A signal that was not given.
    pub fn new() -> Result<Self, MockError> {
        let event = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK);
        event
            .map(|event| Self(Arc::new(event)))
            .map_err(MockError::system("eventfd"))
    }

    /// Gives the signal. It cannot be taken back.
    pub fn stop(&self) {
        // It fails only where the counter is full, which is the signal given 2^64 times.
        let _full = self.0.write(1);
    }

    pub(crate) fn event(&self) -> &EventFd {
        &self.0
    }
}

/// A mock provider that listens, and does not serve yet.
pub struct MockServer {
    listener: TcpListener,
    reader: StampedReader,
    addr: SocketAddr,
    config: MockConfig,
    phases: Vec<Phase>,
    truth: Option<Box<dyn Write + Send>>,
    limits: Limits,
}

/// Bytes of a body, at most: a request may have pictures.
const BODY_BYTES_MAX: usize = 16 << 20;

impl MockServer {
    /// Listens on `addr` (port 0 for any free one). `truth` takes the log that
    /// [`crate::read_truth`] reads.
    pub fn bind(
        addr: SocketAddr,
        config: MockConfig,
        truth: Option<Box<dyn Write + Send>>,
    ) -> Result<Self, MockError> {
        config.check()?;
        let failed = |source| MockError::Bind { addr, source };
        let listener = TcpListener::bind(addr).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        // The standard library's backlog of 128 drops a burst of a thousand; the system's limit is
        // 4,096 unless `net.core.somaxconn` says else.
        listen(&listener, Backlog::MAXALLOWABLE).map_err(|errno| failed(errno.into()))?;
        // Connections inherit both options from the listener.
        setsockopt(&listener, sockopt::TcpNoDelay, &true).map_err(|errno| failed(errno.into()))?;
        // A congestion control that paces (BBR) would write at times of its own. Where `reno` is
        // refused, the system's is used.
        let _ = setsockopt(&listener, sockopt::TcpCongestion, &OsString::from("reno"));
        let reader = StampedReader::new(&listener);
        let addr = listener.local_addr().map_err(failed)?;
        Ok(Self {
            listener,
            reader,
            addr,
            config,
            phases: Vec::new(),
            truth,
            limits: Self::limits(),
        })
    }

    /// What clients may use, unless [`with_limits`](Self::with_limits) says otherwise.
    pub fn limits() -> Limits {
        Limits {
            body_bytes_max: BODY_BYTES_MAX,
            ..Limits::default()
        }
    }

    /// Clients may use so much.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Other configurations take the place of the first, each from its time on and for the requests
    /// that arrive then.
    pub fn with_phases(mut self, mut phases: Vec<Phase>) -> Result<Self, MockError> {
        phases.iter().try_for_each(|phase| phase.config.check())?;
        phases.sort_by_key(|phase| phase.from);
        self.phases = phases;
        Ok(self)
    }

    /// The address it listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// Serves on this thread until `stop`; connections that are open then are dropped.
    pub fn serve(self, stop: &StopSignal) -> Result<MockStats, MockError> {
        let truth = self.truth.map(TruthWriter::new).transpose()?;
        let configs = (&self.config, &self.phases[..]);
        EventLoop::new(
            configs,
            &self.listener,
            self.reader,
            truth,
            self.limits,
            stop,
        )?
        .run()
    }
}

/// Binds a [`MockServer`] and serves it on a thread of its own.
pub fn spawn(
    addr: SocketAddr,
    config: MockConfig,
    truth: Option<Box<dyn Write + Send>>,
) -> Result<MockHandle, MockError> {
    let server = MockServer::bind(addr, config, truth)?;
    let addr = server.local_addr();
    let stop = StopSignal::new()?;
    let signal = stop.clone();
    let thread = thread::Builder::new()
        .name("mock".to_owned())
        .spawn(move || server.serve(&signal))
        .map_err(MockError::system("starting the mock's thread"))?;
    Ok(MockHandle {
        addr,
        stop,
        thread: Some(thread),
    })
}

/// A mock provider that serves on a thread of its own, until it is stopped or dropped.
#[derive(Debug)]
pub struct MockHandle {
    addr: SocketAddr,
    stop: StopSignal,
    thread: Option<JoinHandle<Result<MockStats, MockError>>>,
}

impl MockHandle {
    /// The address it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Stops it, completes its truth log, and says what it did, or why it had stopped before.
    pub fn stop(mut self) -> Result<MockStats, MockError> {
        self.stop.stop();
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(ended)) => ended,
            // Nobody but this and `drop` takes the thread.
            Some(Err(_)) | None => Err(MockError::Panicked),
        }
    }
}

impl Drop for MockHandle {
    fn drop(&mut self) {
        self.stop.stop();
        if let Some(thread) = self.thread.take() {
            // Who wants to know how it ended calls `stop`.
            let _ended = thread.join();
        }
    }
}
