//! The built-in engine as a server: asked by another maker's client, measured by `chat`, told to stop.

use crate::process::{Process, run, tokenomics};
use crate::{counts, read_json};
use nix::sys::signal::Signal;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::tempdir;
use testkit::slow_tests;

const KEY: &str = "a-key-of-this-test";

/// A server of `model`, and where its API is.
fn serve(folder: &Path, model: &str) -> (Process, String) {
    let mut command = tokenomics(folder, &["serve", "--model", model, "--port", "0"]);
    command.args(["--api-key", KEY]);
    let mut server = Process::start(command);
    let line = server.wait_for_line("Serving");
    let url = line
        .split_whitespace()
        .find(|word| word.starts_with("http"));
    let url = url.unwrap().trim_end_matches(';').to_owned();
    (server, url)
}

/// Models to ask: always the built-in one, and the real one where its file is at hand.
fn models() -> Vec<String> {
    let real = std::env::var("TOKENOMICS_SMOLLM2").ok();
    std::iter::once("random:tiny".to_owned())
        .chain(real)
        .collect()
}

#[test]
fn the_client_of_the_apis_maker_gets_what_it_asks_for() {
    let Some(python) = std::env::var_os("TOKENOMICS_OPENAI_PYTHON").filter(|_| slow_tests()) else {
        return;
    };
    let script =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tools/conformance/openai_client.py");
    for model in models() {
        let folder = tempdir().unwrap();
        let (server, url) = serve(folder.path(), &model);
        let mut client = Command::new(&python);
        client.arg(&script).args([&url, KEY]).stdin(Stdio::null());
        let asked = client.output().unwrap();
        let errors = String::from_utf8_lossy(&asked.stderr);
        assert!(asked.status.success(), "{model}: {errors}");
        let held = String::from_utf8_lossy(&asked.stdout);
        assert_eq!(held.lines().count(), 9, "{held}");
        server.signal(Signal::SIGTERM);
        let ended = server.end();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(!ended.stderr.contains(KEY), "{ended:?}");
    }
}

#[test]
fn the_client_of_the_apis_maker_gets_the_vectors_that_it_asks_for() {
    let Some(python) = std::env::var_os("TOKENOMICS_OPENAI_PYTHON").filter(|_| slow_tests()) else {
        return;
    };
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../tools/conformance/openai_embeddings.py");
    let real = std::env::var("TOKENOMICS_MINILM").ok();
    for model in std::iter::once("random:tiny-bert".to_owned()).chain(real) {
        let folder = tempdir().unwrap();
        let (server, url) = serve(folder.path(), &model);
        let mut client = Command::new(&python);
        client.arg(&script).args([&url, KEY]).stdin(Stdio::null());
        let asked = client.output().unwrap();
        let errors = String::from_utf8_lossy(&asked.stderr);
        assert!(asked.status.success(), "{model}: {errors}");
        let held = String::from_utf8_lossy(&asked.stdout);
        assert_eq!(held.lines().count(), 5, "{held}");
        server.signal(Signal::SIGTERM);
        assert_eq!(server.end().code, Some(0));
    }
}

#[test]
fn a_real_encoder_counts_a_thousand_texts_as_the_client_does() {
    let real = std::env::var("TOKENOMICS_MINILM").ok();
    let Some(model) = real.filter(|_| slow_tests()) else {
        return;
    };
    let folder = tempdir().unwrap();
    let (server, url) = serve(folder.path(), &model);
    let measure = [
        "embedding",
        "--api-base",
        &url,
        "--api-key",
        KEY,
        "--tokenizer",
        &model,
        "--input-tokens",
        "3,17,64,200",
        "--max-concurrency",
        "4",
        "--num-prompts",
        "250",
        "--warmup-runs",
        "0",
        "--results-file",
        "r.json",
    ];
    let measured = run(tokenomics(folder.path(), &measure));
    assert!(matches!(measured.code, Some(0 | 4)), "{measured:?}");
    let results = read_json(&folder.path().join("r.json"));
    for tokens in [3, 17, 64, 200] {
        let key = format!("concurrency_4_tok_{tokens}");
        assert_eq!(counts(&results, &key), [250, 250, 250, 0, 0]);
        let point = &results["results"][&key];
        assert_eq!(point["prompt_lengths"]["exact_share"], 1.0, "{key}");
        assert_eq!(
            point["tokens"]["total_per_batch"]["mean"],
            f64::from(250 * tokens)
        );
        // One text alone, before and after: batches do not change a vector.
        assert_eq!(point["vectors"]["asked_again"]["equal"], true, "{key}");
    }
    server.signal(Signal::SIGTERM);
    assert_eq!(server.end().code, Some(0));
}

