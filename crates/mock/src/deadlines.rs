use crate::MockError;
use crate::clock;
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

/// Who is due when. Points are nanoseconds of `CLOCK_MONOTONIC`.
///
/// It wakes through a `timerfd`, whose resolution is the clock's; the time-out of `epoll_wait` is
/// in milliseconds and subject to the thread's timer slack.
pub(crate) struct Deadlines {
    heap: BinaryHeap<Reverse<(u64, u64)>>,
    pub(crate) timer: TimerFd,
    /// What the timer is set to.
    armed: u64,
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
        })
    }

    pub(crate) fn push(&mut self, at: u64, key: u64) {
        self.heap.push(Reverse((at, key)));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// The next key that is due, or as good as due: then this waits actively for the rest.
    pub(crate) fn pop_due(&mut self) -> Option<u64> {
        let &Reverse((at, key)) = self.heap.peek()?;
        let now = clock::monotonic();
        if at.saturating_sub(now) > EYES_SHUT {
            return None;
        }
        while clock::monotonic() < at {
            std::hint::spin_loop();
        }
        self.heap.pop();
        Some(key)
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
