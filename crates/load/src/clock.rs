//! The one source of time.

use nix::sys::time::TimeValLike;
use nix::time::{ClockId, clock_gettime};
use trace::Nanos;

/// The one source of time of everything that produces records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// `CLOCK_MONOTONIC`.
    Monotonic,
    /// Tokio's clock, counted from `epoch`: with a paused runtime, time moves only when every
    /// task waits, so that a test over in-memory pipes has exact results.
    Virtual {
        /// Where zero lies.
        epoch: tokio::time::Instant,
    },
}

impl Clock {
    /// A virtual clock that starts now, at zero.
    pub fn starting_now() -> Self {
        Clock::Virtual {
            epoch: tokio::time::Instant::now(),
        }
    }

    /// The present.
    pub fn now(self) -> Nanos {
        match self {
            Clock::Monotonic => read(ClockId::CLOCK_MONOTONIC),
            Clock::Virtual { epoch } => {
                Nanos(u64::try_from(epoch.elapsed().as_nanos()).unwrap_or(u64::MAX))
            }
        }
    }

    /// Whether time is a test's.
    pub fn is_virtual(self) -> bool {
        matches!(self, Clock::Virtual { .. })
    }

    /// Waits until `due` with the runtime's timer, which is about a millisecond coarse.
    pub(crate) async fn sleep_until(self, due: Nanos) {
        let span = due.since(self.now());
        tokio::time::sleep(std::time::Duration::from_nanos(span.0)).await;
    }
}

/// Reads one of the system's clocks; they exist on every supported platform.
pub(crate) fn read(clock: ClockId) -> Nanos {
    let time = clock_gettime(clock).map_or(0, |time| time.num_nanoseconds());
    Nanos(u64::try_from(time).unwrap_or(0))
}
