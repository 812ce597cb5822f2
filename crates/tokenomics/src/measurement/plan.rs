//! What a measurement sends, and when: every run of every point.

use crate::config::{Config, Load, Point, Task};
use crate::failure::{Exit, Failure};
use crate::output;
use trace::{Pacing, Plan, PointInfo, RunId, Stop};
use workload::{PromptSource, WorkloadConfig};

/// One run to be.
pub(crate) struct PlannedRun {
    pub(crate) run: RunId,
    pub(crate) plan: Plan,
}

/// A load as it is sent.
pub(crate) struct Planned {
    pub(crate) load: Load,
    pub(crate) seed: u64,
    /// What makes the prompts that the plans only name.
    pub(crate) sources: Vec<PromptSource>,
    pub(crate) runs: Vec<PlannedRun>,
}

impl Planned {
    /// Every run of every point. Prompts go on from run to run, so that none is sent twice before the source runs out,
    /// and no server answers from its cache by accident.
    pub(crate) fn of(task: &Task, load: Load, seed: u64) -> Result<Self, Failure> {
        let kind = task.kind();
        let sources = kind.sources(seed)?;
        let mut dealt = 0;
        let mut runs = Vec::new();
        for (number, point) in (0..).zip(&load.points) {
            let warmups = (0..load.warmup_runs).map(|run| (run, true));
            let measured = (0..load.runs).map(|run| (run, false));
            for (run, warmup) in warmups.chain(measured) {
                let run = RunId {
                    point: number,
                    run,
                    warmup,
                };
                let mut workload = workload_of(point, warmup, sources[point.source].clone(), seed);
                workload.max_tokens = kind.max_tokens();
                let plan = workload::build_plan(&workload, run, dealt).map_err(Failure::usage)?;
                dealt += plan.requests.len();
                runs.push(PlannedRun { run, plan });
            }
        }
        Ok(Self {
            load,
            seed,
            sources,
            runs,
        })
    }

    /// SHA-256 of what is sent, and when.
    pub(crate) fn sha256(&self) -> Result<String, Failure> {
        let plans: Vec<&Plan> = self.runs.iter().map(|planned| &planned.plan).collect();
        // All sources have what tells them apart in their plans, but for chats, which have one.
        let source = self.sources.first().map(PromptSource::fingerprint);
        let source = source.transpose().map_err(Failure::usage)?;
        Ok(workload::workload_hash(&plans, &source.unwrap_or_default()))
    }
}

fn workload_of(point: &Point, warmup: bool, source: PromptSource, seed: u64) -> WorkloadConfig {
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
        max_tokens: None,
        seed,
    }
}

/// Prints what would be sent, and sends nothing.
pub(crate) fn dry_run(config: &Config, planned: &Planned) -> Result<Exit, Failure> {
    let kind = config.task.kind();
    let choice = &config.server.choice;
    let model = choice.model_words(config.server.model.as_deref());
    let mut lines = vec![
        format!("Server:    {}", choice.words(kind.path())),
        format!("Model:     {model}"),
    ];
    lines.extend(kind.words());
    let load = &planned.load;
    lines.push(format!(
        "Warm-up:   {} runs of each point",
        load.warmup_runs
    ));
    for (number, point) in (0..).zip(&load.points) {
        let mut runs = planned.runs.iter().filter(|run| run.run.point == number);
        if let Some(measured) = runs.find(|planned| !planned.run.warmup) {
            let source = &planned.sources[point.source];
            lines.push(format!(
                "Measure:   {}, {} runs of {}",
                point_name(&point.info),
                load.runs,
                workload::describe(&[&measured.plan], source).map_err(Failure::usage)?
            ));
        }
    }
    lines.push(format!("Workload:  sha256 {}", planned.sha256()?));
    lines.push("Nothing was sent.\n".to_owned());
    output::print(&lines.join("\n"))?;
    Ok(Exit::Done)
}

/// A point in a few words.
pub(super) fn point_name(point: &PointInfo) -> String {
    if !point.key.starts_with(|first: char| first.is_ascii_digit()) {
        // It names more than its load.
        return point.key.clone();
    }
    match point.pacing {
        Pacing::Burst { size } => format!("batch {size}"),
        Pacing::Closed { concurrency } => format!("concurrency {concurrency}"),
        Pacing::Open { arrival, .. } => format!("{} requests/s", arrival.rate()),
    }
}
