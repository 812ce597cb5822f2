//! Dates and times as Azure's traces write them.

const DAY_SECONDS: i64 = 86_400;

/// Nanoseconds since 1970 of `2023-11-16 18:17:03.9799600`, with `T` for the space, with fewer digits
/// or none, and with `Z` or an offset such as `+00:00` behind it; without one it is UTC. `None`
/// where it is another text, or a time before 1970.
pub(super) fn nanos(text: &str) -> Option<u64> {
    let (date, time) = text.split_once([' ', 'T'])?;
    let [year, month, day] = numbers(date, '-')?;
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let (time, offset_seconds) = offset(time)?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [hours, minutes, seconds] = numbers(time, ':')?;
    // A leap second is 60.
    if hours > 23 || minutes > 59 || seconds > 60 {
        return None;
    }
    let seconds =
        days_from_1970(year, month, day) * DAY_SECONDS + hours * 3_600 + minutes * 60 + seconds
            - offset_seconds;
    let fraction = fraction_nanos(fraction)?;
    u64::try_from(seconds)
        .ok()?
        .checked_mul(1_000_000_000)?
        .checked_add(fraction)
}

/// Three numbers, of at most four digits each.
fn numbers(text: &str, separator: char) -> Option<[i64; 3]> {
    let mut numbers = [0; 3];
    let mut parts = text.split(separator);
    for number in &mut numbers {
        *number = parts
            .next()
            .filter(|part| is_digits(part, 4))?
            .parse()
            .ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

/// The time without its offset, and the offset in seconds.
fn offset(time: &str) -> Option<(&str, i64)> {
    if let Some(time) = time.strip_suffix('Z') {
        return Some((time, 0));
    }
    let Some(at) = time.find(['+', '-']) else {
        return Some((time, 0));
    };
    let (hours, minutes) = time[at + 1..]
        .split_once(':')
        .unwrap_or((&time[at + 1..], "0"));
    if !is_digits(hours, 2) || !is_digits(minutes, 2) {
        return None;
    }
    let seconds = hours.parse::<i64>().ok()? * 3_600 + minutes.parse::<i64>().ok()? * 60;
    let sign = if time[at..].starts_with('-') { -1 } else { 1 };
    Some((&time[..at], sign * seconds))
}

/// Digits behind the point as nanoseconds; what is finer is cut.
fn fraction_nanos(digits: &str) -> Option<u64> {
    if !is_digits(digits, 18) {
        return None;
    }
    let padded: String = digits.chars().chain("000000000".chars()).take(9).collect();
    padded.parse().ok()
}

fn is_digits(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Days of the Gregorian calendar (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms",
/// `days_from_civil`), for years from 0 on.
fn days_from_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    era * 146_097 + days - 719_468
}

#[cfg(test)]
mod tests {
    use super::nanos;

    #[test]
    fn times_are_read_in_every_form_of_the_traces() {
        // From `date -u -d '2023-11-16 18:17:03' +%s`.
        let second = 1_700_158_623_000_000_000;
        for (text, expected) in [
            ("2023-11-16 18:17:03.9799600", second + 979_960_000),
            ("2023-11-16 18:17:03", second),
            ("2023-11-16T18:17:03Z", second),
            ("2023-11-16 20:17:03.5+02:00", second + 500_000_000),
            ("2023-11-16 17:17:03.000000001-01", second + 1),
            ("1970-01-01 00:00:00", 0),
            ("2024-02-29 00:00:00", 1_709_164_800_000_000_000),
            ("2024-03-01 00:00:00", 1_709_251_200_000_000_000),
        ] {
            assert_eq!(nanos(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "5",
            "2023-11-16",
            "2023-13-16 18:17:03",
            "2023-11-16 24:00:00",
            "2023-11-16 18:17",
            "2023-11-16 18:17:03.",
            "2023-11-16 18:17:03.1x",
            "1969-12-31 23:59:59",
            "é-é-é é:é:é",
            "2023-11-16 18:17:03+",
            "2023-11-16 18:17:03+1:2:3",
            "--- :::",
            "2023-11-16 -1:17:03",
        ] {
            assert_eq!(nanos(text), None, "{text}");
        }
    }
}
