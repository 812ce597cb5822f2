//! What requests have otherwise than each other, as a server gets to see it.

use crate::listener::listener;
use crate::shell::{Shell, provider, words};
use mock::MockConfig;
use serde_json::{Value, json};

/// The bodies of eight requests, sent one after the other.
fn bodies(shell: &Shell, flags: &str) -> Vec<Value> {
    let (bodies, url) = listener();
    let line = format!(
        "chat --api-base {url} {flags} --no-stream --max-concurrency 1 --num-prompts 8 --warmup-runs 0 --no-plot \
         --records none --results-file run.json"
    );
    shell.measure(&line, "run.json");
    bodies.all()
}

#[test]
fn adapters_are_asked_for_in_turn_or_by_chance_the_same_with_every_run() {
    let shell = Shell::new();
    let models = |flags: &str| -> Vec<Value> {
        let bodies = bodies(&shell, flags);
        bodies.iter().map(|body| body["model"].clone()).collect()
    };
    let in_turn = models("--lora-modules a,b,c --lora-distribution all-unique");
    assert_eq!(in_turn, ["a", "b", "c", "a", "b", "c", "a", "b"]);
    assert_eq!(
        models("--lora-modules a b --lora-distribution single"),
        ["a"; 8]
    );
    assert_eq!(models("--lora-modules a --base-model-ratio 1"), ["m"; 8]);
    let drawn = models("--lora-modules a,b --lora-distribution mixed --seed 3");
    assert_eq!(
        drawn,
        models("--lora-modules a,b --lora-distribution mixed --seed 3")
    );
    assert_eq!(
        shell.json("run.json")["metadata"]["variants"]["lora_distribution"],
        "mixed"
    );
}

#[test]
fn every_request_has_images_of_its_own() {
    let shell = Shell::new();
    let bodies = bodies(&shell, "--num-images 2 --image-size 8x4");
    let mut urls: Vec<&str> = Vec::new();
    for body in &bodies {
        let message = body["messages"].as_array().unwrap().last().unwrap();
        let parts = message["content"].as_array().unwrap();
        assert_eq!(parts.len(), 3);
        assert_eq!(parts[2]["type"], "text");
        urls.extend(
            parts[..2]
                .iter()
                .map(|part| part["image_url"]["url"].as_str().unwrap()),
        );
    }
    assert!(
        urls.iter()
            .all(|url| url.starts_with("data:image/png;base64,"))
    );
    urls.sort_unstable();
    urls.dedup();
    assert_eq!(urls.len(), 16);
}

#[test]
fn formats_tools_and_bodies_reach_the_server() {
    let shell = Shell::new();
    shell.write(
        "schema.json",
        r#"{"type": "object", "properties": {"a": {"type": "integer"}}}"#,
    );
    let tool = json!({"type": "function", "function": {"name": "look", "parameters": {}}});
    shell.write("tools.json", json!([tool]).to_string());
    shell.write("bodies.jsonl", "{\"top_p\": 0.5}\n\n{\"top_k\": 3}\n");
    let bodies = bodies(
        &shell,
        "--response-format schema.json --tools tools.json --tool-choice look --extra-body-file bodies.jsonl",
    );
    for (number, body) in bodies.iter().enumerate() {
        assert_eq!(
            body["response_format"]["json_schema"]["schema"]["type"],
            "object"
        );
        assert_eq!(body["tools"], json!([tool]));
        assert_eq!(
            body["tool_choice"],
            json!({"type": "function", "function": {"name": "look"}})
        );
        let field = if number % 2 == 0 { "top_p" } else { "top_k" };
        assert!(body.get(field).is_some(), "{body}");
    }
}

#[test]
fn extra_body_is_merged_into_what_is_sent_and_null_removes() {
    let shell = Shell::new();
    let flags = [
        "--extra-body",
        r#"{"max_tokens": null, "max_completion_tokens": 5, "temperature": null, "chat_template_kwargs": {"a": 1}}"#,
    ];
    let (bodies, url) = listener();
    let line = format!(
        "chat --api-base {url} --temperature 0.5 --no-stream --max-concurrency 1 --num-prompts 8 --warmup-runs 0 \
         --no-plot --records jsonl --results-file run.json"
    );
    let arguments: Vec<&str> = words(&line).into_iter().chain(flags).collect();
    shell.measure_with(&arguments, "run.json");
    let bodies = bodies.all();
    assert_eq!(bodies.len(), 8);
    for body in bodies {
        assert_eq!(body["max_completion_tokens"], 5);
        assert_eq!(body["chat_template_kwargs"], json!({"a": 1}));
        for gone in ["max_tokens", "temperature"] {
            assert!(body.get(gone).is_none(), "{body}");
        }
    }
    let metadata = &shell.json("run.json")["metadata"];
    assert_eq!(metadata["max_tokens"], 5);
    assert_eq!(metadata["temperature"], Value::Null);
    for line in shell.read("run.records.jsonl").lines().skip(1) {
        let line: Value = serde_json::from_str(line).unwrap();
        if let Some(record) = line.get("record") {
            assert_eq!(record["max_tokens"], 5, "{record}");
        }
    }
}

