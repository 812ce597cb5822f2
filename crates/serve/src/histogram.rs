//! A Prometheus histogram of seconds.

use std::fmt::Write;
use std::time::Duration;

/// A Prometheus histogram of seconds.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    /// Upper ends of the buckets, in seconds, ascending; the last bucket has none.
    ends: &'static [f64],
    counts: Vec<u64>,
    sum: f64,
}

impl Histogram {
    pub(crate) fn new(ends: &'static [f64]) -> Self {
        Histogram {
            ends,
            counts: vec![0; ends.len() + 1],
            sum: 0.0,
        }
    }

    pub(crate) fn observe(&mut self, span: Duration) {
        let seconds = span.as_secs_f64();
        let bucket = self.ends.partition_point(|&end| end < seconds);
        self.counts[bucket] += 1;
        self.sum += seconds;
    }

    /// Its lines, with `labels` as they stand between braces.
    pub(crate) fn write(&self, out: &mut String, name: &str, labels: &str) {
        let mut total = 0;
        let ends = self.ends.iter().map(|end| format!("{end:?}"));
        for (count, end) in self.counts.iter().zip(ends.chain(["+Inf".to_owned()])) {
            total += count;
            let _ = writeln!(out, "{name}_bucket{{le=\"{end}\",{labels}}} {total}");
        }
        let _ = writeln!(out, "{name}_count{{{labels}}} {total}");
        let _ = writeln!(out, "{name}_sum{{{labels}}} {:?}", self.sum);
    }
}

#[cfg(test)]
mod tests {
    use super::Histogram;
    use std::time::Duration;

    #[test]
    fn buckets_are_cumulative_and_contain_their_ends() {
        let mut histogram = Histogram::new(&[0.5, 1.0]);
        for millis in [500, 750, 1000, 4000] {
            histogram.observe(Duration::from_millis(millis));
        }
        let mut out = String::new();
        histogram.write(&mut out, "h", "m=\"x\"");
        assert_eq!(
            out,
            "h_bucket{le=\"0.5\",m=\"x\"} 1\nh_bucket{le=\"1.0\",m=\"x\"} 3\n\
             h_bucket{le=\"+Inf\",m=\"x\"} 4\nh_count{m=\"x\"} 4\nh_sum{m=\"x\"} 6.25\n"
        );
    }
}
