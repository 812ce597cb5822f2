//! The networks against the truth: what `transformers` computes from the same weights, and llama.cpp's perplexity. The
//! scripts that made the files are in `tools/golden`.

mod common;

use common::data;
use engine::{
    Chunk, Engine, EngineEvent, EngineRequest, Logits, Model, SamplingParams, SchedulerConfig,
    StepPlan,
};
use models::{DType, LoadOptions, LoadedModel, ModelSpec, load};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use trace::Nanos;

/// Of a logit, in 32 bits.
const TOLERANCE: f32 = 1e-3;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    /// Where the tokenizer is compared too.
    prompt: Option<String>,
    prompt_ids: Vec<u32>,
    /// All of them.
    #[serde(default)]
    last_logits: Vec<f32>,
    /// Some, with their tokens.
    #[serde(default)]
    logits: Vec<(usize, f32)>,
    greedy: Vec<u32>,
}

fn golden(name: &str) -> Vec<Case> {
    let json = std::fs::read(data(name)).unwrap();
    serde_json::from_slice::<Golden>(&json).unwrap().cases
}

fn loaded(path: &Path, dtype: DType) -> LoadedModel {
    let options = LoadOptions {
        threads: 2,
        ..common::options(dtype)
    };
    load(&ModelSpec::Path(path.to_owned()), &options).unwrap()
}

/// The logits after each token, computed in one step: a chunk for each token, all on the first blocks.
fn logits(model: &mut impl Model, ids: &[u32]) -> Logits {
    let blocks = u32::try_from(ids.len().div_ceil(16)).unwrap();
    let chunk = |at: usize| Chunk {
        slot: 0,
        start: at,
        tokens: at..at + 1,
        blocks: 0..blocks as usize,
        logits: true,
    };
    let plan = StepPlan {
        chunks: (0..ids.len()).map(chunk).collect(),
        tokens: ids.to_vec(),
        blocks: (0..blocks).collect(),
        copies: Vec::new(),
    };
    let mut logits = Logits::default();
    model.forward(&plan, &mut logits).unwrap();
    logits
}

/// Every case at once, in one engine: batching must change nothing.
fn greedy(model: models::CpuModel, cases: &[Case]) -> Vec<Vec<u32>> {
    let mut engine = Engine::new(
        model,
        SchedulerConfig {
            blocks: usize::MAX,
            sequences_max: 4,
            step_tokens_max: 48,
            queue_max: 64,
            context_tokens: usize::MAX,
            prefix_cache: true,
        },
    );
    let ids: Vec<_> = cases
        .iter()
        .map(|case| {
            let params = SamplingParams {
                temperature: 0.0,
                tokens_max: case.greedy.len(),
                ..SamplingParams::default()
            };
            let prompt = case.prompt_ids.clone();
            engine
                .submit(EngineRequest { prompt, params }, Nanos::ZERO)
                .unwrap()
        })
        .collect();
    let mut texts = vec![Vec::new(); cases.len()];
    let mut events = Vec::new();
    while engine.step(Nanos::ZERO, &mut events).unwrap() {
        for event in events.drain(..) {
            if let EngineEvent::Token { request, token, .. } = event {
                texts[ids.iter().position(|id| *id == request).unwrap()].push(token);
            }
        }
    }
    texts
}

fn check(path: &Path, cases: &[Case]) {
    let mut loaded = loaded(path, DType::F32);
    let mut worst = 0.0f32;
    for case in cases {
        if let Some(prompt) = &case.prompt {
            assert_eq!(
                loaded.tokenizer.encode(prompt, false).unwrap(),
                case.prompt_ids
            );
        }
        let rows = logits(&mut loaded.model, &case.prompt_ids);
        let ours = rows.row(case.prompt_ids.len() - 1);
        let all = case.last_logits.iter().copied().enumerate();
        for (token, exact) in all.chain(case.logits.iter().copied()) {
            worst = worst.max((ours[token] - exact).abs());
        }
    }
    println!(
        "{}: the largest error of a logit is {worst}",
        path.display()
    );
    assert!(worst < TOLERANCE, "{worst}");
    for (case, text) in cases.iter().zip(greedy(loaded.model, cases)) {
        assert_eq!(text, case.greedy);
    }
}

#[test]
fn gpt2_computes_what_transformers_computes() {
    check(&data("gpt2-tiny"), &golden("gpt2-tiny/golden.json"));
}

#[test]
fn llama_computes_what_transformers_computes() {
    check(&data("llama-tiny"), &golden("llama-tiny/golden.json"));
}

#[test]
fn a_gguf_file_of_a_llama_computes_what_its_safetensors_compute() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("llama-tiny.gguf");
    std::fs::write(&path, common::tiny_llama().bytes().1).unwrap();
    check(&path, &golden("llama-tiny/golden.json"));
}

#[test]
fn gpt2_is_the_same_with_and_without_the_prefix_of_its_names() {
    let folder = common::copy("gpt2-tiny");
    let path = folder.path().join("model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    let size = usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
    let header = std::str::from_utf8(&bytes[8..8 + size]).unwrap();
    assert!(header.contains("\"transformer.h.0."), "{header}");
    let header = header.replace("\"transformer.", "\"");
    let length = (header.len() as u64).to_le_bytes();
    std::fs::write(
        &path,
        [&length, header.as_bytes(), &bytes[8 + size..]].concat(),
    )
    .unwrap();
    check(folder.path(), &golden("gpt2-tiny/golden.json"));
}

/// The GGUF file of the real model, where it is there and slow tests are asked for.
fn smollm2() -> Option<PathBuf> {
    let asked = std::env::var_os("RUN_SLOW_TESTS").is_some();
    std::env::var_os("TOKENOMICS_SMOLLM2")
        .filter(|_| asked)
        .map(PathBuf::from)
}

#[test]
fn a_real_model_computes_what_transformers_computes() {
    if let Some(path) = smollm2() {
        check(&path, &golden("smollm2.json"));
    }
}

#[test]
fn quantised_weights_have_the_perplexity_that_llama_cpp_gets() {
    #[derive(Deserialize)]
    struct Theirs {
        window: usize,
        tokens: usize,
        perplexity: f64,
    }
    let Some(path) = smollm2() else { return };
    let theirs: Theirs =
        serde_json::from_slice(&std::fs::read(data("perplexity.json")).unwrap()).unwrap();
    let mut loaded = loaded(&path, DType::Auto);
    let text = std::fs::read_to_string(data("perplexity.txt")).unwrap();
    let ids = loaded.tokenizer.encode(&text, false).unwrap();
    assert_eq!(ids.len(), theirs.tokens);
    let (mut sum, mut count) = (0.0, 0);
    for window in ids.chunks(theirs.window) {
        let rows = logits(&mut loaded.model, window);
        for position in 1..window.len() {
            let row = rows.row(position - 1);
            let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let total: f64 = row.iter().map(|logit| f64::from(logit - most).exp()).sum();
            sum += total.ln() + f64::from(most - row[window[position] as usize]);
            count += 1;
        }
    }
    let ours = (sum / f64::from(count)).exp();
    println!(
        "perplexity: ours {ours:.4}, llama.cpp's {:.4}",
        theirs.perplexity
    );
    assert!((ours / theirs.perplexity - 1.0).abs() < 0.01);
}
