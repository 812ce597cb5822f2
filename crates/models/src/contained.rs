//! Libraries that read what others wrote, held: their panics become errors, their recursion has room, and their work an
//! end.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

thread_local! {
    static HELD: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic of this thread becomes an error that a caller reports: then a hook has nothing to say of it.
pub fn is_contained() -> bool {
    HELD.get()
}

/// What a library makes; nothing where it panics.
///
/// Its checks of what it reads are assertions in places, and this is the last door behind checks of our own. What it
/// was making is given up with the panic, so that no half-changed value is seen again.
pub(crate) fn contained<R>(work: impl FnOnce() -> R) -> Option<R> {
    let before = HELD.replace(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    HELD.set(before);
    done.ok()
}

/// Why there is no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failed {
    /// It panicked.
    Panicked,
    /// It took more processor time than it was given, and is left behind.
    TooLong,
    /// The system gives no thread.
    NoThread,
}

/// Room for what calls itself as deep as a file nests, also where frames are not optimised.
pub(crate) const STACK_BYTES: usize = 64 << 20;

/// Runs `work` on a thread with a stack of its own for at most that much processor time.
///
/// A thread cannot be ended from outside, and a child process would have to read a tokenizer anew for each text: one that
/// takes too long is left to itself. Processor time and not the clock's, as a busy machine is nobody's fault.
pub(crate) fn watched<R: Send + 'static>(
    budget: Duration,
    work: impl FnOnce() -> R + Send + 'static,
) -> Result<R, Failed> {
    const LOOK_EVERY: Duration = Duration::from_millis(20);
    let (sender, receiver) = sync_channel(1);
    let (place_sender, place) = sync_channel(1);
    let thread = std::thread::Builder::new()
        .name("contained".to_owned())
        .stack_size(STACK_BYTES);
    let started = Instant::now();
    thread
        .spawn(move || {
            let _sent = place_sender.send(std::fs::read_link("/proc/thread-self").ok());
            let _sent = sender.send(contained(work));
        })
        .map_err(|_| Failed::NoThread)?;
    let place = place.recv().ok().flatten();
    loop {
        match receiver.recv_timeout(LOOK_EVERY) {
            Ok(done) => return done.ok_or(Failed::Panicked),
            Err(RecvTimeoutError::Disconnected) => return Err(Failed::Panicked),
            Err(RecvTimeoutError::Timeout) => {
                let used = place.as_ref().and_then(processor_time);
                if used.unwrap_or_else(|| started.elapsed()) > budget {
                    return Err(Failed::TooLong);
                }
            }
        }
    }
}

/// Of a thread by its place below `/proc`; systems without one have the clock's time instead.
fn processor_time(place: &PathBuf) -> Option<Duration> {
    let path = PathBuf::from("/proc").join(place).join("schedstat");
    let text = std::fs::read_to_string(path).ok()?;
    let nanos = text.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanos))
}

/// The beginning of a text of others, for an error of ours.
pub(crate) fn cut(text: &str) -> String {
    const CHARACTERS_MAX: usize = 500;
    match text.char_indices().nth(CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Failed, contained, is_contained, watched};
    use std::time::Duration;

    #[test]
    fn a_panic_of_a_library_becomes_an_error_and_is_known_as_one() {
        assert!(!is_contained());
        assert_eq!(contained(is_contained), Some(true));
        assert_eq!(contained(|| panic!("of a library")), None::<()>);
        assert!(!is_contained());
        let minute = Duration::from_mins(1);
        assert_eq!(watched(minute, || 7), Ok(7));
        assert_eq!(
            watched(minute, || panic!("of a library")),
            Err::<(), _>(Failed::Panicked)
        );
    }

    #[test]
    fn work_that_takes_too_long_is_left_behind_and_what_waits_is_not_work() {
        let budget = Duration::from_millis(200);
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let spins =
            move || while ended.try_recv() != Err(std::sync::mpsc::TryRecvError::Disconnected) {};
        assert_eq!(watched(budget, spins), Err(Failed::TooLong));
        drop(end);
        let waits = || std::thread::sleep(Duration::from_millis(600));
        assert_eq!(watched(budget, waits), Ok(()));
    }
}
