//! A table for a pull request.

use crate::number::{self, ABSENT, mean_std, optional};
use crate::style::{mark, word};
use crate::table::pooled;
use crate::{Axis, assertions, escape};
use stats::{Distribution, MeanStd, PointSummary, Quantile, Summary, TokenSource};
use std::fmt::Write;

/// A table for GitHub, a row per point, with the verdict and its reasons under it.
pub fn markdown(summary: &Summary) -> String {
    let mut out = assertions::markdown(&summary.assertions);
    for (key, lead) in [("model", "### "), ("description", "")] {
        if let Some(text) = summary.metadata.get(key).and_then(|value| value.as_str()) {
            let _ = writeln!(out, "{lead}{}\n", escape::markdown(text));
        }
    }
    out.push_str(&header(summary));
    for point in &summary.points {
        let _ = writeln!(out, "| {} |", row(point).join(" | "));
    }
    out.push_str(&footnotes(summary));
    let _ = writeln!(
        out,
        "\n**{} {}**",
        mark(summary.verdict.grade),
        word(summary.verdict.grade)
    );
    if !summary.verdict.reasons.is_empty() {
        out.push('\n');
    }
    for reason in &summary.verdict.reasons {
        let point = reason.point.as_deref().map(escape::markdown);
        let point = point.map_or_else(String::new, |point| format!(" at {point}"));
        let sentence = escape::markdown(&reason.sentence);
        let _ = writeln!(out, "- {}{point}: {sentence}", word(reason.grade));
    }
    out
}

fn header(summary: &Summary) -> String {
    let first = summary
        .points
        .first()
        .map_or("Load", |p| Axis::of(&p.point.pacing).label());
    if summary.points.iter().any(|point| point.pooling.is_some()) {
        return table_header(&POOLED);
    }
    table_header(&[
        first,
        "Complete",
        "Tokens/s",
        "Tokens/s per request",
        "Requests/s",
        "TTFT p50 (ms)",
        "TTFT p99 (ms)",
        "TPOT p50 (ms)",
        "e2e p50 (ms)",
        "e2e p99 (ms)",
        "Verdict",
    ])
}

/// The columns where texts become vectors or scores.
const POOLED: [&str; 8] = [
    "Point",
    "Complete",
    "Embeddings/s",
    "Tokens/s",
    "Requests/s",
    "e2e p50 (ms)",
    "e2e p99 (ms)",
    "Verdict",
];

fn table_header(names: &[&str]) -> String {
    let rule = " ---: |".repeat(names.len() - 1);
    format!("| {} |\n|{rule} :--- |\n", names.join(" | "))
}

fn row(point: &PointSummary) -> Vec<String> {
    let (latency, rates) = (&point.latency, &point.throughput);
    let grade = point.verdict.grade;
    if point.pooling.is_some() {
        return vec![
            escape::markdown(&point.point.key),
            format!(
                "{}/{}",
                point.reliability.complete, point.reliability.issued
            ),
            pooled::answers_per_second(point),
            pooled::tokens_per_second(point),
            optional(rates.requests_per_second.map(|rate| rate.mean)),
            quantile(latency.e2e.as_ref(), false, |sample| sample.p50),
            quantile(latency.e2e.as_ref(), false, |sample| sample.p99),
            format!("{} {}", mark(grade), word(grade)),
        ];
    }
    vec![
        escape::markdown(&point.point.key),
        format!(
            "{}/{}",
            point.reliability.complete, point.reliability.issued
        ),
        tokens_per_second(point, rates.batch_tokens_per_second),
        tokens_per_second(point, rates.request_tokens_per_second),
        optional(rates.requests_per_second.map(|rate| rate.mean)),
        quantile(latency.ttft.as_ref(), false, |sample| sample.p50),
        quantile(latency.ttft.as_ref(), false, |sample| sample.p99),
        quantile(latency.tpot.as_ref(), is_estimated(point), |sample| {
            sample.p50
        }),
        quantile(latency.e2e.as_ref(), false, |sample| sample.p50),
        quantile(latency.e2e.as_ref(), false, |sample| sample.p99),
        format!("{} {}", mark(grade), word(grade)),
    ]
}

fn tokens_per_second(point: &PointSummary, rate: Option<MeanStd>) -> String {
    rate.map_or_else(
        || ABSENT.to_owned(),
        |rate| number::estimated(mean_std(rate), is_estimated(point)),
    )
}

fn quantile(
    sample: Option<&Distribution>,
    is_estimated: bool,
    of: fn(&Distribution) -> Quantile,
) -> String {
    let Some(quantile) = sample.map(of) else {
        return ABSENT.to_owned();
    };
    let value = number::estimated(number::significant(quantile.value), is_estimated);
    if quantile.interval.is_some() {
        value
    } else {
        format!("\\~{value}")
    }
}

fn is_estimated(point: &PointSummary) -> bool {
    point.tokens.output_source == TokenSource::Estimated
}

fn footnotes(summary: &Summary) -> String {
    let rows: Vec<_> = summary.points.iter().flat_map(row).collect();
    let mut out = String::new();
    if rows.iter().any(|cell| cell.starts_with("\\~")) {
        out.push_str("\n\\~ too few independent samples for a 95 % interval of this percentile\n");
    }
    if rows.iter().any(|cell| cell.contains('≈')) {
        out.push_str("\n≈ rests on output tokens estimated from token events\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::markdown;
    use crate::example;

    #[test]
    fn a_sweep_as_a_github_table() {
        insta::assert_snapshot!(markdown(&example::summary()));
    }

    #[test]
    fn an_estimate_and_an_invalid_verdict_are_marked() {
        insta::assert_snapshot!(markdown(&example::open_loop()));
    }

    #[test]
    fn no_name_breaks_the_table_or_becomes_a_tag() {
        let mut summary = example::summary();
        summary.metadata["model"] = "<img src=x>|`a`".into();
        let text = markdown(&summary);
        assert!(
            text.starts_with("### &lt;img src=x&gt;\\|\\`a\\`\n"),
            "{text}"
        );
    }
}
