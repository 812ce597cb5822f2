//! Work on hand-made files, under a watchdog and a limit of memory.

use cap::Cap;
use std::alloc::System;
use std::sync::mpsc::channel;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Whatever goes beyond it ends the process.
pub(crate) type Limited = Cap<System>;

/// What the work says; a panic of it, or a minute without an end, is the test's.
pub(crate) fn watched<R: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> R + Send + 'static,
) -> R {
    // One at a time, because the limit of memory is that of the process.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (sender, receiver) = channel();
    let thread = std::thread::spawn(move || sender.send(work()));
    match receiver.recv_timeout(Duration::from_mins(1)) {
        Ok(outcome) => {
            thread.join().unwrap().unwrap();
            outcome
        }
        Err(why) => panic!("{name}: {why}"),
    }
}

/// An error that a person can read.
pub(crate) fn assert_sentence(name: &str, error: &str) {
    assert!(
        error.len() < 1_500,
        "{name}: {} bytes: {}",
        error.len(),
        &error[..200]
    );
    for word in ["panicked", "unwrap", "Err(", "RUST_BACKTRACE", "src/"] {
        assert!(!error.contains(word), "{name}: {error}");
    }
    assert!(error.contains(' '), "{name}: {error}");
}
