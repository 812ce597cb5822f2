use crate::failure::{Exit, Failure};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What the next ctrl-C does; says whether there is something under way that has to be ended well.
type Stop = Box<dyn FnOnce() -> bool + Send>;

/// The one that is called: that of the last part of the program that asked.
static STOP: Mutex<Option<Stop>> = Mutex::new(None);

/// Whether somebody waits for ctrl-C already.
static LISTENING: Mutex<bool> = Mutex::new(false);

/// Calls `stop` when the user presses ctrl-C, in place of what was asked for before. The second time, or where
/// `stop` says that nothing is under way that would have to be ended well, the process ends at once.
pub(crate) fn on_interrupt(stop: impl FnOnce() -> bool + Send + 'static) -> Result<(), Failure> {
    *lock(&STOP) = Some(Box::new(stop));
    let mut listening = lock(&LISTENING);
    if *listening {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .map_err(|error| cannot_watch(&error))?;
    // Listening begins here and not on the thread, so that no ctrl-C falls in between.
    let mut interrupts = {
        let _context = runtime.enter();
        signal(SignalKind::interrupt()).map_err(|error| cannot_watch(&error))?
    };
    let listen = move || loop {
        runtime.block_on(interrupts.recv());
        let stop = lock(&STOP).take();
        if !stop.is_some_and(|stop| stop()) {
            std::process::exit(i32::from(Exit::Interrupted as u8));
        }
    };
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(listen)
        .map_err(|error| cannot_watch(&error))?;
    *listening = true;
    Ok(())
}

/// What a panic left in it is as good as before.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ctrl-C and SIGTERM, caught from the moment that this is made: what is told to stop right after it
/// said that it is there stops in good order.
pub(crate) struct StopSignals {
    runtime: Runtime,
    interrupts: Signal,
    terminations: Signal,
}

impl StopSignals {
    pub(crate) fn listen() -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .map_err(|error| cannot_watch(&error))?;
        let (interrupts, terminations) = {
            let _context = runtime.enter();
            let interrupts =
                signal(SignalKind::interrupt()).map_err(|error| cannot_watch(&error))?;
            let terminations =
                signal(SignalKind::terminate()).map_err(|error| cannot_watch(&error))?;
            (interrupts, terminations)
        };
        Ok(Self {
            runtime,
            interrupts,
            terminations,
        })
    }

    /// Waits for the first. From then on a second one ends the process at once.
    pub(crate) fn wait(mut self) -> Result<(), Failure> {
        self.next();
        let again = move || {
            self.next();
            std::process::exit(i32::from(Exit::Interrupted as u8));
        };
        std::thread::Builder::new()
            .name("signals".into())
            .spawn(again)
            .map_err(|error| cannot_watch(&error))?;
        Ok(())
    }

    fn next(&mut self) {
        let (interrupts, terminations) = (&mut self.interrupts, &mut self.terminations);
        self.runtime.block_on(async {
            tokio::select! {
                _ = interrupts.recv() => {}
                _ = terminations.recv() => {}
            }
        });
    }
}

fn cannot_watch(error: &std::io::Error) -> Failure {
    Failure::failed(format!("cannot watch for signals: {error}"))
}
