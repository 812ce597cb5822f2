//! The monotonic clock.

use nix::time::{ClockId, clock_gettime};

/// Now on `CLOCK_MONOTONIC`, in nanoseconds.
pub(crate) fn monotonic() -> u64 {
    read(ClockId::CLOCK_MONOTONIC)
}

/// Now on `CLOCK_REALTIME`, in nanoseconds since 1970.
pub(crate) fn realtime() -> u64 {
    read(ClockId::CLOCK_REALTIME)
}

fn read(clock: ClockId) -> u64 {
    let time = clock_gettime(clock).expect("the kernel has had both clocks since 2.6");
    from_parts(time.tv_sec(), time.tv_nsec())
}

/// Nanoseconds of a kernel time; one before 1970 counts as zero.
pub(crate) fn from_parts(seconds: i64, nanos: i64) -> u64 {
    u64::try_from(seconds).unwrap_or(0) * 1_000_000_000 + u64::try_from(nanos).unwrap_or(0)
}

/// A kernel receive stamp, which is `CLOCK_REALTIME`, on `CLOCK_MONOTONIC`.
///
/// `realtime` and `monotonic` were read together just after the receive, so that a step of the wall
/// clock matters only if it falls in between. A result outside `earliest..=monotonic` betrays one,
/// and counts as no stamp.
pub(crate) fn map_stamp(stamp: u64, realtime: u64, monotonic: u64, earliest: u64) -> Option<u64> {
    let age = realtime.checked_sub(stamp)?;
    monotonic
        .checked_sub(age)
        .filter(|&mapped| mapped >= earliest)
}

#[cfg(test)]
mod tests {
    use super::map_stamp;

    #[test]
    fn a_stamp_keeps_its_age_on_the_other_clock() {
        assert_eq!(map_stamp(1_000_100, 1_000_400, 900, 0), Some(600));
    }

    #[test]
    fn a_wall_clock_step_between_stamp_and_reading_is_no_stamp() {
        let hour = 3_600_000_000_000;
        assert_eq!(
            map_stamp(10 * hour + 5, 9 * hour, 7 * hour, 6 * hour),
            None,
            "stepped back"
        );
        assert_eq!(
            map_stamp(10 * hour, 12 * hour, 7 * hour, 6 * hour),
            None,
            "stepped forward"
        );
    }
}
