//! Servers that are started, measured and stopped.

use crate::gateway::free_port;
use crate::process::{Process, run, tokenomics, wait_until};
use crate::{counts, read_json};
use nix::sys::signal::Signal;
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::tempdir;

#[test]
fn a_server_is_launched_answers_and_is_stopped() {
    let folder = tempdir().unwrap();
    let port = free_port().to_string();
    let flags = [
        "launch",
        "tokenomics",
        "--model",
        "random:tiny",
        "--name",
        "tiny",
        "--port",
        &port,
    ];
    let mut launch = Process::start(tokenomics(folder.path(), &flags));
    let line = launch.wait_for_line("answers at");
    assert!(
        line.starts_with(&format!("tiny answers at http://127.0.0.1:{port}/v1")),
        "{line}"
    );
    launch.signal(Signal::SIGINT);
    let ended = launch.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(
        TcpStream::connect(format!("127.0.0.1:{port}")).is_err(),
        "it is gone"
    );
}

#[test]
fn a_server_for_embeddings_is_launched_measured_and_stopped() {
    let folder = tempdir().unwrap();
    let port = free_port();
    let line = format!("tokenomics --model random:tiny-bert --name tiny --port {port}");
    let flags = [
        "embedding",
        "--launch",
        &line,
        "--batch-sizes",
        "2",
        "--sequence-lengths",
        "5",
        "--num-runs",
        "2",
        "--results-file",
        "r.json",
    ];
    let ended = run(tokenomics(folder.path(), &flags));
    assert!(matches!(ended.code, Some(0 | 4)), "{ended:?}");
    let results = read_json(&folder.path().join("r.json"));
    assert_eq!(counts(&results, "batch_2_seq_5"), [4, 4, 4, 0, 0]);
    assert_eq!(results["metadata"]["model"], "tiny");
    assert!(
        TcpStream::connect(format!("127.0.0.1:{port}")).is_err(),
        "it is gone"
    );
}

#[test]
fn a_server_that_cannot_start_is_quoted() {
    let folder = tempdir().unwrap();
    let port = free_port().to_string();
    let flags = [
        "launch",
        "tokenomics",
        "--model",
        "no-such-model",
        "--port",
        &port,
        "--log",
        "x.log",
    ];
    let ended = run(tokenomics(folder.path(), &flags));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.stderr.contains("tokenomics ended with exit code 2"),
        "{ended:?}"
    );
    assert!(
        ended
            .stderr
            .contains("there is no file or folder no-such-model"),
        "{ended:?}"
    );
    assert!(folder.path().join("x.log").exists());
}

#[test]
fn a_server_that_is_stopped_while_it_starts_is_gone_before_we_are() {
    let folder = tempdir().unwrap();
    let port = free_port().to_string();
    for verb in ["launch", "chat"] {
        // It writes down who it is, and never listens.
        let command = "sh -c 'echo $$ > pid; exec sleep 600'";
        let server = format!("vllm --model m --port {port} --command \"{command}\"");
        let mut flags = vec![
            "launch",
            "vllm",
            "--model",
            "m",
            "--port",
            &port,
            "--command",
            command,
        ];
        if verb == "chat" {
            flags = vec!["chat", "--launch", &server];
        }
        let mut launch = Process::start(tokenomics(folder.path(), &flags));
        launch.wait_for_line("Starting");
        let pid = folder.path().join("pid");
        let child = wait_until("the child wrote its id", || {
            let text = std::fs::read_to_string(&pid).ok()?;
            text.ends_with('\n').then_some(text)
        });
        launch.signal(Signal::SIGINT);
        launch.wait_for_line("Stopping vllm");
        let ended = launch.end();
        assert_eq!(ended.code, Some(130), "{ended:?}");
        let left = format!("/proc/{}/comm", child.trim());
        let comm = std::fs::read_to_string(left).unwrap_or_default();
        assert_ne!(comm.trim(), "sleep", "it is gone");
        std::fs::remove_file(pid).unwrap();
    }
}

