//! A server that runs.

use crate::admission::Admission;
use crate::order::Order;
use engine::Gauges;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::watch;

/// Time for error events, and for last bytes, to leave.
const FAREWELL: Duration = Duration::from_secs(2);

/// A server that runs; it stops when this is dropped.
pub struct ServeHandle {
    address: SocketAddr,
    drain: Duration,
    admission: Arc<Admission>,
    /// To the engine thread.
    order: Box<dyn Fn(Order) + Send + Sync>,
    closing: watch::Sender<bool>,
    threads: Mutex<Option<Threads>>,
}

pub(crate) struct Threads {
    pub(crate) runtime: Runtime,
    /// Says when the last connection has ended.
    pub(crate) ending: Receiver<()>,
    pub(crate) engine_thread: JoinHandle<()>,
    /// Says when the engine thread has ended.
    pub(crate) engine_ending: Receiver<()>,
}

impl ServeHandle {
    pub(crate) fn new(
        address: SocketAddr,
        drain: Duration,
        admission: Arc<Admission>,
        order: Box<dyn Fn(Order) + Send + Sync>,
        closing: watch::Sender<bool>,
        threads: Threads,
    ) -> Self {
        ServeHandle {
            address,
            drain,
            admission,
            order,
            closing,
            threads: Mutex::new(Some(threads)),
        }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// What the engine last said of itself: after each step, and after each request that came or
    /// went.
    pub fn gauges(&self) -> Gauges {
        self.admission.gauges()
    }

    /// Answers that have not come to their end: clients that wait, queued requests included.
    pub fn answers(&self) -> usize {
        self.admission.answers()
    }

    /// Stops gently, and returns when all is stopped: readiness is 503 and new requests are refused
    /// from now on, those that are in may end within [`ServeConfig::drain`](crate::ServeConfig::drain), and the rest gets an
    /// error event. Returns how many did not end in time.
    pub fn shutdown(&self) -> usize {
        self.admission.drain();
        let rest = self.admission.wait(self.drain);
        if rest > 0 {
            (self.order)(Order::CutAll);
            self.admission.wait(FAREWELL);
        }
        self.stop(FAREWELL);
        rest
    }

    /// Ends all threads; connections have `time` to end by themselves.
    fn stop(&self, time: Duration) {
        let threads = self
            .threads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(threads) = threads else {
            return;
        };
        self.admission.drain();
        self.closing.send_replace(true);
        let _ = threads.ending.recv_timeout(time);
        (self.order)(Order::Stop);
        if Handle::try_current().is_ok() {
            // A runtime must not wait for another one.
            threads.runtime.shutdown_background();
        } else {
            threads.runtime.shutdown_timeout(FAREWELL);
        }
        // A model that hangs in a step is left behind: nobody can end it but the process.
        if threads.engine_ending.recv_timeout(FAREWELL) != Err(RecvTimeoutError::Timeout) {
            let _ = threads.engine_thread.join();
        }
    }
}

impl Drop for ServeHandle {
    fn drop(&mut self) {
        self.stop(Duration::ZERO);
    }
}
