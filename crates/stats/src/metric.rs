//! The names by which one asks for a number: `ttft.p99`, `success`, `output_tokens_per_second`.
//!
//! Thresholds, comparisons and stopping rules speak of numbers by these names and by no others.

use crate::share::share_interval;
use crate::special::student_t_95;
use crate::{Distribution, Interval, MeanStd, PointSummary};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A number of a [`PointSummary`], by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Metric {
    name: Name,
    /// Of a latency; `None` of everything else.
    statistic: Option<Statistic>,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Name {
    Ttft,
    TtftFromDue,
    Ttfo,
    Tpot,
    Itl,
    ChunkGap,
    E2e,
    E2eFromDue,
    StreamEnd,
    Connect,
    IssueLag,
    Success,
    Goodput,
    GoodputPerSecond,
    OutputTokensPerSecond,
    SteadyTokensPerSecond,
    BatchTokensPerSecond,
    RequestTokensPerSecond,
    InputTokensPerSecond,
    RequestsPerSecond,
    SteadyRequestsPerSecond,
    AnswersPerSecond,
    BatchSeconds,
}

/// A number that describes a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Statistic {
    Mean,
    Std,
    Min,
    P50,
    P90,
    P95,
    P99,
    Max,
}

/// Latencies, of which a statistic is asked for.
const LATENCIES: [(&str, Name); 11] = [
    ("ttft", Name::Ttft),
    ("tpot", Name::Tpot),
    ("itl", Name::Itl),
    ("e2e", Name::E2e),
    ("ttft_from_due", Name::TtftFromDue),
    ("e2e_from_due", Name::E2eFromDue),
    ("ttfo", Name::Ttfo),
    ("chunk_gap", Name::ChunkGap),
    ("stream_end", Name::StreamEnd),
    ("connect", Name::Connect),
    ("issue_lag", Name::IssueLag),
];

const STATISTICS: [(&str, Statistic); 8] = [
    ("mean", Statistic::Mean),
    ("std", Statistic::Std),
    ("min", Statistic::Min),
    ("p50", Statistic::P50),
    ("p90", Statistic::P90),
    ("p95", Statistic::P95),
    ("p99", Statistic::P99),
    ("max", Statistic::Max),
];

/// Everything else, a number for itself.
const OTHERS: [(&str, Name); 12] = [
    ("success", Name::Success),
    ("goodput", Name::Goodput),
    ("goodput_per_second", Name::GoodputPerSecond),
    ("output_tokens_per_second", Name::OutputTokensPerSecond),
    (
        "steady.output_tokens_per_second",
        Name::SteadyTokensPerSecond,
    ),
    ("batch_tokens_per_second", Name::BatchTokensPerSecond),
    ("request_tokens_per_second", Name::RequestTokensPerSecond),
    ("input_tokens_per_second", Name::InputTokensPerSecond),
    ("requests_per_second", Name::RequestsPerSecond),
    ("steady.requests_per_second", Name::SteadyRequestsPerSecond),
    ("embeddings_per_second", Name::AnswersPerSecond),
    ("batch_seconds", Name::BatchSeconds),
];

/// What else people call them.
const ALIASES: [(&str, &str); 6] = [
    ("e2el", "e2e"),
    ("latency", "e2e"),
    ("median", "p50"),
    ("throughput", "output_tokens_per_second"),
    ("success_rate", "success"),
    ("rps", "requests_per_second"),
];

/// What a metric counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Of latencies.
    Milliseconds,
    /// Of batches.
    Seconds,
    /// Tokens, requests or vectors per second.
    PerSecond,
    /// A part of all requests, from 0 to 1.
    Share,
}

/// Which way is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// Latencies.
    Lower,
    /// Rates and shares.
    Higher,
}

/// The value of a metric at a point.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Measured {
    /// In the unit of the metric.
    pub value: f64,
    /// Its 95 % interval, where the sample carries one.
    pub interval: Option<Interval>,
}

impl Measured {
    /// How far the further end of the interval is off, as a share of the value; `None` without one.
    pub fn reach(self) -> Option<f64> {
        let Self { value, interval } = self;
        let interval = interval?;
        let further = (value - interval.low).max(interval.high - value);
        (value > 0.0).then_some(further / value)
    }
}

