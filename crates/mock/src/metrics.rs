//! `/metrics` in Prometheus' text format. Names and meanings are those of vLLM where it has the same
//! number.

use crate::MockStats;
use crate::stats::Lateness;
use std::fmt::{Display, Write as _};

/// Ends of the buckets of lateness, in nanoseconds: what is usual is near 1 µs.
const LATENESS_ENDS: [u64; 14] = [
    1_000,
    2_000,
    5_000,
    10_000,
    20_000,
    50_000,
    100_000,
    200_000,
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    100_000_000,
];

/// What is being done at the moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Gauges {
    /// Requests being answered.
    pub(crate) running: u32,
    /// Requests that wait for their turn.
    pub(crate) waiting: u32,
    /// Of those that are answered, the streams.
    pub(crate) streams: u32,
}

/// All of them, in text format 0.0.4.
pub(crate) fn text(model: &str, gauges: Gauges, stats: &MockStats, lateness: &Lateness) -> String {
    let mut text = Text {
        labels: format!("model_name=\"{}\"", escape(model)),
        out: String::with_capacity(6_000),
    };
    text.gauge(
        "vllm:num_requests_running",
        "Requests being answered.",
        gauges.running,
    );
    text.gauge(
        "vllm:num_requests_waiting",
        "Requests that wait for their turn.",
        gauges.waiting,
    );
    text.counter(
        "vllm:prompt_tokens_total",
        "Words of prompts.",
        stats.prompt_tokens,
    );
    text.counter(
        "vllm:generation_tokens_total",
        "Tokens written.",
        stats.tokens,
    );
    text.by_label(
        "vllm:request_success_total",
        "Choices that ended, by reason.",
        "finished_reason",
        &[("stop", stats.stopped), ("length", stats.limited)],
    );
    text.by_label(
        "tokenomics:mock_requests_total",
        "Requests that ended, by outcome.",
        "outcome",
        &[
            ("complete", stats.complete),
            ("refused", stats.refused),
            ("fault", stats.faults),
            ("aborted", stats.aborted),
        ],
    );
    text.gauge(
        "tokenomics:mock_streams",
        "Streams being written.",
        gauges.streams,
    );
    text.counter(
        "tokenomics:mock_events_total",
        "Content events written.",
        stats.events,
    );
    text.counter(
        "tokenomics:mock_received_bytes_total",
        "Bytes of requests.",
        stats.received_bytes,
    );
    text.counter(
        "tokenomics:mock_sent_bytes_total",
        "Bytes of responses.",
        stats.sent_bytes,
    );
    text.lateness(lateness);
    text.out
}

struct Text {
    labels: String,
    out: String,
}

impl Text {
    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.one(name, "gauge", help, value);
    }

    fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.one(name, "counter", help, value);
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.head(name, kind, help);
        self.line(format_args!("{name}{{{}}} {value}", self.labels.clone()));
    }

    fn by_label(&mut self, name: &str, help: &str, label: &str, values: &[(&str, u64)]) {
        self.head(name, "counter", help);
        let labels = self.labels.clone();
        for (value, count) in values {
            self.line(format_args!(
                "{name}{{{label}=\"{value}\",{labels}}} {count}"
            ));
        }
    }

    fn lateness(&mut self, lateness: &Lateness) {
        let name = "tokenomics:mock_write_lateness_seconds";
        self.head(
            name,
            "histogram",
            "How late paced writes were against their own schedule.",
        );
        let labels = self.labels.clone();
        let (count, sum) = lateness.count_and_sum();
        for (end, within) in LATENESS_ENDS.iter().zip(lateness.counts(LATENESS_ENDS)) {
            let end = seconds(*end);
            self.line(format_args!(
                "{name}_bucket{{le=\"{end}\",{labels}}} {within}"
            ));
        }
        self.line(format_args!(
            "{name}_bucket{{le=\"+Inf\",{labels}}} {count}"
        ));
        self.line(format_args!("{name}_sum{{{labels}}} {}", seconds(sum)));
        self.line(format_args!("{name}_count{{{labels}}} {count}"));
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
    }

    fn line(&mut self, text: std::fmt::Arguments<'_>) {
        // A String takes every write.
        let _ = writeln!(self.out, "{text}");
    }
}

fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

/// A label's value as the format wants it.
fn escape(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::{Gauges, text};
    use crate::MockStats;
    use crate::stats::Lateness;

    #[test]
    fn every_number_has_its_name_and_the_buckets_add_up() {
        let mut lateness = Lateness::new();
        for nanos in [800, 1_500, 90_000, 3_000_000_000] {
            lateness.record(nanos);
        }
        let gauges = Gauges {
            running: 3,
            waiting: 2,
            streams: 1,
        };
        let stats = MockStats {
            requests: 10,
            complete: 4,
            aborted: 1,
            stopped: 5,
            prompt_tokens: 77,
            tokens: 99,
            ..MockStats::default()
        };
        let text = text("a\"b", gauges, &stats, &lateness);
        for line in [
            r#"vllm:num_requests_running{model_name="a\"b"} 3"#,
            r#"vllm:num_requests_waiting{model_name="a\"b"} 2"#,
            r#"vllm:prompt_tokens_total{model_name="a\"b"} 77"#,
            r#"vllm:generation_tokens_total{model_name="a\"b"} 99"#,
            r#"vllm:request_success_total{finished_reason="stop",model_name="a\"b"} 5"#,
            r#"tokenomics:mock_requests_total{outcome="complete",model_name="a\"b"} 4"#,
            r#"tokenomics:mock_requests_total{outcome="aborted",model_name="a\"b"} 1"#,
            r#"tokenomics:mock_write_lateness_seconds_bucket{le="0.000001",model_name="a\"b"} 1"#,
            r#"tokenomics:mock_write_lateness_seconds_bucket{le="0.0001",model_name="a\"b"} 3"#,
            r#"tokenomics:mock_write_lateness_seconds_bucket{le="0.1",model_name="a\"b"} 3"#,
            r#"tokenomics:mock_write_lateness_seconds_bucket{le="+Inf",model_name="a\"b"} 4"#,
            r#"tokenomics:mock_write_lateness_seconds_count{model_name="a\"b"} 4"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (_, value) = line.rsplit_once(' ').unwrap();
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
    }
}
