//! Who gets in, and when.

use crate::toy::{Toy, greedy, prompt};
use engine::{Engine, EngineEvent, Scheduler, SchedulerConfig};
use trace::Nanos;

const CONFIG: SchedulerConfig = SchedulerConfig {
    blocks: 64,
    sequences_max: 4,
    step_tokens_max: 64,
    queue_max: 100,
    context_tokens: 400,
    prefix_cache: false,
};

#[test]
fn no_more_choices_run_than_sequences_are_allowed() {
    let mut engine = Engine::new(Toy::new(64, 64, 4), CONFIG);
    let mut pair = greedy(prompt(0, 4), 20);
    pair.params.n = 3;
    engine.submit(pair.clone(), Nanos::ZERO).unwrap();
    engine.submit(pair, Nanos::ZERO).unwrap();
    engine
        .submit(greedy(prompt(1, 4), 20), Nanos::ZERO)
        .unwrap();
    let mut events = Vec::new();
    engine.step(Nanos::ZERO, &mut events).unwrap();
    let gauges = engine.gauges();
    assert_eq!(
        (gauges.running, gauges.waiting),
        (3, 2),
        "three and three are more than four, and none is passed"
    );
}

#[test]
fn no_more_choices_run_than_the_budget_has_tokens() {
    let config = SchedulerConfig {
        step_tokens_max: 2,
        ..CONFIG
    };
    let mut engine = Engine::new(Toy::new(64, 2, 4), config);
    for family in 0..4 {
        engine
            .submit(greedy(prompt(family, 1), 10), Nanos::ZERO)
            .unwrap();
    }
    let mut events = Vec::new();
    for _ in 0..5 {
        engine.step(Nanos::ZERO, &mut events).unwrap();
        assert_eq!(engine.gauges().running, 2);
        assert_eq!(
            engine.last_step().tokens_sampled,
            2,
            "each running sequence gets a token"
        );
    }
}

#[test]
fn a_prompt_that_has_to_wait_for_blocks_is_not_passed() {
    let config = SchedulerConfig {
        blocks: 8,
        ..CONFIG
    };
    let mut engine = Engine::new(Toy::new(8, 64, 4), config);
    let first = engine
        .submit(greedy(prompt(0, 60), 10), Nanos::ZERO)
        .unwrap();
    let large = engine
        .submit(greedy(prompt(1, 100), 5), Nanos::ZERO)
        .unwrap();
    let small = engine.submit(greedy(prompt(2, 4), 5), Nanos::ZERO).unwrap();
    let mut events = Vec::new();
    while engine.step(Nanos::ZERO, &mut events).unwrap() {
        engine.scheduler().assert_consistent();
    }
    let firsts: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            EngineEvent::Finished { request, .. } => Some(*request),
            _ => None,
        })
        .collect();
    assert_eq!(firsts[0], first);
    let token = |of| {
        events
            .iter()
            .position(|event| matches!(event, EngineEvent::Token { request, .. } if *request == of))
    };
    assert!(token(large) < token(small));
}

#[test]
fn a_hundred_thousand_that_wait_leave_from_the_middle_and_the_ends() {
    let mut scheduler = Scheduler::new(SchedulerConfig {
        queue_max: usize::MAX,
        ..CONFIG
    });
    let ids: Vec<_> = (0..100_000)
        .map(|_| scheduler.submit(greedy(vec![1], 1), Nanos::ZERO).unwrap())
        .collect();
    for &id in ids.iter().step_by(3).chain([&ids[1], &ids[99_998]]) {
        assert!(scheduler.abort(id));
    }
    assert_eq!(scheduler.gauges().waiting, 100_000 - 33_334 - 2);
    scheduler.assert_consistent();
    let plan = scheduler.schedule(Nanos::ZERO);
    assert_eq!(plan.chunks.len(), 4);
}

#[test]
fn the_time_in_the_queue_is_counted_once() {
    let config = SchedulerConfig {
        sequences_max: 1,
        ..CONFIG
    };
    let mut engine = Engine::new(Toy::new(64, 64, 1), config);
    engine.submit(greedy(prompt(0, 4), 2), Nanos(10)).unwrap();
    engine.submit(greedy(prompt(1, 6), 1), Nanos(15)).unwrap();
    let mut events = Vec::new();
    for now in [20, 30, 40, 50] {
        engine.step(Nanos(now), &mut events).unwrap();
    }
    let gauges = engine.gauges();
    assert_eq!((gauges.admissions, gauges.queue_time), (2, Nanos(10 + 25)));
    assert_eq!((gauges.prompt_tokens, gauges.generated_tokens), (10, 3));
}
