//! A search for the highest rate that meets the objectives.

use crate::escape;
use crate::grid::{Cell, Grid};
use crate::number;
use crate::style::{Ink, Style, grade_ink, mark};
use serde_json::{Value, json};
use stats::{
    CapacityAnswer, CapacityConfig, CapacityEnd, Grade, Interval, PointSummary, Probe, ProbedRate,
    Summary,
};

/// An answer wider than so many times what was asked has rates in it that no run decided.
const WIDE: f64 = 1.1;

/// The last probe, as it is over, and what all of its rate say together. `invalid` says why it was no measurement.
pub fn capacity_probe_line(probes: &[Probe], attain: f64, invalid: Option<&str>) -> String {
    let Some(probe) = probes.last() else {
        return String::new();
    };
    let rate = number::significant(probe.rate);
    if let Some(code) = invalid {
        return format!("? {rate} requests/s: no measurement ({code})");
    }
    let known = ProbedRate::at(probes, probe.rate);
    let mark = match known.and_then(|known| known.meets(attain)) {
        Some(true) => "✓",
        Some(false) => "✗",
        None => "?",
    };
    let together = known.map_or_else(String::new, |known| {
        let interval = known
            .interval()
            .map_or_else(String::new, |Interval { low, high }| {
                let percent = |share: f64| number::significant(100.0 * share);
                format!(" [{}, {}]", percent(low), percent(high))
            });
        if known.probes < 2 {
            return interval;
        }
        let share = number::percent(known.share());
        format!(", {share}{interval} in {} runs of it", known.probes)
    });
    let share = number::percent(probe.good / probe.issued.max(1.0));
    format!("{mark} {rate} requests/s: {share} met the objectives{together}")
}

/// The answer first, then what each rate gave, from the lowest; ends with a line break.
pub fn capacity_text(
    config: &CapacityConfig,
    objectives: &str,
    answer: &CapacityAnswer,
    measured: &[Summary],
    style: Style,
) -> String {
    let mut lines = vec![String::new()];
    let attain = number::percent(config.attain);
    let (grade, words) = headline(answer, config);
    let headline = format!("{} {words}", mark(grade));
    lines.push(format!("  {}", style.paint(grade_ink(grade), &headline)));
    lines.push(format!(
        "  where {attain} of the requests meet {objectives}"
    ));
    if let Some(Interval { low, high }) = answer.interval
        && answer.end == CapacityEnd::Resolved
        && high / low - 1.0 > WIDE * config.resolution
    {
        lines.push(
            "  runs of this length tell no more; a larger --num-prompts narrows it".to_owned(),
        );
    }
    lines.push(String::new());
    if measured.is_empty() {
        return lines.join("\n");
    }
    let mut grid = Grid::titled([[
        "asked/s", "met", "tokens/s", "TTFT p50", "p99", "TPOT p50", "e2e p50", "p99",
    ]]);
    for point in by_rate(measured) {
        let ink = if point.verdict.grade == Grade::Invalid {
            Ink::Dim
        } else {
            Ink::Plain
        };
        grid.push(row(point).map(|cell| Cell::inked(cell, ink)).into());
    }
    lines.extend(grid.lines(style).map(|line| line.trim_end().to_owned()));
    lines.push(String::new());
    lines.join("\n")
}

