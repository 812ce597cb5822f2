//! Arrival processes, as data.

use crate::Nanos;
use serde::{Deserialize, Serialize};

/// How the due times of an open plan were drawn. Rates are requests per second.
///
/// This is data: what an arrival process is, not how it is drawn. In files it is an object whose
/// `process` names the variant. The first three keep one rate for the whole run; the rate of the
/// others is a function of the time since the start of the run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "process")]
pub enum Arrival {
    /// Equal gaps of 1 / rate.
    Constant {
        /// Requests per second.
        rate: f64,
    },
    /// Exponential gaps.
    Poisson {
        /// Requests per second.
        rate: f64,
    },
    /// Gamma-distributed gaps of mean 1 / rate.
    Gamma {
        /// Requests per second.
        rate: f64,
        /// The shape, vLLM's "burstiness": 1 is Poisson, smaller is burstier.
        shape: f64,
    },
    /// The rate changes evenly from `from` to `to`, and stays there.
    Ramp {
        /// Requests per second at the start; may be 0.
        from: f64,
        /// Requests per second at the end of the ramp, and after it.
        to: f64,
        /// How long the ramp takes.
        duration: Nanos,
        /// The gaps at a rate of 1.
        gaps: Gaps,
    },
    /// A staircase: `from`, then `step` more (or less, where `to` is lower) after every `hold`, until
    /// `to` is reached, which stays. The last step is smaller where `step` does not divide the way.
    Steps {
        /// Requests per second at the start.
        from: f64,
        /// Requests per second of the last step.
        to: f64,
        /// The height of a step in requests per second, above 0 in both directions.
        step: f64,
        /// How long each rate is held.
        hold: Nanos,
        /// The gaps at a rate of 1.
        gaps: Gaps,
    },
    /// A base rate, and on top of it `size` requests at once after every `every`.
    Bursts {
        /// Requests per second between the bursts; 0 for bursts alone.
        rate: f64,
        /// Requests that are due at the same time.
        size: u32,
        /// From the start to the first burst, and from burst to burst.
        every: Nanos,
        /// The gaps of the base rate.
        gaps: Gaps,
    },
    /// `rate` for `on`, then nothing for `off`, and again.
    OnOff {
        /// Requests per second while requests arrive.
        rate: f64,
        /// How long requests arrive.
        on: Nanos,
        /// How long none arrives.
        off: Nanos,
        /// The gaps while requests arrive.
        gaps: Gaps,
    },
    /// As recorded: the due times are those of a trace.
    Replay {
        /// Requests per second, on average over the trace.
        rate: f64,
    },
}

/// The gaps of a process at the constant rate of 1, of which a process whose rate changes is a
/// change of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gaps {
    /// Exponential: the process is an inhomogeneous Poisson process.
    #[default]
    Exponential,
    /// All of them 1: arrivals are as even as the rate allows.
    Equal,
}

impl Arrival {
    /// The mean rate, in requests per second.
    ///
    /// Where the rate changes, it is the mean over the time that the process takes to show itself: of
    /// a ramp from its start to its end, of a staircase over all steps with the last one held as long
    /// as the others, and of bursts and pauses over one period.
    pub fn rate(&self) -> f64 {
        match *self {
            Arrival::Constant { rate }
            | Arrival::Poisson { rate }
            | Arrival::Gamma { rate, .. }
            | Arrival::Replay { rate } => rate,
            Arrival::Ramp { from, to, .. } => f64::midpoint(from, to),
            Arrival::Steps { from, to, step, .. } => {
                let rises = ((to - from).abs() / step).ceil();
                let step = step.copysign(to - from);
                let below = rises * from + step * rises * (rises - 1.0) / 2.0;
                (below + to) / (rises + 1.0)
            }
            Arrival::Bursts {
                rate, size, every, ..
            } => rate + f64::from(size) / every.seconds(),
            Arrival::OnOff { rate, on, off, .. } => {
                rate * on.seconds() / (on.seconds() + off.seconds())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Arrival, Gaps};
    use crate::Nanos;

    const GAPS: Gaps = Gaps::Exponential;

    #[test]
    fn the_rate_of_a_process_that_changes_is_its_mean() {
        let second = Nanos::from_millis(1_000);
        let steps = |from, to, step| Arrival::Steps {
            from,
            to,
            step,
            hold: second,
            gaps: GAPS,
        };
        for (arrival, rate) in [
            (
                Arrival::Ramp {
                    from: 0.0,
                    to: 9.0,
                    duration: second,
                    gaps: GAPS,
                },
                4.5,
            ),
            (steps(1.0, 5.0, 1.0), 3.0),
            (steps(5.0, 1.0, 1.0), 3.0),
            // 1, 3, 5, 6.
            (steps(1.0, 6.0, 2.0), 3.75),
            (steps(2.0, 2.0, 1.0), 2.0),
            (
                Arrival::Bursts {
                    rate: 2.0,
                    size: 5,
                    every: Nanos::from_millis(500),
                    gaps: GAPS,
                },
                12.0,
            ),
            (
                Arrival::OnOff {
                    rate: 8.0,
                    on: second,
                    off: Nanos::from_millis(3_000),
                    gaps: GAPS,
                },
                2.0,
            ),
        ] {
            assert!((arrival.rate() - rate).abs() < 1e-12, "{arrival:?}");
        }
    }

    #[test]
    fn a_process_is_stored_under_its_name() {
        let arrival = Arrival::OnOff {
            rate: 8.0,
            on: Nanos::from_millis(1),
            off: Nanos(3),
            gaps: Gaps::Equal,
        };
        let stored = serde_json::json!(arrival);
        let expected = serde_json::json!({
            "process": "on_off", "rate": 8.0, "on": 1_000_000, "off": 3, "gaps": "equal",
        });
        assert_eq!(stored, expected);
        assert_eq!(serde_json::from_value::<Arrival>(stored).unwrap(), arrival);
    }
}
