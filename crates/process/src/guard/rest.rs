//! Ending what a child has left, where no namespace does it.

use super::LOOK_EVERY;
use crate::descendants;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// Longer than this nobody waits for us.
const PATIENCE: Duration = Duration::from_millis(900);

/// Ends all that we have started and that they have started; those that could not be ended.
pub(super) fn end_all() -> Vec<u32> {
    let begun = Instant::now();
    loop {
        stop_all(begun);
        let left = descendants(std::process::id());
        if left.is_empty() || begun.elapsed() > PATIENCE {
            return left;
        }
        for process in left {
            signal(process, Signal::SIGKILL);
        }
        while waitpid(None::<Pid>, Some(WaitPidFlag::WNOHANG))
            .is_ok_and(|status| status.pid().is_some())
        {}
        std::thread::sleep(LOOK_EVERY);
    }
}

/// What is stopped starts nothing more, while we look for the next.
fn stop_all(begun: Instant) {
    let mut stopped: HashSet<u32> = HashSet::new();
    loop {
        let found = descendants(std::process::id()).into_iter();
        let new: Vec<u32> = found.filter(|process| !stopped.contains(process)).collect();
        if new.is_empty() || begun.elapsed() > PATIENCE {
            return;
        }
        for process in new {
            signal(process, Signal::SIGSTOP);
            stopped.insert(process);
        }
    }
}

fn signal(process: u32, signal: Signal) {
    if let Ok(id) = i32::try_from(process) {
        let _gone = kill(Pid::from_raw(id), signal);
    }
}
