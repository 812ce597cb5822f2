use crate::hub::{COMMIT, hub};
use crate::shell::{Shell, words};
use serde_json::{Value, json};
use std::path::Path;

fn run(command: &str) -> (Shell, String) {
    let shell = Shell::new();
    let ran = shell.run(&words(command));
    assert!(is_done(ran.code), "{}{}", ran.stdout, ran.stderr);
    (shell, ran.stdout)
}

/// On a busy machine what was measured may be invalid, and the exit code says so.
fn is_done(code: Option<i32>) -> bool {
    matches!(code, Some(0 | 4))
}

/// The number after `name: `, before whatever follows.
fn number(text: &str, name: &str) -> Option<f64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{name}: ")))?;
    line.split([' ', '/']).next()?.parse().ok()
}

#[test]
fn the_seeds_command_prints_the_seeds_lines() {
    let (_shell, text) = run(
        "scheduler --model random:tiny --device cpu --prompt Hello --num-requests 2 \
         --max-new-tokens 4 --mode online --warmup-runs 0 --repeat-runs 1 --no-stop-on-eos",
    );
    for name in [
        "Requests",
        "Elapsed (prefill/add)",
        "Elapsed (decode/run)",
        "Elapsed (total)",
        "Prompt tokens",
        "Completion tokens",
        "Total tokens",
        "Throughput (completion,total)",
        "Throughput (completion,decode)",
        "Throughput (total,total)",
        "TTFT p50/mean",
        "TPOT p50/mean",
        "Latency p50/mean",
        "Warmup runs",
        "Measured runs",
        "Decode time p50/mean",
        "Total time p50/mean",
        "Throughput(completion,decode) p50/mean",
        "Throughput(completion,total) p50/mean",
    ] {
        assert!(number(&text, name).is_some(), "{name} in\n{text}");
    }
    assert_eq!(number(&text, "Requests"), Some(2.0));
    assert_eq!(number(&text, "Prompt tokens"), Some(10.0));
    assert_eq!(number(&text, "Completion tokens"), Some(8.0));
    // TTFT + (tokens − 1) · TPOT = latency, for requests that ran side by side.
    let [ttft, tpot, latency] =
        ["TTFT", "TPOT", "Latency"].map(|name| number(&text, &format!("{name} p50/mean")).unwrap());
    assert!((ttft + 3.0 * tpot - latency).abs() <= 0.05, "{text}");
}

#[test]
fn all_modes_give_the_same_tokens_and_latency_lines_only_where_it_is_measured() {
    let (shell, text) = run(
        "scheduler --mode all --num-requests 5 --max-batch-size 2 --max-new-tokens 6 \
         --no-stop-on-eos --warmup-runs 1 --repeat-runs 2 --results-file out/run.json --records jsonl",
    );
    let sections: Vec<&str> = text
        .split("=== ")
        .filter(|part| part.contains(" ===\nRequests:"))
        .collect();
    assert_eq!(sections.len(), 3, "{text}");
    for (section, (mode, has_latency)) in
        sections
            .iter()
            .zip([("naive", true), ("offline", false), ("online", true)])
    {
        assert!(section.starts_with(mode), "{section}");
        assert_eq!(number(section, "Completion tokens"), Some(30.0));
        assert_eq!(
            number(section, "TTFT p50/mean").is_some(),
            has_latency,
            "{section}"
        );
    }
    for mode in ["naive", "offline", "online"] {
        let results: Value =
            serde_json::from_str(&shell.read(&format!("out/run.{mode}.json"))).unwrap();
        assert_eq!(results["metadata"]["scheduler_mode"], mode);
        let records = shell.read(&format!("out/run.{mode}.records.jsonl"));
        let events = records.matches("\"content\"").count();
        // Five requests of six tokens, in a warm-up run and two measured ones.
        assert_eq!(events, 5 * 6 * 3, "{mode}");
    }
}

#[test]
fn every_run_is_printed_where_it_is_asked() {
    let (_shell, text) = run(
        "scheduler --num-requests 2 --max-new-tokens 2 --warmup-runs 0 --repeat-runs 3 --print-per-run",
    );
    for run in 1..=3 {
        assert!(
            text.contains(&format!("=== online (run {run} of 3) ===")),
            "{text}"
        );
    }
}

