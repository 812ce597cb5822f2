//! Thresholds that a measurement must keep: `ttft.p99<300ms`, `success>99.9%`.

use crate::metric::{Metric, Unit, UnknownMetric};
use crate::{Interval, PointSummary, Summary};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// What a metric must be, at every point or at one.
#[derive(Clone, Debug, PartialEq)]
pub struct Assertion {
    /// As it was typed.
    text: String,
    /// The key of the point; all of them where absent.
    point: Option<String>,
    metric: Metric,
    relation: Relation,
    /// In the unit of the metric.
    bound: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Below,
    AtMost,
    Above,
    AtLeast,
}

/// In the order in which they are looked for: the longer ones first.
const RELATIONS: [(&str, Relation); 4] = [
    ("<=", Relation::AtMost),
    (">=", Relation::AtLeast),
    ("<", Relation::Below),
    (">", Relation::Above),
];

/// How a point fared against an assertion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AssertionResult {
    /// The assertion, as it was typed.
    pub assertion: String,
    /// The key of the point.
    pub point: String,
    /// What it bounds.
    pub metric: Metric,
    /// In the unit of the metric; absent where it was not measured.
    pub value: Option<f64>,
    /// 95 % interval of the value.
    pub interval: Option<Interval>,
    /// In the same unit.
    pub bound: f64,
    /// Whether the value keeps the bound; one that was not measured keeps none.
    pub passed: bool,
    /// Whether the whole interval is on the value's side of the bound; absent without one.
    pub certain: Option<bool>,
}

/// Text that is no assertion.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssertionError {
    /// No relation in it.
    #[error("`{0}` compares nothing; write it like ttft.p99<300ms or success>99.9%")]
    NoRelation(String),
    /// It names no metric.
    #[error("`{text}`: {problem}")]
    Metric {
        /// The whole text.
        text: String,
        /// What is wrong with the name.
        problem: UnknownMetric,
    },
    /// What follows the relation is no bound.
    #[error("`{text}`: `{bound}` is no bound of {metric}; write {example}")]
    Bound {
        /// The whole text.
        text: String,
        /// What follows the relation.
        bound: String,
        /// The metric's name.
        metric: String,
        /// How bounds of such metrics are written.
        example: &'static str,
    },
}

impl FromStr for Assertion {
    type Err = AssertionError;

    fn from_str(text: &str) -> Result<Self, AssertionError> {
        let text = text.trim();
        let found = RELATIONS
            .iter()
            .find_map(|&(sign, relation)| Some((text.split_once(sign)?, relation)));
        let Some(((left, right), relation)) = found else {
            return Err(AssertionError::NoRelation(text.to_owned()));
        };
        let (point, name) = match left.rsplit_once(':') {
            Some((point, name)) => (Some(point.trim().to_owned()), name),
            None => (None, left),
        };
        let metric: Metric = name.parse().map_err(|problem| AssertionError::Metric {
            text: text.to_owned(),
            problem,
        })?;
        let bound = bound(right.trim(), metric.unit()).ok_or_else(|| AssertionError::Bound {
            text: text.to_owned(),
            bound: right.trim().to_owned(),
            metric: metric.to_string(),
            example: match metric.unit() {
                Unit::Milliseconds => "a time such as 300ms, 1.5s or 80us",
                Unit::Seconds => "a time such as 2s or 500ms",
                Unit::PerSecond => "a number such as 120",
                Unit::Share => "a share such as 99.9%",
            },
        })?;
        Ok(Self {
            text: text.to_owned(),
            point,
            metric,
            relation,
            bound,
        })
    }
}

/// In the unit of the metric; a time without a unit is in that of the result file.
fn bound(text: &str, unit: Unit) -> Option<f64> {
    let digits = text.trim_end_matches(|last: char| !(last.is_ascii_digit() || last == '.'));
    let number: f64 = digits.parse().ok()?;
    let milliseconds = match text[digits.len()..].trim() {
        "us" | "µs" => 1e-3,
        "ms" => 1.0,
        "s" => 1e3,
        "" if unit == Unit::Milliseconds => 1.0,
        "" if unit == Unit::Seconds => 1e3,
        "%" if unit == Unit::Share && number <= 100.0 => return Some(number / 100.0),
        "" if unit == Unit::Share && number <= 1.0 => return Some(number),
        "" | "/s" if unit == Unit::PerSecond => return Some(number),
        _ => return None,
    };
    match unit {
        Unit::Milliseconds => Some(number * milliseconds),
        Unit::Seconds => Some(number * milliseconds / 1e3),
        Unit::PerSecond | Unit::Share => None,
    }
}