#[test]
fn an_encoder_says_what_it_takes_and_ends_when_told() {
    let folder = tempdir().unwrap();
    let (server, url) = serve(folder.path(), "random:tiny-bert");
    assert!(url.ends_with("/v1"), "{url}");
    server.signal(Signal::SIGTERM);
    let ended = server.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for words in ["Vectors of 128 numbers", "up to 2048 tokens", "Stopping"] {
        assert!(ended.stderr.contains(words), "{words}: {ended:?}");
    }
    for (flags, words) in [
        (
            &[
                "serve",
                "--model",
                "random:tiny-bert",
                "--max-num-batched-tokens",
                "100",
            ][..],
            "--max-num-batched-tokens must be at least 2048, the longest text that the model takes",
        ),
        (
            &[
                "serve",
                "--model",
                "random:tiny-bert",
                "--tokenizer-name",
                "x",
            ],
            "--tokenizer-name is for models that write texts",
        ),
        (
            &["scheduler", "--model", "random:tiny-bert"],
            "`tokenomics serve` computes embeddings with it",
        ),
    ] {
        let ended = run(tokenomics(folder.path(), flags));
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.stderr.contains(words), "{ended:?}");
    }
}

#[test]
fn chat_against_the_engine_prints_a_run_without_an_error() {
    if !slow_tests() {
        return;
    }
    for model in models() {
        let folder = tempdir().unwrap();
        let (server, url) = serve(folder.path(), &model);
        let measure = [
            "chat",
            "--api-base",
            &url,
            "--api-key",
            KEY,
            "--batch-sizes",
            "1",
            "--num-runs",
            "4",
            "--max-tokens",
            "32",
            // Random weights may end an answer before it begins.
            "--ignore-eos",
            "--results-file",
            "r.json",
        ];
        let measured = run(tokenomics(folder.path(), &measure));
        // 4: the machine had too much else to do for a valid one.
        assert!(matches!(measured.code, Some(0 | 4)), "{measured:?}");
        let results = read_json(&folder.path().join("r.json"));
        assert_eq!(counts(&results, "1"), [4, 4, 4, 0, 0]);
        let point = &results["results"]["1"];
        assert_eq!(point["tokens"]["output_source"], "usage");
        assert_eq!(point["reliability"]["complete_without_tokens"], 0);
        server.signal(Signal::SIGTERM);
        assert_eq!(server.end().code, Some(0));
    }
}

#[test]
fn bad_input_34_a_file_that_is_no_model_ends_the_program_with_its_name() {
    let folder = tempdir().unwrap();
    std::fs::write(folder.path().join("bad.gguf"), b"GGUF\x03\0\0\0cut").unwrap();
    for verb in ["serve", "scheduler"] {
        let ended = run(tokenomics(folder.path(), &[verb, "--model", "bad.gguf"]));
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(
            ended.stderr.contains("bad.gguf: ends in its header"),
            "{ended:?}"
        );
    }
}

