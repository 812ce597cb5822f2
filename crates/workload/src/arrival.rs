//! When the requests of an open loop are due.

use crate::WorkloadError;
use crate::seed::{ARRIVALS, stream};
use rand_chacha::ChaCha12Rng;
use rand_distr::{Distribution, Gamma};
use trace::{Arrival, Nanos};

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

/// The first `count` due times, from the start of the run, never falling.
///
/// Constant arrivals are at 0, 1/rate, 2/rate, …, so that `rate × span` of them fall in a span.
/// In the random processes the first request comes after its own first gap, so that Poisson
/// arrivals are expected to number `rate × span`. `vllm bench serve` does that too, but then
/// stretches all due times until the last is at `count / rate`. Ours are left as they were drawn:
/// the rate of one run strays from the asked one as that of real arrivals does.
pub fn due_times(arrival: Arrival, count: usize, seed: u64) -> Result<Vec<Nanos>, WorkloadError> {
    check(arrival)?;
    Ok(DueTimes::new(arrival, seed).take(count).collect())
}

/// The due times before `end`; at most `limit` of them.
pub(crate) fn due_times_before(
    end: Nanos,
    limit: usize,
    arrival: Arrival,
    seed: u64,
) -> Result<Vec<Nanos>, WorkloadError> {
    check(arrival)?;
    Ok(DueTimes::new(arrival, seed)
        .take_while(|&due| due < end)
        .take(limit)
        .collect())
}

fn check(arrival: Arrival) -> Result<(), WorkloadError> {
    let rate = arrival.rate();
    if !(rate.is_finite() && rate > 0.0) {
        return Err(WorkloadError::Rate { rate });
    }
    match arrival {
        // An infinite shape is a constant gap, and has a variant of its own.
        Arrival::Gamma { shape, .. } if !(shape.is_finite() && shape > 0.0) => {
            Err(WorkloadError::Burstiness { burstiness: shape })
        }
        _ => Ok(()),
    }
}

/// All the due times of a checked arrival process.
struct DueTimes {
    rate: f64,
    /// Absent where the gaps are equal.
    gaps: Option<RandomGaps>,
    /// How many were given.
    count: u64,
    /// The last one, in seconds.
    elapsed: f64,
}

struct RandomGaps {
    distribution: Gamma<f64>,
    shape: f64,
    rng: ChaCha12Rng,
}

impl DueTimes {
    fn new(arrival: Arrival, seed: u64) -> Self {
        let shape = match arrival {
            Arrival::Constant { .. } => None,
            Arrival::Poisson { .. } => Some(1.0),
            Arrival::Gamma { shape, .. } => Some(shape),
        };
        Self {
            rate: arrival.rate(),
            gaps: shape.map(|shape| RandomGaps {
                distribution: Gamma::new(shape, 1.0).expect("the shape was checked"),
                shape,
                rng: stream(seed, ARRIVALS),
            }),
            count: 0,
            elapsed: 0.0,
        }
    }
}

impl Iterator for DueTimes {
    type Item = Nanos;

    fn next(&mut self) -> Option<Nanos> {
        let due = match &mut self.gaps {
            // From the count, because a sum of rounded gaps drifts.
            None => self.count as f64 / self.rate,
            Some(gaps) => {
                // Divided in turn, because the product of a tiny shape and a tiny rate can be 0.
                self.elapsed += gaps.distribution.sample(&mut gaps.rng) / gaps.shape / self.rate;
                self.elapsed
            }
        };
        self.count += 1;
        Some(Nanos::from_seconds(due))
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
             out for a closed loop."
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
        assert_eq!(micros, [178_833, 314_547, 324_308, 424_756]);
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

        // 20,000 gaps of shape 0.5 have a mean with a relative standard error of 1 %.
        #[test]
        fn due_times_rise_at_the_asked_rate_and_follow_the_seed(
            rate in 0.01..1e4_f64, shape in 0.5..8.0_f64, constant: bool, seed: u64,
        ) {
            let shape = if constant { f64::INFINITY } else { shape };
            let arrival = arrival_for(rate, shape).unwrap();
            let dues = due_times(arrival, 20_000, seed).unwrap();
            prop_assert!(dues.is_sorted());
            let reached = 20_000.0 / dues.last().unwrap().seconds();
            prop_assert!((reached / rate - 1.0).abs() < 0.06, "{} for {}", reached, rate);
            prop_assert_eq!(&dues, &due_times(arrival, 20_000, seed).unwrap());
            prop_assert_eq!(constant, dues == due_times(arrival, 20_000, !seed).unwrap());
        }
    }
}
