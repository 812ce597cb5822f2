//! Ctrl-C, and what is left when there was no time for it.

use crate::process::{Process, run, tokenomics, wait_until};
use crate::{Provider, counts, quick, read_json, reason_codes, wait_for_parts};
use mock::MockConfig;
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{Backlog, listen};
use nix::unistd::Pid;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tempfile::tempdir;

#[test]
fn fault_33_ctrl_c_keeps_what_was_measured_and_marks_it() {
    let folder = tempdir().unwrap();
    let provider = Provider::start(MockConfig {
        itl: Duration::from_millis(5).into(),
        ..quick()
    });
    let measure = [
        "chat",
        "--api-base",
        &provider.url(),
        "--max-concurrency",
        "4",
        "--num-prompts",
        "5000",
        "--max-tokens",
        "20",
        "--warmup-runs",
        "0",
        "--results-file",
        "r.json",
    ];
    let chat = Process::start(tokenomics(folder.path(), &measure));
    wait_for_parts(&folder.path().join("r.records.parquet.parts"), 1);
    chat.signal(Signal::SIGINT);
    let ended = chat.end();
    assert_eq!(ended.code, Some(130), "{ended:?}");
    assert!(ended.stderr.contains("Stopping"), "{}", ended.stderr);
    let results = read_json(&folder.path().join("r.json"));
    assert_partial(&results);
    assert_ne!(results["verdict"]["grade"], "valid");

    let again = ["report", "r.records.parquet", "--output-format", "json"];
    let again = run(tokenomics(folder.path(), &again));
    let again: Value = serde_json::from_str(&again.stdout).unwrap();
    assert_partial(&again);
    assert_eq!(counts(&again, "4"), counts(&results, "4"));
}

fn assert_partial(results: &Value) {
    assert!(
        reason_codes(results).contains(&"interrupted"),
        "{}",
        results["verdict"]
    );
    let [planned, issued, complete, failed, cancelled] = counts(results, "4");
    assert_eq!((planned, failed), (5000, 0));
    assert_eq!(complete + cancelled, issued);
    assert!(complete > 0 && cancelled > 0 && issued < planned);
}

#[test]
fn fault_33_ctrl_c_in_a_later_probe_of_a_search_keeps_what_the_earlier_ones_showed() {
    let folder = tempdir().unwrap();
    let provider = Provider::start(quick());
    let search = [
        "chat",
        "--api-base",
        &provider.url(),
        "--find-capacity",
        "--goodput",
        "e2e:5000",
        "--attain",
        "50%",
        "--request-rate",
        "40",
        "--num-prompts",
        "80",
        "--max-tokens",
        "2",
        "--results-file",
        "r.json",
    ];
    let mut chat = Process::start(tokenomics(folder.path(), &search));
    // One probe is over, and the next one under way.
    chat.wait_for_line("requests/s:");
    std::thread::sleep(Duration::from_millis(400));
    chat.signal(Signal::SIGINT);
    let ended = chat.end();
    assert_eq!(ended.code, Some(130), "{ended:?}");
    let results = read_json(&folder.path().join("r.json"));
    assert_eq!(results["capacity"]["end"], "interrupted", "{results}");
    assert!(!results["probes"].as_array().unwrap().is_empty());
}

