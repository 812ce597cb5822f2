//! Two measurements of the same workload beside each other: better, worse, the same, or untold.

use crate::longer::{Narrows, round_up, times_as_long};
use crate::metric::{Better, Measured, Metric, Unit};
use crate::special::{NORMAL_95, normal_two_sided};
use crate::{Grade, Interval, PointSummary, Summary};
use serde::Serialize;
use serde_json::Value;
use trace::Pacing;

/// What a comparison is to decide by.
#[derive(Clone, Debug, PartialEq)]
pub struct CompareOptions {
    /// The metrics that decide; `None` for those that suit the load.
    pub metrics: Option<Vec<Metric>>,
    /// A relative change that matters: 0.03 for 3 %.
    pub min_effect: f64,
    /// So many comparisons are made of one base, this one among them: their intervals hold together.
    pub together: usize,
}

/// What a metric has become.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    /// It moved the right way, and far enough to matter.
    Better,
    /// It moved the wrong way, and far enough to matter.
    Worse,
    /// Whatever it moved by does not matter.
    Same,
    /// The samples do not tell.
    CannotTell,
}

/// Two measurements, compared.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Worse where a metric that decides is; then what cannot be told, then better, then the same.
    pub judgement: Judgement,
    /// [`CompareOptions::min_effect`].
    pub min_effect: f64,
    /// Intervals that hold together in 95 of 100 comparisons, those of comparisons made beside this one included.
    pub intervals: usize,
    /// Requests of each point with which the metrics that decide could be told; absent where they
    /// can be.
    pub requests_needed: Option<u64>,
    /// Those that both measured, in the order of the base.
    pub points: Vec<ComparedPoint>,
}

/// One point of both.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ComparedPoint {
    /// Its key.
    pub point: String,
    /// What both, or one of them, measured.
    pub metrics: Vec<ComparedMetric>,
}

/// One metric of both.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ComparedMetric {
    /// Its name.
    pub metric: Metric,
    /// Before.
    pub base: Option<Measured>,
    /// After.
    pub new: Option<Measured>,
    /// New ÷ base; absent where one of them is, or is not positive.
    pub ratio: Option<f64>,
    /// The ratio's interval, as wide as it must be for all that decide to hold together.
    pub interval: Option<Interval>,
    /// What it has become; absent of a metric that decides nothing.
    pub judgement: Option<Judgement>,
}

/// The probability with which a single 95 % interval leaves the truth out.
const OUTSIDE: f64 = 0.05;

/// What both measured at each point, and what became of it. Any two summaries can be compared; what
/// ought not to be is said by [`obstacles`].
///
/// The ratio's interval is recovered from the two of its parts, on a logarithmic scale: Zou and
/// Donner, "Construction of confidence limits about effect measures" (2008). All intervals that
/// decide are widened until they hold together in 95 of 100 comparisons (Bonferroni), so that two
/// measurements of one and the same server are rarely told apart, however many numbers they have.
/// *Worse* is an interval that leaves no change out, about a ratio that reaches the minimum effect;
/// *same* is one within the minimum effect on both sides (Schuirmann, 1987).
pub fn compare(base: &Summary, new: &Summary, options: &CompareOptions) -> Comparison {
    compare_by(base, new, options, &|metric, base, new, outside| {
        raw_ratio(metric, base, new, normal_two_sided(outside) / NORMAL_95)
    })
}

/// The ratio of a metric between two points, with an interval that leaves the truth out with the given
/// probability; `None` where the samples carry none.
pub(crate) type Ratio<'a> =
    &'a dyn Fn(Metric, &PointSummary, &PointSummary, f64) -> Option<LogRatio>;

/// The same by any kind of interval.
pub(crate) fn compare_by(
    base: &Summary,
    new: &Summary,
    options: &CompareOptions,
    ratio: Ratio<'_>,
) -> Comparison {
    let pairs = pairs(base, new);
    let deciding: Vec<Vec<Metric>> = pairs
        .iter()
        .map(|(base, new)| deciding(base, new, options))
        .collect();
    let intervals = pairs
        .iter()
        .zip(&deciding)
        .flat_map(|((base, new), metrics)| {
            let has_interval = |metric: &&Metric| ratio(**metric, base, new, OUTSIDE).is_some();
            metrics.iter().filter(has_interval)
        })
        .count();
    let intervals = intervals * options.together.max(1);
    let outside = OUTSIDE / intervals.max(1) as f64;
    let points: Vec<ComparedPoint> = pairs
        .iter()
        .zip(&deciding)
        .map(|((base, new), metrics)| {
            compare_point(base, new, metrics, options, &|metric, decides| {
                ratio(metric, base, new, if decides { outside } else { OUTSIDE })
            })
        })
        .collect();
    let requests_needed = pairs
        .iter()
        .zip(&points)
        .filter_map(|((base, new), compared)| requests_needed(base, new, compared, options))
        .max();
    Comparison {
        judgement: judgement(&points),
        min_effect: options.min_effect,
        intervals,
        requests_needed,
        points,
    }
}

