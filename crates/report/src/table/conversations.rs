//! Conversations, a row for each turn.

use super::point_words::quantile;
use crate::grid::{Cell, Grid, NEXT};
use crate::number;
use crate::style::{Ink, Style};
use stats::{Conversations, Distribution, PointSummary, Quantile, TokenSource, TurnSummary};

/// Turns that have a row; the file has all of them.
const ROWS_MAX: usize = 12;

/// A row for each turn, at most so many; nothing where every request stands alone.
pub(crate) fn grid(point: &PointSummary, rows_max: usize) -> Option<Grid> {
    let conversations = point.conversations.as_ref()?;
    let mut grid = Grid::titled([
        [
            "", "", "tokens", "from", NEXT, "TTFT ms", "TPOT ms", "e2e ms",
        ],
        [
            "turn", "complete", "in", "cache", "p50", "p99", "p50", "p50",
        ],
    ]);
    for turn in conversations.turns.iter().take(rows_max) {
        grid.push(row(turn));
    }
    Some(grid)
}

/// Nothing where every request stands alone.
pub(super) fn lines(point: &PointSummary, style: Style) -> Vec<String> {
    let Some(conversations) = &point.conversations else {
        return Vec::new();
    };
    let grid = grid(point, ROWS_MAX);
    let mut lines: Vec<String> = grid.iter().flat_map(|grid| grid.lines(style)).collect();
    let unshown = conversations.turns.len().saturating_sub(ROWS_MAX);
    if unshown > 0 {
        let more = format!(
            "  and {} in the result file",
            number::plural(unshown as u64, "more turn")
        );
        lines.push(style.paint(Ink::Dim, &more));
    }
    lines.push(String::new());
    lines.push(format!("  conversations {}", words(conversations)));
    lines
}

fn row(turn: &TurnSummary) -> Vec<Cell> {
    let tokens = &turn.tokens;
    let is_estimated = tokens.output_source == TokenSource::Estimated;
    let cell = |sample: &Option<Distribution>, estimated, of: fn(&Distribution) -> Quantile| {
        let shown = |sample| quantile(of(sample), estimated);
        let shown = sample.as_ref().map(shown);
        shown.unwrap_or_else(|| Cell::new(number::ABSENT))
    };
    let cached = tokens.cached_total.zip(tokens.input_total);
    let cached = cached.filter(|&(_, input)| input > 0);
    let cached = cached.map(|(cached, input)| number::percent(cached as f64 / input as f64));
    vec![
        Cell::new(turn.number.to_string()),
        Cell::new(format!("{}/{}", turn.complete, turn.issued)),
        Cell::new(number::optional(
            tokens.input_per_request.map(|sample| sample.mean),
        )),
        Cell::new(cached.unwrap_or_else(|| number::ABSENT.to_owned())),
        cell(&turn.ttft, false, |sample| sample.p50),
        cell(&turn.ttft, false, |sample| sample.p99),
        cell(&turn.tpot, is_estimated, |sample| sample.p50),
        cell(&turn.e2e, false, |sample| sample.p50),
    ]
}

/// `20, 3.00 turns and 4.12 s each at the median; 2 turns never sent`.
pub(crate) fn words(conversations: &Conversations) -> String {
    let turns = number::significant(conversations.turns_per_conversation.mean);
    let seconds = conversations
        .seconds
        .as_ref()
        .map_or_else(String::new, |seconds| {
            format!(
                ", {} s at the median",
                number::significant(seconds.p50.value)
            )
        });
    let cut = match conversations.turns_cut {
        0 => String::new(),
        cut => format!("; {} never sent", number::plural(cut, "turn")),
    };
    format!(
        "{}, {turns} turns each{seconds}{cut}",
        number::count(conversations.count)
    )
}

#[cfg(test)]
mod tests {
    use super::lines;
    use crate::{Style, example, results_json};
    use stats::{Conversations, MeanStd, PointSummary, TurnSummary};

    fn point() -> PointSummary {
        let mut point = example::summary().points.remove(1);
        let turn = |number: u32| TurnSummary {
            number,
            issued: 24,
            complete: 24,
            tokens: stats::Tokens {
                cached_total: Some(1_900),
                ..point.tokens.clone()
            },
            ttft: point.latency.ttft.clone(),
            tpot: None,
            e2e: point.latency.e2e.clone(),
        };
        let turns = (1..15).map(turn).collect();
        point.conversations = Some(Conversations {
            count: 24,
            turns_per_conversation: MeanStd::of(&[14.0, 14.0]).unwrap(),
            seconds: point.latency.ttft.clone(),
            turns_cut: 1,
            turns,
        });
        point
    }

    #[test]
    fn the_screen_of_conversations() {
        insta::assert_snapshot!(lines(&point(), Style { color: false }).join("\n"));
    }

    #[test]
    fn every_turn_is_in_the_result_file() {
        let mut summary = example::summary();
        summary.points = vec![point()];
        let file: serde_json::Value = serde_json::from_str(&results_json(&summary)).unwrap();
        let found = &file["results"]["8"]["conversations"];
        assert_eq!(found["turns"][13]["number"], 14);
        assert_eq!(found["turns_cut"], 1);
        assert_eq!(found["turns"][0]["ttft"]["n"], 24);
    }
}
