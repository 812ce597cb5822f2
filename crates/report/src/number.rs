//! Numbers for people: three or four significant digits, thousands apart.

use stats::{Interval, MeanStd};

/// What stands where nothing was measured.
pub(crate) const ABSENT: &str = "–";

/// Three or four significant digits: `6,230`, `159.2`, `45.2`, `4.52`, `0.0452`.
pub(crate) fn significant(value: f64) -> String {
    with_decimals(value, decimals(value))
}

/// [`significant`], or [`ABSENT`].
pub(crate) fn optional(value: Option<f64>) -> String {
    value.map_or_else(|| ABSENT.to_owned(), significant)
}

/// `3,729 ± 122`; without the spread where a single value has none.
pub(crate) fn mean_std(sample: MeanStd) -> String {
    let mean = significant(sample.mean);
    if sample.n < 2 {
        return mean;
    }
    format!(
        "{mean} ± {}",
        with_decimals(sample.std, decimals(sample.mean))
    )
}

/// Marks what rests on an estimated count of tokens.
pub(crate) fn estimated(shown: String, is_estimated: bool) -> String {
    if is_estimated {
        format!("≈{shown}")
    } else {
        shown
    }
}

/// `[264, 295]`.
pub(crate) fn interval(Interval { low, high }: Interval) -> String {
    format!("[{}, {}]", significant(low), significant(high))
}

/// A share as a percentage: `97.3 %`.
pub(crate) fn percent(share: f64) -> String {
    format!("{} %", significant(share * 100.0))
}

/// A count with its thousands apart.
pub(crate) fn count(value: u64) -> String {
    group(&value.to_string())
}

/// `1 run`, `3 runs`.
pub(crate) fn plural(value: u64, noun: &str) -> String {
    format!(
        "{} {noun}{}",
        count(value),
        if value == 1 { "" } else { "s" }
    )
}

/// The value with that many decimals and its thousands apart; in powers of ten from 10⁹ on.
pub(crate) fn with_decimals(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return ABSENT.to_owned();
    }
    if value.abs() >= 1e9 {
        return format!("{value:.2e}");
    }
    let digits = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let sign = if value < 0.0 { "-" } else { "" };
    format!("{sign}{}{fraction}", group(whole))
}

/// The bounds lie half a last digit low, so that 9.996 is `10.0` and not `10.00`.
fn decimals(value: f64) -> usize {
    match value.abs() {
        0.0 => 0,
        v if v >= 999.95 => 0,
        v if v >= 9.995 => 1,
        v if v >= 0.9995 => 2,
        v if v >= 0.099_95 => 3,
        v if v >= 0.009_995 => 4,
        v if v >= 0.000_999_5 => 5,
        _ => 6,
    }
}

fn group(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{ABSENT, count, mean_std, percent, significant};
    use stats::MeanStd;

    #[test]
    fn three_or_four_digits_are_shown_at_every_magnitude() {
        let shown: Vec<_> = [
            0.0,
            0.000_5,
            0.045_24,
            0.4524,
            4.524,
            9.996,
            45.24,
            159.16,
            999.97,
            3729.3,
            1_234_567.0,
        ]
        .map(significant)
        .into();
        assert_eq!(
            shown,
            [
                "0",
                "0.000500",
                "0.0452",
                "0.452",
                "4.52",
                "10.0",
                "45.2",
                "159.2",
                "1,000",
                "3,729",
                "1,234,567"
            ]
        );
    }

    #[test]
    fn a_number_that_is_none_is_absent() {
        assert_eq!(significant(f64::NAN), ABSENT);
        assert_eq!(significant(f64::INFINITY), ABSENT);
        assert_eq!(significant(1e300), "1.00e300");
    }

    #[test]
    fn a_single_value_shows_no_spread() {
        assert_eq!(
            mean_std(MeanStd {
                n: 1,
                mean: 159.16,
                std: 0.0,
                min: 159.16,
                max: 159.16,
            }),
            "159.2"
        );
        assert_eq!(
            mean_std(MeanStd {
                n: 3,
                mean: 3729.3,
                std: 122.2,
                min: 3600.0,
                max: 3800.0,
            }),
            "3,729 ± 122"
        );
    }

    #[test]
    fn shares_and_counts_read_as_a_person_writes_them() {
        assert_eq!(percent(0.9731), "97.3 %");
        assert_eq!(count(1_192_537), "1,192,537");
        assert_eq!(count(999), "999");
    }
}
