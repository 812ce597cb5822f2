//! Two measurements beside each other.

use crate::grid::{Cell, Grid};
use crate::number::{self, ABSENT};
use crate::style::{Ink, Style};
use crate::width::{TEXT_COLUMNS, wrap};
use crate::{csv, escape};
use stats::{ComparedMetric, ComparedPoint, Comparison, Judgement, Measured, Metric, Unit};
use std::fmt::Write;

/// The table for a terminal, a block per point, with the judgement below; ends with a line break.
pub fn comparison_text(comparison: &Comparison, style: Style) -> String {
    let mut lines = Vec::new();
    for point in &comparison.points {
        lines.push(String::new());
        lines.push(format!(
            "  {}",
            style.paint(Ink::Bold, &escape::terminal(&point.point))
        ));
        lines.push(String::new());
        let rows = rows(point);
        lines.extend(rows.lines(style).map(|line| line.trim_end().to_owned()));
    }
    lines.push(String::new());
    let (ink, word) = (ink(comparison.judgement), word(comparison.judgement));
    lines.push(format!("  {}", style.paint(ink, word)));
    for sentence in sentences(comparison) {
        let wrapped = wrap(&sentence, TEXT_COLUMNS - 4);
        lines.extend(wrapped.into_iter().map(|line| format!("    {line}")));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// A table for a pull request.
pub fn comparison_markdown(comparison: &Comparison) -> String {
    let mut out = format!("**{}**\n\n", word(comparison.judgement));
    for sentence in sentences(comparison) {
        let _ = writeln!(out, "{sentence}\n");
    }
    out.push_str("| Point | Metric | Base | New | Change | 95 % interval | |\n");
    out.push_str("| :--- | :--- | ---: | ---: | ---: | ---: | :--- |\n");
    for point in &comparison.points {
        for compared in &point.metrics {
            let [metric, base, new, change, interval, judged] = cells(compared);
            let key = escape::markdown(&point.point);
            let _ = writeln!(
                out,
                "| {key} | {metric} | {base} | {new} | {change} | {interval} | {judged} |"
            );
        }
    }
    out
}

/// A row per metric of each point. Ratios are as they are; values in milliseconds, seconds, per
/// second, or shares from 0 to 1.
pub fn comparison_csv(comparison: &Comparison) -> String {
    csv::written(&csv_rows(comparison))
}

/// The same, before it is written.
pub(crate) fn csv_rows(comparison: &Comparison) -> Vec<Vec<(String, String)>> {
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    let row = |point: &str, compared: &ComparedMetric| -> Vec<(String, String)> {
        let interval = compared.interval;
        let cells = [
            ("point", point.to_owned()),
            ("metric", compared.metric.to_string()),
            ("base", number(compared.base.map(|base| base.value))),
            ("new", number(compared.new.map(|new| new.value))),
            ("ratio", number(compared.ratio)),
            ("ratio_low", number(interval.map(|interval| interval.low))),
            ("ratio_high", number(interval.map(|interval| interval.high))),
            ("judgement", compared.judgement.map_or("", name).to_owned()),
        ];
        cells.map(|(name, text)| (name.to_owned(), text)).into()
    };
    let points = comparison.points.iter();
    let rows = points.flat_map(|point| {
        let metrics = point.metrics.iter();
        metrics.map(|compared| row(&point.point, compared))
    });
    rows.collect()
}

/// The comparison as a file.
pub fn comparison_json(comparison: &Comparison) -> String {
    escape::json(&serde_json::json!(comparison))
}

fn rows(point: &ComparedPoint) -> Grid {
    /// Columns of the longest judgement.
    const WIDEST: usize = 12;
    let mut grid = Grid::titled([["", "base", "new", "change", "95 % interval", ""]]);
    for compared in &point.metrics {
        let row_ink = metric_ink(compared.judgement);
        let mut cells = cells(compared);
        if let Some(judged) = cells.last_mut() {
            // To the left, unlike numbers.
            *judged = format!("{judged:<WIDEST$}");
        }
        grid.push(cells.map(|text| Cell::inked(text, row_ink)).into());
    }
    grid
}

/// What a metric has become, as it stands out.
pub(crate) fn metric_ink(judgement: Option<Judgement>) -> Ink {
    match judgement {
        None => Ink::Dim,
        Some(Judgement::Worse) => Ink::Red,
        Some(Judgement::Better) => Ink::Green,
        Some(_) => Ink::Plain,
    }
}

/// A metric with its unit.
pub(crate) fn titled(metric: Metric) -> String {
    match metric.unit() {
        Unit::Milliseconds => format!("{metric} (ms)"),
        Unit::Seconds => format!("{metric} (s)"),
        Unit::PerSecond | Unit::Share => metric.to_string(),
    }
}

/// What was measured of it.
pub(crate) fn value(metric: Metric, measured: Option<Measured>) -> String {
    match (measured.map(|measured| measured.value), metric.unit()) {
        (None, _) => ABSENT.to_owned(),
        (Some(share), Unit::Share) => number::percent(share),
        (Some(value), _) => number::significant(value),
    }
}

/// Name, base, new, change, interval, judgement.
fn cells(compared: &ComparedMetric) -> [String; 6] {
    let metric = compared.metric;
    let interval = compared.interval.map_or_else(
        || ABSENT.to_owned(),
        |interval| format!("[{}, {}]", change(interval.low), change(interval.high)),
    );
    [
        titled(metric),
        value(metric, compared.base),
        value(metric, compared.new),
        compared.ratio.map_or_else(|| ABSENT.to_owned(), change),
        interval,
        compared.judgement.map_or("", word).to_owned(),
    ]
}

/// `+5.1 %`, with one decimal, two below one per cent.
fn change(ratio: f64) -> String {
    let percent = (ratio - 1.0) * 100.0;
    let decimals = if percent.abs() < 0.995 { 2 } else { 1 };
    format!("{percent:+.decimals$} %")
}

fn word(judgement: Judgement) -> &'static str {
    match judgement {
        Judgement::Better => "✓ better",
        Judgement::Worse => "✗ worse",
        Judgement::Same => "= same",
        Judgement::CannotTell => "? can't tell",
    }
}

/// As in the file.
fn name(judgement: Judgement) -> &'static str {
    match judgement {
        Judgement::Better => "better",
        Judgement::Worse => "worse",
        Judgement::Same => "same",
        Judgement::CannotTell => "cannot_tell",
    }
}