/// A name that is not one of a metric.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{name}` is not a metric{hint}; there are {}, and {}",
    latency_names(),
    other_names()
)]
pub struct UnknownMetric {
    name: String,
    hint: String,
}

fn latency_names() -> String {
    let names: Vec<_> = LATENCIES.iter().map(|(name, _)| *name).collect();
    let statistics: Vec<_> = STATISTICS.iter().map(|(name, _)| *name).collect();
    format!(
        "{} with .{} behind",
        names.join(", "),
        statistics.join(", .")
    )
}

fn other_names() -> String {
    OTHERS.map(|(name, _)| name).join(", ")
}

impl FromStr for Metric {
    type Err = UnknownMetric;

    fn from_str(text: &str) -> Result<Self, UnknownMetric> {
        let name = text.trim().to_ascii_lowercase();
        if let Some(&(_, found)) = OTHERS.iter().find(|(known, _)| *known == unalias(&name)) {
            return Ok(Self {
                name: found,
                statistic: None,
            });
        }
        let (latency, statistic) = name.split_once('.').unwrap_or((&name, ""));
        let latency = LATENCIES
            .iter()
            .find(|(known, _)| *known == unalias(latency));
        let found = STATISTICS
            .iter()
            .find(|(known, _)| *known == unalias(statistic));
        match (latency, found) {
            (Some(&(_, name)), Some(&(_, statistic))) => Ok(Self {
                name,
                statistic: Some(statistic),
            }),
            (Some((latency, _)), None) => Err(unknown(
                text,
                format!(" (which number of {latency}? such as {latency}.p99)"),
            )),
            (None, _) => Err(unknown(text, String::new())),
        }
    }
}

fn unalias(name: &str) -> &str {
    let alias = ALIASES.iter().find(|(alias, _)| *alias == name);
    alias.map_or(name, |(_, meant)| meant)
}

fn unknown(name: &str, hint: String) -> UnknownMetric {
    UnknownMetric {
        name: name.trim().to_owned(),
        hint,
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = LATENCIES.iter().chain(&OTHERS);
        let name = named.clone().find(|(_, name)| *name == self.name);
        f.write_str(name.map_or("", |(name, _)| name))?;
        let statistic = STATISTICS
            .iter()
            .find(|(_, statistic)| Some(*statistic) == self.statistic);
        statistic.map_or(Ok(()), |(statistic, _)| write!(f, ".{statistic}"))
    }
}

impl From<Metric> for String {
    fn from(metric: Metric) -> Self {
        metric.to_string()
    }
}

impl TryFrom<String> for Metric {
    type Error = UnknownMetric;

    fn try_from(name: String) -> Result<Self, UnknownMetric> {
        name.parse()
    }
}

impl Metric {
    /// What it counts.
    pub fn unit(self) -> Unit {
        match self.name {
            _ if self.statistic.is_some() => Unit::Milliseconds,
            Name::Success | Name::Goodput => Unit::Share,
            Name::BatchSeconds => Unit::Seconds,
            _ => Unit::PerSecond,
        }
    }

    /// Which way is up.
    pub fn better(self) -> Better {
        match self.unit() {
            Unit::Milliseconds | Unit::Seconds => Better::Lower,
            Unit::PerSecond | Unit::Share => Better::Higher,
        }
    }

    /// Its value at a point; `None` where it was not measured.
    pub fn of(self, point: &PointSummary) -> Option<Measured> {
        if let Some(statistic) = self.statistic {
            return self.latency(point).map(|sample| statistic.of(sample));
        }
        let (rates, steady) = (&point.throughput, point.steady_state.as_ref());
        Some(match self.name {
            Name::Success => {
                let success = point.reliability.success_rate?;
                Measured {
                    value: success,
                    interval: share_interval(success, point.reliability.issued as f64),
                }
            }
            Name::Goodput => {
                let goodput = point.goodput.as_ref()?;
                Measured {
                    value: goodput.share,
                    interval: goodput.share_interval,
                }
            }
            Name::GoodputPerSecond => plain(point.goodput.as_ref()?.requests_per_second),
            Name::SteadyTokensPerSecond => Measured {
                value: steady?.output_tokens_per_second?.mean,
                interval: steady?.output_tokens_per_second_interval,
            },
            Name::SteadyRequestsPerSecond => Measured {
                value: steady?.requests_per_second?.mean,
                interval: steady?.requests_per_second_interval,
            },
            Name::OutputTokensPerSecond => over_runs(rates.output_tokens_per_second?),
            Name::BatchTokensPerSecond => over_runs(rates.batch_tokens_per_second?),
            Name::RequestTokensPerSecond => plain(rates.request_tokens_per_second?.mean),
            Name::InputTokensPerSecond => over_runs(rates.input_tokens_per_second?),
            Name::RequestsPerSecond => over_runs(rates.requests_per_second?),
            Name::AnswersPerSecond => over_runs(point.pooling.as_ref()?.batch_answers_per_second?),
            Name::BatchSeconds => over_runs(point.timings.batch_total_seconds?),
            _ => return None,
        })
    }

