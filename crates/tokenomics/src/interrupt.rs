//! What ends the program in good order: ctrl-C, `SIGTERM` of `timeout`, containers and CI, and `SIGHUP` of a terminal
//! that is gone. They are one and the same here.

use crate::failure::{Exit, Failure};
use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What the next of them does; says whether there is something under way that has to be ended well.
type Stop = Box<dyn FnOnce() -> bool + Send>;

/// The one that is called: that of the last part of the program that asked.
static STOP: Mutex<Option<Stop>> = Mutex::new(None);

/// Nobody presses a key twice in less.
const APART: Duration = Duration::from_millis(200);

/// Whether somebody waits for them already.
static LISTENING: Mutex<bool> = Mutex::new(false);

/// Calls `stop` when the program is to end, in place of what was asked for before. The second time, or where
/// `stop` says that nothing is under way that would have to be ended well, the process ends at once.
pub(crate) fn on_interrupt(stop: impl FnOnce() -> bool + Send + 'static) -> Result<(), Failure> {
    *lock(&STOP) = Some(Box::new(stop));
    let mut listening = lock(&LISTENING);
    if *listening {
        return Ok(());
    }
    let mut signals = StopSignals::listen()?;
    let listen = move || loop {
        signals.next_apart();
        let stop = lock(&STOP).take();
        if !stop.is_some_and(|stop| stop()) {
            std::process::exit(i32::from(Exit::Interrupted as u8));
        }
    };
    on_thread(listen)?;
    *listening = true;
    Ok(())
}

/// What a panic left in it is as good as before.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn on_thread(listen: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    let thread = std::thread::Builder::new().name("signals".into());
    let started = thread.spawn(listen);
    started.map(drop).map_err(|error| cannot_watch(&error))
}

/// The signals, caught from the moment that this is made: what is told to stop right after it said that it is there
/// stops in good order.
pub(crate) struct StopSignals {
    runtime: Runtime,
    signals: Vec<Signal>,
    last: Option<Instant>,
}

impl StopSignals {
    pub(crate) fn listen() -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .map_err(|error| cannot_watch(&error))?;
        let mut kinds = vec![SignalKind::interrupt(), SignalKind::terminate()];
        // What `nohup` starts is meant to outlive its terminal.
        if !process::ignores(SignalKind::hangup().as_raw_value()) {
            kinds.push(SignalKind::hangup());
        }
        let signals = {
            let _context = runtime.enter();
            let signals: Result<Vec<Signal>, _> = kinds.into_iter().map(signal).collect();
            signals.map_err(|error| cannot_watch(&error))?
        };
        Ok(Self {
            runtime,
            signals,
            last: None,
        })
    }

    /// Waits for the first. From then on a second one ends the process at once.
    pub(crate) fn wait(mut self) -> Result<(), Failure> {
        self.next_apart();
        on_thread(move || {
            self.next_apart();
            std::process::exit(i32::from(Exit::Interrupted as u8));
        })
    }

    /// The next one that is not the same as the last: `timeout` sends its signal to the process and to its group.
    fn next_apart(&mut self) {
        loop {
            self.next();
            if self.last.is_none_or(|last| last.elapsed() >= APART) {
                self.last = Some(Instant::now());
                return;
            }
        }
    }

    fn next(&mut self) {
        let Self {
            runtime, signals, ..
        } = self;
        let any = poll_fn(|cx| {
            let came = signals
                .iter_mut()
                .any(|signal| signal.poll_recv(cx).is_ready());
            if came { Poll::Ready(()) } else { Poll::Pending }
        });
        runtime.block_on(any);
    }
}

fn cannot_watch(error: &std::io::Error) -> Failure {
    Failure::failed(format!("cannot watch for signals: {error}"))
}
