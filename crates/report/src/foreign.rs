//! Result files of others, read as far as they go.

mod python;

use crate::escape;
use crate::grid::{Cell, Grid};
use crate::number::{self, ABSENT};
use crate::style::{Ink, Style};
use crate::width::{TEXT_COLUMNS, wrap};
use serde_json::{Map, Value, json};

/// What another tool's file says of a measurement. It has no records: nothing can be computed again, no
/// number has an interval that knows how requests depend on each other, and there is no verdict.
#[derive(Clone, Debug, PartialEq)]
pub struct ForeignResult {
    /// Who wrote it.
    pub tool: &'static str,
    /// The model, as the file names it.
    pub model: Option<String>,
    /// In milliseconds, by our names.
    latencies: Vec<(&'static str, Statistics)>,
    /// By our names.
    numbers: Vec<(&'static str, f64)>,
}

/// Mean, median, p90, p95 and p99, where the file has them.
type Statistics = [Option<f64>; 5];

impl ForeignResult {
    /// Recognises a file by its keys; `None` of anything else. Of several results one behind the other, as `vllm bench
    /// serve --append-result` leaves them and `SGLang` always does, it is the first.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes = object(bytes)?;
        let bytes = python::without_nan(bytes);
        let mut values = serde_json::Deserializer::from_slice(&bytes).into_iter();
        Self::of(&values.next()?.ok()?)
    }

    /// Every result of such a file, in its order; `None` where the first is none of another tool's.
    ///
    /// # Errors
    /// What follows the first ones is no such result; the words say where.
    pub fn parse_all(bytes: &[u8]) -> Option<Result<Vec<Self>, String>> {
        let bytes = object(bytes)?;
        let bytes = python::without_nan(bytes);
        let mut values = serde_json::Deserializer::from_slice(&bytes).into_iter::<Value>();
        let mut all = vec![Self::of(&values.next()?.ok()?)?];
        loop {
            let at = values.byte_offset();
            let refuse = |why: &str| {
                let known = all.len();
                Some(Err(format!(
                    "there is something else behind result {known}, at byte {at}: {why}; cut it off to see the rest"
                )))
            };
            match values.next() {
                None => return Some(Ok(all)),
                Some(Err(error)) => return refuse(&error.to_string()),
                Some(Ok(value)) => match Self::of(&value) {
                    Some(result) => all.push(result),
                    None => return refuse("it is no result of a benchmark"),
                },
            }
        }
    }

    fn of(value: &Value) -> Option<Self> {
        let file = value.as_object()?;
        let has = |names: &[&str]| names.iter().all(|name| file.contains_key(*name));
        if has(&["request_throughput", "completed", "duration"]) {
            Some(of_vllm(file))
        } else if file
            .get("request_latency")
            .is_some_and(|block| block.get("avg").is_some())
        {
            Some(of_aiperf(file))
        } else {
            None
        }
    }
}

/// What begins as an object does, without what Windows puts in front; not the megabytes of a table.
fn object(bytes: &[u8]) -> Option<&[u8]> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    bytes.trim_ascii_start().starts_with(b"{").then_some(bytes)
}

/// `vllm bench serve`, and `SGLang`'s `bench_serving`, which has the same keys.
fn of_vllm(file: &Map<String, Value>) -> ForeignResult {
    let number = |name: &str| file.get(name).and_then(Value::as_f64);
    let latency = |name: &str| -> Statistics {
        let first = ["mean", "median", "p90", "p95", "p99"];
        first.map(|statistic| number(&format!("{statistic}_{name}_ms")))
    };
    let latencies = [
        ("ttft", "ttft"),
        ("tpot", "tpot"),
        ("chunk_gap", "itl"),
        ("e2e", "e2el"),
    ];
    let numbers = [
        ("complete", "completed"),
        ("failed", "failed"),
        ("duration_seconds", "duration"),
        ("input_total", "total_input_tokens"),
        ("output_total", "total_output_tokens"),
        ("requests_per_second", "request_throughput"),
        ("output_tokens_per_second", "output_throughput"),
        ("goodput_per_second", "request_goodput"),
    ];
    let found = numbers
        .iter()
        .filter_map(|(ours, theirs)| Some((*ours, number(theirs)?)));
    let measured = latencies
        .iter()
        .map(|(ours, theirs)| (*ours, latency(theirs)));
    ForeignResult {
        tool: "vllm bench serve",
        model: file
            .get("model_id")
            .and_then(Value::as_str)
            .map(str::to_owned),
        latencies: measured
            .filter(|(_, values)| values.iter().any(Option::is_some))
            .collect(),
        numbers: found.collect(),
    }
}

