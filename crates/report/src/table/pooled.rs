//! What the screen shows of texts that became vectors or scores.

use super::point_words::{complete_of_issued, quantile};
use crate::escape;
use crate::grid::{Cell, Grid};
use crate::number::{self, ABSENT, mean_std, optional, plural, significant};
use crate::style::{Style, grade_ink, mark};
use stats::{Distribution, MeanStd, PointSummary, Pooling, Quantile, TokenSource};

/// A row per point.
pub(super) fn overview(points: &[PointSummary]) -> Grid {
    let mut grid = Grid::titled([
        ["", "", "embeddings", "tokens", "e2e ms", ""],
        ["point", "complete", "per s", "per s", "p50", "p99"],
    ]);
    for point in points {
        let cell = |of: fn(&Distribution) -> Quantile| {
            let latency = point.latency.e2e.as_ref();
            latency.map_or_else(|| Cell::new(ABSENT), |sample| quantile(of(sample), false))
        };
        grid.push(vec![
            Cell::new(escape::terminal(&point.point.key)),
            Cell::new(complete_of_issued(point)),
            Cell::new(answers_per_second(point)),
            Cell::new(tokens_per_second(point)),
            cell(|sample| sample.p50),
            cell(|sample| sample.p99),
            Cell::inked(mark(point.verdict.grade), grade_ink(point.verdict.grade)),
        ]);
    }
    grid
}

/// The line of a point that has just finished; latencies are medians.
pub(super) fn line(point: &PointSummary, style: Style) -> String {
    let e2e = point.latency.e2e.as_ref().map(|sample| sample.p50.value);
    let grade = point.verdict.grade;
    format!(
        "{} {:<20} {:>9}  {:>15} embeddings/s  {:>15} tok/s   e2e {:>6} ms",
        style.paint(grade_ink(grade), mark(grade)),
        escape::terminal(&point.point.key),
        complete_of_issued(point),
        answers_per_second(point),
        tokens_per_second(point),
        optional(e2e),
    )
}

/// Vectors or scores per second.
pub(crate) fn answers_per_second(point: &PointSummary) -> String {
    rate(point, |pooling| pooling.batch_answers_per_second, false)
}

/// Input tokens per second, with `≈` where their count is an estimate.
pub(crate) fn tokens_per_second(point: &PointSummary) -> String {
    rate(point, |pooling| pooling.batch_tokens_per_second, true)
}

fn rate(point: &PointSummary, of: fn(&Pooling) -> Option<MeanStd>, counts_tokens: bool) -> String {
    let Some(pooling) = &point.pooling else {
        return ABSENT.to_owned();
    };
    let estimated = counts_tokens && pooling.token_source == TokenSource::Estimated;
    of(pooling).map_or_else(
        || ABSENT.to_owned(),
        |rate| number::estimated(mean_std(rate), estimated),
    )
}

/// Tokens and answers of a batch.
pub(super) fn tokens(pooling: &Pooling) -> Option<String> {
    let answers = significant(pooling.answers_per_batch?.mean);
    let tokens = pooling.tokens_per_batch.map(|tokens| {
        let source = match pooling.token_source {
            TokenSource::Usage => "counted by the server",
            TokenSource::Tokenizer => "counted with the tokenizer",
            TokenSource::Estimated => "estimated from words",
            TokenSource::None => "not counted",
        };
        format!(" from {} tokens, {source}", significant(tokens.mean))
    });
    Some(format!(
        "{answers} embeddings a run{}",
        tokens.unwrap_or_default()
    ))
}

/// Rates over whole batches and of each request.
pub(super) fn throughput(pooling: &Pooling) -> Option<String> {
    let batch = mean_std(pooling.batch_answers_per_second?);
    let request = pooling.request_answers_per_second.map(mean_std);
    let request = request.map_or_else(String::new, |rate| format!("; {rate} of each request"));
    Some(format!("{batch} embeddings/s of the whole run{request}"))
}

/// What vectors came, and what decoding them cost the client.
pub(super) fn vectors(pooling: &Pooling) -> Option<String> {
    let decoding = pooling.decoding.as_ref()?;
    let sizes: Vec<String> = pooling
        .dimensions
        .iter()
        .map(|&size| plural(size.into(), "number"))
        .collect();
    let sizes = if sizes.is_empty() {
        "scores".to_owned()
    } else {
        format!("of {}", sizes.join(" and "))
    };
    Some(format!(
        "{sizes}; an answer took {} ms to decode at p50, which no latency holds",
        significant(decoding.p50.value)
    ))
}

/// Two vectors of one text.
pub(super) fn asked_again(pooling: &Pooling) -> Option<String> {
    let again = pooling.asked_again?;
    if again.differing == 0 {
        return Some("one text, asked twice: equal vectors".to_owned());
    }
    Some(format!(
        "one text, asked twice: {} of {} numbers differ, by up to {:.1e}; cosine distance {:.1e}",
        again.differing, again.dimensions, again.difference_max, again.cosine_distance
    ))
}
