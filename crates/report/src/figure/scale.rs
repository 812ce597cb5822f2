//! Numbers to places on an axis.

use crate::number::with_decimals;

/// Room to the left of the first point and to the right of the last, as a share of the axis.
const PADDING: f64 = 0.07;
/// Logarithmic spacing is kept while no gap is narrower than this share of the even gap.
const NARROWEST_GAP: f64 = 0.5;
/// Room over the highest value, for its label.
const HEADROOM: f64 = 1.12;

/// Where the points of a panel stand: by the logarithm of their position, which spaces 1, 2, 4, 8
/// evenly, or one after the other where that would crowd them.
pub(super) struct XScale {
    positions: Vec<f64>,
    logarithmic: bool,
}

impl XScale {
    /// From distinct positions in rising order.
    pub(super) fn new(positions: Vec<f64>) -> Self {
        let logarithmic = match positions[..] {
            [first, .., last] if first > 0.0 => {
                let even = (last.ln() - first.ln()) / (positions.len() - 1) as f64;
                positions
                    .windows(2)
                    .all(|pair| pair[1].ln() - pair[0].ln() >= NARROWEST_GAP * even)
            }
            _ => false,
        };
        Self {
            positions,
            logarithmic,
        }
    }

    /// The share of the axis left of `position`, which is one of the scale's.
    pub(super) fn share(&self, position: f64) -> f64 {
        let [first, .., last] = self.positions[..] else {
            return 0.5;
        };
        let share = if self.logarithmic {
            (position.ln() - first.ln()) / (last.ln() - first.ln())
        } else {
            let index = self.positions.partition_point(|other| *other < position);
            index as f64 / (self.positions.len() - 1) as f64
        };
        PADDING + share * (1.0 - 2.0 * PADDING)
    }
}

/// From zero to a little over the highest value.
pub(super) struct YScale {
    top: f64,
    step: f64,
}

impl YScale {
    /// For values up to `highest`.
    pub(super) fn new(highest: f64) -> Self {
        // Far below the largest number, so that a sum of steps is one, too.
        let highest = if highest > 0.0 {
            highest.min(1e300)
        } else {
            1.0
        };
        let top = highest * HEADROOM;
        Self {
            top,
            step: round_step(top / 6.0),
        }
    }

    /// The share of the axis below `value`.
    pub(super) fn share(&self, value: f64) -> f64 {
        (value / self.top).clamp(0.0, 1.0)
    }

    /// Values of the grid lines with their labels, from zero up.
    pub(super) fn ticks(&self) -> impl Iterator<Item = (f64, String)> {
        let decimals = decimals_of(self.step);
        (0..)
            .map(|index| f64::from(index) * self.step)
            .take_while(|value| *value <= self.top)
            .map(move |value| (value, with_decimals(value, decimals)))
    }
}

/// A round step is at least a ninth of a linear axis.
const TICKS_MAX: u32 = 10;

/// From one number to another, each place by its value.
pub(super) struct LinearScale {
    from: f64,
    to: f64,
}

impl LinearScale {
    /// Where both are one number, or none, the scale is one wide.
    pub(super) fn new(from: f64, to: f64) -> Self {
        let to = if to > from && (to - from).is_finite() {
            to
        } else {
            from + 1.0
        };
        Self { from, to }
    }

    /// The share of the axis left of `value`.
    pub(super) fn share(&self, value: f64) -> f64 {
        ((value - self.from) / (self.to - self.from)).clamp(0.0, 1.0)
    }

    /// Round places with their labels.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        let step = round_step((self.to - self.from) / 9.0);
        let decimals = decimals_of(step);
        let first = (self.from / step).ceil();
        (0..TICKS_MAX)
            .map(|index| (first + f64::from(index)) * step)
            .take_while(|value| *value <= self.to + step * 1e-9)
            .map(|value| (value, with_decimals(value, decimals)))
            .collect()
    }
}

/// Each place by the logarithm of its value.
pub(super) struct LogScale {
    low: f64,
    high: f64,
}

impl LogScale {
    /// For positive values, with a little room to both sides.
    pub(super) fn new(low: f64, high: f64) -> Self {
        Self {
            low: low / 1.3,
            high: high * 1.3,
        }
    }

    /// The share of the axis below `value`.
    pub(super) fn share(&self, value: f64) -> f64 {
        ((value / self.low).ln() / (self.high / self.low).ln()).clamp(0.0, 1.0)
    }

