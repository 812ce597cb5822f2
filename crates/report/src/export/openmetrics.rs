//! `OpenMetrics` text, for a pushgateway or a file that a node exporter collects.

use super::{quantiles, text};
use crate::escape;
use stats::{Distribution, Grade, PointSummary, Summary};
use std::fmt::Write;

/// What the name of a latency is, and where it is found.
type Latency = (
    &'static str,
    &'static str,
    fn(&PointSummary) -> Option<&Distribution>,
);
/// What the name of a number is, and where it is found.
type Gauge = (&'static str, &'static str, fn(&PointSummary) -> Option<f64>);

const LATENCIES: [Latency; 4] = [
    ("ttft", "First token event since the request.", |point| {
        point.latency.ttft.as_ref()
    }),
    ("tpot", "Time per output token after the first.", |point| {
        point.latency.tpot.as_ref()
    }),
    ("chunk_gap", "Time between token events.", |point| {
        point.latency.chunk_gap.as_ref()
    }),
    ("e2e", "Last token event since the request.", |point| {
        point.latency.e2e.as_ref()
    }),
];

const GAUGES: [Gauge; 4] = [
    (
        "output_tokens_per_second",
        "Output tokens per second of the runs.",
        |point| {
            point
                .throughput
                .output_tokens_per_second
                .map(|rate| rate.mean)
        },
    ),
    (
        "requests_per_second",
        "Complete requests per second of the runs.",
        |point| point.throughput.requests_per_second.map(|rate| rate.mean),
    ),
    (
        "success_ratio",
        "Complete requests of all that were issued.",
        |point| point.reliability.success_rate,
    ),
    (
        "goodput_ratio",
        "Requests that met every objective, of all that were issued.",
        |point| point.goodput.as_ref().map(|good| good.share),
    ),
];

/// All points as metric families, each with the label `point`; latencies in seconds.
pub fn openmetrics(summary: &Summary) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "# TYPE tokenomics_measurement info\n# HELP tokenomics_measurement What was measured.\n\
         tokenomics_measurement_info{{model=\"{}\",workload_sha256=\"{}\",version=\"{}\"}} 1",
        escaped(text(summary, "model").unwrap_or_default()),
        escaped(text(summary, "workload_sha256").unwrap_or_default()),
        escaped(text(summary, "tokenomics_version").unwrap_or_default())
    );
    verdicts(&mut out, summary);
    for (name, help, of) in LATENCIES {
        let family = format!("tokenomics_{name}_seconds");
        let samples = summary.points.iter().filter_map(|point| {
            let latency = of(point)?;
            Some(latency_samples(&family, &point.point.key, latency))
        });
        write_family(&mut out, &family, "summary", Some("seconds"), help, samples);
    }
    for (name, help, of) in GAUGES {
        let family = format!("tokenomics_{name}");
        let samples = summary.points.iter().filter_map(|point| {
            let value = of(point)?;
            Some(format!(
                "{family}{{point=\"{}\"}} {value}\n",
                escaped(&point.point.key)
            ))
        });
        write_family(&mut out, &family, "gauge", None, help, samples);
    }
    out.push_str("# EOF\n");
    out
}

/// 1 for the grade that a point has, and 0 for the others.
fn verdicts(out: &mut String, summary: &Summary) {
    let family = "tokenomics_verdict";
    let grades = [
        (Grade::Valid, "valid"),
        (Grade::Suspect, "suspect"),
        (Grade::Invalid, "invalid"),
    ];
    let samples = summary.points.iter().map(|point| {
        let key = escaped(&point.point.key);
        let lines = grades.iter().map(|(grade, name)| {
            let is = u8::from(point.verdict.grade == *grade);
            format!("{family}{{point=\"{key}\",{family}=\"{name}\"}} {is}\n")
        });
        lines.collect::<String>()
    });
    let help = "Whether the numbers of a point can be believed.";
    write_family(out, family, "stateset", None, help, samples);
}

fn latency_samples(family: &str, point: &str, latency: &Distribution) -> String {
    let point = escaped(point);
    let mut out = String::new();
    for (probability, value) in quantiles(latency) {
        let seconds = value / 1e3;
        let _ = writeln!(
            out,
            "{family}{{point=\"{point}\",quantile=\"{probability}\"}} {seconds}"
        );
    }
    let sum = latency.mean * latency.n as f64 / 1e3;
    let _ = writeln!(out, "{family}_sum{{point=\"{point}\"}} {sum}");
    let _ = writeln!(out, "{family}_count{{point=\"{point}\"}} {}", latency.n);
    out
}

/// A family whose samples there are; nothing of one without.
fn write_family(
    out: &mut String,
    family: &str,
    kind: &str,
    unit: Option<&str>,
    help: &str,
    samples: impl Iterator<Item = String>,
) {
    let samples: String = samples.collect();
    if samples.is_empty() {
        return;
    }
    let _ = writeln!(out, "# TYPE {family} {kind}");
    if let Some(unit) = unit {
        let _ = writeln!(out, "# UNIT {family} {unit}");
    }
    let _ = writeln!(out, "# HELP {family} {help}");
    out.push_str(&samples);
}

fn escaped(label: &str) -> String {
    let label = escape::lines(label);
    let label = label.replace('\\', "\\\\").replace('"', "\\\"");
    label.replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::openmetrics;
    use crate::example;
    use std::collections::HashSet;

    #[test]
    fn families_come_once_and_the_text_ends_as_it_must() {
        let mut summary = example::summary();
        summary.metadata["model"] = "a\"b\\c\nd".into();
        let text = openmetrics(&summary);
        let types: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with("# TYPE"))
            .collect();
        assert_eq!(types.iter().collect::<HashSet<_>>().len(), types.len());
        assert!(text.ends_with("# EOF\n") && text.matches("# EOF").count() == 1);
        assert!(text.contains(r#"model="a\"b\\c\nd""#), "{text}");
        insta::assert_snapshot!(text);
    }
}