#[test]
fn fault_34_a_launched_server_does_not_outlive_us() {
    let folder = tempdir().unwrap();
    let port = free_port();
    let flags = [
        "launch",
        "tokenomics",
        "--model",
        "random:tiny",
        "--port",
        &port.to_string(),
    ];
    let mut launch = Process::start(tokenomics(folder.path(), &flags));
    launch.wait_for_line("answers at");
    launch.signal(Signal::SIGKILL);
    launch.end();
    wait_until("the server is gone", || {
        TcpStream::connect(("127.0.0.1", port))
            .is_err()
            .then_some(())
    });
}

/// A launched process that ignores every request to end, and `launch` after it was told to stop.
fn launch_what_ignores(folder: &Path) -> Process {
    let port = free_port().to_string();
    let command = "sh -c 'trap \"\" TERM INT HUP; echo $$ > pid; while :; do sleep 0.1; done'";
    let flags = [
        "launch",
        "vllm",
        "--model",
        "m",
        "--port",
        &port,
        "--command",
        command,
    ];
    let mut launch = Process::start(tokenomics(folder, &flags));
    launch.wait_for_line("Starting");
    wait_until("the child wrote its id", || {
        let text = std::fs::read_to_string(folder.join("pid")).ok()?;
        text.ends_with('\n').then_some(())
    });
    launch.signal(Signal::SIGINT);
    launch.wait_for_line("Stopping vllm");
    // It is asked to end by now, and has its twenty seconds.
    std::thread::sleep(Duration::from_millis(300));
    launch
}

/// Processes of that folder: a namespace has numbers of its own.
fn running_in(folder: &Path) -> usize {
    let folder = folder.canonicalize().unwrap();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let is_there = |entry: &std::fs::DirEntry| {
        std::fs::read_link(entry.path().join("cwd")).is_ok_and(|at| at == folder)
    };
    processes.filter(is_there).count()
}

#[test]
fn fault_59_who_is_killed_or_pressed_twice_leaves_no_child_with_the_rest_of_its_time() {
    for signal in [Signal::SIGKILL, Signal::SIGINT, Signal::SIGTERM] {
        let folder = tempdir().unwrap();
        let launch = launch_what_ignores(folder.path());
        assert!(running_in(folder.path()) > 1);
        launch.signal(signal);
        let ended = launch.end();
        let expected = (signal != Signal::SIGKILL).then_some(130);
        assert_eq!(ended.code, expected, "{ended:?}");
        let begun = Instant::now();
        wait_until("all of it is gone", || {
            (running_in(folder.path()) == 0).then_some(())
        });
        // A grace of twenty seconds would have fifteen left at least: what is told apart is no matter of a second.
        assert!(begun.elapsed() < Duration::from_secs(10), "{signal}");
    }
}

#[test]
fn chat_measures_what_it_launches_and_stops_it() {
    let folder = tempdir().unwrap();
    let port = free_port();
    let line = format!("tokenomics --model random:tiny --name tiny --port {port}");
    let flags = [
        "chat",
        "--launch",
        &line,
        "--batch-sizes",
        "2",
        "--num-runs",
        "2",
        "--max-tokens",
        "4",
        "--results-file",
        "r.json",
    ];
    let ended = run(tokenomics(folder.path(), &flags));
    assert!(matches!(ended.code, Some(0 | 4)), "{ended:?}");
    assert_eq!(
        counts(&read_json(&folder.path().join("r.json")), "2"),
        [4, 4, 4, 0, 0]
    );
    assert!(
        TcpStream::connect(("127.0.0.1", port)).is_err(),
        "it is gone"
    );
}