fn of_aiperf(file: &Map<String, Value>) -> ForeignResult {
    let of = |metric: &str, statistic: &str| file.get(metric)?.get(statistic)?.as_f64();
    let latencies = [
        ("ttft", "time_to_first_token"),
        ("ttfo", "time_to_first_output_token"),
        ("tpot", "inter_token_latency"),
        ("chunk_gap", "inter_chunk_latency"),
        ("e2e", "request_latency"),
    ];
    let measured = latencies.iter().map(|(ours, theirs)| {
        let statistics = ["avg", "p50", "p90", "p95", "p99"];
        (*ours, statistics.map(|statistic| of(theirs, statistic)))
    });
    let numbers = [
        ("complete", "request_count"),
        ("failed", "error_request_count"),
        ("duration_seconds", "benchmark_duration"),
        ("output_total", "total_output_tokens"),
        ("requests_per_second", "request_throughput"),
        ("output_tokens_per_second", "output_token_throughput"),
        ("goodput_per_second", "goodput"),
    ];
    let found = numbers
        .iter()
        .filter_map(|(ours, theirs)| Some((*ours, of(theirs, "avg")?)));
    let model = file.get("input_config").and_then(|config| {
        let names = config
            .pointer("/models/items/0/name")
            .or_else(|| config.pointer("/endpoint/model_names/0"))
            .or_else(|| config.get("model"));
        names?.as_str().map(str::to_owned)
    });
    ForeignResult {
        tool: "AIPerf",
        model,
        latencies: measured
            .filter(|(_, values)| values.iter().any(Option::is_some))
            .collect(),
        numbers: found.collect(),
    }
}

/// A count, where that name is one's.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count that some file holds; `as` saturates"
)]
fn whole(name: &str, value: f64) -> Option<u64> {
    let is_count = ["complete", "failed", "input_total", "output_total"].contains(&name);
    is_count.then_some(value.round() as u64)
}

/// What the results say, by our names; ends with a line break.
pub fn foreign_text(files: &[ForeignResult], style: Style) -> String {
    let mut lines: Vec<String> = files
        .iter()
        .flat_map(|file| result_lines(file, style))
        .collect();
    let told = "This file holds no records: nothing in it can be computed again, no number has an interval, and \
                nothing says whether the measurement was valid.";
    let told = wrap(told, TEXT_COLUMNS - 2);
    lines.extend(told.into_iter().map(|line| format!("  {line}")));
    lines.push(String::new());
    lines.join("\n")
}

fn result_lines(file: &ForeignResult, style: Style) -> Vec<String> {
    let model = file.model.as_deref().map(escape::terminal);
    let title = format!("{} · {}", model.unwrap_or_default(), file.tool);
    let title = title.trim_start_matches(" · ").to_owned();
    let mut lines = vec![
        String::new(),
        format!("  {}", style.paint(Ink::Bold, &title)),
        String::new(),
    ];
    let mut grid = Grid::titled([["ms", "mean", "p50", "p90", "p95", "p99"]]);
    for (name, values) in &file.latencies {
        let shown =
            |value: &Option<f64>| value.map_or_else(|| ABSENT.to_owned(), number::significant);
        let cells = std::iter::once((*name).to_owned()).chain(values.iter().map(shown));
        grid.push(cells.map(Cell::new).collect());
    }
    lines.extend(grid.lines(style).map(|line| line.trim_end().to_owned()));
    lines.push(String::new());
    let mut grid = Grid::titled::<0, 0>([]);
    for (name, value) in &file.numbers {
        grid.push(vec![
            Cell::new((*name).to_owned()),
            Cell::new(
                whole(name, *value).map_or_else(|| number::significant(*value), number::count),
            ),
        ]);
    }
    lines.extend(grid.lines(style).map(|line| line.trim_end().to_owned()));
    lines.push(String::new());
    lines
}

