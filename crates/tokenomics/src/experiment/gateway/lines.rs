//! The lines of a gateway benchmark: those of `LiteLLM`'s own, then what was measured beside.

use super::added_lines;
use super::names::Names;
use super::phases::Phase;
use super::results::{Figures, LoopStats, Results};
use super::usage::Usage;
use super::way::{Kind, Side};
use report::Style;
use std::fmt::Write;
use std::time::Duration;

/// Every line.
pub(super) fn text(names: &Names<'_>, results: &Results, style: Style) -> String {
    let mut text = String::new();
    classic(&mut text, names, results);
    added_lines::write(&mut text, names, results);
    capacity(&mut text, results);
    usage(&mut text, &results.usage);
    verdict(&mut text, results, style);
    text
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "n/a".to_owned(), |value| format!("{value:.2}"))
}

fn figure(stats: &LoopStats, of: fn(&Figures) -> f64) -> Option<f64> {
    stats.latency.as_ref().map(of)
}

/// Requests per second; nothing where none succeeded.
fn rps(stats: &LoopStats) -> Option<f64> {
    stats.latency.map(|_| stats.rps)
}

/// Names and order as `LiteLLM`'s script prints them.
fn classic(text: &mut String, names: &Names<'_>, results: &Results) {
    let loops = &results.loops;
    let p50 = |figures: &Figures| figures.p50;
    let p95 = |figures: &Figures| figures.p95;
    let difference =
        |of: fn(&Figures) -> f64| Some(figure(&loops.through, of)? - figure(&loops.direct, of)?);
    let header_p50 = loops.through.overhead.map(|overhead| overhead.p50);
    let mut lines = vec![
        (
            "Direct provider non-stream p50",
            figure(&loops.direct, p50),
            " ms",
        ),
        ("Proxy non-stream p50", figure(&loops.through, p50), " ms"),
        ("Proxy non-stream p95", figure(&loops.through, p95), " ms"),
        ("Proxy non-stream RPS", rps(&loops.through), ""),
        ("Client-observed overhead p50", difference(p50), " ms"),
        ("Client-observed overhead p95", difference(p95), " ms"),
        ("x-litellm-overhead-duration-ms p50", header_p50, " ms"),
        ("Streaming TTFT p50", figure(&loops.first_token, p50), " ms"),
        ("Streaming TTFT p95", figure(&loops.first_token, p95), " ms"),
        ("Streaming TTFT RPS", rps(&loops.first_token), ""),
    ];
    let full = names.measures_full_stream.then_some(&loops.full);
    if let Some(full) = full {
        lines.extend([
            ("Streaming full response p50", figure(full, p50), " ms"),
            ("Streaming full response p95", figure(full, p95), " ms"),
            ("Streaming full response RPS", rps(full), ""),
        ]);
    }
    let _ = writeln!(text, "=== Benchmark summary ===");
    let _ = writeln!(text, "Label: {}\nRevision: {}", names.label, names.revision);
    for (name, value, unit) in lines {
        let _ = writeln!(text, "{name}: {}{unit}", number(value));
    }
    let cells = [
        report::escape::markdown(names.label),
        report::escape::markdown(names.revision),
        number(figure(&loops.first_token, p50)),
        number(figure(&loops.first_token, p95)),
        number(rps(&loops.through)),
        number(difference(p50)),
        number(difference(p95)),
        number(header_p50),
        number(full.and_then(|full| figure(full, p50))),
        number(full.and_then(rps)),
    ];
    let _ = writeln!(text, "\nMarkdown row:\n| {} |", cells.join(" | "));
}

fn capacity(text: &mut String, results: &Results) {
    let loops = &results.loops;
    let _ = writeln!(text, "\n=== Capacity, closed loop ===");
    let mut row = |name: &str, direct: Option<f64>, through: Option<f64>, failures: usize| {
        let failed = if failures == 0 {
            String::new()
        } else {
            format!("  {failures} failed")
        };
        let line = format!(
            "{name:<14}{:>11}{:>11}{failed}",
            number(direct),
            number(through)
        );
        let _ = writeln!(text, "{line}");
    };
    let (direct, through) = (&loops.direct, &loops.through);
    row(
        "requests/s",
        rps(direct),
        rps(through),
        direct.failures + through.failures,
    );
    let (direct, through) = (&loops.direct_full, &loops.full);
    row(
        "streams/s",
        rps(direct),
        rps(through),
        direct.failures + through.failures,
    );
}

fn usage(text: &mut String, usage: &[(Phase, Usage)]) {
    let _ = writeln!(text, "\n=== Processors used ===");
    let _ = writeln!(
        text,
        "{:<22}{:>10}{:>10}{:>10}",
        "", "client", "mock", "gateway"
    );
    for (phase, usage) in usage {
        let share = |used: Option<Duration>| {
            used.map_or_else(
                || "–".to_owned(),
                |used| {
                    format!(
                        "{:.0} %",
                        100.0 * used.as_secs_f64() / usage.wall.as_secs_f64().max(1e-9)
                    )
                },
            )
        };
        let name = match phase {
            Phase::Turn(Kind::Whole, _) => "turns",
            Phase::Turn(Kind::Stream, _) => "stream turns",
            Phase::Rate(Side::Direct) => "rate direct",
            phase => phase.key(),
        };
        let _ = writeln!(
            text,
            "{name:<22}{:>10}{:>10}{:>10}",
            share(Some(usage.client)),
            share(usage.mock),
            share(usage.gateway)
        );
    }
}

fn verdict(text: &mut String, results: &Results, style: Style) {
    let verdict = &results.verdict;
    let _ = writeln!(text, "\n{}", style.verdict(verdict.grade));
    for reason in verdict.reasons.iter().chain(&verdict.facts) {
        let _ = writeln!(text, "  {}", report::escape::terminal(&reason.sentence));
    }
}