#[test]
fn what_launch_does_not_understand_is_named() {
    let folder = tempdir().unwrap();
    for (flags, words) in [
        (
            &["chat", "--launch", "vllm --modle x"][..],
            "unexpected argument '--modle'",
        ),
        (
            &["chat", "--launch", "vllm --model 'x"],
            "a quote that does not end",
        ),
        (
            &["launch", "llama-cpp", "--model", "x", "--tp", "2"],
            "llama-cpp cannot do --tp",
        ),
        (
            &["launch", "vllm", "--model", "x", "--lora", "y"],
            "--lora must be NAME=PATH",
        ),
    ] {
        let ended = run(tokenomics(folder.path(), flags));
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.stderr.contains(words), "{words}: {ended:?}");
    }
    let dry = [
        "launch",
        "vllm",
        "--model",
        "/m/llama-8b",
        "--tp",
        "2",
        "--dry-run",
        "--",
        "--max-model-len",
        "8192",
    ];
    let ended = run(tokenomics(folder.path(), &dry));
    assert_eq!(
        ended.stdout,
        "vllm serve /m/llama-8b --served-model-name llama-8b --tensor-parallel-size 2 --host 127.0.0.1 --port 8000 \
         --max-model-len 8192\n"
    );
}

#[test]
fn a_real_llama_cpp_is_launched_and_measured() {
    let python = std::env::var("TOKENOMICS_LLAMA_PYTHON").ok();
    let model = std::env::var("TOKENOMICS_SMOLLM2").ok();
    let (Some(python), Some(model)) = (python, model) else {
        eprintln!("not run: TOKENOMICS_LLAMA_PYTHON and TOKENOMICS_SMOLLM2 name no llama.cpp");
        return;
    };
    let folder = tempdir().unwrap();
    let port = free_port();
    let line = format!(
        "llama-cpp --command '{python} -m llama_cpp.server' --model '{model}' --name small --port {port}"
    );
    let flags = [
        "chat",
        "--launch",
        &line,
        "--batch-sizes",
        "1",
        "--num-runs",
        "2",
        "--max-tokens",
        "8",
        "--results-file",
        "r.json",
    ];
    let ended = run(tokenomics(folder.path(), &flags));
    assert!(matches!(ended.code, Some(0 | 4)), "{ended:?}");
    assert_eq!(
        counts(&read_json(&folder.path().join("r.json")), "1"),
        [2, 2, 2, 0, 0]
    );
}

/// This program, in the words of `--launch`.
const OWN: &str = env!("CARGO_BIN_EXE_tokenomics");

/// The flags of a measurement that is over soon, of what `servers` name.
fn small<'a>(servers: &[&'a str]) -> Vec<&'a str> {
    let rest = "--max-concurrency 2 --num-prompts 8 --num-runs 3 --max-tokens 3 --no-plot --results-file r.json";
    [&["chat"], servers, &rest.split(' ').collect::<Vec<_>>()].concat()
}

#[test]
fn what_was_measured_of_a_launched_server_that_died_is_kept() {
    let folder = tempdir().unwrap();
    let port = free_port();
    let command = format!("timeout --signal KILL 3 {OWN} serve");
    let line = format!("tokenomics --model random:tiny --port {port} --command \"{command}\"");
    let flags = [
        "chat",
        "--launch",
        &line,
        "--max-concurrency",
        "2",
        "--duration",
        "20",
        "--max-tokens",
        "3",
        "--no-plot",
        "--results-file",
        "r.json",
    ];
    let ended = run(tokenomics(folder.path(), &flags));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.stderr.contains("was ended by SIGKILL"),
        "{}",
        ended.stderr
    );
    let results = read_json(&folder.path().join("r.json"));
    let complete = results["results"]["2"]["reliability"]["complete"].as_u64();
    assert!(complete.is_some_and(|complete| complete > 0), "{results}");
    assert!(folder.path().join("r.records.parquet").exists());
}

/// Two servers of which the second does not start while the first runs.
fn only_alone(folder: &Path) -> [String; 2] {
    let port = free_port();
    let script = format!(
        "if (exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null; then echo 'no room' >&2; exit 1; fi\n\
         exec {OWN} serve \"$@\"\n"
    );
    std::fs::write(folder.join("alone.sh"), script).unwrap();
    let base = format!("tokenomics --model random:tiny --port {port}");
    let other = format!("launch:{base} --command \"bash alone.sh\"");
    [base, other]
}

