//! Records to request metrics to a summary: quantiles, intervals, validity.
//!
//! [`summarize`] is the whole way; every percentile on it comes from [`quantile`].

mod activity;
mod added;
mod answers;
mod assertion;
mod bootstrap;
mod bursts;
mod capacity;
mod certificate;
mod classes;
mod compare;
mod continuous;
mod conversations;
mod dependence;
mod distribution;
mod disturbed;
mod drift;
mod goodput;
mod judge;
mod latency;
mod lengths;
mod longer;
mod lumps;
mod metric;
mod pace;
mod paired;
mod point;
mod pooling;
mod precision;
mod quantile;
mod receipt;
mod reliability;
mod request;
mod run;
mod series;
mod server;
mod share;
mod slow_queue;
mod special;
mod steady;
mod stream;
mod summarize;
mod summary;
mod timeline;
mod tokens;
mod traffic;
mod trend;
mod verdict;
mod warmup;
mod windows;

pub use added::{
    ADDED_QUANTILES, Added, AddedLatency, BlockPair, Estimate, Seen, StartAdded, StreamHarm,
    StreamShape, Told, Turn, added, added_at_rate, regimes, stream_harm, turns, woken_p50,
};
pub use assertion::{Assertion, AssertionError, AssertionResult};
pub use bootstrap::bootstrap_median;
pub use capacity::{
    CapacityAnswer, CapacityConfig, CapacityEnd, CapacitySearch, Probe, ProbedRate,
};
pub use certificate::{Certificate, CertificateGrade, InstrumentError, TruthPair};
pub use compare::{
    CompareOptions, ComparedMetric, ComparedPoint, Comparison, Judgement, compare, obstacles,
};
pub use continuous::{FixedVsContinuous, fixed_vs_continuous, mean_concurrency};
pub use disturbed::{Disturbed, DisturbedSecond};
pub use goodput::meets;
pub use judge::Judge;
pub use metric::{Better, Measured, Metric, Unit, UnknownMetric};
pub use paired::{BLOCKS_MIN, Block, compare_blocks};
pub use precision::{Precision, PrecisionError, PrecisionResult};
pub use quantile::{quantile, quantile_interval, sort};
pub use request::RequestMetrics;
pub use series::Series;
pub use server::ServerView;
pub use share::share_interval;
pub use slow_queue::SlowQueue;
pub use summarize::{summarize, summarize_saved};
pub use summary::{
    Answers, ClassSummary, Concurrency, Conversations, Distribution, FailureCount, Goodput,
    Interval, Latency, MeanStd, PointSummary, Pooling, PromptLengths, Quantile, Receipt,
    Reliability, SteadyState, Summary, Throughput, Timings, TokenSource, Tokens, TurnSummary,
};
pub use timeline::{ServerLook, Timeline, TimelineBin, TimelineRun};
pub use verdict::{Bound, Grade, Reason, Verdict};
