//! When the next write is due.

use crate::MockError;
use crate::clock;
use crate::keys::FIRST_RESERVED;
use nix::sys::epoll::EpollTimeout;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

/// A sleeping thread is woken this long before a deadline, and stays awake until it: waking takes
/// 50 µs on a small virtual machine.
const AWAKE_BEFORE: u64 = 60_000;
/// This close to a deadline not even the sockets are looked at.
const EYES_SHUT: u64 = 5_000;
/// The bit of a key that says what its entry is: not a write that is due, but the end of a client's patience.
const REVIEW: u64 = 1 << 63;

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// What was pushed with this key.
    Write(u64),
    /// A connection's patience is to be looked at, as of this time.
    Review(u64, u64),
}

/// Who is due when. Points are nanoseconds of `CLOCK_MONOTONIC`.
///
/// It wakes through a `timerfd`, whose resolution is the clock's; the time-out of `epoll_wait` is
/// in milliseconds and subject to the thread's timer slack.
pub(crate) struct Deadlines {
    heap: BinaryHeap<Reverse<(u64, u64)>>,
    pub(crate) timer: TimerFd,
    /// What the timer is set to.
    armed: u64,
    /// Entries that are reviews.
    reviews: usize,
}

impl Deadlines {
    pub(crate) fn new() -> Result<Self, MockError> {
        let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)
            .map_err(MockError::system("timerfd_create"))?;
        Ok(Self {
            heap: BinaryHeap::new(),
            timer,
            armed: 0,
            reviews: 0,
        })
    }

    pub(crate) fn push(&mut self, at: u64, key: u64) {
        self.heap.push(Reverse((at, key)));
    }

    /// A connection's patience is to be looked at then; `key` is below `2^63`.
    pub(crate) fn review(&mut self, at: u64, key: u64) {
        self.reviews += 1;
        self.push(at, key | REVIEW);
    }

    /// Nothing is to be written at a known time.
    pub(crate) fn is_empty(&self) -> bool {
        self.heap.len() == self.reviews
    }

    /// The next that is due, or as good as due: then this waits actively for the rest.
    pub(crate) fn pop_due(&mut self) -> Option<Due> {
        let &Reverse((at, key)) = self.heap.peek()?;
        let now = clock::monotonic();
        if at.saturating_sub(now) > EYES_SHUT {
            return None;
        }
        while clock::monotonic() < at {
            std::hint::spin_loop();
        }
        self.heap.pop();
        // The keys of what is no connection have all bits set but the last.
        if key & REVIEW == 0 || key >= FIRST_RESERVED {
            return Some(Due::Write(key));
        }
        self.reviews -= 1;
        Some(Due::Review(at, key & !REVIEW))
    }

    /// How long `epoll_wait` may take, with the timer armed to end it.
    pub(crate) fn timeout(&mut self) -> Result<EpollTimeout, MockError> {
        let Some(&Reverse((at, _))) = self.heap.peek() else {
            return Ok(EpollTimeout::NONE);
        };
        let wake = at.saturating_sub(AWAKE_BEFORE);
        if wake <= clock::monotonic() {
            return Ok(EpollTimeout::ZERO);
        }
        if wake != self.armed {
            let expiration = Expiration::OneShot(TimeSpec::from(Duration::from_nanos(wake)));
            self.timer
                .set(expiration, TimerSetTimeFlags::TFD_TIMER_ABSTIME)
                .map_err(MockError::system("timerfd_settime"))?;
            self.armed = wake;
        }
        Ok(EpollTimeout::NONE)
    }
}
