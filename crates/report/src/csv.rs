//! A row per point, as CSV.

use crate::style::word;
use crate::{Axis, escape, latency};
use stats::{Interval, MeanStd, PointSummary, Summary};

/// One row per point under a header that carries the units. Cells of what was not measured are
/// empty; numbers have all their digits.
#[allow(
    clippy::missing_panics_doc,
    reason = "writing rows of equal length to memory does not fail"
)]
pub fn csv(summary: &Summary) -> String {
    let rows: Vec<_> = summary.points.iter().map(row).collect();
    written(&rows)
}

/// Rows of equal length, each cell with the name of its column.
pub(crate) fn written(rows: &[Vec<(String, String)>]) -> String {
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    let header = rows
        .first()
        .map(|row| row.iter().map(|(name, _)| name.as_str()));
    let cells = rows
        .iter()
        .map(|row| row.iter().map(|(_, value)| value.as_str()));
    if let Some(header) = header {
        writer
            .write_record(header)
            .expect("writing to memory does not fail");
    }
    for row in cells {
        writer
            .write_record(row)
            .expect("every row has the columns of the header");
    }
    let bytes = writer
        .into_inner()
        .expect("writing to memory does not fail");
    String::from_utf8(bytes).expect("every cell is text")
}

fn row(point: &PointSummary) -> Vec<(String, String)> {
    let mut row = Row(Vec::new());
    load(point, &mut row);
    throughput(point, &mut row);
    latencies(point, &mut row);
    let reasons: Vec<_> = point
        .verdict
        .reasons
        .iter()
        .map(|reason| reason.sentence.as_str())
        .collect();
    row.text("verdict", word(point.verdict.grade));
    row.text("reasons", &reasons.join(" "));
    row.0
}

fn load(point: &PointSummary, row: &mut Row) {
    let reliability = &point.reliability;
    let kinds: Vec<_> = reliability
        .failures
        .iter()
        .map(|failure| {
            let example = failure.example.as_deref().unwrap_or_default();
            format!("{} {} {example}", failure.count, failure.kind)
                .trim_end()
                .to_owned()
        })
        .collect();
    row.text("load", Axis::of(&point.point.pacing).name());
    row.text("key", &point.point.key);
    row.number("runs", Some(point.runs));
    for (name, count) in [
        ("requests_planned", reliability.planned),
        ("requests_issued", reliability.issued),
        ("requests_complete", reliability.complete),
        ("requests_failed", reliability.failed),
        ("requests_cancelled", reliability.cancelled),
    ] {
        row.number(name, Some(count));
    }
    row.number("success_rate", reliability.success_rate);
    row.text("failures", &kinds.join("; "));
    row.number("concurrency_asked", point.concurrency.asked);
    row.number("concurrency_achieved", point.concurrency.achieved);
    row.number("concurrency_peak", Some(point.concurrency.peak));
}

fn throughput(point: &PointSummary, row: &mut Row) {
    let (tokens, timings, rates) = (&point.tokens, &point.timings, &point.throughput);
    for (name, sample) in [
        ("input_tokens_per_request", tokens.input_per_request),
        ("output_tokens_per_request", tokens.output_per_request),
        ("batch_total_seconds", timings.batch_total_seconds),
        ("fastest_seconds", timings.fastest_seconds),
        ("slowest_seconds", timings.slowest_seconds),
        ("spread_seconds", timings.spread_seconds),
        ("batch_tokens_per_second", rates.batch_tokens_per_second),
        ("request_tokens_per_second", rates.request_tokens_per_second),
        ("decode_tokens_per_second", rates.decode_tokens_per_second),
        ("input_tokens_per_second", rates.input_tokens_per_second),
        ("output_tokens_per_second", rates.output_tokens_per_second),
        ("requests_per_second", rates.requests_per_second),
    ] {
        row.mean_std(name, sample);
    }
    if let Some(pooling) = &point.pooling {
        for (name, sample) in [
            ("embeddings_per_batch", pooling.answers_per_batch),
            (
                "batch_embeddings_per_second",
                pooling.batch_answers_per_second,
            ),
            (
                "batch_input_tokens_per_second",
                pooling.batch_tokens_per_second,
            ),
            (
                "request_embeddings_per_second",
                pooling.request_answers_per_second,
            ),
        ] {
            row.mean_std(name, sample);
        }
    }
    let steady = point.steady_state.as_ref();
    row.mean_std(
        "steady_state_output_tokens_per_second",
        steady.and_then(|steady| steady.output_tokens_per_second),
    );
    row.mean_std(
        "steady_state_requests_per_second",
        steady.and_then(|steady| steady.requests_per_second),
    );
    let tokens = steady.and_then(|steady| steady.output_tokens_per_second_interval);
    row.interval("steady_state_output_tokens_per_second", tokens);
    let requests = steady.and_then(|steady| steady.requests_per_second_interval);
    row.interval("steady_state_requests_per_second", requests);
    let warmup = steady.and_then(|steady| steady.warmup_seconds);
    row.number("warmup_seconds", warmup);
    let goodput = point.goodput.as_ref();
    row.number(
        "goodput_requests_per_second",
        goodput.map(|goodput| goodput.requests_per_second),
    );
}

