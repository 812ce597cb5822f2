//! Wilson's score interval of a share: "Probable inference, the law of succession, and statistical
//! inference" (1927).

use crate::Interval;
use crate::special::NORMAL_95;

/// The 95 % interval of a share of `n` independent requests; `None` where there are none.
pub fn share_interval(share: f64, n: f64) -> Option<Interval> {
    wilson(share, n, NORMAL_95)
}

/// The interval that reaches so many standard deviations to either side.
pub(crate) fn wilson(share: f64, n: f64, reach: f64) -> Option<Interval> {
    if n.is_nan() || n <= 0.0 {
        return None;
    }
    // What rounding put outside of it is not outside of it.
    let share = share.clamp(0.0, 1.0);
    let squared = reach * reach;
    let middle = share + squared / (2.0 * n);
    let half = reach * (share * (1.0 - share) / n + squared / (4.0 * n * n)).sqrt();
    let scale = 1.0 + squared / n;
    Some(Interval {
        low: ((middle - half) / scale).clamp(0.0, share),
        high: ((middle + half) / scale).clamp(share, 1.0),
    })
}

#[cfg(test)]
mod tests {
    use super::share_interval;

    #[test]
    fn the_interval_of_a_share_is_wilsons() {
        let all = share_interval(1.0, 100.0).unwrap();
        assert!((all.low - 0.963_006_5).abs() < 1e-6 && all.high >= 1.0);
        let part = share_interval(0.9, 50.0).unwrap();
        assert!((part.low - 0.786_397).abs() < 1e-6, "{part:?}");
        assert!((part.high - 0.956_524).abs() < 1e-6, "{part:?}");
        assert_eq!(share_interval(1.0, 0.0), None);
    }
}
