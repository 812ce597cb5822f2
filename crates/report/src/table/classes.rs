//! The classes of mixed traffic, a row each.

use super::point_words::quantile;
use crate::grid::{Cell, Grid, NEXT};
use crate::{escape, number};
use stats::{ClassSummary, Distribution, PointSummary, Quantile, TokenSource};

/// Nothing where all requests are of one kind.
pub(crate) fn grid(point: &PointSummary) -> Option<Grid> {
    if point.classes.is_empty() {
        return None;
    }
    let has_goodput = point.classes.iter().any(|class| class.goodput.is_some());
    let good = if has_goodput { ["in", "goal"] } else { [""; 2] };
    let mut grid = Grid::titled([
        [
            "", "", "", "tokens", NEXT, "TTFT ms", "TPOT ms", NEXT, "e2e ms", good[0],
        ],
        [
            "class", "share", "complete", "in", "p50", "p99", "p50", "p50", "p99", good[1],
        ],
    ]);
    for class in &point.classes {
        grid.push(row(class, has_goodput));
    }
    Some(grid)
}

fn row(class: &ClassSummary, has_goodput: bool) -> Vec<Cell> {
    let latency = &class.latency;
    let is_estimated = class.tokens.output_source == TokenSource::Estimated;
    let cell = |sample: &Option<Distribution>, estimated, of: fn(&Distribution) -> Quantile| {
        let shown = |sample| quantile(of(sample), estimated);
        sample
            .as_ref()
            .map_or_else(|| Cell::new(number::ABSENT), shown)
    };
    let percent =
        |share: Option<f64>| share.map_or_else(|| number::ABSENT.to_owned(), number::percent);
    let input = class.tokens.input_per_request.map(|sample| sample.mean);
    let mut row = vec![
        Cell::new(escape::terminal(&class.name)),
        Cell::new(percent(class.share)),
        Cell::new(format!(
            "{}/{}",
            class.reliability.complete, class.reliability.issued
        )),
        Cell::new(number::optional(input)),
        cell(&latency.ttft, false, |sample| sample.p50),
        cell(&latency.ttft, false, |sample| sample.p99),
        cell(&latency.tpot, is_estimated, |sample| sample.p50),
        cell(&latency.e2e, false, |sample| sample.p50),
        cell(&latency.e2e, false, |sample| sample.p99),
    ];
    if has_goodput {
        let share = class.goodput.as_ref().map(|goodput| goodput.share);
        row.push(Cell::new(percent(share)));
    }
    row
}
