//! A line for a point that has just finished.

use super::point_words::{complete_of_issued, load, tokens_per_second};
use super::pooled;
use crate::number::optional;
use crate::style::{Style, grade_ink, mark};
use stats::{Distribution, PointSummary};

/// One line for a point that has just finished, for progress; without a line break. Latencies are
/// medians.
pub fn point_line(point: &PointSummary, style: Style) -> String {
    if point.pooling.is_some() {
        return pooled::line(point, style);
    }
    let p50 = |sample: &Option<Distribution>| optional(sample.as_ref().map(|s| s.p50.value));
    let grade = point.verdict.grade;
    format!(
        "{} {:<15} {:>9}  {:>13} tok/s  TTFT {:>6} ms  e2e {:>6} ms",
        style.paint(grade_ink(grade), mark(grade)),
        load(point),
        complete_of_issued(point),
        tokens_per_second(point, point.throughput.batch_tokens_per_second),
        p50(&point.latency.ttft),
        p50(&point.latency.e2e),
    )
}

#[cfg(test)]
mod tests {
    use super::point_line;
    use crate::{Style, example};

    #[test]
    fn lines_of_points_that_finish_one_after_the_other_align() {
        let summary = example::summary();
        let lines: Vec<_> = summary
            .points
            .iter()
            .map(|point| point_line(point, Style::default()))
            .collect();
        insta::assert_snapshot!(lines.join("\n"));
    }
}
