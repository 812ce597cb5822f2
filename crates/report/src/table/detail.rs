//! The latencies of one point.

use super::point_words::{self, quantile};
use crate::grid::{Cell, Grid};
use crate::style::Ink;
use crate::{latency, number};
use stats::{Distribution, PointSummary};
use trace::Pacing;

/// The one latency that rests on the count of output tokens.
const TPOT: &str = "TPOT";

/// The effective size of a sample is shown from this part of its size downwards.
const MATERIAL_SHARE: f64 = 0.9;

/// The latencies of a point, a row each; nothing where none was measured.
pub(crate) fn grid(point: &PointSummary) -> Option<Grid> {
    let rows = rows(point);
    if rows.is_empty() {
        return None;
    }
    let depends = rows.iter().any(|(_, sample)| depends(sample));
    let mut grid = if depends {
        Grid::titled([["ms", "mean", "p50", "p90", "p95", "p99", "n", "n eff"]])
    } else {
        Grid::titled([["ms", "mean", "p50", "p90", "p95", "p99", "n"]])
    };
    for (name, sample) in rows {
        let is_estimated = name == TPOT && point_words::is_estimated(point);
        let mean = number::estimated(number::significant(sample.mean), is_estimated);
        let mut row = vec![Cell::new(name), Cell::new(mean)];
        let percentiles = latency::percentiles(sample);
        row.extend(percentiles.map(|(_, value)| quantile(value, is_estimated)));
        row.push(Cell::inked(number::count(sample.n), Ink::Dim));
        if depends {
            row.push(Cell::inked(effective(sample), Ink::Dim));
        }
        grid.push(row);
    }
    Some(grid)
}

/// Whether the effective size of a sample of the point is shown.
pub(super) fn has_dependent(point: &PointSummary) -> bool {
    rows(point).iter().any(|(_, sample)| depends(sample))
}

/// Whether the values depend on each other so much that their number misleads.
fn depends(sample: &Distribution) -> bool {
    sample
        .n_effective
        .is_some_and(|effective| effective < MATERIAL_SHARE * sample.n as f64)
}

/// The effective size; absent where it cannot be told.
fn effective(sample: &Distribution) -> String {
    sample.n_effective.map_or_else(
        || number::ABSENT.to_owned(),
        |effective| number::with_decimals(effective, 0),
    )
}

/// Whether a percentile of the point is shown whose interval does not exist.
pub(super) fn has_uncertain(point: &PointSummary) -> bool {
    rows(point)
        .iter()
        .flat_map(|(_, sample)| latency::percentiles(sample))
        .any(|(_, quantile)| quantile.interval.is_none())
}

fn rows(point: &PointSummary) -> Vec<(&'static str, &Distribution)> {
    let latency = &point.latency;
    let open = matches!(point.point.pacing, Pacing::Open { .. });
    let closed = matches!(point.point.pacing, Pacing::Closed { .. });
    let gap = match &latency.itl {
        Some(_) => ("ITL", &latency.itl),
        None => ("chunk gap", &latency.chunk_gap),
    };
    [
        ("TTFT", &latency.ttft),
        (
            "TTFT from due",
            if closed {
                &None
            } else {
                &latency.ttft_from_due
            },
        ),
        ("TTFO", &latency.ttfo),
        (TPOT, &latency.tpot),
        gap,
        ("e2e", &latency.e2e),
        (
            "e2e from due",
            if open { &latency.e2e_from_due } else { &None },
        ),
        ("stream end", &latency.stream_end),
        ("connect", &latency.connect),
        ("issue lag", &latency.issue_lag),
    ]
    .into_iter()
    .filter_map(|(name, sample)| Some((name, sample.as_ref()?)))
    .collect()
}
