//! What is taken back is gone at once.

use crate::toy::{Toy, alone, greedy, prompt, text};
use engine::{Engine, EngineEvent, RequestId, Scheduler, SchedulerConfig, StepOutput};
use trace::Nanos;

const CONFIG: SchedulerConfig = SchedulerConfig {
    blocks: 64,
    sequences_max: 4,
    step_tokens_max: 16,
    queue_max: 100,
    context_tokens: 200,
    prefix_cache: false,
};

#[test]
fn an_abort_gives_all_blocks_back_before_it_returns() {
    // Queued, in prefill, at the first token, in decode.
    for steps in 0..8 {
        let mut engine = Engine::new(Toy::new(64, 16, 4), CONFIG);
        let mut request = greedy(prompt(0, 40), 30);
        request.params.n = 3;
        let id = engine.submit(request, Nanos::ZERO).unwrap();
        let mut events = Vec::new();
        for _ in 0..steps {
            engine.step(Nanos::ZERO, &mut events).unwrap();
        }
        assert!(engine.abort(id));
        engine.scheduler().assert_consistent();
        let gauges = engine.gauges();
        assert_eq!(
            (gauges.blocks_free, gauges.running, gauges.waiting),
            (64, 0, 0)
        );
        assert!(!engine.abort(id));
        events.clear();
        assert_eq!(engine.step(Nanos::ZERO, &mut events), Ok(false));
        assert_eq!(events, []);
    }
}

#[test]
fn who_stays_notices_nothing() {
    let mut engine = Engine::new(Toy::new(64, 16, 4), CONFIG);
    let requests: Vec<_> = (0..4)
        .map(|family| greedy(prompt(family, 20), 12))
        .collect();
    let submit = |request: &engine::EngineRequest, engine: &mut Engine<Toy>| {
        engine.submit(request.clone(), Nanos::ZERO).unwrap()
    };
    let ids: Vec<_> = requests
        .iter()
        .map(|request| submit(request, &mut engine))
        .collect();
    let mut events = Vec::new();
    for _ in 0..7 {
        engine.step(Nanos::ZERO, &mut events).unwrap();
    }
    assert!(engine.abort(ids[1]) && engine.abort(ids[3]));
    while engine.step(Nanos::ZERO, &mut events).unwrap() {}
    for index in [0, 2] {
        assert_eq!(text(&events, ids[index], 0), alone(&requests[index], 0).0);
    }
}

#[test]
fn an_unknown_request_can_not_be_aborted() {
    let mut engine = Engine::new(Toy::new(4, 16, 4), CONFIG);
    assert!(!engine.abort(RequestId(77)));
}

#[test]
fn what_is_aborted_between_schedule_and_commit_gets_no_token_of_another() {
    let mut scheduler = Scheduler::new(CONFIG);
    let first = scheduler
        .submit(greedy(prompt(0, 4), 3), Nanos::ZERO)
        .unwrap();
    let second = scheduler
        .submit(greedy(prompt(1, 4), 3), Nanos::ZERO)
        .unwrap();
    let slots: Vec<u32> = scheduler
        .schedule(Nanos::ZERO)
        .chunks
        .iter()
        .map(|chunk| chunk.slot)
        .collect();
    assert!(scheduler.abort(first));
    let third = scheduler
        .submit(greedy(prompt(2, 4), 3), Nanos::ZERO)
        .unwrap();
    let sample = |slot, token| engine::Sample {
        slot,
        choice: 0,
        token,
        logprobs: None,
    };
    let output = StepOutput {
        samples: vec![sample(slots[0], 5), sample(slots[1], 6)],
    };
    let mut events = Vec::new();
    scheduler.commit(&output, &mut events);
    scheduler.assert_consistent();
    let token = EngineEvent::Token {
        request: second,
        choice: 0,
        token: 6,
        logprobs: None,
    };
    assert_eq!(events, [token]);
    assert_ne!(third, first);
    assert_eq!(scheduler.gauges().waiting, 1);
}
