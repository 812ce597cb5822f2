//! Configuration to the plans of every run, in the order in which they are run.

use crate::config::{ChatConfig, EmbeddingConfig, Load, Point};
use crate::failure::Failure;
use trace::{Pacing, Plan, RunId, Stop};
use workload::{PromptSource, WorkloadConfig};

/// One run to be.
pub(crate) struct PlannedRun {
    pub(crate) run: RunId,
    pub(crate) plan: Plan,
}

/// Every run of every point. Prompts go on from run to run, so that none is sent twice before
/// the source runs out, and no server answers from its cache by accident.
pub(crate) fn plans(config: &ChatConfig) -> Result<Vec<PlannedRun>, Failure> {
    plan_all(&config.load, |_| {
        let source = PromptSource::Chat(config.traffic.traffic.clone());
        (source, config.request.max_tokens)
    })
}

/// The same of texts to embed, each point with its own.
pub(crate) fn embedding_plans(config: &EmbeddingConfig) -> Result<Vec<PlannedRun>, Failure> {
    plan_all(&config.load, |point| (config.sources[point].clone(), None))
}

/// SHA-256 of what a chat benchmark sends, and when.
pub(crate) fn chat_hash(config: &ChatConfig, planned: &[PlannedRun]) -> Result<String, Failure> {
    let source = config
        .traffic
        .traffic
        .fingerprint()
        .map_err(Failure::usage)?;
    Ok(workload::workload_hash(&all(planned), &source))
}

/// The same of an embedding benchmark, whose plans hold their texts.
pub(crate) fn embedding_hash(planned: &[PlannedRun]) -> String {
    workload::workload_hash(&all(planned), "")
}

fn all(planned: &[PlannedRun]) -> Vec<&Plan> {
    planned.iter().map(|planned| &planned.plan).collect()
}

fn plan_all(
    load: &Load,
    asked: impl Fn(usize) -> (PromptSource, Option<u32>),
) -> Result<Vec<PlannedRun>, Failure> {
    let mut dealt = 0;
    let mut planned = Vec::new();
    for (number, (place, point)) in (0..).zip(load.points.iter().enumerate()) {
        let warmups = (0..load.warmup_runs).map(|run| (run, true));
        let measured = (0..load.runs).map(|run| (run, false));
        for (run, warmup) in warmups.chain(measured) {
            let run = RunId {
                point: number,
                run,
                warmup,
            };
            let (source, max_tokens) = asked(place);
            let workload = workload_of(load, point, warmup, source, max_tokens);
            let plan = workload::build_plan(&workload, run, dealt).map_err(Failure::usage)?;
            dealt += plan.requests.len();
            planned.push(PlannedRun { run, plan });
        }
    }
    Ok(planned)
}

fn workload_of(
    load: &Load,
    point: &Point,
    warmup: bool,
    source: PromptSource,
    max_tokens: Option<u32>,
) -> WorkloadConfig {
    /// Enough to open connections and to wake a server up.
    const WARMUP_REQUESTS: usize = 8;
    let (pacing, stop, requests) = match (warmup, point.info.pacing) {
        (true, Pacing::Closed { concurrency }) => (
            point.info.pacing,
            Stop::AllRequests,
            point.requests.min(concurrency as usize),
        ),
        (true, Pacing::Open { .. }) => (
            Pacing::Closed { concurrency: 1 },
            Stop::AllRequests,
            point.requests.min(WARMUP_REQUESTS),
        ),
        _ => (point.info.pacing, point.stop, point.requests),
    };
    WorkloadConfig {
        source,
        pacing,
        stop,
        requests,
        max_tokens,
        seed: load.seed,
    }
}
