//! Prompts that begin alike are computed once.

use crate::toy::{Toy, alone, greedy, prompt, text};
use engine::{Engine, EngineEvent, EngineRequest, SchedulerConfig};
use trace::Nanos;

const CONFIG: SchedulerConfig = SchedulerConfig {
    blocks: 16,
    sequences_max: 4,
    step_tokens_max: 256,
    queue_max: 100,
    context_tokens: 256,
    prefix_cache: true,
};

fn engine() -> Engine<Toy> {
    Engine::new(Toy::new(16, 256, 4), CONFIG)
}

/// Runs one request to its end: prompt tokens from the cache, and tokens that were computed for the prompt.
fn ask(engine: &mut Engine<Toy>, request: &EngineRequest) -> (usize, usize) {
    let id = engine.submit(request.clone(), Nanos::ZERO).unwrap();
    let mut events = Vec::new();
    let mut prefilled = 0;
    while engine.step(Nanos::ZERO, &mut events).unwrap() {
        prefilled += engine.last_step().tokens_prefilled;
        engine.scheduler().assert_consistent();
    }
    assert_eq!(text(&events, id, 0), alone(request, 0).0);
    let Some(EngineEvent::Finished { cached_tokens, .. }) = events.last() else {
        panic!("the last event is the end");
    };
    (*cached_tokens, prefilled)
}

#[test]
fn a_known_prefix_is_not_computed_again_but_its_last_token_is() {
    let mut engine = engine();
    assert_eq!(ask(&mut engine, &greedy(prompt(0, 48), 1)), (0, 48));
    assert_eq!(
        ask(&mut engine, &greedy(prompt(0, 48), 1)),
        (32, 16),
        "a full hit leaves one block to compute"
    );
    assert_eq!(ask(&mut engine, &greedy(prompt(0, 49), 1)), (48, 1));
    assert_eq!(ask(&mut engine, &greedy(prompt(0, 40), 1)), (32, 8));
    assert_eq!(ask(&mut engine, &greedy(prompt(0, 16), 1)), (0, 16));
    assert_eq!(ask(&mut engine, &greedy(prompt(1, 48), 1)), (0, 48));
    let gauges = engine.gauges();
    assert_eq!(gauges.prefix_queried_tokens, 48 + 48 + 49 + 40 + 16 + 48);
    assert_eq!(gauges.prefix_hit_tokens, 32 + 48 + 32);
}

#[test]
fn answers_are_found_by_the_next_turn_of_a_conversation() {
    let mut engine = engine();
    let first = greedy(prompt(0, 20), 30);
    ask(&mut engine, &first);
    let mut conversation = first.prompt.clone();
    conversation.extend(alone(&first, 0).0);
    conversation.extend(prompt(5, 10));
    // Of 50 tokens the last was never computed; 48 fill blocks.
    assert_eq!(ask(&mut engine, &greedy(conversation, 3)), (48, 12));
}

#[test]
fn a_different_beginning_is_no_hit_even_where_the_rest_is_equal() {
    let mut engine = engine();
    let mut other = prompt(0, 48);
    ask(&mut engine, &greedy(other.clone(), 1));
    other[3] = (other[3] + 1) % 24;
    assert_eq!(ask(&mut engine, &greedy(other, 1)).0, 0);
}

#[test]
fn what_is_forgotten_is_computed_again() {
    let mut engine = engine();
    ask(&mut engine, &greedy(prompt(0, 48), 1));
    engine.reset_prefix_cache();
    assert_eq!(engine.gauges().blocks_free, 16);
    assert_eq!(ask(&mut engine, &greedy(prompt(0, 48), 1)).0, 0);
    // Other prompts push it out.
    for family in 1..5 {
        ask(&mut engine, &greedy(prompt(family, 100), 1));
    }
    assert_eq!(ask(&mut engine, &greedy(prompt(0, 48), 1)).0, 0);
}

#[test]
fn of_a_prefix_the_end_is_evicted_before_the_beginning() {
    let mut engine = engine();
    ask(&mut engine, &greedy(prompt(0, 160), 1));
    // Six of sixteen blocks are free; two of the ten cached ones have to go.
    ask(&mut engine, &greedy(prompt(1, 120), 1));
    let (cached, _) = ask(&mut engine, &greedy(prompt(0, 160), 1));
    assert_eq!(cached, 128);
}

#[test]
fn equal_prompts_that_run_at_once_take_their_memory_once() {
    let mut engine = engine();
    for _ in 0..2 {
        engine
            .submit(greedy(prompt(0, 64), 3), Nanos::ZERO)
            .unwrap();
    }
    let mut events = Vec::new();
    engine.step(Nanos::ZERO, &mut events).unwrap();
    engine.scheduler().assert_consistent();
    assert_eq!(engine.gauges().blocks_owned, 4);
    engine.step(Nanos::ZERO, &mut events).unwrap();
    assert_eq!(
        engine.gauges().blocks_owned,
        4 + 2,
        "what differs is one's own"
    );
}

#[test]
fn switched_off_it_keeps_nothing() {
    let config = SchedulerConfig {
        prefix_cache: false,
        ..CONFIG
    };
    let mut engine = Engine::new(Toy::new(16, 256, 4), config);
    for _ in 0..2 {
        assert_eq!(ask(&mut engine, &greedy(prompt(0, 48), 1)), (0, 48));
    }
    let gauges = engine.gauges();
    assert_eq!((gauges.blocks_cached, gauges.prefix_queried_tokens), (0, 0));
}
