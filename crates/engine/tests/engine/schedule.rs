//! What a step computes.

use crate::toy::{Toy, greedy, prompt};
use engine::{
    Engine, EngineEvent, EngineRequest, FinishReason, Sample, Scheduler, SchedulerConfig,
    StepOutput, StepPlan,
};
use trace::Nanos;

const CONFIG: SchedulerConfig = SchedulerConfig {
    blocks: 64,
    sequences_max: 8,
    step_tokens_max: 16,
    queue_max: 100,
    context_tokens: 256,
    prefix_cache: false,
};

/// One token 0 for each chunk that wants one.
fn zeros(plan: &StepPlan) -> StepOutput {
    let samples = plan
        .chunks
        .iter()
        .filter(|chunk| chunk.logits)
        .map(|chunk| Sample {
            slot: chunk.slot,
            choice: 0,
            token: 0,
            logprobs: None,
        });
    StepOutput {
        samples: samples.collect(),
    }
}

/// Starts and lengths of the chunks of the next steps.
fn steps(scheduler: &mut Scheduler, count: usize) -> Vec<Vec<(usize, usize, bool)>> {
    let mut events = Vec::new();
    let mut all = Vec::new();
    for _ in 0..count {
        let plan = scheduler.schedule(Nanos::ZERO);
        let chunks = plan
            .chunks
            .iter()
            .map(|chunk| (chunk.start, chunk.tokens.len(), chunk.logits));
        all.push(chunks.collect());
        assert_eq!(
            plan.chunks.len(),
            scheduler.gauges().running,
            "each running sequence comes forward"
        );
        let output = zeros(scheduler.plan());
        scheduler.commit(&output, &mut events);
        scheduler.assert_consistent();
    }
    all
}

#[test]
fn prompts_are_cut_to_the_budget_beside_those_that_decode() {
    let mut scheduler = Scheduler::new(CONFIG);
    scheduler
        .submit(greedy(prompt(0, 4), 9), Nanos::ZERO)
        .unwrap();
    scheduler
        .submit(greedy(prompt(1, 40), 9), Nanos::ZERO)
        .unwrap();
    scheduler
        .submit(greedy(prompt(2, 2), 9), Nanos::ZERO)
        .unwrap();
    let expected = [
        vec![(0, 4, true), (0, 12, false)],
        vec![(4, 1, true), (12, 15, false)],
        vec![(5, 1, true), (27, 13, true), (0, 2, true)],
        vec![(6, 1, true), (40, 1, true), (2, 1, true)],
    ];
    assert_eq!(steps(&mut scheduler, 4), expected);
}

#[test]
fn facts_tell_prefill_from_decode() {
    let config = SchedulerConfig {
        step_tokens_max: 64,
        ..CONFIG
    };
    let mut engine = Engine::new(Toy::new(64, 64, 8), config);
    engine.submit(greedy(prompt(0, 5), 9), Nanos::ZERO).unwrap();
    let mut events = Vec::new();
    engine.step(Nanos::ZERO, &mut events).unwrap();
    engine.submit(greedy(prompt(1, 1), 9), Nanos::ZERO).unwrap();
    engine.step(Nanos::ZERO, &mut events).unwrap();
    let facts = engine.last_step();
    assert_eq!(
        (
            facts.sequences,
            facts.tokens_prefilled,
            facts.tokens_decoded
        ),
        (2, 1, 1)
    );
}

#[test]
fn tables_are_whole_and_the_memory_of_a_plan_is_kept() {
    let mut scheduler = Scheduler::new(CONFIG);
    scheduler
        .submit(greedy(prompt(0, 33), 3), Nanos::ZERO)
        .unwrap();
    let mut widths = Vec::new();
    for _ in 0..3 {
        let plan = scheduler.schedule(Nanos::ZERO);
        widths.push(plan.blocks.len());
        let output = zeros(plan);
        scheduler.commit(&output, &mut Vec::new());
        assert_eq!(*scheduler.plan(), StepPlan::default());
    }
    assert_eq!(widths, [1, 2, 3]);
}

fn ended(request: EngineRequest, tokens: &[u32]) -> (usize, FinishReason) {
    let mut scheduler = Scheduler::new(CONFIG);
    scheduler.submit(request, Nanos::ZERO).unwrap();
    let mut events = Vec::new();
    for &token in tokens {
        let mut output = zeros(scheduler.schedule(Nanos::ZERO));
        output.samples[0].token = token;
        scheduler.commit(&output, &mut events);
        if let Some(EngineEvent::Finished { reason, .. }) = events.last() {
            assert!(!scheduler.has_work());
            return (events.len() - 1, *reason);
        }
    }
    panic!("it has not ended");
}

#[test]
fn sequences_end_for_one_reason() {
    let tokens = [5, 6, 7, 8, 9, 10];
    assert_eq!(
        ended(greedy(prompt(0, 3), 4), &tokens),
        (4, FinishReason::Length)
    );
    let mut stopping = greedy(prompt(0, 3), 4);
    stopping.params.stop_tokens = vec![7];
    stopping.params.eos_tokens = vec![6];
    assert_eq!(
        ended(stopping.clone(), &tokens),
        (2, FinishReason::Stop),
        "an end token ends it"
    );
    stopping.params.ignore_eos = true;
    assert_eq!(
        ended(stopping.clone(), &tokens),
        (3, FinishReason::Stop),
        "a stop token ends it"
    );
    stopping.params.tokens_min = 3;
    assert_eq!(
        ended(stopping.clone(), &tokens),
        (4, FinishReason::Length),
        "but not too early"
    );
    stopping.params.tokens_min = 2;
    assert_eq!(ended(stopping.clone(), &tokens), (3, FinishReason::Stop));
    stopping.params.tokens_max = 3;
    assert_eq!(
        ended(stopping, &tokens),
        (3, FinishReason::Stop),
        "a stop token at the very end is a stop"
    );
}

#[test]
fn a_sequence_without_its_sample_ends() {
    let mut scheduler = Scheduler::new(CONFIG);
    scheduler
        .submit(greedy(prompt(0, 3), 4), Nanos::ZERO)
        .unwrap();
    scheduler.schedule(Nanos::ZERO);
    let mut events = Vec::new();
    scheduler.commit(&StepOutput::default(), &mut events);
    assert!(matches!(
        events[..],
        [EngineEvent::Finished {
            reason: FinishReason::Abort,
            ..
        }]
    ));
    assert_eq!(scheduler.gauges().blocks_owned, 0);
}

#[test]
fn nothing_to_do_is_an_empty_plan() {
    let mut scheduler = Scheduler::new(CONFIG);
    assert_eq!(*scheduler.schedule(Nanos::ZERO), StepPlan::default());
    assert!(!scheduler.has_work());
}
