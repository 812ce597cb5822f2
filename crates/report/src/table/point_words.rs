//! A point in words and single cells, alike wherever it is shown.

use crate::grid::Cell;
use crate::style::Ink;
use crate::{Axis, escape, number};
use stats::{MeanStd, PointSummary, Quantile, TokenSource};

/// `batch size 64`, `rate 2.5 req/s`.
pub(crate) fn load(point: &PointSummary) -> String {
    let is_number = point.point.key.parse::<f64>().is_ok();
    if point.pooling.is_some() || !is_number {
        return escape::terminal(&point.point.key);
    }
    let axis = Axis::of(&point.point.pacing);
    let unit = if axis == Axis::RequestRate {
        " req/s"
    } else {
        ""
    };
    format!(
        "{} {}{unit}",
        axis.name(),
        escape::terminal(&point.point.key)
    )
}

pub(crate) fn complete_of_issued(point: &PointSummary) -> String {
    format!(
        "{}/{}",
        point.reliability.complete, point.reliability.issued
    )
}

pub(super) fn is_estimated(point: &PointSummary) -> bool {
    point.tokens.output_source == TokenSource::Estimated
}

/// A rate of output tokens, with `≈` where their count is an estimate.
pub(super) fn tokens_per_second(point: &PointSummary, rate: Option<MeanStd>) -> String {
    rate.map_or_else(
        || number::ABSENT.to_owned(),
        |rate| number::estimated(number::mean_std(rate), is_estimated(point)),
    )
}

/// A percentile without an interval is marked, and dim where there is colour.
pub(super) fn quantile(quantile: Quantile, is_estimated: bool) -> Cell {
    let value = number::estimated(number::significant(quantile.value), is_estimated);
    match quantile.interval {
        Some(interval) => Cell::new(value).noted(number::interval(interval)),
        None => Cell::inked(format!("~{value}"), Ink::Dim),
    }
}
