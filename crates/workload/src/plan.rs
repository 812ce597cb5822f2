//! A checked configuration to a plan.

use crate::arrival::{due_times, due_times_before};
use crate::{PromptSource, Trace, WorkloadError, seed_for};
use trace::{Nanos, Pacing, Plan, RunId, SCHEMA_VERSION, Stop};

/// The most requests in a plan. A plan is held in memory, and no percentile needs as many: p99.9
/// has its interval from 6,636 on.
pub const REQUESTS_MAX: usize = 1_000_000;

/// What the runs of one point send, and when.
#[derive(Clone, Debug)]
pub struct WorkloadConfig {
    /// Where prompts come from.
    pub source: PromptSource,
    /// The rule that releases requests.
    pub pacing: Pacing,
    /// When a run ends.
    pub stop: Stop,
    /// Requests in the plan. An open plan with [`Stop::Deadline`] has as many as arrive before it,
    /// and ignores this.
    pub requests: usize,
    /// The limit on generated tokens; the server's own where absent.
    pub max_tokens: Option<u32>,
    /// What everything random is drawn from.
    pub seed: u64,
}

/// The plan of one run.
///
/// `dealt` is how many prompts the runs before it took (the sum of their `requests.len()`,
/// warm-ups included): this run goes on from there in the deck of [`PromptSource`], so that runs
/// share no prompt before the source runs out. Arrivals are drawn from [`seed_for`] the run.
///
/// ```
/// # use workload::{ChatSource, Content, PromptSource, Traffic, WorkloadConfig, build_plan};
/// # use trace::{Pacing, RunId, Stop};
/// # let traffic = Traffic::simple(0, ChatSource::Content(Content::Math), None, None)?;
/// # let config = WorkloadConfig {
/// #     source: PromptSource::Chat(traffic.into()), pacing: Pacing::Burst { size: 2 },
/// #     stop: Stop::AllRequests, requests: 2, max_tokens: None, seed: 0,
/// # };
/// let mut dealt = 0;
/// for run in 0..3 {
///     let plan = build_plan(&config, RunId { point: 0, run, warmup: false }, dealt)?;
///     dealt += plan.requests.len();
/// }
/// # assert_eq!(dealt, 6);
/// # Ok::<(), workload::WorkloadError>(())
/// ```
pub fn build_plan(
    config: &WorkloadConfig,
    run: RunId,
    dealt: usize,
) -> Result<Plan, WorkloadError> {
    check(config)?;
    let dues = dues(config, seed_for(config.seed, run))?;
    let positions = dealt..dealt.saturating_add(dues.len());
    let mut requests = config.source.requests(positions, &dues, config.seed);
    for request in &mut requests {
        request.max_tokens = request.max_tokens.or(config.max_tokens);
    }
    Ok(Plan {
        schema_version: SCHEMA_VERSION,
        seed: config.seed,
        pacing: config.pacing,
        stop: config.stop,
        requests,
    })
}

fn check(config: &WorkloadConfig) -> Result<(), WorkloadError> {
    match config.pacing {
        Pacing::Burst { size: 0 } => return Err(WorkloadError::BatchSize),
        Pacing::Closed { concurrency: 0 }
        | Pacing::Open {
            max_concurrency: Some(0),
            ..
        } => return Err(WorkloadError::Concurrency),
        _ => {}
    }
    if config.stop.deadline() == Some(Nanos::ZERO) {
        return Err(WorkloadError::Duration);
    }
    if config.max_tokens == Some(0) {
        return Err(WorkloadError::MaxTokens);
    }
    Ok(())
}

/// One due time per request, so that its length is the number of requests.
fn dues(config: &WorkloadConfig, seed: u64) -> Result<Vec<Nanos>, WorkloadError> {
    let too_many = WorkloadError::TooManyRequests {
        limit: REQUESTS_MAX,
    };
    if let (Pacing::Open { .. }, Some(trace)) = (config.pacing, config.source.trace()) {
        return recorded_dues(config, trace);
    }
    if let (Pacing::Open { arrival, .. }, Some(after)) = (config.pacing, config.stop.deadline()) {
        let mut dues = due_times_before(after, REQUESTS_MAX + 1, arrival, seed)?;
        if matches!(config.stop, Stop::AllRequestsWithin { .. }) {
            if config.requests == 0 {
                return Err(WorkloadError::Requests);
            }
            dues.truncate(config.requests);
        }
        return match dues.len() {
            0 => Err(WorkloadError::NothingArrives {
                rate: arrival.rate(),
                after,
            }),
            1..=REQUESTS_MAX => Ok(dues),
            _ => Err(too_many),
        };
    }
    match (config.requests, config.pacing) {
        (0, _) => Err(WorkloadError::Requests),
        (count, _) if count > REQUESTS_MAX => Err(too_many),
        (count, Pacing::Open { arrival, .. }) => due_times(arrival, count, seed),
        (count, _) => Ok(vec![Nanos::ZERO; count]),
    }
}

/// The due times of a trace: its requests in their order, as many as are asked for, or as come before
/// the deadline.
fn recorded_dues(config: &WorkloadConfig, trace: &Trace) -> Result<Vec<Nanos>, WorkloadError> {
    if config.requests == 0 {
        return Err(WorkloadError::Requests);
    }
    let end = config.stop.deadline().unwrap_or(Nanos(u64::MAX));
    let dues = trace.rows.iter().map(|row| row.due);
    let dues = dues.take(config.requests).take_while(|due| *due < end);
    Ok(dues.collect())
}
