//! The lines of a mode: counts, times and rates of one run, and of all runs together.

use super::drive::RunLog;
use engine::DriveMode;
use stats::quantile;
use std::fmt::Write;
use trace::{Nanos, Record};

/// What the lines of one run are made of. Times in seconds.
struct Figures {
    requests: usize,
    /// From the first submission until every request has its first token.
    prefill: f64,
    /// From there to the last token.
    decode: f64,
    prompt_tokens: u64,
    completion_tokens: u64,
    /// Those that came while it decoded, and no earlier ones.
    decoded_tokens: usize,
}

impl Figures {
    fn of(log: &RunLog) -> Self {
        let first_tokens = log.records.iter().filter_map(|record| record.first_byte);
        let filled = first_tokens.max().unwrap_or(log.facts.end);
        let tokens = |count: fn(&trace::Usage) -> Option<u64>| {
            let usages = log
                .records
                .iter()
                .filter_map(|record| record.usage.as_ref());
            usages.filter_map(count).sum()
        };
        Figures {
            requests: log.records.len(),
            prefill: (filled - log.facts.start).seconds(),
            decode: (log.facts.end - filled).seconds(),
            prompt_tokens: tokens(|usage| usage.prompt_tokens),
            completion_tokens: tokens(|usage| usage.completion_tokens),
            decoded_tokens: log
                .records
                .iter()
                .flat_map(|record| &record.events)
                .filter(|event| event.arrived > filled)
                .count(),
        }
    }

    fn elapsed(&self) -> f64 {
        self.prefill + self.decode
    }

    /// Absent where no time passed: every request had one token.
    fn decode_rate(&self) -> Option<f64> {
        (self.decoded_tokens > 0).then(|| self.decoded_tokens as f64 / self.decode)
    }
}

/// Every line of a mode.
pub(super) fn of_mode(mode: DriveMode, logs: &[RunLog], each: bool, warmup_runs: u32) -> String {
    let mut text = String::new();
    let mut by_time: Vec<usize> = (0..logs.len()).collect();
    by_time.sort_by(|&a, &b| {
        let elapsed = |index: usize| Figures::of(&logs[index]).elapsed();
        elapsed(a).total_cmp(&elapsed(b))
    });
    let median = by_time.get((logs.len().max(1) - 1) / 2);
    let shown: Vec<usize> = if each {
        (0..logs.len()).collect()
    } else {
        median.copied().into_iter().collect()
    };
    for index in shown {
        let which = match (each, logs.len()) {
            (_, 1) => String::new(),
            (true, runs) => format!(" (run {} of {runs})", index + 1),
            (false, runs) => format!(" (the median of {runs} runs)"),
        };
        run_lines(&mut text, mode, &which, &logs[index]);
    }
    summary_lines(&mut text, mode, logs, warmup_runs);
    text
}

fn run_lines(text: &mut String, mode: DriveMode, which: &str, log: &RunLog) {
    let figures = Figures::of(log);
    let elapsed = figures.elapsed();
    let completion = figures.completion_tokens;
    let total = figures.prompt_tokens + completion;
    let mut lines = vec![
        format!("=== {}{which} ===", mode.name()),
        format!("Requests: {}", figures.requests),
        format!("Elapsed (prefill/add): {:.6} seconds", figures.prefill),
        format!("Elapsed (decode/run): {:.6} seconds", figures.decode),
        format!("Elapsed (total): {elapsed:.6} seconds"),
        format!("Prompt tokens: {}", figures.prompt_tokens),
        format!("Completion tokens: {completion}"),
        format!("Total tokens: {total}"),
        format!(
            "Throughput (completion,total): {:.2} tokens/s",
            completion as f64 / elapsed
        ),
    ];
    if let Some(rate) = figures.decode_rate() {
        lines.push(format!(
            "Throughput (completion,decode): {rate:.2} tokens/s"
        ));
    }
    lines.push(format!(
        "Throughput (total,total): {:.2} tokens/s",
        total as f64 / elapsed
    ));
    if mode.measures_latency() {
        latency_lines(&mut lines, &log.records);
    }
    let _ = writeln!(text, "{}\n", lines.join("\n"));
}

/// From submission: to the first token, per token after it, and to the end.
fn latency_lines(lines: &mut Vec<String>, records: &[Record]) {
    let ms = |span: Nanos| span.millis();
    let ttft = records
        .iter()
        .filter_map(|record| Some(ms(record.first_byte? - record.issued)));
    let tpot = records.iter().filter_map(|record| {
        let after_first = record
            .events
            .len()
            .checked_sub(1)
            .filter(|&more| more > 0)?;
        Some(ms(record.done - record.first_byte?) / after_first as f64)
    });
    let latency = records.iter().map(|record| ms(record.done - record.issued));
    let rows = [
        ("TTFT", "ms", ttft.collect::<Vec<f64>>()),
        ("TPOT", "ms/token", tpot.collect()),
        ("Latency", "ms", latency.collect()),
    ];
    for (name, unit, values) in rows {
        if let Some((p50, mean)) = p50_and_mean(values) {
            lines.push(format!("{name} p50/mean: {p50:.2}/{mean:.2} {unit}"));
        }
    }
}

fn summary_lines(text: &mut String, mode: DriveMode, logs: &[RunLog], warmup_runs: u32) {
    let all: Vec<Figures> = logs.iter().map(Figures::of).collect();
    let mut lines = vec![
        format!("=== {} summary ===", mode.name()),
        format!("Warmup runs: {warmup_runs}"),
        format!("Measured runs: {}", logs.len()),
    ];
    let of = |value: &dyn Fn(&Figures) -> Option<f64>| {
        p50_and_mean(all.iter().filter_map(value).collect())
    };
    let rows = [
        ("Decode time p50/mean", 6, "s", of(&|run| Some(run.decode))),
        (
            "Total time p50/mean",
            6,
            "s",
            of(&|run| Some(run.elapsed())),
        ),
        (
            "Throughput(completion,decode) p50/mean",
            2,
            "tokens/s",
            of(&Figures::decode_rate),
        ),
        (
            "Throughput(completion,total) p50/mean",
            2,
            "tokens/s",
            of(&|run| Some(run.completion_tokens as f64 / run.elapsed())),
        ),
    ];
    for (name, digits, unit, value) in rows {
        if let Some((p50, mean)) = value {
            lines.push(format!("{name}: {p50:.digits$}/{mean:.digits$} {unit}"));
        }
    }
    let _ = writeln!(text, "{}", lines.join("\n"));
}

/// Absent where there is nothing.
fn p50_and_mean(mut values: Vec<f64>) -> Option<(f64, f64)> {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    stats::sort(&mut values);
    Some((quantile(&values, 0.5)?, mean))
}
