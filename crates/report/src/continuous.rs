//! What a fixed batch says of a server beside what the same server does under traffic.

use crate::escape;
use crate::grid::{Cell, Grid};
use crate::number::{self, ABSENT};
use crate::style::Style;
use crate::table;
use serde_json::{Value, json};
use stats::{FixedVsContinuous, MeanStd, Verdict};

/// The table for a terminal, with both runs' verdicts below it; ends with a line break.
pub fn continuous_text(
    rows: &[FixedVsContinuous],
    fixed: &Verdict,
    continuous: &Verdict,
    style: Style,
) -> String {
    let mut grid = Grid::titled([
        ["", "fixed", "", "tokens/s", "continuous", "", ""],
        [
            "batch",
            "in flight",
            "whole batch",
            "full batch",
            "in flight",
            "tokens/s",
            "ratio",
        ],
    ]);
    let rate = |rate: Option<MeanStd>| rate.map_or_else(|| ABSENT.to_owned(), number::mean_std);
    for row in rows {
        let ratio = row.ratio.map_or_else(
            || ABSENT.to_owned(),
            |ratio| format!("× {}", number::significant(ratio)),
        );
        grid.push(vec![
            Cell::new(row.batch_size.to_string()),
            Cell::new(number::optional(row.fixed_in_flight)),
            Cell::new(rate(row.whole_batch)),
            Cell::new(rate(row.steady_window)),
            Cell::new(number::optional(row.continuous_in_flight)),
            Cell::new(rate(row.continuous)),
            Cell::new(ratio),
        ]);
    }
    let mut lines = vec![String::new()];
    lines.extend(grid.lines(style));
    lines.extend(
        [
            "",
            "  The same server and requests: as batches that are waited for, and with as many in",
            "  flight while each answer that is done makes room for the next. ‘Full batch’ counts",
            "  only while no request of the batch was done yet.",
            "",
        ]
        .map(str::to_owned),
    );
    for (half, verdict) in [("as batches", fixed), ("continuous", continuous)] {
        let reasons: Vec<_> = verdict.reasons.iter().collect();
        lines.extend(table::verdict(
            verdict,
            &format!(" {half}"),
            &reasons,
            style,
        ));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// The result file of the pair: each run's own file by its name, and its grade.
pub fn continuous_json(
    rows: &[FixedVsContinuous],
    fixed: (&str, &Verdict),
    continuous: (&str, &Verdict),
) -> String {
    let rows: Vec<Value> = rows.iter().map(|row| json!(row)).collect();
    let file = json!({
        "schema_version": crate::RESULT_SCHEMA_VERSION,
        "fixed": { "file": fixed.0, "verdict": fixed.1 },
        "continuous": { "file": continuous.0, "verdict": continuous.1 },
        "fixed_vs_continuous": rows,
    });
    escape::json(&file)
}

#[cfg(test)]
mod tests {
    use super::{continuous_json, continuous_text};
    use crate::Style;
    use stats::{FixedVsContinuous, MeanStd, Verdict};

    #[test]
    fn the_screen_of_a_fixed_batch_beside_traffic() {
        let rate = |mean| {
            let (std, min, max) = (12.0, mean - 12.0, mean + 12.0);
            Some(MeanStd {
                n: 3,
                mean,
                std,
                min,
                max,
            })
        };
        let row = |batch_size, ratio| FixedVsContinuous {
            batch_size,
            fixed_in_flight: Some(5.21),
            whole_batch: rate(120.0),
            steady_window: None,
            continuous_concurrency: 5,
            continuous_in_flight: Some(4.93),
            continuous: rate(150.0),
            ratio,
        };
        let valid = Verdict::of(Vec::new());
        let rows = [row(8, Some(1.25)), row(64, None)];
        let text = continuous_text(&rows, &valid, &valid, Style { color: false });
        insta::assert_snapshot!(text);
        let json = continuous_json(&rows, ("a.json", &valid), ("b.json", &valid));
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["fixed_vs_continuous"][0]["ratio"], 1.25);
        assert_eq!(json["continuous"]["file"], "b.json");
    }
}
