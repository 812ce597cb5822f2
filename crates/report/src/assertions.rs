//! Thresholds and how they fared.

use crate::escape;
use crate::grid::{Cell, Grid};
use crate::number::{self, ABSENT};
use crate::style::Ink;
use stats::{AssertionResult, PrecisionResult, Unit};
use std::fmt::Write;

/// A row per threshold and point; none where nothing was asserted.
pub(crate) fn grid(results: &[AssertionResult]) -> Grid {
    let mut grid = Grid::titled::<0, 0>([]);
    for result in results {
        let (mark, ink) = if result.passed {
            ("✓", Ink::Green)
        } else {
            ("✗", Ink::Red)
        };
        grid.push(vec![
            Cell::inked(
                format!("{mark} {}", escape::terminal(&result.assertion)),
                ink,
            ),
            Cell::new(escape::terminal(&result.point)),
            Cell::new(value(result)),
            Cell::inked(remark(result), Ink::Dim),
        ]);
    }
    grid
}

/// A row per metric that was measured until it was precise, and point; none where none was.
pub(crate) fn precision_grid(results: &[PrecisionResult]) -> Grid {
    let mut grid = Grid::titled::<0, 0>([]);
    for result in results {
        let (mark, ink) = if result.precise {
            ("✓", Ink::Green)
        } else {
            ("✗", Ink::Red)
        };
        let reached = match result.reached {
            Some(reached) => format!("± {} %", number::significant(reached * 100.0)),
            None => ABSENT.to_owned(),
        };
        grid.push(vec![
            Cell::inked(format!("{mark} {}", escape::terminal(&result.until)), ink),
            Cell::new(escape::terminal(&result.point)),
            Cell::new(reached),
            Cell::new(format!(
                "after {}",
                number::plural(u64::from(result.runs), "run")
            )),
            Cell::inked(imprecise(result), Ink::Dim),
        ]);
    }
    grid
}

/// Why a metric is not precise, and what would help.
fn imprecise(result: &PrecisionResult) -> String {
    match (result.reached, result.precise, result.seconds_needed) {
        (None, ..) => "the sample carries no interval: measure longer".to_owned(),
        (Some(_), true, _) => String::new(),
        (Some(_), false, None) => "not as precise as asked: measure longer".to_owned(),
        (Some(_), false, Some(seconds)) => {
            let seconds = number::with_decimals(seconds, 0);
            let helps = if result.at_least {
                format!("it takes {seconds} s in all or more")
            } else {
                format!("about {seconds} s in all would be")
            };
            format!("not as precise as asked: {helps}")
        }
    }
}

/// The same as a table for a pull request; empty where nothing was asserted.
pub(crate) fn markdown(results: &[AssertionResult]) -> String {
    if results.is_empty() {
        return String::new();
    }
    let mut out =
        "| | Threshold | Point | Measured | |\n| :--- | :--- | :--- | ---: | :--- |\n".to_owned();
    for result in results {
        let mark = if result.passed { "✓" } else { "✗" };
        let _ = writeln!(
            out,
            "| {mark} | {} | {} | {} | {} |",
            escape::markdown(&result.assertion),
            escape::markdown(&result.point),
            value(result),
            remark(result)
        );
    }
    out.push('\n');
    out
}

/// `281 ms [264, 295]`.
pub(crate) fn value(result: &AssertionResult) -> String {
    let Some(value) = result.value else {
        return ABSENT.to_owned();
    };
    let (scale, unit) = match result.metric.unit() {
        Unit::Milliseconds => (1.0, " ms"),
        Unit::Seconds => (1.0, " s"),
        Unit::PerSecond => (1.0, " /s"),
        Unit::Share => (100.0, " %"),
    };
    let shown = |value: f64| number::significant(value * scale);
    let interval = result.interval.map_or_else(String::new, |interval| {
        format!(" [{}, {}]", shown(interval.low), shown(interval.high))
    });
    format!("{}{unit}{interval}", shown(value))
}

fn remark(result: &AssertionResult) -> &'static str {
    match (result.value, result.certain) {
        (None, _) => "not measured",
        (Some(_), Some(false)) => "the interval crosses the bound",
        (Some(_), _) => "",
    }
}

#[cfg(test)]
mod tests {
    use super::precision_grid;
    use crate::width::columns;
    use crate::{Style, example, markdown, results_json, text};
    use stats::{Assertion, PrecisionResult, Summary};

    fn asserted() -> Summary {
        let mut summary = example::summary();
        let typed = [
            "ttft.p50<90ms",
            "64:success>99.9%",
            "goodput>90%",
            "4096:e2e.p50<1s",
        ];
        let assertions = typed.map(|text| text.parse::<Assertion>().unwrap());
        summary.assert(&assertions);
        summary
    }

    #[test]
    fn thresholds_come_first_on_the_screen() {
        let shown = text(&asserted(), Style { color: false });
        let first: Vec<_> = shown.lines().take(14).collect();
        insta::assert_snapshot!(first.join("\n"));
    }

    fn told(change: impl FnOnce(&mut PrecisionResult)) -> String {
        let mut result = PrecisionResult {
            until: "ttft.p99:5%".to_owned(),
            point: "16".to_owned(),
            reached: Some(0.12),
            asked: 0.05,
            precise: false,
            runs: 3,
            seconds_needed: Some(40.0),
            at_least: false,
        };
        change(&mut result);
        let grid = precision_grid(&[result]);
        let lines: Vec<String> = grid.lines(Style { color: false }).collect();
        assert!(lines.iter().all(|line| columns(line) <= 100), "{lines:?}");
        lines.join("\n").trim().to_owned()
    }

    #[test]
    fn what_did_not_become_precise_says_how_long_it_would_take() {
        assert_eq!(
            told(|_| ()),
            "✗ ttft.p99:5%  16  ± 12.0 %  after 3 runs  not as precise as asked: about 40 s in all would be"
        );
        let much_too_short = told(|result| result.at_least = true);
        assert!(
            much_too_short.ends_with("asked: it takes 40 s in all or more"),
            "{much_too_short}"
        );
        // Files from before it was told.
        let untold = told(|result| result.seconds_needed = None);
        assert!(untold.ends_with("asked: measure longer"), "{untold}");
    }

    #[test]
    fn what_became_precise_needs_no_more() {
        let precise = told(|result| {
            result.precise = true;
            result.seconds_needed = None;
        });
        assert!(precise.ends_with("after 3 runs"), "{precise}");
    }

    #[test]
    fn thresholds_come_first_in_a_pull_request() {
        let shown = markdown(&asserted());
        let first: Vec<_> = shown
            .lines()
            .take_while(|line| !line.starts_with("###"))
            .collect();
        insta::assert_snapshot!(first.join("\n"));
    }

    #[test]
    fn thresholds_are_in_the_result_file() {
        let file: serde_json::Value = serde_json::from_str(&results_json(&asserted())).unwrap();
        assert_eq!(file["assertions"][0]["metric"], "ttft.p50");
        assert!(!asserted().keeps_assertions());
    }
}
