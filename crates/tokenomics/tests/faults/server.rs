//! Servers that are not there, or not for long; connections that there are not enough of.

use crate::process::{Process, run, tokenomics, tokenomics_after};
use crate::{Provider, counts, quick, read_json, wait_for_parts};
use nix::sys::signal::Signal;
use std::net::TcpListener;
use std::path::Path;
use tempfile::tempdir;

#[test]
fn fault_01_connection_refused_names_the_address() {
    let folder = tempdir().unwrap();
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("http://{free}/v1");
    let ended = run(tokenomics(folder.path(), &["chat", "--api-base", &url]));
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
    assert!(ended.stderr.contains(&free.to_string()), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("connection refused"),
        "{}",
        ended.stderr
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// `tokenomics mock` as a process of its own, and its URL.
pub(crate) fn mock_process(folder: &Path, more: &[&str]) -> (Process, String) {
    let mut arguments = vec!["mock", "--port", "0"];
    arguments.extend(more);
    let mut mock = Process::start(tokenomics(folder, &arguments));
    let line = mock.wait_for_line("http://");
    let url = line
        .split([' ', ';'])
        .find(|word| word.starts_with("http://"))
        .unwrap();
    (mock, url.to_owned())
}

#[test]
fn fault_02_a_server_killed_mid_run_loses_no_request_and_no_result() {
    let folder = tempdir().unwrap();
    let (mock, url) = mock_process(folder.path(), &["--ttft-ms", "10", "--itl-ms", "5"]);
    let measure = [
        "chat",
        "--api-base",
        &url,
        "--max-concurrency",
        "4",
        "--num-prompts",
        "2000",
        "--max-tokens",
        "20",
        "--warmup-runs",
        "0",
        "--results-file",
        "r.json",
    ];
    let chat = Process::start(tokenomics(folder.path(), &measure));
    wait_for_parts(&folder.path().join("r.records.parquet.parts"), 1);
    mock.signal(Signal::SIGKILL);
    let ended = chat.end();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let lost = "takes no connections any more; what was measured is kept";
    assert!(ended.stderr.contains(lost), "{}", ended.stderr);
    let [planned, issued, complete, failed, cancelled] =
        counts(&read_json(&folder.path().join("r.json")), "4");
    assert_eq!((planned, cancelled), (2000, 0));
    assert_eq!(complete + failed, issued);
    // It does not knock for ever at a door that nobody opens.
    assert!(failed < 100, "{failed}");
    assert!(
        complete > 0 && failed > 0,
        "{complete} complete, {failed} failed"
    );
    assert!(folder.path().join("r.records.parquet").exists());
}

#[test]
fn fault_02_a_server_killed_between_runs_loses_no_result() {
    let folder = tempdir().unwrap();
    let (mock, url) = mock_process(folder.path(), &["--ttft-ms", "2", "--itl-ms", "1"]);
    let measure = [
        "chat",
        "--api-base",
        &url,
        "--batch-sizes",
        "4",
        "--num-runs",
        "5000",
        "--max-tokens",
        "4",
        "--warmup-runs",
        "0",
        "--results-file",
        "r.json",
    ];
    let chat = Process::start(tokenomics(folder.path(), &measure));
    wait_for_parts(&folder.path().join("r.records.parquet.parts"), 3);
    mock.signal(Signal::SIGKILL);
    let ended = chat.end();
    assert!(ended.code.is_some_and(|code| code != 0), "{ended:?}");
    assert!(ended.stderr.contains("refused"), "{}", ended.stderr);
    let [_, issued, complete, failed, cancelled] =
        counts(&read_json(&folder.path().join("r.json")), "4");
    assert!(complete > 0, "nothing is kept of what was measured");
    assert_eq!(complete + failed + cancelled, issued);
    assert!(folder.path().join("r.records.parquet").exists());
}

#[test]
fn fault_27_too_few_file_descriptors_are_refused_before_the_run_with_the_number_needed() {
    let folder = tempdir().unwrap();
    let provider = Provider::start(quick());
    let url = provider.url();
    let measure = [
        "chat",
        "--api-base",
        &url,
        "--max-concurrency",
        "256",
        "--model",
        "mock",
    ];
    let ended = run(tokenomics_after("ulimit -n 100", folder.path(), &measure));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    for words in ["256 connections", "ulimit -n 320", "100"] {
        assert!(ended.stderr.contains(words), "{}", ended.stderr);
    }
    assert_eq!(provider.requests(), 0);
}

#[test]
fn fault_27_a_soft_limit_is_raised() {
    let folder = tempdir().unwrap();
    let provider = Provider::start(quick());
    let measure = [
        "chat",
        "--api-base",
        &provider.url(),
        "--max-concurrency",
        "128",
        "--num-prompts",
        "128",
        "--max-tokens",
        "4",
        "--warmup-runs",
        "0",
        "--results-file",
        "r.json",
    ];
    let ended = run(tokenomics_after(
        "ulimit -S -n 100",
        folder.path(),
        &measure,
    ));
    assert!(matches!(ended.code, Some(0 | 4)), "{ended:?}");
    let [_, issued, complete, ..] = counts(&read_json(&folder.path().join("r.json")), "128");
    assert_eq!((issued, complete), (128, 128));
}
