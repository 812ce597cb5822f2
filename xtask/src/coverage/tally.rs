//! How the intervals of one number fared.

use crate::coverage::cells::Cell;
use stats::{Interval, share_interval};

pub(crate) const HEADING: &str = "cell                                    n number    runs  shown            held      its 95 %    below \
                                  width     each   steady";

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Tally {
    runs: u32,
    shown: u32,
    held: u32,
    /// Lie below the truth.
    below: u32,
    /// Of those shown, in parts of the truth.
    widths: f64,
    /// Absent where there is no such truth.
    held_each: Option<u32>,
    held_steady: Option<u32>,
}

impl Tally {
    /// Adds what one run showed. What is true of all requests of such runs together, of each run on average, and of a run
    /// without end.
    pub(crate) fn add(
        &mut self,
        interval: Option<Interval>,
        [of_all, of_each, steady]: [Option<f64>; 3],
    ) {
        self.runs += 1;
        let holds = |truth: f64| interval.is_some_and(|it| (it.low..=it.high).contains(&truth));
        self.shown += u32::from(interval.is_some());
        self.held += u32::from(of_all.is_some_and(holds));
        if let (Some(interval), Some(truth)) = (interval, of_all) {
            self.below += u32::from(interval.high < truth);
            self.widths += (interval.high - interval.low) / truth;
        }
        for (held, truth) in [
            (&mut self.held_each, of_each),
            (&mut self.held_steady, steady),
        ] {
            if let Some(truth) = truth {
                *held.get_or_insert(0) += u32::from(holds(truth));
            }
        }
    }

    pub(crate) fn shown_share(&self) -> f64 {
        f64::from(self.shown) / f64::from(self.runs)
    }

    /// Of those shown, how many hold.
    fn held_interval(&self, held: u32) -> Option<(f64, Interval)> {
        let shown = f64::from(self.shown);
        let share = f64::from(held) / shown;
        share_interval(share, shown).map(|interval| (share, interval))
    }

    /// Whether more intervals than chance makes miss what all requests have together.
    pub(crate) fn is_below(&self, share: f64) -> bool {
        let held = self.held_interval(self.held);
        held.is_some_and(|(_, held)| held.high < share)
    }

    pub(crate) fn row(&self, cell: &Cell, number: &str) -> String {
        let begin = format!(
            "{:<32} {:>8} {number:<7} {:>6} {:>6}",
            cell.system, cell.requests, self.runs, self.shown
        );
        let Some((share, Interval { low, high })) = self.held_interval(self.held) else {
            return begin;
        };
        let percent = |share: f64| 100.0 * share;
        let also = |held: Option<u32>| {
            held.map_or_else(String::new, |held| {
                format!("{:.1} %", percent(f64::from(held) / f64::from(self.shown)))
            })
        };
        format!(
            "{begin} {:>7} {:5.1} % {:5.1} to {:5.1} {:5} {:5.0} % {:>8} {:>8}{}",
            self.held,
            percent(share),
            percent(low),
            percent(high),
            self.below,
            percent(self.widths / f64::from(self.shown)),
            also(self.held_each),
            also(self.held_steady),
            if self.is_below(super::HELD_MIN) {
                "  too few"
            } else {
                ""
            }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;
    use stats::Interval;

    #[test]
    fn what_is_not_shown_is_no_part_of_what_holds() {
        let mut tally = Tally::default();
        let around = |middle: f64| {
            Some(Interval {
                low: middle - 1.0,
                high: middle + 1.0,
            })
        };
        for _ in 0..60 {
            tally.add(None, [Some(10.0), None, Some(12.0)]);
        }
        for middle in [10.0, 10.5, 11.0, 13.0] {
            (0..10).for_each(|_| tally.add(around(middle), [Some(10.0), None, Some(12.0)]));
        }
        assert!((tally.shown_share() - 0.4).abs() < 1e-12);
        let (held, _) = tally.held_interval(tally.held).expect("some are shown");
        assert!((held - 0.75).abs() < 1e-12);
        assert_eq!(tally.held_steady, Some(20));
        // 30 of 40 are 58 to 86 of 100.
        assert!(tally.is_below(0.93) && !tally.is_below(0.8));
    }

    #[test]
    fn few_misses_of_few_are_chance() {
        let mut tally = Tally::default();
        let interval = |high| Some(Interval { low: 0.0, high });
        for high in [2.0, 2.0, 0.5] {
            tally.add(interval(high), [Some(1.0), None, None]);
        }
        assert!(!tally.is_below(0.93));
        assert_eq!(tally.held_steady, None);
    }

    #[test]
    fn what_each_run_has_is_counted_beside_what_all_have() {
        let mut tally = Tally::default();
        let interval = Some(Interval {
            low: 0.0,
            high: 2.0,
        });
        (0..100).for_each(|run| {
            let of_each = Some(if run < 30 { 3.0 } else { 1.0 });
            tally.add(interval, [Some(1.0), of_each, None]);
        });
        assert!(!tally.is_below(0.93));
        assert_eq!(tally.held_each, Some(70));
    }
}
