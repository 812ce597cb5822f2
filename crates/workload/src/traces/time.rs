//! When the requests of a trace came: numbers of which the unit must be known, or dates.

use super::rows::Cell;
use super::timestamp;
use crate::WorkloadError;
use crate::printable::{printable, quoted};
use std::str::FromStr;
use trace::Nanos;

/// What the times of a trace count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeUnit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Millis,
    /// Microseconds.
    Micros,
    /// Nanoseconds.
    Nanos,
}

impl TimeUnit {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Seconds, Self::Millis, Self::Micros, Self::Nanos];

    /// Its name in flags.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Seconds => "s",
            Self::Millis => "ms",
            Self::Micros => "us",
            Self::Nanos => "ns",
        }
    }

    /// Its name in sentences.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Seconds => "seconds",
            Self::Millis => "milliseconds",
            Self::Micros => "microseconds",
            Self::Nanos => "nanoseconds",
        }
    }

    fn nanos(self, time: f64) -> Option<u64> {
        let seconds = match self {
            Self::Seconds => time,
            Self::Millis => time / 1e3,
            Self::Micros => time / 1e6,
            Self::Nanos => time / 1e9,
        };
        // Beyond that, times would become one and the same.
        (0.0..SECONDS_MAX)
            .contains(&seconds)
            .then(|| Nanos::from_seconds(seconds).0)
    }

    /// The unit in which `time` is a date between 2001 and 2286, if there is one: none of them is the
    /// other, and no trace that begins at its own zero goes on for so long.
    fn of_epoch(time: f64) -> Option<Self> {
        Self::ALL.into_iter().find(|unit| {
            let seconds = unit.nanos(time).unwrap_or_default() / 1_000_000_000;
            (1_000_000_000..10_000_000_000).contains(&seconds)
        })
    }
}

/// The year 2286, which is more seconds than a trace may count.
const SECONDS_MAX: f64 = 1e10;

impl FromStr for TimeUnit {
    type Err = WorkloadError;

    fn from_str(name: &str) -> Result<Self, WorkloadError> {
        let unit = Self::ALL.into_iter().find(|unit| unit.name() == name);
        unit.ok_or_else(|| WorkloadError::UnknownName {
            what: "unit of time",
            name: printable(name),
            known: quoted(&Self::ALL.map(Self::name)),
        })
    }
}

/// A time as it is written.
#[derive(Clone, Copy)]
pub(super) enum Stamp {
    /// From 0 on, in the trace's unit.
    Number { time: f64, is_whole: bool },
    /// Nanoseconds since 1970.
    Date(u64),
}

impl Stamp {
    /// `None` where it is neither a number from 0 on nor a date.
    pub(super) fn read(cell: Cell<'_>) -> Option<Self> {
        match cell.number() {
            Some(time) if time >= 0.0 => Some(Self::Number {
                time,
                is_whole: cell.is_whole(),
            }),
            Some(_) => None,
            None => timestamp::nanos(cell.text()?.trim()).map(Self::Date),
        }
    }

    const fn number(self) -> Option<(f64, bool)> {
        match self {
            Self::Number { time, is_whole } => Some((time, is_whole)),
            Self::Date(_) => None,
        }
    }

    pub(super) const fn is_date(self) -> bool {
        matches!(self, Self::Date(_))
    }

    /// Nanoseconds; `None` where it is later than a trace may go.
    pub(super) fn nanos(self, unit: TimeUnit) -> Option<u64> {
        match self {
            Self::Number { time, .. } => unit.nanos(time),
            Self::Date(nanos) => Some(nanos),
        }
    }
}

/// Above that, times that are said to be milliseconds may as well be seconds: one per 10 ms is 100
/// requests a second, more than any published trace of one server has.
const WHOLE_MILLIS_MIN: f64 = 10.0;

/// The same for times with a fraction, which milliseconds rarely have and seconds always.
const FRACTIONAL_MILLIS_MIN: f64 = 100.0;

/// The unit of a trace whose format has `usual`: that, unless the times are dates since 1970, which say
/// their unit by their size. Times a thousand times too close for milliseconds are refused, because a
/// trace in seconds would be replayed a thousand times too fast.
pub(super) fn unit(
    usual: Option<TimeUnit>,
    stamps: impl Iterator<Item = Stamp>,
) -> Result<TimeUnit, WorkloadError> {
    let numbers: Vec<(f64, bool)> = stamps.filter_map(Stamp::number).collect();
    let (Some((first, _)), Some((last, _))) = (numbers.first(), numbers.last()) else {
        // Dates alone.
        return Ok(usual.unwrap_or(TimeUnit::Seconds));
    };
    if let Some(unit) = TimeUnit::of_epoch(*first) {
        return Ok(unit);
    }
    let neighbours = numbers.iter().zip(numbers.iter().skip(1));
    let gaps = neighbours.filter(|((before, _), (after, _))| after > before);
    let gaps = gaps.count();
    let fractional = numbers.iter().filter(|(_, is_whole)| !is_whole).count();
    let gap_min = if fractional * 2 > numbers.len() {
        FRACTIONAL_MILLIS_MIN
    } else {
        WHOLE_MILLIS_MIN
    };
    let doubtful = match usual {
        Some(TimeUnit::Millis) => gaps > 0 && (last - first) / (gaps as f64) < gap_min,
        Some(_) => false,
        None => gaps > 0,
    };
    if doubtful {
        return Err(WorkloadError::TraceUnit {
            requests: numbers.len(),
            span: last - first,
        });
    }
    Ok(usual.unwrap_or(TimeUnit::Seconds))
}