#[test]
fn fault_33_a_second_ctrl_c_ends_at_once() {
    let folder = tempdir().unwrap();
    let provider = Provider::start(quick());
    let sizes: Vec<String> = (1..=40).map(|size: u32| size.to_string()).collect();
    let mut command = tokenomics(
        folder.path(),
        &["chat", "--api-base", &provider.url(), "--num-runs", "1"],
    );
    command.args(["--warmup-runs", "0", "--max-tokens", "1", "--no-plot"]);
    command.args(["--output-format", "json", "--batch-sizes", &sizes.join(",")]);
    // Nobody reads what it prints, which is more than a pipe holds: it cannot end by itself.
    let mut child = command.spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut wait_for_line = |words: &str| {
        assert!(
            said.by_ref().any(|line| line.unwrap().contains(words)),
            "{words}"
        );
    };
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    wait_for_line("batch size 40");
    kill(pid, Signal::SIGINT).unwrap();
    wait_for_line("again to end at once");
    // Two signals at once are one.
    std::thread::sleep(Duration::from_millis(300));
    kill(pid, Signal::SIGINT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn fault_33_one_ctrl_c_is_enough_while_connecting() {
    let folder = tempdir().unwrap();
    // Its queue is full, so that connecting hangs.
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    listen(&deaf, Backlog::new(0).unwrap()).unwrap();
    let _queued = TcpStream::connect(deaf.local_addr().unwrap()).unwrap();
    let url = format!("http://{}/v1", deaf.local_addr().unwrap());
    let measure = ["chat", "--api-base", &url, "--connect-timeout", "1000"];
    let chat = Process::start(tokenomics(folder.path(), &measure));
    chat.wait_for_interrupt_handler();
    chat.signal(Signal::SIGINT);
    assert_eq!(chat.end().code, Some(130));
}

#[test]
fn fault_33_one_ctrl_c_is_enough_while_the_server_is_asked_for_its_models() {
    let folder = tempdir().unwrap();
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", mute.local_addr().unwrap());
    let measure = ["chat", "--api-base", &url, "--connect-timeout", "1000"];
    let chat = Process::start(tokenomics(folder.path(), &measure));
    let _probe = mute.accept().unwrap();
    let _asking = mute.accept().unwrap();
    chat.wait_for_interrupt_handler();
    chat.signal(Signal::SIGINT);
    assert_eq!(chat.end().code, Some(130));
}

fn report(folder: &Path, records: &str) -> Value {
    let ended = run(tokenomics(
        folder,
        &["report", records, "--output-format", "json"],
    ));
    assert!(matches!(ended.code, Some(0 | 4)), "{ended:?}");
    serde_json::from_str(&ended.stdout).unwrap()
}

#[test]
fn fault_34_what_a_killed_run_had_written_can_be_read() {
    let folder = tempdir().unwrap();
    let provider = Provider::start(quick());
    let url = provider.url();
    let measure = [
        "chat",
        "--api-base",
        &url,
        "--batch-sizes",
        "2",
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
    let written = folder.path().join("r.records.parquet.parts");
    let seen = wait_for_parts(&written, 3);
    chat.signal(Signal::SIGKILL);
    assert_eq!(chat.end().code, None);
    assert!(!folder.path().join("r.json").exists());
    let results = report(folder.path(), "r.records.parquet.parts");
    let [_, issued, complete, ..] = counts(&results, "2");
    assert!(
        issued >= 2 * seen as u64 && complete == issued,
        "{complete} of {issued}, {seen} parts"
    );
}

#[test]
fn fault_34_lines_that_a_killed_run_had_written_can_be_read() {
    let folder = tempdir().unwrap();
    let provider = Provider::start(quick());
    let url = provider.url();
    let measure = [
        "chat",
        "--api-base",
        &url,
        "--batch-sizes",
        "2",
        "--num-runs",
        "5000",
        "--max-tokens",
        "4",
        "--warmup-runs",
        "0",
        "--results-file",
        "r.json",
        "--records",
        "jsonl",
    ];
    let chat = Process::start(tokenomics(folder.path(), &measure));
    let written = folder.path().join("r.records.jsonl.partial");
    wait_until("some runs are written", || {
        let text = std::fs::read_to_string(&written).unwrap_or_default();
        (text.lines().count() > 8).then_some(())
    });
    chat.signal(Signal::SIGKILL);
    assert_eq!(chat.end().code, None);
    let [_, issued, complete, ..] = counts(&report(folder.path(), "r.records.jsonl.partial"), "2");
    assert!(issued >= 4 && complete == issued, "{complete} of {issued}");
}

#[test]
fn fault_58_a_second_signal_leaves_what_was_measured_to_be_read() {
    for (format, unfinished) in [
        ("jsonl", "r.records.jsonl.partial"),
        ("parquet", "r.records.parquet.parts"),
    ] {
        for (first, second) in [
            (Signal::SIGINT, Signal::SIGINT),
            (Signal::SIGTERM, Signal::SIGHUP),
        ] {
            let folder = tempdir().unwrap();
            let provider = Provider::start(quick());
            let url = provider.url();
            let mut measure = vec!["chat", "--api-base", &url, "--model", "mock", "--no-plot"];
            measure.extend("--max-concurrency 2 --num-prompts 100000 --max-tokens 4".split(' '));
            measure.extend("--warmup-runs 0 --results-file r.json --records".split(' '));
            measure.push(format);
            // Nobody reads the pipe that the whole records go to: the first signal does not end it.
            let whole = Command::new("mkfifo")
                .arg(folder.path().join(format!("r.records.{format}")))
                .status();
            assert!(whole.unwrap().success());
            let mut chat = Process::start(tokenomics(folder.path(), &measure));
            let place = folder.path().join(unfinished);
            wait_until("something is written", || {
                let lines = std::fs::read_to_string(&place).map_or(0, |text| text.lines().count());
                let parts = place.read_dir().map_or(0, Iterator::count);
                (lines > 2 || parts > 0).then_some(())
            });
            chat.signal(first);
            chat.wait_for_line("again to end at once");
            // Two signals at once are one.
            std::thread::sleep(Duration::from_millis(205));
            chat.signal(second);
            assert_eq!(chat.end().code, Some(130));
            assert!(!folder.path().join("r.json").exists());
            let [_, _, complete, ..] = counts(&report(folder.path(), unfinished), "2");
            assert!(complete > 0, "{format}");
        }
    }
}