fn latencies(point: &PointSummary, row: &mut Row) {
    for (name, sample) in latency::named(&point.latency) {
        row.number(&format!("{name}_n"), sample.map(|sample| sample.n));
        let effective = sample.and_then(|sample| sample.n_effective);
        row.number(&format!("{name}_n_effective"), effective);
        row.number(&format!("{name}_ms_mean"), sample.map(|sample| sample.mean));
        row.number(&format!("{name}_ms_std"), sample.map(|sample| sample.std));
        for percentile in ["p50", "p90", "p95", "p99"] {
            let value = sample.and_then(|sample| {
                latency::percentiles(sample)
                    .into_iter()
                    .find(|(name, _)| *name == percentile)
            });
            let column = format!("{name}_ms_{percentile}");
            row.number(&column, value.map(|(_, value)| value.value));
            row.interval(&column, value.and_then(|(_, value)| value.interval));
        }
    }
}

/// Cells with the names of their columns.
struct Row(Vec<(String, String)>);

impl Row {
    fn text(&mut self, name: &str, text: &str) {
        self.0.push((name.to_owned(), escape::csv_cell(text)));
    }

    fn number(&mut self, name: &str, value: Option<impl Into<serde_json::Value>>) {
        // A JSON value has the shortest digits that lead back to the number, and `null` for NaN.
        let value = value
            .map(Into::into)
            .filter(|value: &serde_json::Value| !value.is_null());
        let text = value.map_or_else(String::new, |value| value.to_string());
        self.0.push((name.to_owned(), text));
    }

    fn interval(&mut self, name: &str, interval: Option<Interval>) {
        self.number(&format!("{name}_ci95_low"), interval.map(|ends| ends.low));
        self.number(&format!("{name}_ci95_high"), interval.map(|ends| ends.high));
    }

    fn mean_std(&mut self, name: &str, sample: Option<MeanStd>) {
        self.number(&format!("{name}_mean"), sample.map(|sample| sample.mean));
        self.number(&format!("{name}_std"), sample.map(|sample| sample.std));
    }
}

#[cfg(test)]
mod tests {
    use super::csv;
    use crate::example;

    /// The table turned on its side, so that a change shows as one line.
    fn columns(text: &str) -> Vec<Vec<String>> {
        let mut reader = ::csv::Reader::from_reader(text.as_bytes());
        let names: Vec<_> = reader
            .headers()
            .unwrap()
            .iter()
            .map(|name| vec![name.to_owned()])
            .collect();
        reader.records().fold(names, |mut columns, row| {
            for (column, cell) in columns.iter_mut().zip(&row.unwrap()) {
                column.push(cell.to_owned());
            }
            columns
        })
    }

    #[test]
    fn every_point_is_a_row_with_units_in_the_header() {
        let lines: Vec<_> = columns(&csv(&example::summary()))
            .iter()
            .map(|column| column.join(" | "))
            .collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn what_was_not_measured_is_an_empty_cell() {
        let columns = columns(&csv(&example::nothing_succeeded()));
        let ttft = columns
            .iter()
            .find(|column| column[0] == "ttft_ms_p50")
            .unwrap();
        assert_eq!(ttft[1], "");
    }

    #[test]
    fn a_servers_formula_is_no_formula() {
        let mut summary = example::summary();
        summary.points[0].verdict.reasons[0].sentence = "=1+1".to_owned();
        let columns = columns(&csv(&summary));
        let reasons = columns
            .iter()
            .find(|column| column[0] == "reasons")
            .unwrap();
        assert_eq!(reasons[1], "'=1+1");
    }

    #[test]
    fn a_summary_without_points_is_an_empty_table() {
        let mut summary = example::summary();
        summary.points.clear();
        assert_eq!(csv(&summary), "");
    }
}