/// Whether that is an answer, and the answer: `Capacity: 41.2 to 43.1 requests/s`.
pub(crate) fn headline(answer: &CapacityAnswer, config: &CapacityConfig) -> (Grade, String) {
    let shown = number::significant;
    match (answer.end, answer.interval, answer.meets, answer.misses) {
        (CapacityEnd::Resolved, Some(interval), ..) => (
            Grade::Valid,
            format!(
                "Capacity: {} to {} requests/s (95 % interval)",
                shown(interval.low),
                shown(interval.high)
            ),
        ),
        (CapacityEnd::AlwaysMet, ..) => (
            Grade::Valid,
            format!(
                "Capacity: {} requests/s or more; --rate-max goes further",
                shown(config.highest_rate)
            ),
        ),
        (CapacityEnd::NeverMet, .., Some(misses)) => (
            Grade::Invalid,
            format!("Even {} requests/s miss the objectives", shown(misses)),
        ),
        (CapacityEnd::Invalid, ..) => (
            Grade::Invalid,
            "No capacity: three runs in a row were no valid measurement".to_owned(),
        ),
        (_, Some(interval), ..) => (
            Grade::Suspect,
            format!(
                "Capacity: {} to {} requests/s (95 % interval), wider than asked: raise --probes or --num-prompts",
                shown(interval.low),
                shown(interval.high)
            ),
        ),
        (_, None, Some(meets), _) => (
            Grade::Suspect,
            format!("Capacity: {} requests/s or more", shown(meets)),
        ),
        (_, None, _, Some(misses)) => (
            Grade::Suspect,
            format!("Capacity: below {} requests/s", shown(misses)),
        ),
        _ => (Grade::Invalid, "Nothing was found out".to_owned()),
    }
}

fn by_rate(measured: &[Summary]) -> Vec<&PointSummary> {
    let mut points: Vec<&PointSummary> = measured
        .iter()
        .flat_map(|summary| &summary.points)
        .collect();
    let rate = |point: &PointSummary| point.concurrency.asked_rate.unwrap_or(0.0);
    points.sort_by(|a, b| rate(a).total_cmp(&rate(b)));
    points
}

fn row(point: &PointSummary) -> [String; 8] {
    let metric = |name: &str| {
        let metric: Option<stats::Metric> = name.parse().ok();
        let measured = metric.and_then(|metric| metric.of(point));
        measured.map_or_else(
            || number::ABSENT.to_owned(),
            |measured| number::significant(measured.value),
        )
    };
    let met = point.goodput.as_ref().map(|goodput| goodput.share);
    let rate = point.concurrency.asked_rate;
    [
        rate.map_or_else(|| number::ABSENT.to_owned(), number::significant),
        met.map_or_else(|| number::ABSENT.to_owned(), number::percent),
        metric("output_tokens_per_second"),
        metric("ttft.p50"),
        metric("ttft.p99"),
        metric("tpot.p50"),
        metric("e2e.p50"),
        metric("e2e.p99"),
    ]
}

/// The answer, the probes, and every number of every probe as a result file has them.
pub fn capacity_json(
    config: &CapacityConfig,
    objectives: &str,
    answer: &CapacityAnswer,
    probes: &[Probe],
    measured: &[Summary],
) -> String {
    let results: Vec<Value> = measured
        .iter()
        .filter_map(|summary| serde_json::from_str(&crate::results_json(summary)).ok())
        .collect();
    let file = json!({
        "capacity": answer, "objectives": objectives, "search": config, "probes": probes, "measured": results,
    });
    escape::json(&file)
}

#[cfg(test)]
mod tests {
    use super::capacity_probe_line;
    use stats::Probe;

    fn probe(good: f64) -> Probe {
        Probe {
            rate: 80.0,
            good,
            issued: 1_000.0,
            effective: 1_000.0,
            valid: true,
        }
    }

    #[test]
    fn a_probe_is_marked_by_what_its_rate_has_decided() {
        let line = |probes: &[Probe]| capacity_probe_line(probes, 0.95, None);
        assert!(line(&[probe(1_000.0)]).starts_with("✓ 80.0 requests/s: 100.0 % met"));
        assert!(line(&[probe(500.0)]).starts_with('✗'));
        // Above what was asked, and not surely.
        let undecided = line(&[probe(955.0)]);
        assert!(
            undecided.starts_with("? 80.0 requests/s: 95.5 %"),
            "{undecided}"
        );
        let together = line(&[probe(955.0), probe(985.0)]);
        assert!(together.starts_with('✓'), "{together}");
        assert!(together.contains("98.5 % met") && together.contains("in 2 runs of it"));
        let invalid = capacity_probe_line(&[probe(1.0)], 0.95, Some("timer_late"));
        assert_eq!(invalid, "? 80.0 requests/s: no measurement (timer_late)");
    }
}