fn pairs<'a>(base: &'a Summary, new: &'a Summary) -> Vec<(&'a PointSummary, &'a PointSummary)> {
    let same = |point: &&PointSummary| {
        let key = &point.point.key;
        new.points.iter().find(|other| other.point.key == *key)
    };
    let pair = |point| Some((point, same(&point)?));
    base.points.iter().filter_map(pair).collect()
}

/// The metrics that decide where nobody says: typical latencies, what the server carries, and
/// whether it answers. Tails are shown beside them; a sample rarely carries their comparison.
fn deciding(base: &PointSummary, new: &PointSummary, options: &CompareOptions) -> Vec<Metric> {
    if let Some(metrics) = &options.metrics {
        return metrics.clone();
    }
    let rate = match base.point.pacing {
        _ if base.pooling.is_some() => "embeddings_per_second",
        Pacing::Burst { .. } => "batch_tokens_per_second",
        Pacing::Closed { .. } | Pacing::Open { .. } => "steady.output_tokens_per_second",
    };
    let names = ["ttft.p50", "tpot.p50", "e2e.p50", rate, "success"];
    measured(&names, base, new)
}

/// Shown beside those that decide.
fn beside(base: &PointSummary, new: &PointSummary) -> Vec<Metric> {
    let names = [
        "ttft.mean",
        "ttft.p99",
        "ttft_from_due.p99",
        "tpot.p99",
        "itl.p99",
        "e2e.p99",
        "goodput",
    ];
    measured(&names, base, new)
}

/// Of `names`, those that either point has.
fn measured(names: &[&str], base: &PointSummary, new: &PointSummary) -> Vec<Metric> {
    let known = names.iter().filter_map(|name| name.parse::<Metric>().ok());
    known
        .filter(|metric| metric.of(base).is_some() || metric.of(new).is_some())
        .collect()
}

fn compare_point(
    base: &PointSummary,
    new: &PointSummary,
    deciding: &[Metric],
    options: &CompareOptions,
    ratio: &dyn Fn(Metric, bool) -> Option<LogRatio>,
) -> ComparedPoint {
    let compared = |metric: Metric, decides: bool| {
        let ratio = ratio(metric, decides);
        let (base, new) = (metric.of(base), metric.of(new));
        let both = base.zip(new).filter(|(base, _)| base.value > 0.0);
        ComparedMetric {
            metric,
            base,
            new,
            ratio: ratio
                .map(|ratio| ratio.log.exp())
                .or_else(|| both.map(|(base, new)| new.value / base.value)),
            interval: ratio.map(|ratio| Interval {
                low: (ratio.log - ratio.below).exp(),
                high: (ratio.log + ratio.above).exp(),
            }),
            judgement: decides.then(|| judge(metric, ratio, options.min_effect)),
        }
    };
    let others = beside(base, new);
    let others = others.iter().filter(|metric| !deciding.contains(metric));
    let metrics = deciding.iter().map(|&metric| compared(metric, true));
    ComparedPoint {
        point: base.point.key.clone(),
        metrics: metrics
            .chain(others.map(|&metric| compared(metric, false)))
            .collect(),
    }
}

/// The logarithm of new ÷ base, and how far its interval reaches on either side.
#[derive(Clone, Copy)]
pub(crate) struct LogRatio {
    pub(crate) log: f64,
    pub(crate) below: f64,
    pub(crate) above: f64,
}

/// `None` where one of the two has no value, no interval, or is not positive.
fn raw_ratio(
    metric: Metric,
    base: &PointSummary,
    new: &PointSummary,
    widening: f64,
) -> Option<LogRatio> {
    let logs = |measured: Measured| {
        let interval = measured.interval?;
        (interval.low > 0.0).then(|| {
            let log = measured.value.ln();
            (log, log - interval.low.ln(), interval.high.ln() - log)
        })
    };
    let (base, base_below, base_above) = logs(metric.of(base)?)?;
    let (new, new_below, new_above) = logs(metric.of(new)?)?;
    Some(LogRatio {
        log: new - base,
        below: widening * new_below.hypot(base_above),
        above: widening * new_above.hypot(base_below),
    })
}

fn judge(metric: Metric, ratio: Option<LogRatio>, min_effect: f64) -> Judgement {
    let Some(LogRatio { log, below, above }) = ratio else {
        return Judgement::CannotTell;
    };
    let matters = min_effect.ln_1p();
    let (rises, falls) = match metric.better() {
        Better::Lower => (Judgement::Worse, Judgement::Better),
        Better::Higher => (Judgement::Better, Judgement::Worse),
    };
    if log - below > 0.0 && log >= matters {
        rises
    } else if log + above < 0.0 && log <= -matters {
        falls
    } else if log - below >= -matters && log + above <= matters {
        Judgement::Same
    } else {
        Judgement::CannotTell
    }
}

fn judgement(points: &[ComparedPoint]) -> Judgement {
    let all = || points.iter().flat_map(|point| &point.metrics);
    let has = |judgement| all().any(|compared| compared.judgement == Some(judgement));
    [Judgement::Worse, Judgement::CannotTell, Judgement::Better]
        .into_iter()
        .find(|&judgement| has(judgement))
        .unwrap_or(if points.is_empty() {
            Judgement::CannotTell
        } else {
            Judgement::Same
        })
}

