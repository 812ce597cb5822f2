//! What the scheduler itself costs: a model that does nothing, and queues of growing length.

use anyhow::Context;
use engine::{
    EngineEvent, EngineRequest, Sample, SamplingParams, Scheduler, SchedulerConfig, StepOutput,
};
use std::time::Instant;
use trace::Nanos;

const RUNNING: usize = 256;
const PROMPT_TOKENS: usize = 64;
const STEPS: usize = 400;
const ROUNDS: usize = 7;

/// Prints the cost of a step with [`RUNNING`] sequences for each length of the queue, and with as
/// many requests finished before.
pub(crate) fn run(waiting: &[usize]) -> anyhow::Result<()> {
    println!(
        "{RUNNING} running sequences; µs per step (schedule and commit), {ROUNDS} rounds of {STEPS} steps"
    );
    println!(
        "{:>10} {:>10} {:>9} {:>9} {:>9}",
        "waiting", "finished", "min", "median", "max"
    );
    for &waiting in waiting {
        for finished in [0, waiting] {
            let mut micros: Vec<f64> = (0..ROUNDS)
                .map(|_| step_micros(waiting, finished))
                .collect::<anyhow::Result<_>>()?;
            micros.sort_by(f64::total_cmp);
            println!(
                "{waiting:>10} {finished:>10} {:>9.2} {:>9.2} {:>9.2}",
                micros[0],
                micros[ROUNDS / 2],
                micros[ROUNDS - 1]
            );
        }
    }
    Ok(())
}

fn request(tokens_max: usize, salt: usize) -> EngineRequest {
    let token = |index: usize| u32::try_from((index * 31 + salt) % 50_000).unwrap_or(0);
    EngineRequest {
        prompt: (0..PROMPT_TOKENS).map(token).collect(),
        params: SamplingParams {
            temperature: 0.0,
            tokens_max,
            ..SamplingParams::default()
        },
    }
}

fn step_micros(waiting: usize, finished: usize) -> anyhow::Result<f64> {
    let longest = PROMPT_TOKENS + 2 * STEPS + 16;
    let mut scheduler = Scheduler::new(SchedulerConfig {
        blocks: RUNNING * longest.div_ceil(engine::BLOCK_TOKENS) + RUNNING,
        sequences_max: RUNNING,
        step_tokens_max: 8192,
        queue_max: usize::MAX,
        context_tokens: longest,
        prefix_cache: true,
    });
    let mut events: Vec<EngineEvent> = Vec::new();
    let mut output = StepOutput::default();
    let mut step = |scheduler: &mut Scheduler| {
        scheduler.schedule(Nanos::ZERO);
        output.samples.clear();
        // One choice each: no two of them share a row.
        output
            .samples
            .extend(scheduler.samplings().filter_map(|(slot, sampling)| {
                let choice = sampling?.choices.start;
                let logprobs = None;
                Some(Sample {
                    slot,
                    choice,
                    token: 7,
                    logprobs,
                })
            }));
        scheduler.commit(&output, &mut events);
        events.clear();
    };
    for salt in 0..finished {
        scheduler.submit(request(1, salt), Nanos::ZERO)?;
    }
    while scheduler.has_work() {
        step(&mut scheduler);
    }
    for salt in 0..RUNNING + waiting {
        scheduler.submit(request(2 * STEPS, salt), Nanos::ZERO)?;
    }
    while scheduler.gauges().running < RUNNING {
        step(&mut scheduler);
    }
    for _ in 0..8 {
        step(&mut scheduler);
    }
    let begun = Instant::now();
    for _ in 0..STEPS {
        step(&mut scheduler);
    }
    let micros = begun.elapsed().as_secs_f64() * 1e6 / STEPS as f64;
    let gauges = scheduler.gauges();
    (gauges.running == RUNNING && gauges.waiting == waiting)
        .then_some(micros)
        .context("the load changed while it was measured")
}
