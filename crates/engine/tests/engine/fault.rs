//! Faults of the engine: no room, never room, a full queue, a broken model.

use crate::scenario::{Scenario, Visitor};
use crate::toy::{Toy, alone, greedy, prompt, text};
use engine::{Engine, EngineEvent, FinishReason, Refusal, SchedulerConfig};
use trace::Nanos;

const CONFIG: SchedulerConfig = SchedulerConfig {
    blocks: 8,
    sequences_max: 4,
    step_tokens_max: 64,
    queue_max: 4,
    context_tokens: 200,
    prefix_cache: false,
};

#[test]
fn fault_43_kv_full_preempts_and_recomputes_the_same_text() {
    for prefix_cache in [false, true] {
        let visitors = (0..3).map(|family| Visitor {
            request: greedy(prompt(family, 20), 60),
            comes: 0,
            aborted: None,
        });
        let scenario = Scenario {
            config: SchedulerConfig {
                prefix_cache,
                ..CONFIG
            },
            visitors: visitors.collect(),
            resets: Vec::new(),
        };
        let played = scenario.play();
        assert!(
            played.gauges.preemptions > 0,
            "three requests of 80 tokens do not fit into 128"
        );
        let oldest = played.ids[&0];
        assert!(
            !played.was_preempted(oldest),
            "who was admitted first goes on"
        );
        played.check(&scenario);
    }
}

#[test]
fn fault_44_what_can_never_fit_is_refused_at_once() {
    let mut engine = Engine::new(Toy::new(8, 64, 4), CONFIG);
    let refusal = engine.submit(greedy(prompt(0, 100), 30), Nanos::ZERO);
    assert_eq!(
        refusal,
        Err(Refusal::NeverFits {
            needed: 9,
            blocks: 8
        })
    );
    assert!(
        engine
            .submit(greedy(prompt(0, 100), 29), Nanos::ZERO)
            .is_ok(),
        "the last token needs no place"
    );
    let refusal = engine.submit(greedy(prompt(0, 100), 101), Nanos::ZERO);
    let exceeded = Refusal::ContextExceeded {
        prompt: 100,
        tokens_max: 101,
        context: 200,
    };
    assert_eq!(refusal, Err(exceeded));
    let refusal = engine.submit(greedy(prompt(0, 1), usize::MAX), Nanos::ZERO);
    assert!(matches!(refusal, Err(Refusal::ContextExceeded { .. })));
    assert_eq!(
        engine.submit(greedy(Vec::new(), 1), Nanos::ZERO),
        Err(Refusal::EmptyPrompt)
    );
    let mut many = greedy(prompt(0, 1), 1);
    many.params.n = 1_000_000;
    let refusal = Refusal::TooManyChoices {
        choices: 1_000_000,
        choices_max: 4,
    };
    assert_eq!(engine.submit(many, Nanos::ZERO), Err(refusal));
    assert_eq!(engine.gauges().waiting, 1);
}

#[test]
fn fault_45_a_full_queue_refuses_and_takes_again_when_it_is_shorter() {
    let mut engine = Engine::new(Toy::new(8, 64, 4), CONFIG);
    for _ in 0..4 {
        engine.submit(greedy(prompt(0, 4), 2), Nanos::ZERO).unwrap();
    }
    let refusal = engine.submit(greedy(prompt(0, 4), 2), Nanos::ZERO);
    assert_eq!(refusal, Err(Refusal::QueueFull { waiting: 4 }));
    engine.step(Nanos::ZERO, &mut Vec::new()).unwrap();
    assert!(engine.submit(greedy(prompt(0, 4), 2), Nanos::ZERO).is_ok());
}

#[test]
fn a_broken_step_ends_its_sequences_and_leaves_the_others_whole() {
    let mut toy = Toy::new(64, 64, 2);
    toy.failures = vec![1];
    let config = SchedulerConfig {
        blocks: 64,
        sequences_max: 2,
        prefix_cache: true,
        ..CONFIG
    };
    let mut engine = Engine::new(toy, config);
    let requests: Vec<_> = (0..3).map(|family| greedy(prompt(family, 20), 5)).collect();
    let ids: Vec<_> = requests
        .iter()
        .map(|request| engine.submit(request.clone(), Nanos::ZERO).unwrap())
        .collect();
    let mut events = Vec::new();
    assert_eq!(engine.step(Nanos::ZERO, &mut events), Ok(true));
    assert!(engine.step(Nanos::ZERO, &mut events).is_err());
    engine.scheduler().assert_consistent();
    while engine.step(Nanos::ZERO, &mut events).unwrap() {}
    let reasons: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            EngineEvent::Finished {
                request, reason, ..
            } => Some((*request, *reason)),
            _ => None,
        })
        .collect();
    let expected = [
        FinishReason::Abort,
        FinishReason::Abort,
        FinishReason::Length,
    ];
    assert_eq!(
        reasons,
        ids.iter().copied().zip(expected).collect::<Vec<_>>()
    );
    assert_eq!(text(&events, ids[2], 0), alone(&requests[2], 0).0);
    assert_eq!(engine.gauges().blocks_owned, 0);
}

#[test]
fn all_choices_of_a_broken_shared_prefill_end() {
    let mut toy = Toy::new(16, 64, 4);
    toy.failures = vec![0];
    let mut engine = Engine::new(toy, CONFIG);
    let mut request = greedy(prompt(0, 20), 5);
    request.params.n = 3;
    engine.submit(request, Nanos::ZERO).unwrap();
    let mut events = Vec::new();
    assert!(engine.step(Nanos::ZERO, &mut events).is_err());
    let mut ended: Vec<usize> = events
        .iter()
        .map(|event| match event {
            EngineEvent::Finished {
                choice,
                reason: FinishReason::Abort,
                ..
            } => *choice,
            other => panic!("{other:?} is no end"),
        })
        .collect();
    ended.sort_unstable();
    assert_eq!(ended, [0, 1, 2]);
    assert!(!engine.has_work());
}
