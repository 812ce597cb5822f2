//! Arrival rates that change, or that a trace has.

use super::lists::numbers;
use crate::args::ArrivalArgs;
use crate::failure::Failure;
use trace::{Arrival, Gaps, Nanos};

/// An arrival process that is more than a rate.
#[derive(Clone)]
pub(crate) struct NamedArrival {
    /// As the result file and the figures name it.
    pub(crate) key: String,
    pub(crate) arrival: Arrival,
    /// How many requests show it once.
    pub(crate) requests: usize,
}

/// What the flags say; empty where the rate is constant or the load no open loop.
pub(crate) fn named_arrivals(
    args: &ArrivalArgs,
    request_rate: Option<&str>,
    burstiness: f64,
) -> Result<Vec<NamedArrival>, Failure> {
    let gaps = gaps(args, burstiness)?;
    if let Some(text) = &args.ramp {
        let arrival = workload::parse_ramp(text, gaps).map_err(Failure::usage)?;
        return Ok(vec![named(format!("ramp {text}"), arrival)?]);
    }
    if let Some(text) = &args.steps {
        let arrival = workload::parse_steps(text, gaps).map_err(Failure::usage)?;
        return Ok(vec![named(format!("steps {text}"), arrival)?]);
    }
    let base = |flag: &str, text: &str, rate: f64| match rate {
        0.0 => format!("{flag} {text}"),
        rate => format!("{flag} {text} at {rate}/s"),
    };
    if let Some(text) = &args.bursts {
        let rates = match request_rate {
            None => vec![0.0],
            Some(rates) => numbers("--request-rate", rates)?,
        };
        let each = rates.into_iter().map(|rate| {
            let arrival = workload::parse_bursts(text, rate, gaps).map_err(Failure::usage)?;
            named(base("bursts", text, rate), arrival)
        });
        return each.collect();
    }
    if let (Some(text), Some(rates)) = (&args.on_off, request_rate) {
        let each = numbers("--request-rate", rates)?.into_iter().map(|rate| {
            let arrival = workload::parse_on_off(text, rate, gaps).map_err(Failure::usage)?;
            named(base("on-off", text, rate), arrival)
        });
        return each.collect();
    }
    Ok(Vec::new())
}

/// Of a rate that changes only two shapes are known.
fn gaps(args: &ArrivalArgs, burstiness: f64) -> Result<Gaps, Failure> {
    let changes = args.ramp.is_some()
        || args.steps.is_some()
        || args.bursts.is_some()
        || args.on_off.is_some();
    match burstiness {
        1.0 => Ok(Gaps::Exponential),
        f64::INFINITY => Ok(Gaps::Equal),
        _ if !changes => Ok(Gaps::Exponential),
        other => Err(Failure::usage(format!(
            "--burstiness is 1 or inf where the rate changes, got `{other}`; leave it out for Poisson arrivals"
        ))),
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an expected number is not negative, and `as` saturates"
)]
fn named(key: String, arrival: Arrival) -> Result<NamedArrival, Failure> {
    let expected = workload::expected_arrivals(arrival, once(arrival)).map_err(Failure::usage)?;
    Ok(NamedArrival {
        key,
        arrival,
        requests: (expected.round() as usize).max(1),
    })
}

/// How long a process takes to show itself: a ramp and a staircase once, periods three times and at
/// least as long as the arrivals of a constant rate.
fn once(arrival: Arrival) -> Nanos {
    const SECONDS: f64 = 30.0;
    let periods = |period: Nanos| {
        let count = (SECONDS / period.seconds()).ceil().max(3.0);
        Nanos::from_seconds(period.seconds() * count)
    };
    match arrival {
        Arrival::Ramp { duration, .. } => duration,
        Arrival::Steps {
            from,
            to,
            step,
            hold,
            ..
        } => {
            let rises = ((to - from).abs() / step).ceil();
            Nanos::from_seconds(hold.seconds() * (rises + 1.0))
        }
        Arrival::Bursts { every, .. } => periods(every),
        Arrival::OnOff { on, off, .. } => periods(on + off),
        Arrival::Constant { .. }
        | Arrival::Poisson { .. }
        | Arrival::Gamma { .. }
        | Arrival::Replay { .. } => Nanos::from_seconds(SECONDS),
    }
}