#[test]
fn fault_33_ctrl_c_keeps_what_the_scheduler_has_measured() {
    let folder = tempdir().unwrap();
    let measure = [
        "scheduler",
        "--num-requests",
        "4",
        "--max-new-tokens",
        "3000",
        "--no-stop-on-eos",
        "--warmup-runs",
        "0",
        "--repeat-runs",
        "1000",
        "--results-file",
        "r.json",
    ];
    let mut scheduler = Process::start(tokenomics(folder.path(), &measure));
    scheduler.wait_for_line("online, run 2 of 1000");
    scheduler.signal(Signal::SIGINT);
    let ended = scheduler.end();
    assert_eq!(ended.code, Some(130), "{ended:?}");
    assert!(ended.stderr.contains("Stopping"), "{ended:?}");
    let results = read_json(&folder.path().join("r.json"));
    assert!(
        crate::reason_codes(&results).contains(&"interrupted"),
        "{}",
        results["verdict"]
    );
    assert!(folder.path().join("r.records.parquet").exists());
}

/// Conversations that begin with one of three texts and go on from where an earlier one was: for each
/// request the ids of its blocks of 512 tokens, and its tokens.
fn conversations() -> Vec<(Vec<u64>, usize)> {
    let mut requests: Vec<(Vec<u64>, usize)> = Vec::new();
    for number in 0..30_u64 {
        let mut blocks = match number % 5 {
            0 => vec![number % 3, 10],
            turn => requests[requests.len() - turn.min(2) as usize].0.clone(),
        };
        blocks.push(100 + number);
        let cut = usize::try_from(number * 37 % 300).unwrap();
        let tokens = blocks.len() * 512 - cut;
        requests.push((blocks, tokens));
    }
    requests
}

/// The share of all tokens that stood at the beginning of an earlier request.
fn shared(requests: &[(Vec<u64>, usize)]) -> f64 {
    let (mut known, mut all) = (0, 0);
    for (place, (blocks, tokens)) in requests.iter().enumerate() {
        let longest = requests[..place].iter().map(|(others, limit)| {
            let same = blocks.iter().zip(others).take_while(|(a, b)| a == b);
            (same.count() * 512).min(*limit)
        });
        known += longest.max().unwrap_or(0).min(tokens - 1);
        all += tokens;
    }
    known as f64 / all as f64
}

#[test]
fn a_replayed_trace_gives_the_cache_hits_that_its_ids_imply() {
    if !slow_tests() {
        return;
    }
    let requests = conversations();
    let lines = requests.iter().zip(0_u64..).map(|((blocks, tokens), number)| {
        let time = number * 100;
        format!(
            r#"{{"timestamp": {time}, "input_length": {tokens}, "output_length": 2, "hash_ids": {blocks:?}}}"#
        )
    });
    let folder = tempdir().unwrap();
    let trace = lines.collect::<Vec<_>>().join("\n");
    std::fs::write(folder.path().join("trace.jsonl"), trace).unwrap();
    let (server, url) = serve(folder.path(), "random:tiny");
    // One after the other: what two requests compute at the same time is in no cache yet.
    let command = [
        "chat",
        "--api-base",
        &url,
        "--api-key",
        KEY,
        "--tokenizer",
        "random:tiny",
        "--trace",
        "trace.jsonl",
        "--max-concurrency",
        "1",
        "--warmup-runs",
        "0",
        "--no-plot",
        "--results-file",
        "replay.json",
    ];
    let ended = run(tokenomics(folder.path(), &command));
    server.signal(Signal::SIGTERM);
    server.end();
    assert!(matches!(ended.code, Some(0 | 4)), "{ended:?}");
    let point = read_json(&folder.path().join("replay.json"))["results"]["replay"].clone();
    let tokens = |name: &str| point["tokens"][name].as_f64().unwrap();
    let hits = tokens("cached_total") / tokens("input_total");
    let implied = shared(&requests);
    assert!((hits - implied).abs() < 0.02, "{hits} instead of {implied}");
    assert_eq!(point["prompt_lengths"]["exact_share"], 1.0);
}
