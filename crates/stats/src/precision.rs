//! How narrow an interval has to be before a measurement may end: `ttft.p99:5%`.

use crate::longer::{Narrows, Needed};
use crate::metric::{Measured, Metric, Unit, UnknownMetric};
use crate::{PointSummary, Summary};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// A metric whose 95 % interval is to reach no further than a share of the value to either side.
#[derive(Clone, Debug, PartialEq)]
pub struct Precision {
    /// As it was typed.
    text: String,
    metric: Metric,
    /// Above 0 and below 1.
    share: f64,
}

/// How far a point came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PrecisionResult {
    /// What was asked for, as it was typed.
    pub until: String,
    /// The key of the point.
    pub point: String,
    /// The further end of the interval from the value, as a share of it; absent where the sample carries
    /// no interval.
    pub reached: Option<f64>,
    /// What it was to be at most.
    pub asked: f64,
    /// Whether it was.
    pub precise: bool,
    /// Measured runs that it took.
    pub runs: u32,
    /// About how many seconds of measuring in all would make it precise, those that it took included; absent where it is, or
    /// where the sample carries no interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds_needed: Option<f64>,
    /// Whether it may well take longer: of an interval that is much too wide nobody knows how it narrows.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub at_least: bool,
}

/// Text that asks for no precision.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrecisionError {
    /// No share in it, or one that is none.
    #[error(
        "`{0}` asks for no precision; write a metric and a share above 0 % and below 100 %, like ttft.p99:5%"
    )]
    Share(String),
    /// It names no metric.
    #[error("`{text}`: {problem}")]
    Metric {
        /// The whole text.
        text: String,
        /// What is wrong with the name.
        problem: UnknownMetric,
    },
}

impl FromStr for Precision {
    type Err = PrecisionError;

    fn from_str(text: &str) -> Result<Self, PrecisionError> {
        let text = text.trim();
        let no_share = || PrecisionError::Share(text.to_owned());
        let (name, share) = text.rsplit_once(':').ok_or_else(no_share)?;
        let percent = share.trim().strip_suffix('%').ok_or_else(no_share)?;
        let percent: f64 = percent.trim().parse().map_err(|_| no_share())?;
        if !(percent > 0.0 && percent < 100.0) {
            return Err(no_share());
        }
        let metric = name.parse().map_err(|problem| PrecisionError::Metric {
            text: text.to_owned(),
            problem,
        })?;
        Ok(Self {
            text: text.to_owned(),
            metric,
            share: percent / 100.0,
        })
    }
}

impl Precision {
    /// How far the point came.
    pub fn of(&self, point: &PointSummary) -> PrecisionResult {
        let measured = self.metric.of(point);
        let reached = measured.and_then(Measured::reach);
        let needed = reached.and_then(|reached| self.needed(point, reached));
        PrecisionResult {
            until: self.text.clone(),
            point: point.point.key.clone(),
            reached,
            asked: self.share,
            precise: reached.is_some_and(|reached| reached <= self.share),
            runs: point.runs,
            seconds_needed: needed.map(|needed| needed.seconds),
            at_least: needed.is_some_and(|needed| needed.at_least),
        }
    }

    /// What would make it precise that reached so far; `None` where it is.
    fn needed(&self, point: &PointSummary, reached: f64) -> Option<Needed> {
        if reached <= self.share {
            return None;
        }
        // A share of which nothing is missing; further runs bring more windows of a rate, but no longer ones.
        let whole = |measured: Measured| measured.value >= 1.0;
        let narrows = match self.metric.unit() {
            Unit::Share if self.metric.of(point).is_some_and(whole) => Narrows::AsLength,
            Unit::Share | Unit::PerSecond | Unit::Milliseconds | Unit::Seconds => Narrows::AsRoot,
        };
        let seconds = point.timings.measured_seconds()?;
        Some(Needed::of(seconds, reached, self.share, narrows))
    }
}

impl Summary {
    /// Says of every point how precise it has become.
    pub fn tell_precision(&mut self, asked: &[Precision]) {
        let of_point = |point| asked.iter().map(move |precision| precision.of(point));
        self.precision = self.points.iter().flat_map(of_point).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::Precision;

    #[test]
    fn a_metric_and_a_percentage_are_read() {
        let precision: Precision = " ttft.p99 : 5 % ".parse().unwrap();
        assert!((precision.share - 0.05).abs() < 1e-12);
        for text in [
            "ttft.p99",
            "ttft.p99:5",
            "ttft.p99:0%",
            "ttft.p99:100%",
            "ttft.p99:nan%",
        ] {
            let why = text.parse::<Precision>().unwrap_err().to_string();
            assert!(why.contains("like ttft.p99:5%"), "{why}");
        }
        let why = "ttfx.p99:5%".parse::<Precision>().unwrap_err().to_string();
        assert!(why.contains("`ttfx.p99` is not a metric"), "{why}");
    }
}