fn ink(judgement: Judgement) -> Ink {
    match judgement {
        Judgement::Better | Judgement::Same => Ink::Green,
        Judgement::Worse => Ink::Red,
        Judgement::CannotTell => Ink::Yellow,
    }
}

fn sentences(comparison: &Comparison) -> Vec<String> {
    let least = format!("{:.1}", comparison.min_effect * 100.0);
    let least = format!("{} %", least.trim_end_matches(".0"));
    let mut sentences = vec![match comparison.judgement {
        Judgement::Worse => format!("At least one metric is worse, by {least} or more."),
        Judgement::Better => {
            format!("At least one metric is better by {least} or more, and none is worse.")
        }
        Judgement::Same => format!("Whatever changed, it changed by less than {least}."),
        Judgement::CannotTell => {
            format!("At least one metric may have changed by {least} or more, or not at all.")
        }
    }];
    if let Some(needed) = comparison.requests_needed {
        sentences.push(format!(
            "To tell the rest, measure each side with about {} requests at each point.",
            number::count(needed)
        ));
    }
    if comparison.intervals > 1 {
        sentences.push(format!(
            "The {} intervals that decide hold together in 95 of 100 comparisons.",
            comparison.intervals
        ));
    }
    sentences
}

#[cfg(test)]
mod tests {
    use super::{change, comparison_csv, comparison_json, comparison_markdown, comparison_text};
    use crate::Style;
    use stats::{ComparedMetric, ComparedPoint, Comparison, Interval, Judgement, Measured};

    fn compared(
        name: &str,
        base: f64,
        ratio: f64,
        judgement: Option<Judgement>,
        reach: Option<f64>,
    ) -> ComparedMetric {
        let value = |value| {
            Some(Measured {
                value,
                interval: None,
            })
        };
        ComparedMetric {
            metric: name.parse().unwrap(),
            base: value(base),
            new: value(base * ratio),
            ratio: Some(ratio),
            interval: reach.map(|reach| Interval {
                low: ratio - reach,
                high: ratio + reach,
            }),
            judgement,
        }
    }

    fn example() -> Comparison {
        let metrics = vec![
            compared("ttft.p50", 50.0, 1.051, Some(Judgement::Worse), Some(0.008)),
            compared("tpot.p50", 12.5, 1.004, Some(Judgement::Same), Some(0.006)),
            compared(
                "steady.output_tokens_per_second",
                1_840.0,
                0.97,
                Some(Judgement::CannotTell),
                Some(0.04),
            ),
            compared("success", 1.0, 1.0, Some(Judgement::Same), Some(0.01)),
            compared("ttft.p99", 91.0, 1.2, None, None),
        ];
        Comparison {
            judgement: Judgement::Worse,
            min_effect: 0.03,
            intervals: 4,
            requests_needed: Some(2_400),
            points: vec![ComparedPoint {
                point: "16".to_owned(),
                metrics,
            }],
        }
    }

    #[test]
    fn the_screen_of_a_comparison() {
        insta::assert_snapshot!(comparison_text(&example(), Style { color: false }));
    }

    #[test]
    fn a_comparison_for_a_pull_request() {
        insta::assert_snapshot!(comparison_markdown(&example()));
    }

    #[test]
    fn the_files_hold_ratios_and_judgements() {
        let csv = comparison_csv(&example());
        assert!(csv.contains("16,ttft.p50,50,"), "{csv}");
        assert!(csv.contains(",worse\n") && csv.contains("16,ttft.p99,"));
        let json: serde_json::Value = serde_json::from_str(&comparison_json(&example())).unwrap();
        let metric = &json["points"][0]["metrics"][2];
        assert_eq!(metric["metric"], "steady.output_tokens_per_second");
        assert_eq!(metric["judgement"], "cannot_tell");
        assert_eq!(json["judgement"], "worse");
    }

    #[test]
    fn a_change_says_its_direction() {
        assert_eq!(change(1.0512), "+5.1 %");
        assert_eq!(change(0.999), "-0.10 %");
    }
}
