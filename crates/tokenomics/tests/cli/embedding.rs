use crate::shell::{Shell, provider, words};
use mock::MockConfig;
use serde_json::Value;

/// The flags of the first benchmark's README, with smaller numbers.
#[test]
fn the_first_benchmarks_flags_measure_the_built_in_encoder() {
    let shell = Shell::new();
    let command = "embedding --sequence_lengths 20 --batch_sizes 1,8 --num_runs 3 --warmup_runs 1 --save_progress \
         --description words --results_file embedding_results.json";
    let (ran, results) = shell.measure(command, "embedding_results.json");
    assert!(ran.stderr.contains("random:tiny-bert"), "{}", ran.stderr);
    let point = &results["results"]["batch_8_seq_20"];
    for (group, name) in [
        ("tokens", "total_per_batch"),
        ("tokens", "embeddings_per_batch"),
        ("timings", "batch_total_seconds"),
        ("timings", "fastest_seconds"),
        ("timings", "slowest_seconds"),
        ("timings", "spread_seconds"),
        ("throughput", "batch_embeddings_per_second"),
        ("throughput", "batch_tokens_per_second"),
        ("throughput", "request_embeddings_per_second"),
        ("throughput", "request_tokens_per_second"),
    ] {
        for number in ["mean", "std", "min", "max"] {
            assert!(
                point[group][name][number].is_number(),
                "{group}.{name}.{number}"
            );
        }
    }
    assert_eq!(point["tokens"]["embeddings_per_batch"]["mean"], 8.0);
    assert_eq!(point["tokens"]["input_source"], "usage");
    assert_eq!(point["vectors"]["dimensions"], serde_json::json!([128]));
    let drawn = shell.run(&words("plot embedding_results.json embedding_plot.png"));
    assert_eq!(drawn.code, Some(0), "{}", drawn.stderr);
    let again = shell.run(&words(
        "report embedding_results.records.parquet --output-format json",
    ));
    let again: Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!(again["results"], results["results"]);
}

#[test]
fn several_texts_a_request_come_back_as_so_many_vectors_in_either_encoding() {
    let (_server, url) = provider(MockConfig::default());
    for encoding in ["float", "base64"] {
        let shell = Shell::new();
        let command = format!(
            "embedding --api-base {url} --max-concurrency 2 --num-prompts 16 --inputs-per-request 4 \
             --sequence-lengths short --encoding-format {encoding} --results-file r.json"
        );
        let (_, results) = shell.measure(&command, "r.json");
        let point = &results["results"]["concurrency_2_inputs_4_seq_short"];
        assert_eq!(point["tokens"]["embeddings_per_batch"]["mean"], 64.0);
        assert_eq!(point["reliability"]["complete"], 16);
        assert_eq!(point["vectors"]["dimensions"], serde_json::json!([384]));
    }
}

#[test]
fn documents_are_ranked_and_pairs_are_scored() {
    let (_server, url) = provider(MockConfig::default());
    for endpoint in ["/rerank", "/v1/score"] {
        let shell = Shell::new();
        let command = format!(
            "embedding --api-base {url} --endpoint {endpoint} --batch-sizes 4 --inputs-per-request 5 \
             --sequence-lengths 10 --results-file r.json"
        );
        let (_, results) = shell.measure(&command, "r.json");
        let point = &results["results"]["batch_4_inputs_5_seq_10"];
        assert_eq!(
            point["tokens"]["embeddings_per_batch"]["mean"], 20.0,
            "{endpoint}"
        );
        assert_eq!(point["vectors"]["dimensions"], serde_json::json!([]));
    }
}

#[test]
fn what_cannot_be_asked_is_refused_before_anything_is_sent() {
    let shell = Shell::new();
    for (flags, words_of_refusal) in [
        ("--sequence-lengths tall", "short, medium, long, mixed"),
        ("--sequence-lengths 5,5", "names 5 twice"),
        ("--endpoint /chat", "/embeddings, /score or /rerank"),
        ("--dimensions 0", "at least 1"),
        ("--inputs-per-request 0", "--inputs-per-request"),
        ("--model other", "add --api-base"),
    ] {
        let ran = shell.run(&words(&format!("embedding {flags}")));
        assert_eq!(ran.code, Some(2), "{flags}: {}", ran.stderr);
        assert!(
            ran.stderr.contains(words_of_refusal),
            "{flags}: {}",
            ran.stderr
        );
    }
    let dry = shell.run(&words(
        "embedding --dry-run --batch-sizes 2 --sequence-lengths 7",
    ));
    assert_eq!(dry.code, Some(0));
    assert!(
        dry.stdout.contains("batch_2_seq_7") && dry.stdout.contains("7.0 words"),
        "{}",
        dry.stdout
    );
}

#[test]
fn a_chat_server_that_answers_with_no_vectors_makes_the_run_invalid() {
    let (_server, url) = provider(MockConfig {
        fault: Some("status:500".parse().unwrap()),
        ..MockConfig::default()
    });
    let shell = Shell::new();
    let ran = shell.run(&words(&format!(
        "embedding --api-base {url} --model m --batch-sizes 2 --sequence-lengths 5 --results-file r.json"
    )));
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
}