/// The same as a file: an object, or an array of several.
pub fn foreign_json(files: &[ForeignResult]) -> String {
    if let [file] = files {
        return escape::json(&result_value(file));
    }
    let all: Vec<Value> = files.iter().map(result_value).collect();
    escape::json(&Value::Array(all))
}

fn result_value(file: &ForeignResult) -> Value {
    let latency = |(name, values): &(&'static str, Statistics)| {
        let [mean, p50, p90, p95, p99] = values;
        let block =
            json!({ "unit": "ms", "mean": mean, "p50": p50, "p90": p90, "p95": p95, "p99": p99 });
        ((*name).to_owned(), block)
    };
    let numbers = file
        .numbers
        .iter()
        .map(|(name, value)| match whole(name, *value) {
            Some(count) => ((*name).to_owned(), json!(count)),
            None => ((*name).to_owned(), json!(value)),
        });
    let latencies: Map<String, Value> = file.latencies.iter().map(latency).collect();
    let numbers: Map<String, Value> = numbers.collect();
    json!({ "tool": file.tool, "model": file.model, "latency": latencies, "numbers": numbers })
}

#[cfg(test)]
mod tests {
    use super::{ForeignResult, foreign_json, foreign_text};
    use crate::{Style, aiperf, example, vllm};
    use serde_json::Value;

    #[test]
    fn what_we_write_for_others_is_read_back() {
        let summary = example::summary();
        let records = [example::record(1, 0, 0, &[50, 60])];
        for text in [
            vllm(&summary, 1, &records).unwrap(),
            aiperf(&summary, 1, &records).unwrap(),
        ] {
            let file = ForeignResult::parse(text.as_bytes()).unwrap();
            let json: Value =
                serde_json::from_str(&foreign_json(std::slice::from_ref(&file))).unwrap();
            let expected = if file.tool == "AIPerf" {
                50.0
            } else {
                summary.points[1].latency.ttft.as_ref().unwrap().p99.value
            };
            assert_eq!(json["latency"]["ttft"]["p99"], expected, "{}", file.tool);
            assert_eq!(
                json["numbers"]["complete"],
                summary.points[1].reliability.complete
            );
        }
    }

    #[test]
    fn the_screen_says_what_is_missing() {
        let text = vllm(&example::summary(), 1, &[]).unwrap();
        let file = ForeignResult::parse(text.as_bytes()).unwrap();
        insta::assert_snapshot!(foreign_text(&[file], Style { color: false }));
    }

    #[test]
    fn results_behind_each_other_are_all_shown() {
        let one = |model: &str| {
            format!(
                r#"{{"model_id": "{model}", "duration": 2.5, "completed": 2, "request_throughput": 0.8, "std_ttft_ms": NaN}}"#
            )
        };
        for between in ["\n", "", "\n\n  "] {
            let text = [one("a"), one("b"), one("c")].join(between);
            let all = ForeignResult::parse_all(text.as_bytes()).unwrap().unwrap();
            let screen = foreign_text(&all, Style { color: false });
            for model in ["a · vllm", "b · vllm", "c · vllm"] {
                assert!(screen.contains(model), "{screen}");
            }
            let json: Value = serde_json::from_str(&foreign_json(&all)).unwrap();
            assert_eq!(json[2]["model"], "c");
        }
        for (rest, why) in [("{\"a\": 1}", "no result"), ("{\"comp", "EOF")] {
            let text = format!("{}\n{rest}", one("a"));
            let refused = ForeignResult::parse_all(text.as_bytes())
                .unwrap()
                .unwrap_err();
            assert!(refused.contains("behind result 1"), "{refused}");
            assert!(refused.contains(why), "{refused}");
        }
        assert_eq!(ForeignResult::parse_all(b"{\"header\": {}}"), None);
    }

    #[test]
    fn anything_else_is_not_recognised() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"request_latency": 3}"#,
            r#"{"completed": 1}"#,
        ] {
            assert_eq!(ForeignResult::parse(text.as_bytes()), None, "{text}");
        }
    }
}
