//! What a server counts of itself at `/metrics`, before and after.

use super::http;
use anyhow::{Result, ensure};
use std::collections::BTreeMap;

/// Every name with the sum over its series.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Metrics(BTreeMap<String, f64>);

impl Metrics {
    pub(crate) fn of(server: &str) -> Result<Self> {
        let answer = http::get(&format!("{server}/metrics"))?;
        ensure!(
            answer.status == 200,
            "{server}/metrics answered {}",
            answer.status
        );
        Ok(Self::parse(&answer.text()))
    }

    fn parse(text: &str) -> Self {
        let mut sums = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            // The name may be followed by labels, which may hold spaces; the value by a time, which nobody here sends.
            let Some((series, value)) = line.trim().rsplit_once(' ') else {
                continue;
            };
            let name = series.split('{').next().unwrap_or(series).trim();
            if let Ok(value) = value.parse::<f64>() {
                *sums.entry(name.to_owned()).or_insert(0.0) += value;
            }
        }
        Self(sums)
    }

    /// What a counter grew by since `before`; absent where the server has no such counter.
    pub(crate) fn grown(&self, before: &Self, name: &str) -> Option<f64> {
        let now = self.0.get(name)?;
        Some(now - before.0.get(name).copied().unwrap_or(0.0))
    }

    /// The mean of what a histogram took in since `before`.
    pub(crate) fn mean(&self, before: &Self, histogram: &str) -> Option<f64> {
        let sum = self.grown(before, &format!("{histogram}_sum"))?;
        let count = self.grown(before, &format!("{histogram}_count"))?;
        (count > 0.0).then(|| sum / count)
    }
}

#[cfg(test)]
mod tests {
    use super::Metrics;

    #[test]
    fn a_mean_is_of_what_came_since_over_all_series_of_a_name() {
        let before =
            Metrics::parse("# HELP t_sum seconds\nt_sum{a=\"x y\"} 1\nt_count{a=\"x y\"} 2\n");
        let after = Metrics::parse(
            "t_sum{a=\"x y\"} 2.5\nt_sum{a=\"z\"} 0.5\nt_count{a=\"x y\"} 4\nt_count{a=\"z\"} 2\nt_bucket{le=\"+Inf\"} 6\n",
        );
        assert_eq!(after.mean(&before, "t"), Some(0.5));
        assert_eq!(after.grown(&before, "t_count"), Some(4.0));
        assert_eq!(after.mean(&after, "t"), None);
        assert_eq!(after.mean(&before, "nothing"), None);
    }
}
