//! A row per point.

use super::point_words::{complete_of_issued, is_estimated, quantile, tokens_per_second};
use super::pooled;
use crate::grid::{Cell, Grid, NEXT};
use crate::style::{grade_ink, mark};
use crate::{Axis, escape, number};
use stats::{Distribution, PointSummary, Quantile};

/// A row per point. Points of one invocation share their kind of load, which heads the first column.
pub(crate) fn grid(points: &[PointSummary]) -> Grid {
    if points.iter().any(|point| point.pooling.is_some()) {
        return pooled::overview(points);
    }
    let (first, second) = match points.first().map(|point| Axis::of(&point.point.pacing)) {
        Some(Axis::BatchSize) => ("batch", "size"),
        Some(Axis::RequestRate) => ("rate", "req/s"),
        Some(Axis::Concurrency) | None => ("in", "flight"),
    };
    let mut grid = Grid::titled([
        [
            first, "", "", "", NEXT, "TTFT ms", "TPOT ms", NEXT, "e2e ms",
        ],
        [
            second, "complete", "tokens/s", "req/s", "p50", "p99", "p50", "p50", "p99",
        ],
    ]);
    for point in points {
        grid.push(row(point));
    }
    grid
}

fn row(point: &PointSummary) -> Vec<Cell> {
    let latency = &point.latency;
    let is_estimated = is_estimated(point);
    let cell = |sample: &Option<Distribution>, estimated, of: fn(&Distribution) -> Quantile| {
        let cell = |sample| quantile(of(sample), estimated);
        sample
            .as_ref()
            .map_or_else(|| Cell::new(number::ABSENT), cell)
    };
    let requests = point.throughput.requests_per_second.map(|rate| rate.mean);
    vec![
        Cell::new(escape::terminal(&point.point.key)),
        Cell::new(complete_of_issued(point)),
        Cell::new(tokens_per_second(
            point,
            point.throughput.batch_tokens_per_second,
        )),
        Cell::new(number::optional(requests)),
        cell(&latency.ttft, false, |sample| sample.p50),
        cell(&latency.ttft, false, |sample| sample.p99),
        cell(&latency.tpot, is_estimated, |sample| sample.p50),
        cell(&latency.e2e, false, |sample| sample.p50),
        cell(&latency.e2e, false, |sample| sample.p99),
        Cell::inked(mark(point.verdict.grade), grade_ink(point.verdict.grade)),
    ]
}
