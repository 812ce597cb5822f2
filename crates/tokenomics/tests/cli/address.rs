//! Where the server is: what a model alone means, what a URL may lack or have too much, and how its key is spoken of.

use crate::shell::{Shell, provider, words};
use mock::MockConfig;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// A request to a [`Scripted`] server: its first line, its head in lower case and its body.
#[derive(Clone, Debug)]
struct Seen {
    line: String,
    head: String,
    body: String,
}

/// A server that answers each request as it is told to, by its first line and head.
struct Scripted {
    url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Scripted {
    fn serving(answer: impl Fn(&Seen) -> (u16, String) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (kept, answer) = (Arc::clone(&seen), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (kept, answer) = (Arc::clone(&kept), Arc::clone(&answer));
                std::thread::spawn(move || talk(&stream, &kept, &*answer));
            }
        });
        Scripted { url, seen }
    }

    fn seen(&self) -> Vec<Seen> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clone()
    }
}

fn talk(stream: &TcpStream, seen: &Mutex<Vec<Seen>>, answer: &dyn Fn(&Seen) -> (u16, String)) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        let line = head.lines().next().unwrap_or_default().to_owned();
        let head = head.to_ascii_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.trim().parse().unwrap())];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let body = String::from_utf8(body).unwrap();
        let request = Seen { line, head, body };
        seen.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(request.clone());
        let (status, body) = answer(&request);
        let kind = if body.starts_with("data:") {
            "text/event-stream"
        } else {
            "application/json"
        };
        let response = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = stream;
        if stream.write_all(response.as_bytes()).is_err() {
            return;
        }
    }
}

/// A stream of two tokens.
fn stream() -> String {
    let chunk = |delta: &str, end: &str| {
        format!(
            "data: {{\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{end}}}]}}\n\n"
        )
    };
    let (first, second) = (
        chunk(r#"{"content":"a"}"#, "null"),
        chunk(r#"{"content":"b"}"#, "\"stop\""),
    );
    let usage =
        r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}"#;
    format!("{first}{second}data: {usage}\n\ndata: [DONE]\n\n")
}

const MODELS: &str = r#"{"data":[{"id":"m"}]}"#;
const NOT_FOUND: &str = r#"{"detail":"Not Found"}"#;
const SHORT: &str = "--batch-sizes 1 --num-runs 6 --warmup-runs 0 --max-tokens 2 --no-plot";

/// An API below `/v1` alone.
fn below_v1(request: &Seen, models: &str) -> (u16, String) {
    match request.line.split(' ').nth(1).unwrap() {
        "/v1/models" if !models.is_empty() => (200, models.to_owned()),
        "/v1/chat/completions" if request.body == "{}" => (400, NOT_FOUND.to_owned()),
        "/v1/chat/completions" => (200, stream()),
        _ => (404, NOT_FOUND.to_owned()),
    }
}

fn complete(results: &Value) -> Option<u64> {
    results["results"]["1"]["reliability"]["complete"].as_u64()
}

#[test]
fn an_api_is_found_below_the_v1_that_its_url_lacks() {
    for (model, models) in [("", MODELS), ("--model m", MODELS), ("--model m", "")] {
        let server = Scripted::serving(move |request| below_v1(request, models));
        let shell = Shell::new();
        let line = format!(
            "chat --api-base {} {model} {SHORT} --results-file r.json",
            server.url
        );
        let (ran, results) = shell.measure(&line, "r.json");
        assert_eq!(
            complete(&results),
            Some(6),
            "{model} {models}: {}",
            ran.stderr
        );
        let said = format!("measuring {}/v1/chat/completions", server.url);
        assert!(ran.stderr.contains(&said), "{}", ran.stderr);
        assert_eq!(
            results["metadata"]["api_base"],
            format!("{}/v1", server.url)
        );
    }
}

#[test]
fn an_api_at_the_url_itself_is_taken_as_it_is() {
    for models in [MODELS, r#"[{"id":"m"}]"#, r#"{"models":[{"name":"m"}]}"#] {
        let server =
            Scripted::serving(
                move |request| match request.line.split(' ').nth(1).unwrap() {
                    "/models" => (200, models.to_owned()),
                    "/chat/completions" => (200, stream()),
                    _ => (404, NOT_FOUND.to_owned()),
                },
            );
        let shell = Shell::new();
        let line = format!(
            "chat --api-base {} {SHORT} --results-file r.json",
            server.url
        );
        let (ran, results) = shell.measure(&line, "r.json");
        assert_eq!(complete(&results), Some(6), "{}", ran.stderr);
        assert_eq!(results["metadata"]["model"], "m");
    }
}

#[test]
fn a_route_at_a_urls_end_is_dropped_and_said() {
    let (_server, url) = provider(MockConfig::default());
    let shell = Shell::new();
    let line = format!("chat --api-base {url}/completions {SHORT} --results-file r.json");
    let (ran, results) = shell.measure(&line, "r.json");
    assert_eq!(complete(&results), Some(6), "{}", ran.stderr);
    assert_eq!(results["metadata"]["endpoint"], "/completions");
    let said = format!(
        "ends in /completions, and the address of an API ends before that: measuring {url}/completions"
    );
    assert!(ran.stderr.contains(&said), "{}", ran.stderr);
    let ran = shell.run(&words(&format!("chat --api-base {url}/embeddings")));
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.stderr.contains("tokenomics embedding"),
        "{}",
        ran.stderr
    );
    let ran = shell.run(&words(&format!(
        "embedding --api-base {url}/chat/completions"
    )));
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("tokenomics chat"), "{}", ran.stderr);
}

