//! When the requests of an open loop are due.

mod bursts;
mod check;
mod intensity;
mod notation;

use crate::WorkloadError;
use crate::seed::{ARRIVALS, stream};
use bursts::Bursts;
use check::check;
use rand_distr::{Distribution, Gamma};
use trace::{Arrival, Gaps, Nanos};

pub use notation::{parse_bursts, parse_on_off, parse_ramp, parse_span, parse_steps};

/// The arrival process of a rate (requests per second) and vLLM's `--burstiness`.
///
/// Burstiness is the shape of the gamma distribution of the gaps: 1 is Poisson, below 1 is burstier,
/// above 1 more even, and infinity gives equal gaps.
pub fn arrival_for(rate: f64, burstiness: f64) -> Result<Arrival, WorkloadError> {
    let arrival = if burstiness.is_infinite() && burstiness > 0.0 {
        Arrival::Constant { rate }
    } else if (burstiness - 1.0).abs() < f64::EPSILON {
        Arrival::Poisson { rate }
    } else {
        Arrival::Gamma {
            rate,
            shape: burstiness,
        }
    };
    check(arrival)?;
    Ok(arrival)
}

/// The due times of `count` requests, from the start of the run, never falling.
///
/// `count` requests arrive in exactly the time in which that many are expected (`count / rate` where
/// the rate is constant), so that every run has the rate that was asked for and two runs differ in
/// their gaps alone. Constant arrivals are at 0, 1/rate, 2/rate, …. Of the random processes one gap
/// more is drawn than there are requests, and all are stretched by one factor to fill the span: for
/// Poisson that is the process itself, given that `count` arrive. `vllm bench serve` stretches too,
/// but to the last request. Where the rate changes with time, a process of rate 1 is drawn in this
/// way, and its times are mapped through the inverse of the expected number of arrivals.
pub fn due_times(arrival: Arrival, count: usize, seed: u64) -> Result<Vec<Nanos>, WorkloadError> {
    check(arrival)?;
    Ok(match Bursts::of(arrival) {
        Some(bursts) => bursts.due_times(count, seed),
        None => arrivals(arrival, count, count as f64, seed),
    })
}

/// How many requests of an arrival process are expected before `until`.
pub fn expected_arrivals(arrival: Arrival, until: Nanos) -> Result<f64, WorkloadError> {
    check(arrival)?;
    let of_rate = intensity::expected(arrival, until.seconds());
    let of_bursts = Bursts::of(arrival).map_or(0.0, |bursts| bursts.requests_before(until));
    Ok(of_rate + of_bursts)
}

/// The due times before `end`, as many as the rate gives; at most `limit` of them.
pub(crate) fn due_times_before(
    end: Nanos,
    limit: usize,
    arrival: Arrival,
    seed: u64,
) -> Result<Vec<Nanos>, WorkloadError> {
    check(arrival)?;
    if let Some(bursts) = Bursts::of(arrival) {
        return Ok(bursts.due_times_before(end, limit, seed));
    }
    let expected = intensity::expected(arrival, end.seconds());
    Ok(arrivals(
        arrival,
        rounded(expected).min(limit),
        expected,
        seed,
    ))
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an expected number is not negative, and `as` saturates"
)]
fn rounded(expected: f64) -> usize {
    expected.round() as usize
}

/// `count` arrivals of a checked process in the time in which `expected` are expected.
fn arrivals(arrival: Arrival, count: usize, expected: f64, seed: u64) -> Vec<Nanos> {
    let mut times = unit_times(arrival, count, expected, seed);
    for time in &mut times {
        *time = intensity::reached(arrival, *time);
    }
    times.into_iter().map(Nanos::from_seconds).collect()
}

/// `count` arrivals of the process at the rate of 1, before `end`.
fn unit_times(arrival: Arrival, count: usize, end: f64, seed: u64) -> Vec<f64> {
    let Some(shape) = gap_shape(arrival) else {
        // From the count, because a sum of rounded gaps drifts.
        return (0..count).map(|number| number as f64).collect();
    };
    let gaps = Gamma::new(shape, 1.0).expect("the shape was checked");
    let mut rng = stream(seed, ARRIVALS);
    let mut elapsed = 0.0;
    let mut times: Vec<f64> = (0..=count)
        .map(|_| {
            elapsed += gaps.sample(&mut rng) / shape;
            elapsed
        })
        .collect();
    times.truncate(count);
    for time in &mut times {
        *time = *time / elapsed * end;
    }
    times
}