/// With half of the minimum effect as half of the interval, metrics that did not change are told to
/// be the same, and those that changed by more than the minimum effect are found.
const HALF: f64 = 0.5;

/// Without an interval nobody knows; so many times more is a next step.
const NEXT_STEP: f64 = 4.0;

/// How many requests would tell all that cannot be told here; `None` where nothing is untold.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a positive number of requests; `as` saturates"
)]
fn requests_needed(
    base: &PointSummary,
    new: &PointSummary,
    compared: &ComparedPoint,
    options: &CompareOptions,
) -> Option<u64> {
    let issued = base.reliability.issued.min(new.reliability.issued) as f64;
    let aim = HALF * options.min_effect.ln_1p();
    let untold = |compared: &&ComparedMetric| compared.judgement == Some(Judgement::CannotTell);
    let factor = |compared: &ComparedMetric| {
        let (Some(interval), Some(ratio)) = (compared.interval, compared.ratio) else {
            return NEXT_STEP;
        };
        let reach = (interval.high / ratio)
            .ln()
            .max((ratio / interval.low).ln());
        times_as_long(reach, aim, narrows(compared))
    };
    let factors = compared.metrics.iter().filter(untold).map(factor);
    let most = factors.max_by(f64::total_cmp)?.max(1.0);
    Some(round_up((issued * most).max(1.0)) as u64)
}

/// That of a share of which nothing is missing narrows as the sample grows, and so does that of a rate, whose windows see
/// more answers each.
fn narrows(compared: &ComparedMetric) -> Narrows {
    let whole = |side: Option<Measured>| side.is_some_and(|side| side.value >= 1.0);
    match compared.metric.unit() {
        Unit::Share if whole(compared.base) && whole(compared.new) => Narrows::AsLength,
        Unit::PerSecond => Narrows::AsLength,
        Unit::Share | Unit::Milliseconds | Unit::Seconds => Narrows::AsRoot,
    }
}

/// Why two measurements ought not to be compared, each a sentence; empty where they may be.
pub fn obstacles(base: &Summary, new: &Summary) -> Vec<String> {
    let mut found = Vec::new();
    for (what, facts) in [
        ("models", [&base.subject.model, &new.subject.model]),
        ("endpoints", [&base.subject.endpoint, &new.subject.endpoint]),
    ] {
        let [old, now] = facts.map(|fact| fact.as_deref().unwrap_or("unknown"));
        if old != now {
            found.push(format!(
                "the {what} differ: {old} in the base, {now} in the new one"
            ));
        }
    }
    if base.subject.workload_sha256 != new.subject.workload_sha256 {
        let different = different_settings(base, new);
        // Another seed draws other requests of the same kind: what a second measurement of a server with a prefix cache
        // needs.
        let only_seed = matches!(&different[..], [(name, _)] if name == "seed");
        if different.is_empty() {
            found.push("the workloads differ in what was sent, or when".to_owned());
        } else if !only_seed {
            let words: Vec<_> = different.into_iter().map(|(_, words)| words).collect();
            found.push(format!("the workloads differ: {}", words.join(", ")));
        }
    }
    for (summary, name) in [(base, "base"), (new, "new one")] {
        if summary.verdict.grade == Grade::Invalid {
            let why = summary.verdict.reasons.first();
            let why = why.map_or_else(String::new, |reason| format!(" ({})", reason.code));
            found.push(format!("the {name} is not a valid measurement{why}"));
        }
    }
    let keys = |summary: &Summary| -> Vec<String> {
        let keys = summary.points.iter().map(|point| point.point.key.clone());
        keys.collect()
    };
    let (old, now) = (keys(base), keys(new));
    if old != now {
        found.push(format!(
            "the points differ: {} in the base, {} in the new one",
            old.join(", "),
            now.join(", ")
        ));
    }
    found
}

/// What may differ between comparable measurements, or says the same again.
const NO_SETTING: [&str; 12] = [
    "timestamp",
    "model",
    "api_base",
    "built_in_server",
    "endpoint",
    "description",
    "header_names",
    "workload_sha256",
    "tokenomics_version",
    "client_machine",
    "warmup_runs",
    "timeout_seconds",
];

/// The settings in which the workloads differ, each with a part of a sentence.
fn different_settings(base: &Summary, new: &Summary) -> Vec<(String, String)> {
    let absent = Value::Null;
    let compared = base.metadata.iter().filter_map(|(name, old)| {
        let now = new.metadata.get(name).unwrap_or(&absent);
        let differs = now != old && !NO_SETTING.contains(&name.as_str());
        differs.then(|| {
            let words = format!("{name} is {} and {}", shown(old), shown(now));
            (name.clone(), words)
        })
    });
    compared.collect()
}

/// A setting as a person writes it.
fn shown(value: &Value) -> String {
    const LONG: usize = 40;
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(","),
        value => value.to_string(),
    };
    if text.chars().count() > LONG {
        text.chars().take(LONG).chain(['…']).collect()
    } else {
        text
    }
}
