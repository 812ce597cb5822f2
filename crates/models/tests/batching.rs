//! A text is the same whatever is computed beside it: in any batch, cut into any chunks, preempted or not, from the
//! prefix cache or anew, as one of several choices.

mod common;

use engine::{Engine, EngineEvent, EngineRequest, SamplingParams, SchedulerConfig};
use models::{CpuModel, DType, ModelSpec, load};
use proptest::prelude::*;
use std::collections::BTreeMap;
use trace::Nanos;

/// Tokens of a request's choices, by request and choice.
type Texts = BTreeMap<(usize, usize), Vec<u32>>;

/// A prompt that begins as others do, how many tokens follow it, and in how many choices.
#[derive(Clone, Debug)]
struct Asked {
    shared: usize,
    own: Vec<u32>,
    tokens: usize,
    choices: usize,
    /// Steps that pass before it comes.
    after: usize,
}

impl Asked {
    fn request(&self) -> EngineRequest {
        let shared = (0..self.shared).map(|at| u32::try_from(at * 7 % 256).unwrap());
        EngineRequest {
            prompt: shared.chain(self.own.iter().copied()).collect(),
            params: SamplingParams {
                temperature: 0.0,
                tokens_max: self.tokens,
                n: self.choices,
                ..SamplingParams::default()
            },
        }
    }

    fn positions(&self) -> usize {
        self.shared + self.own.len() + self.tokens
    }
}

fn asked() -> impl Strategy<Value = Asked> {
    (
        prop::sample::select(vec![0, 15, 16, 17, 40]),
        prop::collection::vec(0..256u32, 1..30),
        1..24usize,
        1..4usize,
        0..12usize,
    )
        .prop_map(|(shared, own, tokens, choices, after)| Asked {
            shared,
            own,
            tokens,
            choices,
            after,
        })
}

fn model(dtype: DType) -> CpuModel {
    let options = models::LoadOptions {
        kv_blocks: Some(256),
        ..common::options(dtype)
    };
    load(&ModelSpec::RandomTiny, &options).unwrap().model
}

/// Runs them, each as late as it asks for; texts and how often a choice was preempted.
fn run(engine: &mut Engine<CpuModel>, requests: &[Asked]) -> (Texts, usize) {
    let mut ids = BTreeMap::new();
    let mut texts = Texts::new();
    let mut preempted = 0;
    let mut events = Vec::new();
    for step in 0.. {
        for (index, asked) in requests.iter().enumerate() {
            if asked.after == step {
                ids.insert(engine.submit(asked.request(), Nanos::ZERO).unwrap(), index);
            }
        }
        let worked = engine.step(Nanos::ZERO, &mut events).unwrap();
        for event in events.drain(..) {
            match event {
                EngineEvent::Token {
                    request,
                    choice,
                    token,
                    ..
                } => {
                    texts
                        .entry((ids[&request], choice))
                        .or_default()
                        .push(token);
                }
                EngineEvent::Preempted { .. } => preempted += 1,
                EngineEvent::Finished { .. } => {}
            }
        }
        if !worked && ids.len() == requests.len() {
            break;
        }
    }
    (texts, preempted)
}

/// Each request by itself, in whole steps, without a cache.
fn alone(dtype: DType, requests: &[Asked]) -> Texts {
    let limits = SchedulerConfig {
        blocks: usize::MAX,
        sequences_max: 1,
        step_tokens_max: 4096,
        queue_max: 1,
        context_tokens: usize::MAX,
        prefix_cache: false,
    };
    let mut engine = Engine::new(model(dtype), limits);
    let mut texts = Texts::new();
    for (index, asked) in requests.iter().enumerate() {
        let single = Asked {
            choices: 1,
            after: 0,
            ..asked.clone()
        };
        let (found, _) = run(&mut engine, &[single]);
        for choice in 0..asked.choices {
            texts.insert((index, choice), found[&(0, 0)].clone());
        }
    }
    texts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn a_greedy_text_does_not_depend_on_its_company(
        requests in prop::collection::vec(asked(), 1..7),
        exact in any::<bool>(),
        sequences_max in 3..10usize,
        step_tokens_max in prop::sample::select(vec![10, 16, 23, 64, 2048]),
        spare_blocks in 0..12usize,
        prefix_cache in any::<bool>(),
    ) {
        let dtype = if exact { DType::F32 } else { DType::Int8 };
        let expected = alone(dtype, &requests);
        // Enough for the largest request, and little more: others have to give way.
        let needed = |asked: &Asked| asked.positions().div_ceil(engine::BLOCK_TOKENS) * asked.choices;
        let limits = SchedulerConfig {
            blocks: requests.iter().map(needed).max().unwrap() + 1 + spare_blocks,
            sequences_max,
            step_tokens_max,
            queue_max: 64,
            context_tokens: usize::MAX,
            prefix_cache,
        };
        let mut engine = Engine::new(model(dtype), limits);
        for _ in 0..2 {
            // The second time with what the first one left in the cache.
            let (texts, _) = run(&mut engine, &requests);
            prop_assert_eq!(&texts, &expected);
        }
    }
}

#[test]
fn a_greedy_text_survives_being_preempted() {
    let asked = |own: u32| Asked {
        shared: 0,
        own: vec![own; 20],
        tokens: 60,
        choices: 1,
        after: 0,
    };
    let requests: Vec<Asked> = (1..6).map(asked).collect();
    let limits = SchedulerConfig {
        blocks: 12,
        sequences_max: 8,
        step_tokens_max: 32,
        queue_max: 64,
        context_tokens: usize::MAX,
        prefix_cache: false,
    };
    let mut engine = Engine::new(model(DType::Int8), limits);
    let (texts, preempted) = run(&mut engine, &requests);
    assert!(
        preempted > 0,
        "five sequences of five blocks do not fit into twelve"
    );
    assert_eq!(texts, alone(DType::Int8, &requests));
}
