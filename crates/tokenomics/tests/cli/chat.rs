use crate::hub::{self, SEED_PROBLEMS};
use crate::shell::{Shell, provider, words};
use mock::MockConfig;
use serde_json::Value;

#[test]
fn without_arguments_for_a_server_the_built_in_one_is_measured() {
    let shell = Shell::new();
    let command = "chat --batch_sizes 1,2 --num_runs 1 --warmup_runs 0 --max-tokens 5 --output \
         table.txt --results-file out/run.json";
    let (ran, results) = shell.measure(command, "out/run.json");
    assert!(
        ran.stderr.contains("measuring the built-in engine"),
        "{}",
        ran.stderr
    );
    assert!(ran.stdout.is_empty());
    assert!(shell.read("table.txt").contains("tokens/s"));
    assert_eq!(
        shell.files(),
        [
            "out/run.json",
            "out/run.png",
            "out/run.records.parquet",
            "table.txt"
        ]
    );
    assert_eq!(results["metadata"]["built_in_server"], true);
    for size in ["1", "2"] {
        let tokens = &results["results"][size]["tokens"]["output_per_request"]["mean"];
        assert_eq!(tokens.as_f64(), Some(5.0));
    }
}

#[test]
fn results_go_to_a_folder_of_their_own_under_the_models_name() {
    let shell = Shell::new();
    let (_server, url) = provider(MockConfig {
        model: "org/../model".to_owned(),
        ..MockConfig::default()
    });
    let ran = shell.run(&words(&format!(
        "chat --api-base {url} --batch-sizes 1 --num-runs 1 --max-tokens 2"
    )));
    assert!(matches!(ran.code, Some(0 | 4)), "{}", ran.stderr);
    let files = shell.files();
    assert_eq!(files.len(), 3, "{files:?}");
    assert!(
        files
            .iter()
            .all(|file| file.starts_with("results/chat-org-..-model-")),
        "{files:?}"
    );
}

/// The line of the first benchmark's README, with the address alone another one.
#[test]
fn the_first_benchmarks_command_runs_as_it_is_written() {
    let (_hub, endpoint) = hub::serving(SEED_PROBLEMS);
    let shell = Shell::new()
        .set("HF_ENDPOINT", endpoint)
        .set("HF_HOME", "hf");
    let (_server, url) = provider(MockConfig {
        model: "distill-llama-8b".to_owned(),
        tokens: 6,
        ..MockConfig::default()
    });
    let command = format!(
        r#"chat --model distill-llama-8b --dataset_key aime --api_base {url} --batch_sizes 1,2,4,8
           --num_runs 3 --max_tokens 100 --temperature 0.5
           --description "Deepseek R1 distill 8B TP8 A100s"
           --results_file my_server_benchmark.json"#
    );
    let (_, results) = shell.measure(&command, "my_server_benchmark.json");
    let metadata = &results["metadata"];
    assert_eq!(metadata["model"], "distill-llama-8b");
    assert_eq!(metadata["dataset_key"], "aime");
    assert_eq!(metadata["description"], "Deepseek R1 distill 8B TP8 A100s");
    assert!(metadata["timestamp"].is_string());
    let points = results["results"].as_object().unwrap();
    assert_eq!(points.keys().collect::<Vec<_>>(), ["1", "2", "4", "8"]);
    for (size, point) in points {
        has_the_keys_of_the_first_result_files(point);
        let requests = point["reliability"]["complete"].as_u64().unwrap();
        assert_eq!(requests, 3 * size.parse::<u64>().unwrap());
        assert_eq!(point["tokens"]["output_per_request"]["mean"], 6.0);
    }

    let plotted = shell.run(&["plot", "my_server_benchmark.json", "my_output.png"]);
    assert_eq!(plotted.code, Some(0), "{}", plotted.stderr);
    let image = std::fs::read(shell.path("my_output.png")).unwrap();
    assert!(image.starts_with(b"\x89PNG\r\n\x1a\n"));
}

