//! Passes over a whole row, written so that the compiler makes vector instructions of them.

use crate::TokenId;

/// Independent accumulators: enough to fill the widest vectors twice.
const LANES: usize = 32;

/// Numbers whose maximum or sum is kept, so that one of them is found without a second pass over all.
const STRETCH: usize = 1024;

/// The index of the largest number, the lowest one among equals; what is no number is never the largest. 0 where there
/// is no number.
pub(super) fn argmax(row: &[f32]) -> TokenId {
    let mut best = f32::NEG_INFINITY;
    let mut found = 0;
    for (index, stretch) in row.chunks(STRETCH).enumerate() {
        let highest = maximum(stretch);
        if highest > best {
            best = highest;
            found = index * STRETCH;
        }
    }
    let within = row[found..]
        .iter()
        .take(STRETCH)
        .position(|&logit| logit >= best);
    TokenId::try_from(found + within.unwrap_or(0)).expect("token ids are 32 bits wide")
}

/// The largest number; negative infinity where there is none.
pub(super) fn maximum(row: &[f32]) -> f32 {
    // A comparison with what is no number is false, which keeps it out, where `f32::max` would cost more.
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let (vectors, rest) = row.as_chunks::<LANES>();
    let mut highest = [f32::NEG_INFINITY; LANES];
    for vector in vectors {
        for (highest, &logit) in highest.iter_mut().zip(vector) {
            *highest = larger(*highest, logit);
        }
    }
    highest
        .iter()
        .chain(rest)
        .copied()
        .fold(f32::NEG_INFINITY, larger)
}

/// e^x for x ≤ 0 within 2 units in the last place; 0 below -87, where f32 ends, and for what is no number.
///
/// e^x = 2^n · e^r with n = round(x / ln 2) and |r| ≤ ln 2 / 2, and a polynomial for e^r (Cephes `expf`, Moshier).
/// Unlike the standard library's, it has no branch and no call, so that it is computed for many x at once.
#[inline]
#[allow(clippy::cast_possible_truncation, reason = "n is between -126 and 0")]
#[allow(
    clippy::excessive_precision,
    reason = "the constants are those of the source"
)]
fn exponential(x: f32) -> f32 {
    /// Adding 1.5 · 2^23 rounds to a whole number, which is then in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    const LN_2_HIGH: f32 = 0.693_359_375;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let possible = x >= -87.0;
    let x = if possible { x } else { 0.0 };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * LN_2_HIGH - n * LN_2_LOW;
    let mut sum = 1.987_569_15e-4;
    for coefficient in [
        1.398_199_95e-3,
        8.333_451_9e-3,
        4.166_579_6e-2,
        1.666_666_55e-1,
        5.000_000_1e-1,
    ] {
        sum = sum * r + coefficient;
    }
    let polynomial = sum * r * r + r + 1.0;
    let exponent = (shifted.to_bits() << 23).wrapping_add(127 << 23);
    if possible {
        polynomial * f32::from_bits(exponent)
    } else {
        0.0
    }
}

/// The weight of a logit: its probability relative to that of the highest one.
#[inline]
pub(super) fn weight(logit: f32, highest: f32, temperature: f32) -> f32 {
    exponential((logit - highest) / temperature)
}

/// The weights of all logits.
pub(super) fn exponentials(row: &[f32], highest: f32, temperature: f32, weights: &mut Vec<f32>) {
    weights.clear();
    weights.extend(row.iter().map(|&logit| weight(logit, highest, temperature)));
}

/// The sum of the weights of all logits.
pub(super) fn sum_of_exponentials(row: &[f32], highest: f32, temperature: f32) -> f64 {
    row.chunks(STRETCH)
        .map(|stretch| sum(stretch, |logit| weight(logit, highest, temperature)))
        .sum()
}

/// The sum of what is made of each number of one stretch.
#[inline]
fn sum(stretch: &[f32], value: impl Fn(f32) -> f32) -> f64 {
    let (vectors, rest) = stretch.as_chunks::<LANES>();
    let mut sums = [0.0_f32; LANES];
    for vector in vectors {
        for (sum, &number) in sums.iter_mut().zip(vector) {
            *sum += value(number);
        }
    }
    let rest: f32 = rest.iter().map(|&number| value(number)).sum();
    f64::from(sums.iter().sum::<f32>() + rest)
}