#[test]
fn a_url_without_an_api_names_both_places_and_both_ways_out() {
    let server = Scripted::serving(|_| (404, NOT_FOUND.to_owned()));
    let ran = Shell::new().run(&words(&format!("chat --api-base {}", server.url)));
    assert_eq!(ran.code, Some(1));
    let url = &server.url;
    let nothing = format!("there is nothing under {url}/v1 either");
    for said in [url.as_str(), "404", &nothing, "--api-base", "--model"] {
        assert!(ran.stderr.contains(said), "{said}: {}", ran.stderr);
    }
}

#[test]
fn a_refused_key_is_named_whatever_the_status_and_no_sentence_is_stopped_twice() {
    let error =
        r#"{"error":{"message":"No connected db.","type":"no_db_connection","code":"400"}}"#;
    let server = Scripted::serving(move |_| (400, error.to_owned()));
    let shell = Shell::new();
    for (flags, code) in [
        ("--api-key sk-wrong-key", 1),
        ("--api-key sk-wrong-key --model m", 4),
    ] {
        let line = format!(
            "chat --api-base {}/v1 {flags} {SHORT} --results-file r.json",
            server.url
        );
        let ran = shell.run_alone(&words(&line));
        assert_eq!(ran.code, Some(code), "{}", ran.stderr);
        let said = format!("{}{}", ran.stdout, ran.stderr)
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        assert!(said.contains("check the key"), "{said}");
        assert!(
            !said.contains(".;") && !said.contains("sk-wrong-key"),
            "{said}"
        );
    }
}

#[test]
fn metrics_are_asked_for_with_the_key() {
    let server = Scripted::serving(|request| {
        if !request.head.contains("authorization: bearer sk-mine") {
            return (401, NOT_FOUND.to_owned());
        }
        below_v1(request, MODELS)
    });
    let shell = Shell::new();
    let line = format!(
        "chat --api-base {}/v1 --api-key sk-mine {SHORT} --results-file r.json",
        server.url
    );
    let (ran, results) = shell.measure(&line, "r.json");
    assert_eq!(complete(&results), Some(6), "{}", ran.stderr);
    let seen = server.seen();
    let of_metrics = || seen.iter().filter(|seen| seen.line.contains("/metrics"));
    assert!(of_metrics().count() > 0);
    assert!(of_metrics().all(|seen| seen.head.contains("authorization: bearer sk-mine")));
}

#[test]
fn a_limit_that_is_passed_is_named() {
    let (_server, url) = provider(MockConfig::default());
    let shell = Shell::new();
    let line =
        format!("chat --api-base {url} {SHORT} --first-token-timeout 0.001 --results-file r.json");
    let ran = shell.run_alone(&words(&line));
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    let results = shell.json("r.json");
    let reasons = results["verdict"]["reasons"].to_string();
    assert!(
        reasons.contains("no token within 0.001 s, the limit of --first-token-timeout"),
        "{reasons}"
    );
}