#[test]
fn what_the_patch_changes_of_the_request_is_what_the_results_say() {
    let shell = Shell::new();
    let (_server, url) = provider(MockConfig::default());
    let line = format!(
        "chat --api-base {url} --ignore-eos --max-concurrency 1 --num-prompts 6 --warmup-runs 0 --max-tokens 3 --no-plot \
         --results-file run.json --extra-body"
    );
    let patch = r#"{"n": 2, "stream": false, "ignore_eos": null, "model": "patched"}"#;
    let arguments: Vec<&str> = words(&line).into_iter().chain([patch]).collect();
    let (_, results) = shell.measure_with(&arguments, "run.json");
    let metadata = &results["metadata"];
    assert_eq!(metadata["n"], 2);
    assert_eq!(metadata["stream"], false);
    assert_eq!(metadata["ignore_eos"], false);
    assert_eq!(metadata["model"], "patched");
    let point = &results["results"]["1"];
    assert_eq!(point["tokens"]["output_per_request"]["mean"], 6.0);
    assert!(point["latency"]["ttft"].is_null());
}

#[test]
fn the_route_for_responses_is_measured_in_streams_and_in_whole() {
    let (_server, url) = provider(MockConfig::default());
    let shell = Shell::new();
    for flags in ["", " --no-stream"] {
        let line = format!(
            "chat --api-base {url} --endpoint /v1/responses{flags} --max-concurrency 2 --num-prompts 8 --max-tokens 5 \
             --no-plot --results-file run.json"
        );
        let (_, results) = shell.measure(&line, "run.json");
        let point = &results["results"]["2"];
        assert_eq!(point["tokens"]["output_total"], 40, "{point}");
        assert_eq!(point["reliability"]["complete"], 8, "{point}");
        assert_eq!(point["latency"]["ttft"].is_null(), flags == " --no-stream");
    }
}

#[test]
fn variants_that_make_no_sense_are_refused_with_the_way_out() {
    let shell = Shell::new();
    shell.write("words.json", "\"hello\"");
    shell.write("lines.jsonl", "{}\n[]\n");
    shell.write("streams.jsonl", "{\"stream\": false}\n");
    for (flags, sentence) in [
        ("--lora-distribution zipf", "--lora-modules"),
        (
            "--lora-modules a --lora-distribution zipf:-1",
            "zipf:EXPONENT",
        ),
        ("--lora-modules a --base-model-ratio 2", "from 0 to 1"),
        (
            "--num-images 2 --endpoint /completions",
            "--num-images needs messages",
        ),
        ("--num-images 2 --image-size 0x4", "0x4"),
        ("--num-images 99", "99"),
        ("--response-format words.json", "must hold an object"),
        ("--response-format none.json", "check the path"),
        ("--tools words.json", "array of one or more tools"),
        ("--tool-choice auto", "--tools"),
        ("--extra-body-file lines.jsonl", "line 2"),
        ("--endpoint /responses", "--api-base"),
        ("--extra-body [1]", "JSON object"),
        ("--extra-body {\"stream\":1}", "--no-stream"),
        ("--extra-body {\"n\":0}", "`n`"),
        ("--extra-body {\"max_tokens\":-1}", "`max_tokens`"),
        ("--extra-body {\"model\":1}", "--model"),
        (
            "--extra-body {\"stream\":false} --goodput ttft:3",
            "--extra-body",
        ),
        ("--extra-body-file streams.jsonl", "--no-stream"),
    ] {
        let line = format!("chat {flags} --dry-run");
        let arguments: Vec<&str> = line.split_whitespace().collect();
        let ran = shell.run(&arguments);
        assert_eq!(ran.code, Some(2), "{flags}: {}", ran.stderr);
        assert!(ran.stderr.contains(sentence), "{flags}: {}", ran.stderr);
    }
}