    /// 1, 2 and 5 times the powers of ten; the powers alone where there are many.
    #[allow(
        clippy::cast_possible_truncation,
        reason = "powers of ten of an f64 are few"
    )]
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        let decades = (self.low.log10().floor() as i32)..=(self.high.log10().ceil() as i32);
        let factors: &[f64] = if self.high / self.low > 1e4 {
            &[1.0]
        } else {
            &[1.0, 2.0, 5.0]
        };
        let all = decades.flat_map(|decade| {
            let power = 10_f64.powi(decade);
            factors.iter().map(move |factor| factor * power)
        });
        all.filter(|value| (self.low..=self.high).contains(value))
            .map(|value| (value, with_decimals(value, decimals_of(value))))
            .collect()
    }
}

/// So many that no digit of `step` is lost.
fn decimals_of(step: f64) -> usize {
    let powers = std::iter::successors(Some(1.0), |power| Some(power * 10.0));
    let is_whole = |decimals: &(usize, f64)| {
        let scaled = step * decimals.1;
        (scaled - scaled.round()).abs() < 1e-6 * scaled
    };
    let found = (0..20).zip(powers).find(is_whole);
    found.map_or(20, |(decimals, _)| decimals)
}

/// The smallest of 1, 2, 2.5, 5 × 10ⁿ that is not under `step`.
fn round_step(step: f64) -> f64 {
    let magnitude = 10_f64.powf(step.log10().floor());
    [1.0, 2.0, 2.5, 5.0]
        .map(|factor| factor * magnitude)
        .into_iter()
        .find(|round| *round >= step)
        .unwrap_or(10.0 * magnitude)
}

#[cfg(test)]
mod tests {
    use super::{LinearScale, LogScale, XScale, YScale};
    use proptest::prelude::*;

    #[test]
    fn powers_of_two_stand_evenly() {
        let scale = XScale::new(vec![1.0, 2.0, 4.0, 8.0]);
        let gaps: Vec<_> = [1.0, 2.0, 4.0, 8.0]
            .windows(2)
            .map(|p| scale.share(p[1]) - scale.share(p[0]))
            .collect();
        assert!(
            gaps.iter().all(|gap| (gap - gaps[0]).abs() < 1e-12),
            "{gaps:?}"
        );
    }

    #[test]
    fn a_gap_in_the_sweep_shows_as_a_gap() {
        let scale = XScale::new(vec![1.0, 8.0, 16.0]);
        assert!(scale.share(8.0) - scale.share(1.0) > 2.9 * (scale.share(16.0) - scale.share(8.0)));
    }

    #[test]
    fn crowded_positions_stand_one_after_the_other() {
        let scale = XScale::new(vec![1.0, 100.0, 101.0]);
        assert!((scale.share(100.0) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn a_single_point_stands_in_the_middle() {
        assert!((XScale::new(vec![64.0]).share(64.0) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn ticks_are_round() {
        let labels = |highest| {
            YScale::new(highest)
                .ticks()
                .map(|(_, label)| label)
                .collect::<Vec<_>>()
        };
        assert_eq!(labels(3_851.5), ["0", "1,000", "2,000", "3,000", "4,000"]);
        assert_eq!(
            labels(1.2),
            ["0.00", "0.25", "0.50", "0.75", "1.00", "1.25"]
        );
        assert_eq!(labels(0.0), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
    }

    #[test]
    fn a_logarithmic_axis_has_round_places() {
        let labels = |low, high| -> Vec<String> {
            let ticks = LogScale::new(low, high).ticks();
            ticks.into_iter().map(|(_, label)| label).collect()
        };
        assert_eq!(
            labels(12.0, 900.0),
            ["10", "20", "50", "100", "200", "500", "1,000"]
        );
        assert_eq!(labels(0.5, 9_000.0), ["1", "10", "100", "1,000", "10,000"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn places_of_numbers_are_in_order_and_ticks_within_the_axis(
            from in -1e6..1e6_f64, span in 1e-6..1e6_f64, share in 0.0..1.0_f64
        ) {
            let scale = LinearScale::new(from, from + span);
            let ticks = scale.ticks();
            prop_assert!((2..=10).contains(&ticks.len()), "{}", ticks.len());
            prop_assert!(ticks.iter().all(|(value, _)| (-1e-6..=1.0).contains(&scale.share(*value))));
            prop_assert!((scale.share(from + share * span) - share).abs() < 1e-6);
            let (low, high) = (span, span * (40.0 + share * 1e3));
            let log = LogScale::new(low, high);
            let ticks = log.ticks();
            prop_assert!((2..=13).contains(&ticks.len()), "{}", ticks.len());
            prop_assert!(log.share(low) < log.share(high));
        }

        #[test]
        fn ticks_are_few_and_within_the_axis(highest in any::<f64>()) {
            let scale = YScale::new(highest);
            let ticks: Vec<_> = scale.ticks().take(20).collect();
            prop_assert!((2..=7).contains(&ticks.len()), "{}", ticks.len());
        }
    }
}