#[test]
fn servers_of_which_one_does_not_start_beside_the_other_are_measured_one_after_the_other() {
    let folder = tempdir().unwrap();
    let [base, other] = only_alone(folder.path());
    let flags = small(&["--launch", &base, "--versus", &other]);
    let ended = run(tokenomics(folder.path(), &flags));
    assert!(matches!(ended.code, Some(0 | 3 | 4)), "{ended:?}");
    for said in ["no room", "it is tried alone", "one after the other"] {
        assert!(ended.stderr.contains(said), "{said}: {}", ended.stderr);
    }
    assert!(
        ended.stdout.contains("Measured one after the other"),
        "{}",
        ended.stdout
    );
    let answer = read_json(&folder.path().join("r.json"));
    assert_eq!(answer["order"], "one_after_the_other");
    for side in ["r-base.json", "r-new.json"] {
        let results = read_json(&folder.path().join(side));
        assert_eq!(results["metadata"]["num_runs"], 3, "{side}");
    }
}

#[test]
fn what_the_first_server_answered_is_kept_where_the_user_stops_before_the_second_answers() {
    let folder = tempdir().unwrap();
    let [base, other] = only_alone(folder.path());
    let flags = small(&["--launch", &base, "--versus", &other]);
    let mut versus = Process::start(tokenomics(folder.path(), &flags));
    versus.wait_for_line("has answered 3 blocks");
    versus.signal(Signal::SIGINT);
    let ended = versus.end();
    assert_eq!(ended.code, Some(130), "{ended:?}");
    assert!(
        ended.stderr.contains("nothing to compare"),
        "{}",
        ended.stderr
    );
    let kept = read_json(&folder.path().join("r-base.json"));
    assert_eq!(kept["metadata"]["num_runs"], 3);
    for missing in ["r.json", "r-new.json"] {
        assert!(!folder.path().join(missing).exists(), "{missing}");
    }
}

#[test]
fn a_third_server_that_never_starts_is_told_before_the_others_are_measured() {
    let folder = tempdir().unwrap();
    let [base, other] = only_alone(folder.path());
    let third = "launch:tokenomics --model no-such-model --port 0";
    let flags = small(&["--launch", &base, "--versus", &other, "--versus", third]);
    let ended = run(tokenomics(folder.path(), &flags));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("no-such-model"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("has answered"), "{}", ended.stderr);
}

#[test]
fn a_server_that_never_starts_is_told_before_the_others_are_measured() {
    let folder = tempdir().unwrap();
    let port = free_port();
    let base = format!("tokenomics --model random:tiny --port {port}");
    let other = format!("launch:tokenomics --model no-such-model --port {port}");
    let flags = small(&["--launch", &base, "--versus", &other]);
    let ended = run(tokenomics(folder.path(), &flags));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("no-such-model"), "{}", ended.stderr);
    for measured in ["Block 1", "has answered"] {
        assert!(!ended.stderr.contains(measured), "{}", ended.stderr);
    }
    assert!(!folder.path().join("r.json").exists());
}

#[test]
fn blocks_that_were_answered_before_the_user_stopped_are_compared() {
    let folder = tempdir().unwrap();
    let port = free_port();
    let base = format!("tokenomics --model random:tiny --port {port}");
    let other = format!("launch:{base}");
    let mut flags = small(&["--launch", &base, "--versus", &other]);
    flags.extend(["--num-runs", "1000"]);
    let mut versus = Process::start(tokenomics(folder.path(), &flags));
    versus.wait_for_line("Block 2 of 1000");
    versus.signal(Signal::SIGINT);
    let ended = versus.end();
    assert_eq!(ended.code, Some(130), "{ended:?}");
    let runs = |side: &str| {
        let results = read_json(&folder.path().join(side));
        results["metadata"]["num_runs"].as_u64().unwrap()
    };
    assert!(runs("r-base.json") >= 2, "{ended:?}");
    assert_eq!(runs("r-base.json"), runs("r-new.json"));
    assert!(read_json(&folder.path().join("r.json"))["judgement"].is_string());
}