impl Assertion {
    /// The key of the only point it speaks of.
    pub fn point(&self) -> Option<&str> {
        self.point.as_deref()
    }

    /// How each point it speaks of fared.
    fn check<'a>(&'a self, summary: &'a Summary) -> impl Iterator<Item = AssertionResult> + 'a {
        let asked = |point: &&PointSummary| {
            let key = self.point.as_ref();
            key.is_none_or(|key| *key == point.point.key)
        };
        let points = summary.points.iter().filter(asked);
        points.map(|point| self.check_point(point))
    }

    fn check_point(&self, point: &PointSummary) -> AssertionResult {
        let measured = self.metric.of(point);
        let interval = measured.and_then(|measured| measured.interval);
        let passed = measured.is_some_and(|measured| self.keeps(measured.value));
        let on_one_side =
            |ends: Interval| self.keeps(ends.low) == passed && self.keeps(ends.high) == passed;
        AssertionResult {
            assertion: self.text.clone(),
            point: point.point.key.clone(),
            metric: self.metric,
            value: measured.map(|measured| measured.value),
            interval,
            bound: self.bound,
            passed,
            certain: interval.map(on_one_side),
        }
    }

    fn keeps(&self, value: f64) -> bool {
        match self.relation {
            Relation::Below => value < self.bound,
            Relation::AtMost => value <= self.bound,
            Relation::Above => value > self.bound,
            Relation::AtLeast => value >= self.bound,
        }
    }
}

impl Summary {
    /// Holds the numbers against `assertions`. One that speaks of no point measured fails there.
    pub fn assert(&mut self, assertions: &[Assertion]) {
        let mut results = Vec::new();
        for assertion in assertions {
            let before = results.len();
            results.extend(assertion.check(self));
            if results.len() == before {
                results.push(AssertionResult {
                    assertion: assertion.text.clone(),
                    point: assertion.point.clone().unwrap_or_default(),
                    metric: assertion.metric,
                    value: None,
                    interval: None,
                    bound: assertion.bound,
                    passed: false,
                    certain: None,
                });
            }
        }
        self.assertions = results;
    }

    /// Whether every assertion passed, if there was any.
    pub fn keeps_assertions(&self) -> bool {
        self.assertions.iter().all(|result| result.passed)
    }
}

#[cfg(test)]
mod tests {
    use super::Assertion;
    use proptest::prelude::*;

    fn bound(text: &str) -> f64 {
        text.parse::<Assertion>().expect(text).bound
    }

    fn refused(text: &str) -> String {
        text.parse::<Assertion>().unwrap_err().to_string()
    }

    #[test]
    fn a_bound_is_in_the_unit_of_its_metric() {
        let of_300 = ["ttft.p99<300ms", "ttft.p99 <= 0.3 s", "ttft.p99<300000us"];
        for text in of_300 {
            assert!((bound(text) - 300.0).abs() < 1e-9, "{text}");
        }
        assert!((bound("ttft.p99<300") - 300.0).abs() < 1e-9);
        assert!((bound("batch_seconds<500ms") - 0.5).abs() < 1e-9);
        assert!((bound("success>99.9%") - 0.999).abs() < 1e-9);
        assert!((bound("success>=0.999") - 0.999).abs() < 1e-9);
        assert!((bound("throughput>120") - 120.0).abs() < 1e-9);
    }

    #[test]
    fn a_point_is_what_comes_before_the_last_colon() {
        let one: Assertion = "64: ttft.p99<300ms".parse().unwrap();
        assert_eq!(one.point(), Some("64"));
        let ramp: Assertion = "ramp_1:50:120s:e2e.p50<1s".parse().unwrap();
        assert_eq!(ramp.point(), Some("ramp_1:50:120s"));
        let all: Assertion = "success>99%".parse().unwrap();
        assert_eq!(all.point(), None);
    }

    #[test]
    fn what_is_no_assertion_is_told_how_one_is_written() {
        assert!(refused("ttft.p99").contains("write it like"));
        assert!(refused("ttfx.p99<3").contains("`ttfx.p99` is not a metric"));
        assert!(refused("success>99").contains("99.9%"));
        assert!(refused("throughput>5ms").contains("a number such as 120"));
        assert!(refused("ttft.p99<").contains("`` is no bound"));
        assert!(refused("ttft.p99<fast").contains("`fast`"));
        assert!(refused("ttft.p99<nan").contains("`nan`"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = text.parse::<Assertion>();
        }
    }
}