#[test]
fn the_records_of_the_scheduler_are_those_of_the_client() {
    let (shell, _) = run(
        "scheduler --num-requests 3 --max-new-tokens 5 --no-stop-on-eos --warmup-runs 0 \
         --repeat-runs 2 --results-file run.json",
    );
    let again = shell.run(&words("report run.records.parquet --output-format json"));
    assert!(is_done(again.code), "{}", again.stderr);
    assert_eq!(again.stdout, shell.read("run.json"));
}

#[test]
fn wrong_usage_of_the_engine_names_the_value_and_the_limit() {
    let shell = Shell::new();
    for (command, words_expected) in [
        (
            "scheduler --device cuda",
            "--device must be cpu, got `cuda`",
        ),
        (
            "scheduler --num-requests 0",
            "--num-requests must be at least 1",
        ),
        (
            "scheduler --top-p 1.5 --do-sample",
            "--top-p must be above 0 and at most 1",
        ),
        (
            "scheduler --mode naive --arrival-rate 4",
            "--arrival-rate is for requests",
        ),
        ("scheduler --arrival-rate 0", "0"),
        ("scheduler --model no/such/model", "no/such/model"),
        ("scheduler --threads 0", "--threads must be between 1"),
        ("serve --drain-seconds=-1", "--drain-seconds"),
    ] {
        let ran = shell.run(&words(command));
        assert_eq!(ran.code, Some(2), "{command}: {}", ran.stderr);
        assert!(
            ran.stderr.contains(words_expected),
            "{command}: {}",
            ran.stderr
        );
    }
}

/// What a hub that has the tiny GPT-2 under the name `gpt2` answers.
fn gpt2_of_the_hub(path: &str) -> Option<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tests/data/gpt2-tiny");
    if path == "/api/models/gpt2/revision/main" {
        let names = [
            "README.md",
            "config.json",
            "merges.txt",
            "model.safetensors",
            "onnx/model.onnx",
            "vocab.json",
        ];
        let files = names.map(|name| json!({"rfilename": name}));
        return Some(
            json!({"sha": COMMIT, "siblings": files})
                .to_string()
                .into_bytes(),
        );
    }
    let file = path.strip_prefix(&format!("/gpt2/resolve/{COMMIT}/"))?;
    std::fs::read(folder.join(file)).ok()
}

#[test]
fn the_seeds_own_command_gets_its_model_from_the_hub_and_then_from_its_cache() {
    let (_hub, endpoint) = hub(gpt2_of_the_hub);
    let shell = Shell::new()
        .set("HF_ENDPOINT", endpoint)
        .set("HF_HOME", "hf");
    let command = "scheduler --hf-model-id gpt2 --device cpu --prompt Hello --num-requests 2 \
                   --max-new-tokens 4 --mode online --warmup-runs 0 --repeat-runs 1";
    let ran = shell.run(&words(command));
    assert!(is_done(ran.code), "{}{}", ran.stdout, ran.stderr);
    for name in ["TTFT p50/mean", "TPOT p50/mean", "Latency p50/mean"] {
        assert!(number(&ran.stdout, name).is_some(), "{}", ran.stdout);
    }
    let again = shell.set("HF_HUB_OFFLINE", "1").run(&words(command));
    assert!(is_done(again.code), "{}{}", again.stdout, again.stderr);
}

#[test]
fn the_decode_rate_counts_the_tokens_that_came_while_it_decoded() {
    // One request after the other: most tokens come before the last request has its first one.
    let (_shell, text) = run(
        "scheduler --mode naive --num-requests 8 --max-new-tokens 20 \
         --warmup-runs 0 --repeat-runs 1 --no-stop-on-eos",
    );
    let total = number(&text, "Throughput (completion,total)").unwrap();
    let decode = number(&text, "Throughput (completion,decode)").unwrap();
    let elapsed = number(&text, "Elapsed (decode/run)").unwrap();
    let tokens = decode * elapsed;
    assert!((tokens - 19.0).abs() < 0.5, "{tokens} tokens in\n{text}");
    assert!(total > 0.0);
}

#[test]
fn one_output_is_not_asked_to_hold_three_modes() {
    let ran = Shell::new().run(&words("scheduler --mode all --output-format json"));
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("name one mode"), "{}", ran.stderr);
}
