//! Latencies and percentiles with their names in files.

use stats::{Distribution, Latency};

/// Every latency with its name in files, in the order in which files list them.
pub(crate) const fn named(latency: &Latency) -> [(&'static str, Option<&Distribution>); 11] {
    [
        ("ttft", latency.ttft.as_ref()),
        ("ttft_from_due", latency.ttft_from_due.as_ref()),
        ("ttfo", latency.ttfo.as_ref()),
        ("tpot", latency.tpot.as_ref()),
        ("itl", latency.itl.as_ref()),
        ("chunk_gap", latency.chunk_gap.as_ref()),
        ("e2e", latency.e2e.as_ref()),
        ("e2e_from_due", latency.e2e_from_due.as_ref()),
        ("stream_end", latency.stream_end.as_ref()),
        ("connect", latency.connect.as_ref()),
        ("issue_lag", latency.issue_lag.as_ref()),
    ]
}

/// The percentiles of a distribution with their names in files.
pub(crate) const fn percentiles(
    distribution: &Distribution,
) -> [(&'static str, stats::Quantile); 4] {
    [
        ("p50", distribution.p50),
        ("p90", distribution.p90),
        ("p95", distribution.p95),
        ("p99", distribution.p99),
    ]
}