#[test]
fn a_models_name_alone_means_port_8000_and_the_error_names_both_ways() {
    let shell = Shell::new();
    for verb in ["chat", "embedding"] {
        let dry = shell.run(&words(&format!("{verb} --model org/name --dry-run")));
        assert_eq!(dry.code, Some(0), "{}", dry.stderr);
        assert!(
            dry.stdout.contains("http://localhost:8000/v1/"),
            "{}",
            dry.stdout
        );
        assert!(dry.stdout.contains("Model:     org/name"), "{}", dry.stdout);
        if TcpStream::connect(("localhost", 8000)).is_ok() {
            // Somebody's server is there: not the place to try what happens without one.
            continue;
        }
        let ran = shell.run(&words(&format!("{verb} --model org/name")));
        assert_eq!(ran.code, Some(1), "{}", ran.stderr);
        for said in [
            "http://localhost:8000/v1",
            "--api-base",
            "./FOLDER",
            "random:NAME",
        ] {
            assert!(ran.stderr.contains(said), "{said}: {}", ran.stderr);
        }
    }
}

#[test]
fn random_weights_and_paths_are_measured_with_the_built_in_server() {
    let shell = Shell::new();
    let line = format!("chat --model random:tiny {SHORT} --results-file r.json");
    let (ran, results) = shell.measure(&line, "r.json");
    assert_eq!(complete(&results), Some(6), "{}", ran.stderr);
    assert_eq!(results["metadata"]["built_in_server"], true);
    for (line, said) in [
        (
            "chat --model random:tiny-bert --batch-sizes 1",
            "tokenomics embedding",
        ),
        (
            "embedding --model random:tiny --batch-sizes 1",
            "tokenomics chat",
        ),
        ("chat --model ./nowhere", "no such file or folder"),
        ("chat --model weights.gguf", "--api-base"),
    ] {
        let ran = shell.run(&words(line));
        assert_eq!(ran.code, Some(2), "{line}: {}", ran.stderr);
        assert!(ran.stderr.contains(said), "{line}: {}", ran.stderr);
    }
}

/// The command lines of the first benchmark's documents, with nothing changed but `--dry-run` at their end.
#[test]
fn the_first_benchmarks_command_lines_run_as_they_stand() {
    let (_hub, endpoint) = crate::hub::serving(crate::hub::SEED_PROBLEMS);
    let shell = Shell::new()
        .set("HF_ENDPOINT", endpoint)
        .set("HF_HOME", "hf");
    for (line, server) in [
        (
            "chat --model MODEL_NAME --dataset_key aime",
            "http://localhost:8000/v1/chat/completions",
        ),
        (
            r#"chat --model distill-llama-8b --dataset_key aime --api_base http://localhost:8000/v1
               --batch_sizes 1,2,4,8 --num_runs 3 --max_tokens 100 --temperature 0.5
               --description "Deepseek R1 distill 8B TP8 A100s" --results_file my_server_benchmark.json"#,
            "http://localhost:8000/v1/chat/completions",
        ),
        (
            "embedding --model MODEL_NAME --sequence_lengths short,medium,long,mixed",
            "http://localhost:8000/v1/embeddings",
        ),
        (
            r#"embedding --model Qwen/Qwen3-Embedding-4B --sequence_lengths "200"
               --batch_sizes "1,8,16,32,64,128,256,512" --num_runs 3
               --description "Qwen3 4B Embedding TP1 A100" --results_file embedding_results.json"#,
            "http://localhost:8000/v1/embeddings",
        ),
    ] {
        let line = format!("{line} --dry-run");
        let ran = shell.run(&words(&line));
        assert_eq!(ran.code, Some(0), "{line}: {}", ran.stderr);
        assert!(ran.stdout.contains(server), "{line}: {}", ran.stdout);
    }
    let line = "gateway --label current --requests 500 --concurrency 100 --dry-run";
    let ran = shell.run(&words(line));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains("litellm"), "{}", ran.stdout);
}

/// The embedding benchmark's line, with the address alone another one.
#[test]
fn the_first_embedding_line_measures() {
    let (_server, url) = provider(MockConfig::default());
    let shell = Shell::new();
    let line = format!(
        r#"embedding --model Qwen/Qwen3-Embedding-4B --sequence_lengths "20" --batch_sizes "1,8"
           --num_runs 3 --description "Qwen3 4B Embedding TP1 A100" --api_base {url}
           --results_file embedding_results.json"#
    );
    let (_, results) = shell.measure(&line, "embedding_results.json");
    assert_eq!(results["metadata"]["model"], "Qwen/Qwen3-Embedding-4B");
    let plotted = shell.run(&["plot", "embedding_results.json", "embedding_plot.png"]);
    assert_eq!(plotted.code, Some(0), "{}", plotted.stderr);
}
