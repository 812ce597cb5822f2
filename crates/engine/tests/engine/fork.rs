//! Several choices share a prompt, and part where they write.

use crate::toy::{Toy, alone, greedy, prompt, text};
use engine::{Engine, EngineRequest, SamplingParams, SchedulerConfig};
use trace::Nanos;

const CONFIG: SchedulerConfig = SchedulerConfig {
    blocks: 64,
    sequences_max: 8,
    step_tokens_max: 256,
    queue_max: 100,
    context_tokens: 256,
    prefix_cache: false,
};

fn choices(length: usize, n: usize) -> EngineRequest {
    EngineRequest {
        prompt: prompt(0, length),
        params: SamplingParams {
            n,
            tokens_max: 20,
            seed: 5,
            ..SamplingParams::default()
        },
    }
}

#[test]
fn choices_share_the_prompt_and_copy_before_they_write() {
    let mut engine = Engine::new(Toy::new(64, 256, 8), CONFIG);
    let request = choices(40, 4);
    let id = engine.submit(request.clone(), Nanos::ZERO).unwrap();
    let mut events = Vec::new();
    engine.step(Nanos::ZERO, &mut events).unwrap();
    assert_eq!(
        (
            engine.last_step().tokens_prefilled,
            engine.last_step().tokens_sampled
        ),
        (40, 4)
    );
    assert_eq!(
        (engine.gauges().blocks_owned, engine.gauges().running),
        (3, 4)
    );
    engine.step(Nanos::ZERO, &mut events).unwrap();
    assert_eq!(
        engine.model().copies,
        3,
        "the last one that is left writes in place"
    );
    assert_eq!(engine.gauges().blocks_owned, 2 + 4);
    while engine.step(Nanos::ZERO, &mut events).unwrap() {
        engine.scheduler().assert_consistent();
    }
    let texts: Vec<_> = (0..4).map(|choice| text(&events, id, choice)).collect();
    for (choice, said) in texts.iter().enumerate() {
        assert_eq!(*said, alone(&request, choice).0);
    }
    assert_ne!(texts[0], texts[1], "each choice draws for itself");
}

#[test]
fn full_blocks_need_no_copy() {
    let mut engine = Engine::new(Toy::new(64, 256, 8), CONFIG);
    engine.submit(choices(32, 3), Nanos::ZERO).unwrap();
    let mut events = Vec::new();
    while engine.step(Nanos::ZERO, &mut events).unwrap() {}
    assert_eq!(engine.model().copies, 0);
}

#[test]
fn greedy_choices_are_equal() {
    let mut engine = Engine::new(Toy::new(64, 256, 8), CONFIG);
    let mut request = greedy(prompt(0, 21), 10);
    request.params.n = 2;
    let id = engine.submit(request, Nanos::ZERO).unwrap();
    let mut events = Vec::new();
    while engine.step(Nanos::ZERO, &mut events).unwrap() {}
    assert_eq!(text(&events, id, 0), text(&events, id, 1));
}

#[test]
fn a_preempted_choice_is_computed_again_by_itself() {
    let config = SchedulerConfig {
        blocks: 6,
        ..CONFIG
    };
    let mut engine = Engine::new(Toy::new(6, 256, 8), config);
    let mut request = choices(40, 3);
    request.params.tokens_max = 40;
    let id = engine.submit(request.clone(), Nanos::ZERO).unwrap();
    let mut events = Vec::new();
    while engine.step(Nanos::ZERO, &mut events).unwrap() {
        engine.scheduler().assert_consistent();
    }
    assert!(engine.gauges().preemptions > 0);
    for choice in 0..3 {
        assert_eq!(text(&events, id, choice), alone(&request, choice).0);
    }
}