/// The shape of the gamma distribution of the gaps; `None` where they are equal.
fn gap_shape(arrival: Arrival) -> Option<f64> {
    match arrival {
        Arrival::Constant { .. } | Arrival::Replay { .. } => None,
        Arrival::Poisson { .. } => Some(1.0),
        Arrival::Gamma { shape, .. } => Some(shape),
        Arrival::Ramp { gaps, .. }
        | Arrival::Steps { gaps, .. }
        | Arrival::Bursts { gaps, .. }
        | Arrival::OnOff { gaps, .. } => match gaps {
            Gaps::Exponential => Some(1.0),
            Gaps::Equal => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{arrival_for, due_times};
    use crate::WorkloadError;
    use proptest::prelude::*;
    use trace::{Arrival, Nanos};

    #[test]
    fn input_41_rate_zero_negative_infinite_or_nan() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let error = arrival_for(rate, 1.0).unwrap_err();
            assert!(matches!(error, WorkloadError::Rate { .. }));
        }
        assert_eq!(
            arrival_for(-1.0, 1.0).unwrap_err().to_string(),
            "`--request-rate` must be above 0 requests per second and finite, got `-1`; leave it \
             out for bursts or a closed loop."
        );
    }

    #[test]
    fn a_burstiness_that_is_not_positive_is_refused() {
        for burstiness in [0.0, -0.5, f64::NAN, f64::NEG_INFINITY] {
            let error = arrival_for(1.0, burstiness).unwrap_err();
            assert!(matches!(error, WorkloadError::Burstiness { .. }));
        }
    }

    #[test]
    fn burstiness_names_the_process() {
        let rate = 2.0;
        assert_eq!(arrival_for(rate, 1.0), Ok(Arrival::Poisson { rate }));
        assert_eq!(
            arrival_for(rate, f64::INFINITY),
            Ok(Arrival::Constant { rate })
        );
        assert_eq!(
            arrival_for(rate, 0.5),
            Ok(Arrival::Gamma { rate, shape: 0.5 })
        );
    }

    #[test]
    fn constant_arrivals_start_at_zero_and_do_not_drift() {
        let dues = due_times(Arrival::Constant { rate: 3.0 }, 3_000_001, 0).unwrap();
        assert_eq!(dues[0], Nanos::ZERO);
        assert_eq!(dues[1], Nanos(333_333_333));
        assert_eq!(dues[3_000_000], Nanos::from_seconds(1e6));
    }

    #[test]
    fn the_coefficient_of_variation_is_that_of_the_gamma_distribution() {
        for shape in [0.5, 1.0, 4.0] {
            let dues = due_times(arrival_for(10.0, shape).unwrap(), 20_000, 1).unwrap();
            let gaps: Vec<f64> = dues
                .windows(2)
                .map(|pair| (pair[1] - pair[0]).seconds())
                .collect();
            let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
            let variance =
                gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
            let expected = 1.0 / shape.sqrt();
            assert!(
                (variance.sqrt() / mean / expected - 1.0).abs() < 0.05,
                "shape {shape}"
            );
        }
    }

    // To the microsecond, because logarithms differ in the last bit between platforms.
    #[test]
    fn random_due_times_are_the_same_in_every_version() {
        let dues = due_times(arrival_for(10.0, 0.5).unwrap(), 4, 1).unwrap();
        let micros: Vec<u64> = dues.iter().map(|due| due.0 / 1_000).collect();
        assert_eq!(micros, [153_430, 269_867, 278_241, 364_421]);
    }

    #[test]
    fn absurd_rates_and_shapes_saturate() {
        for (rate, shape) in [
            (1e-300, 1e-300),
            (1e300, 1e300),
            (1e-300, 1e300),
            (5e-324, 1.0),
        ] {
            let dues = due_times(arrival_for(rate, shape).unwrap(), 100, 0).unwrap();
            assert!(dues.is_sorted());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        // The last of 20,000 comes one gap, or a few, before the end of the span.
        #[test]
        fn due_times_rise_at_the_asked_rate_and_follow_the_seed(
            rate in 0.01..1e4_f64, shape in 0.5..8.0_f64, constant: bool, seed: u64,
        ) {
            let shape = if constant { f64::INFINITY } else { shape };
            let arrival = arrival_for(rate, shape).unwrap();
            let dues = due_times(arrival, 20_000, seed).unwrap();
            prop_assert!(dues.is_sorted());
            let reached = 20_000.0 / dues.last().unwrap().seconds();
            prop_assert!((reached / rate - 1.0).abs() < 0.002, "{} for {}", reached, rate);
            prop_assert_eq!(&dues, &due_times(arrival, 20_000, seed).unwrap());
            prop_assert_eq!(constant, dues == due_times(arrival, 20_000, !seed).unwrap());
        }
    }
}