    fn latency(self, point: &PointSummary) -> Option<&Distribution> {
        let latency = &point.latency;
        let sample = match self.name {
            Name::Ttft => &latency.ttft,
            Name::TtftFromDue => &latency.ttft_from_due,
            Name::Ttfo => &latency.ttfo,
            Name::Tpot => &latency.tpot,
            Name::Itl => &latency.itl,
            Name::ChunkGap => &latency.chunk_gap,
            Name::E2e => &latency.e2e,
            Name::E2eFromDue => &latency.e2e_from_due,
            Name::StreamEnd => &latency.stream_end,
            Name::Connect => &latency.connect,
            Name::IssueLag => &latency.issue_lag,
            _ => return None,
        };
        sample.as_ref()
    }
}

impl Statistic {
    fn of(self, sample: &Distribution) -> Measured {
        let (value, interval) = match self {
            Self::Mean => (sample.mean, sample.mean_interval),
            Self::Std => (sample.std, None),
            Self::Min => (sample.min, None),
            Self::Max => (sample.max, None),
            Self::P50 => (sample.p50.value, sample.p50.interval),
            Self::P90 => (sample.p90.value, sample.p90.interval),
            Self::P95 => (sample.p95.value, sample.p95.interval),
            Self::P99 => (sample.p99.value, sample.p99.interval),
        };
        Measured { value, interval }
    }
}

fn plain(value: f64) -> Measured {
    Measured {
        value,
        interval: None,
    }
}

/// Runs are independent of each other: Student's interval of their mean, from three runs on.
fn over_runs(rate: MeanStd) -> Measured {
    const RUNS_MIN: u64 = 3;
    let n = rate.n as f64;
    let half = student_t_95((n - 1.0).max(1.0)) * rate.std / n.sqrt();
    let interval = Interval {
        low: rate.mean - half,
        high: rate.mean + half,
    };
    Measured {
        value: rate.mean,
        interval: (rate.n >= RUNS_MIN).then_some(interval),
    }
}

#[cfg(test)]
mod tests {
    use super::{LATENCIES, Metric, OTHERS, STATISTICS, over_runs};
    use crate::MeanStd;

    #[test]
    fn every_name_is_read_back_as_it_is_written() {
        let of_latencies = LATENCIES.iter().flat_map(|(latency, _)| {
            let with = move |(statistic, _): &(&str, _)| format!("{latency}.{statistic}");
            STATISTICS.iter().map(with)
        });
        for name in of_latencies.chain(OTHERS.iter().map(|(name, _)| (*name).to_owned())) {
            let metric: Metric = name.parse().expect(&name);
            assert_eq!(metric.to_string(), name);
        }
        let alias: Metric = "e2el.median".parse().unwrap();
        assert_eq!(alias.to_string(), "e2e.p50");
    }

    #[test]
    fn a_name_that_is_none_is_told_what_there_is() {
        let refused = |text: &str| text.parse::<Metric>().unwrap_err().to_string();
        assert!(refused("ttft").contains("such as ttft.p99"));
        assert!(refused("ttft.p98").contains(".p95, .p99"));
        assert!(refused("speed").contains("output_tokens_per_second"));
    }

    #[test]
    fn runs_have_students_interval_from_three_on() {
        let runs = |n| MeanStd {
            n,
            mean: 100.0,
            std: 3.0,
            min: 97.0,
            max: 103.0,
        };
        assert_eq!(over_runs(runs(2)).interval, None);
        let three = over_runs(runs(3)).interval.unwrap();
        assert!((three.high - 107.4524).abs() < 1e-3, "{three:?}");
    }
}