fn has_the_keys_of_the_first_result_files(point: &Value) {
    for (group, names) in [
        ("tokens", &["input_per_request", "output_per_request"][..]),
        (
            "timings",
            &[
                "batch_total_seconds",
                "fastest_seconds",
                "slowest_seconds",
                "spread_seconds",
            ],
        ),
        (
            "throughput",
            &["batch_tokens_per_second", "request_tokens_per_second"],
        ),
    ] {
        for name in names {
            for number in ["mean", "std"] {
                let value = &point[group][name][number];
                assert!(value.is_number(), "{group}.{name}.{number} is {value}");
            }
        }
    }
}

#[test]
fn the_first_result_files_are_plotted_beside_ours() {
    let shell = Shell::new();
    let mean_and_std = r#"{"mean": 3.5, "std": 0.5}"#;
    let point = format!(
        r#"{{"tokens": {{"input_per_request": {mean_and_std}, "output_per_request": {mean_and_std}}},
            "timings": {{"batch_total_seconds": {mean_and_std}}},
            "throughput": {{"batch_tokens_per_second": {mean_and_std},
                            "request_tokens_per_second": {mean_and_std}}}}}"#
    );
    shell.write(
        "old.json",
        format!(r#"{{"metadata": {{"model": "m"}}, "results": {{"1": {point}, "8": {point}}}}}"#),
    );
    let ran = shell.run(&["plot", "old.json", "old.json", "both.svg"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(shell.read("both.svg").contains("<svg"));
}

#[test]
fn flags_of_vllms_benchmark_mean_here_what_they_mean_there() {
    let shell = Shell::new();
    let (_server, url) = provider(MockConfig::default());
    let command = format!(
        "chat --base-url {url} --model mock --request-rate 40 --burstiness 0.5 \
         --max-concurrency 50 --num-prompts 20 --seed 7 --ignore-eos --goodput ttft:500 \
         e2el:5000 --result-filename run.json --max-tokens 4"
    );
    let (_, results) = shell.measure(&command, "run.json");
    let point = &results["results"]["40"];
    assert_eq!(point["load"]["kind"], "open");
    assert_eq!(point["load"]["max_concurrency"], 50);
    assert_eq!(point["load"]["arrival"]["shape"], 0.5);
    assert_eq!(point["reliability"]["complete"], 20);
    assert_eq!(point["goodput"]["share"], 1.0);
    assert_eq!(results["metadata"]["ignore_eos"], true);
}

#[test]
fn a_dry_run_prints_the_plan_sends_nothing_and_leaves_no_file() {
    let shell = Shell::new();
    let (server, url) = provider(MockConfig::default());
    let ran = shell.run(&words(&format!(
        "chat --api_base {url} --max-concurrency 1,16 --num-prompts 32 --dry-run"
    )));
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert_eq!(server.stop().unwrap().requests, 0);
    assert!(shell.files().is_empty());
    insta::assert_snapshot!(ran.stdout.replace(&url, "http://SERVER/v1"));
}

#[test]
fn the_same_seed_plans_the_same_workload_and_another_seed_another() {
    let hash = |seed: &str| {
        let ran = Shell::new().run(&["chat", "--request-rate", "9", "--seed", seed, "--dry-run"]);
        let line = ran.stdout.lines().find(|line| line.contains("sha256"));
        line.unwrap().to_owned()
    };
    assert_eq!(hash("1"), hash("1"));
    assert_ne!(hash("1"), hash("2"));
}

#[test]
fn a_server_where_nothing_succeeds_is_an_invalid_measurement() {
    let shell = Shell::new();
    let (_server, url) = provider(MockConfig {
        api_key: Some("sk-right".to_owned()),
        ..MockConfig::default()
    });
    let ran = shell.run(&words(&format!(
        "chat --api-base {url} --model mock --api-key sk-wrong --batch-sizes 2 \
         --results-file run.json"
    )));
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    let verdict = &shell.json("run.json")["verdict"];
    assert_eq!(verdict["reasons"][0]["code"], "nothing_succeeded");
    assert!(
        verdict["reasons"][0]["sentence"]
            .as_str()
            .unwrap()
            .contains("http_401")
    );
}
