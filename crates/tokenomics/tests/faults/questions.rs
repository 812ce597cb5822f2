//! Servers that are lost while a question is asked of them, and files that are in the way of its answer.

use crate::gateway::free_port;
use crate::process::{Process, run, tokenomics};
use crate::read_json;
use nix::sys::signal::Signal;
use std::path::Path;
use tempfile::tempdir;

/// A mock that can be killed, and its URL.
fn server(folder: &Path) -> (Process, String) {
    let port = free_port().to_string();
    let flags = ["mock", "--port", &port, "--ttft-ms", "5", "--itl-ms", "1"];
    let mut server = Process::start(tokenomics(folder, &flags));
    server.wait_for_line("Mock provider at");
    (server, format!("http://127.0.0.1:{port}/v1"))
}

#[test]
fn blocks_that_both_answered_before_one_was_lost_are_compared() {
    let folder = tempdir().unwrap();
    let [(_base, base), (other, other_url)] = [server(folder.path()), server(folder.path())];
    let line = format!(
        "chat --api-base {base} --versus {other_url} --max-concurrency 2 --num-prompts 8 --num-runs 1000 --max-tokens 3 \
         --results-file r.json"
    );
    let flags: Vec<&str> = line.split_whitespace().collect();
    let mut versus = Process::start(tokenomics(folder.path(), &flags));
    versus.wait_for_line("Block 2 of 1000");
    other.signal(Signal::SIGKILL);
    let ended = versus.end();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains(&other_url), "{}", ended.stderr);
    let runs = |side: &str| {
        let results = read_json(&folder.path().join(side));
        results["metadata"]["num_runs"].as_u64().unwrap()
    };
    assert!(runs("r-base.json") >= 2, "{ended:?}");
    assert_eq!(runs("r-base.json"), runs("r-new.json"));
    assert!(read_json(&folder.path().join("r.json"))["judgement"].is_string());
}

#[test]
fn rates_that_were_measured_before_the_server_was_lost_are_told() {
    let folder = tempdir().unwrap();
    let (server, url) = server(folder.path());
    let line = format!(
        "chat --api-base {url} --find-capacity --goodput ttft:1000 --attain 80% --request-rate 20 --num-prompts 30 \
         --max-tokens 3 --results-file r.json"
    );
    let flags: Vec<&str> = line.split_whitespace().collect();
    let mut search = Process::start(tokenomics(folder.path(), &flags));
    search.wait_for_line("20.0 requests/s:");
    server.signal(Signal::SIGKILL);
    let ended = search.end();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("Written: r.json"), "{ended:?}");
    let answer = read_json(&folder.path().join("r.json"));
    assert!(!answer["probes"].as_array().unwrap().is_empty(), "{answer}");
}

#[test]
fn what_is_in_the_way_of_a_part_of_the_answer_is_said_before_the_first_request() {
    let folder = tempdir().unwrap();
    std::fs::create_dir(folder.path().join("r-new.json")).unwrap();
    let line = "chat --api-base http://127.0.0.1:9/v1 --versus http://127.0.0.1:9/v1 --max-concurrency 2 --results-file";
    for (file, named) in [("r.json", "r-new.json"), ("/dev/stdout", "/dev/stdout")] {
        let mut flags: Vec<&str> = line.split(' ').collect();
        flags.push(file);
        let ended = run(tokenomics(folder.path(), &flags));
        assert!(matches!(ended.code, Some(1 | 2)), "{ended:?}");
        assert!(ended.stderr.contains(named), "{}", ended.stderr);
        assert!(!ended.stderr.contains("127.0.0.1:9"), "{}", ended.stderr);
    }
}