/// ln Σ e^logit.
#[allow(clippy::cast_possible_truncation, reason = "log-probabilities are f32")]
pub(super) fn log_sum_exp(row: &[f32]) -> f32 {
    let highest = maximum(row);
    if !highest.is_finite() {
        return highest;
    }
    highest + sum_of_exponentials(row, highest, 1.0).ln() as f32
}

/// The index of the weight in which `random` (in [0, 1)) of the sum falls.
pub(super) fn pick(weights: &[f32], random: f64) -> usize {
    let sum = |stretch: &[f32]| sum(stretch, |weight| weight);
    let total: f64 = weights.chunks(STRETCH).map(sum).sum();
    let mut left = random * total;
    let mut last = 0;
    for (index, stretch) in weights.chunks(STRETCH).enumerate() {
        let here = sum(stretch);
        if left >= here {
            left -= here;
            continue;
        }
        for (within, &weight) in stretch.iter().enumerate() {
            if weight > 0.0 {
                last = index * STRETCH + within;
                left -= f64::from(weight);
                if left < 0.0 {
                    return last;
                }
            }
        }
        // Rounding left a little more than this stretch has; it is the last possible one of it.
        return last;
    }
    weights
        .iter()
        .rposition(|&weight| weight > 0.0)
        .unwrap_or(last)
}

#[cfg(test)]
mod tests {
    use super::{argmax, exponential, log_sum_exp, pick};
    use proptest::prelude::*;

    #[test]
    fn the_exponential_is_that_of_the_standard_library_within_two_units_in_the_last_place() {
        for step in 0..=870_000_u32 {
            let x = -f64::from(step) / 1e4;
            #[allow(clippy::cast_possible_truncation, reason = "f32 is what is tested")]
            let x = x as f32;
            let (ours, theirs) = (exponential(x), f64::from(x).exp());
            let error = (f64::from(ours) - theirs).abs() / theirs;
            assert!(
                error < 2.0 * f64::from(f32::EPSILON),
                "e^{x}: {ours} instead of {theirs}"
            );
        }
        let exact = [0.0, f32::NEG_INFINITY, f32::NAN, -1e30].map(|x| exponential(x).to_bits());
        assert_eq!(exact, [1.0, 0.0, 0.0, 0.0].map(f32::to_bits));
    }

    proptest! {
        #[test]
        fn argmax_is_the_first_of_the_largest(
            mut row in proptest::collection::vec(-4..4_i8, 1..3000),
            holes in proptest::collection::vec(any::<usize>(), 0..20),
        ) {
            let mut row: Vec<f32> = row.drain(..).map(f32::from).collect();
            for hole in holes {
                let length = row.len();
                row[hole % length] = f32::NAN;
            }
            let mut expected = 0;
            let mut best = f32::NEG_INFINITY;
            for (index, &logit) in row.iter().enumerate() {
                if logit > best {
                    best = logit;
                    expected = index;
                }
            }
            prop_assert_eq!(argmax(&row) as usize, expected);
        }

        #[test]
        fn what_is_picked_is_possible_and_in_its_place(
            weights in proptest::collection::vec(0..5_u8, 1..3000),
            random in 0.0..1.0_f64,
        ) {
            let weights: Vec<f32> = weights.into_iter().map(f32::from).collect();
            prop_assume!(weights.iter().any(|&weight| weight > 0.0));
            let total: f32 = weights.iter().sum();
            let picked = pick(&weights, random);
            prop_assert!(weights[picked] > 0.0);
            let before: f32 = weights[..picked].iter().sum();
            let point = random * f64::from(total);
            prop_assert!(f64::from(before) <= point + 1e-6);
            prop_assert!(point < f64::from(before + weights[picked]) + 1e-6);
        }
    }

    #[test]
    fn where_nothing_is_a_number_the_first_is_taken() {
        assert_eq!(argmax(&[f32::NAN, f32::NAN]), 0);
        assert_eq!(argmax(&[f32::NEG_INFINITY; 3]), 0);
        assert_eq!(argmax(&[f32::NAN, 1.0, f32::INFINITY]), 2);
    }

    #[test]
    fn equal_logits_have_the_logarithm_of_their_number() {
        let sum = log_sum_exp(&[2.0; 1000]);
        assert!((sum - (2.0 + 1000.0_f32.ln())).abs() < 1e-5, "{sum}");
    }
}
