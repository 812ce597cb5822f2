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
        ("--model ./other", "--api-base"),
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

fn reasons(results: &Value) -> Vec<&str> {
    let reasons = results["verdict"]["reasons"].as_array().unwrap();
    let codes = reasons.iter().map(|reason| reason["code"].as_str());
    codes.map(Option::unwrap).collect()
}

#[test]
fn texts_have_the_tokens_that_were_asked_for_by_the_servers_own_count() {
    let shell = Shell::new();
    let command = "embedding --input-tokens 16,40 --batch-sizes 2,4 --inputs-per-request 1,3 --num-runs 2 \
         --warmup-runs 1 --results-file r.json";
    let (_, results) = shell.measure(command, "r.json");
    for (key, tokens) in [
        ("batch_2_tok_16", 32.0),
        ("batch_4_tok_40", 160.0),
        ("batch_4_inputs_3_tok_40", 480.0),
    ] {
        let point = &results["results"][key];
        assert_eq!(point["tokens"]["total_per_batch"]["mean"], tokens, "{key}");
        assert_eq!(point["tokens"]["input_source"], "usage");
        assert_eq!(point["prompt_lengths"]["exact_share"], 1.0, "{key}");
        // The built-in encoder gives a text one vector, to the last bit.
        assert_eq!(point["vectors"]["asked_again"]["equal"], true, "{key}");
        assert_eq!(point["vectors"]["asked_again"]["cosine_distance"], 0.0);
    }
    assert_eq!(results["metadata"]["tokenizer"]["end_tokens"], 2);
    let drawn = shell.run(&words("plot r.json r.svg"));
    assert_eq!(drawn.code, Some(0), "{}", drawn.stderr);
    let figure = shell.read("r.svg");
    assert!(figure.contains("16 tokens") && figure.contains("40 tokens × 3 texts"));
    let again = shell.run(&words("report r.records.parquet --output-format json"));
    let again: Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!(again["results"], results["results"]);
}

#[test]
fn a_server_that_counts_otherwise_than_the_tokenizer_is_named() {
    let (_server, url) = provider(MockConfig::default());
    let shell = Shell::new();
    let command = format!(
        "embedding --api-base {url} --tokenizer random:tiny-bert --input-tokens 64 --batch-sizes 8 \
         --results-file r.json"
    );
    let (ran, results) = shell.measure(&command, "r.json");
    assert!(
        reasons(&results).contains(&"prompt_lengths_differ"),
        "{}",
        ran.stdout
    );
    let point = &results["results"]["batch_8_tok_64"];
    assert_eq!(point["prompt_lengths"]["exact_share"], 0.0);
    assert_eq!(point["tokens"]["input_source"], "usage");
}

#[test]
fn texts_of_a_data_set_are_sent_as_they_are() {
    let shell = Shell::new();
    shell.write(
        "d.csv",
        "id,body\n1,one text\n2,another\n3,\"and, a third\"\n",
    );
    let command = "embedding --dataset-path d.csv --dataset-column body --batch-sizes 3 --num-runs 2 \
         --warmup-runs 0 --results-file r.json";
    let (_, results) = shell.measure(command, "r.json");
    let point = &results["results"]["batch_3_seq_dataset"];
    assert_eq!(point["reliability"]["complete"], 6);
    // A byte is a token, and two stand around each text.
    let tokens = &point["tokens"]["total_per_batch"];
    assert_eq!(
        (&tokens["min"], &tokens["max"]),
        (&33.0.into(), &33.0.into())
    );
    assert_eq!(results["metadata"]["dataset_path"], "d.csv");
}

#[test]
fn lengths_in_tokens_that_cannot_be_had_are_refused_with_the_way_out() {
    let shell = Shell::new();
    for (flags, words_of_refusal) in [
        (
            "--api-base http://localhost:1/v1 --input-tokens 16",
            "name it with --tokenizer",
        ),
        ("--input-tokens 2", "above 2"),
        ("--input-tokens 16,16", "names 16 twice"),
        (
            "--input-tokens 16 --sequence-lengths 5",
            "cannot be used with",
        ),
        (
            "--endpoint /score --tokenizer random:tiny-bert",
            "leave them out",
        ),
        ("--tokenizer random:other", "random:other"),
        ("--dataset-path none.csv", "none.csv"),
        ("--dataset-column body", "--dataset-path"),
    ] {
        let ran = shell.run(&words(&format!("embedding {flags} --dry-run")));
        assert_eq!(ran.code, Some(2), "{flags}: {}", ran.stderr);
        assert!(
            ran.stderr.contains(words_of_refusal),
            "{flags}: {}",
            ran.stderr
        );
    }
}

#[test]
fn bad_input_28_where_nothing_succeeded_the_names_are_those_of_embeddings() {
    let (_server, url) = provider(MockConfig {
        fault: Some("html".parse().unwrap()),
        ..MockConfig::default()
    });
    let shell = Shell::new();
    let ran = shell.run(&words(&format!(
        "embedding --api-base {url} --model m --batch-sizes 2 --sequence-lengths 5 --results-file r.json"
    )));
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert!(ran.stdout.contains("embeddings"), "{}", ran.stdout);
    let point = &shell.json("r.json")["results"]["batch_2_seq_5"];
    let rate = &point["throughput"]["batch_embeddings_per_second"];
    assert!(rate.is_object() && rate["mean"].is_null(), "{rate}");
    assert_eq!(point["tokens"]["input_source"], "none");
    assert!(point["tokens"].get("output_per_request").is_none());
    assert!(point["vectors"]["asked_again"].is_null());
}
