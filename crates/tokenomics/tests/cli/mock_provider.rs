//! What the mock refuses before it serves, and that a scenario reaches it.

use crate::shell::Shell;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

#[test]
fn files_and_keys_that_are_none_are_refused_with_the_way_out() {
    let shell = Shell::new();
    shell.write(
        "timings.jsonl",
        "{\"ttft_ms\":1,\"gaps_ms\":[]}\n{\"ttft_ms\":-1,\"gaps_ms\":[]}\n",
    );
    shell.write("empty.jsonl", "");
    shell.write("unknown.toml", "tokens_per_events = 1\n");
    shell.write("fixed.toml", "[[phase]]\nfrom_s = 1\nport = 8001\n");
    shell.write(
        "wrong.toml",
        "[[phase]]\nfrom_s = 2.5\nttft_ms = \"fast\"\n",
    );
    shell.write("type.toml", "[[phase]]\nfrom_s = 3\ntokens = \"many\"\n");
    insta::assert_snapshot!(shell.transcript([
        &["mock", "--replay-timings", "nowhere.jsonl"][..],
        &["mock", "--replay-timings", "timings.jsonl"],
        &["mock", "--replay-timings", "empty.jsonl"],
        &["mock", "--tool-calls", "1.5"],
        &["mock", "--embedding-dimensions", "0"],
        &["mock", "--fault-key", "sk-secret"],
        &["mock", "--fault-key", "sk-secret=explode"],
        &["mock", "--scenario", "nowhere.toml"],
        &["mock", "--scenario", "unknown.toml"],
        &["mock", "--scenario", "fixed.toml"],
        &["mock", "--scenario", "wrong.toml"],
        &["mock", "--scenario", "type.toml"],
    ]));
}

/// A mock that is killed when this is dropped.
struct Mock(Child);

impl Drop for Mock {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _status = self.0.wait();
    }
}

fn ask(address: &str, key: &str) -> String {
    let mut socket = TcpStream::connect(address).unwrap();
    let body = r#"{"prompt":"a b"}"#;
    let length = body.len();
    write!(
        socket,
        "POST /v1/completions HTTP/1.1\r\nhost: mock\r\nauthorization: Bearer {key}\r\n\
         connection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_scenario_sets_the_flags_its_phases_change_them_and_what_is_typed_wins() {
    let shell = Shell::new();
    shell.write(
        "bad-day.toml",
        "port = 1\nttft_ms = 0\nitl-ms = 0\ntokens = 3\nmodel = \"m\"\n\
         fault_key = [\"sk-limited=status:429:7\"]\n\
         [[phase]]\nfrom_s = 0\ntokens = 5\nmodel = \"n\"\n",
    );
    let mut child = Command::new(env!("CARGO_BIN_EXE_tokenomics"))
        .args([
            "mock",
            "--scenario",
            "bad-day.toml",
            "--port=0",
            "--model=typed",
        ])
        .current_dir(shell.path("."))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let _mock = Mock(child);
    let line = lines.next().unwrap().unwrap();
    let address = line.split("http://").nth(1).unwrap();
    let address = address.split('/').next().unwrap();
    let answer = ask(address, "sk-any");
    assert_eq!(answer.matches(" the").count(), 5, "{answer}");
    assert!(answer.contains(r#""model":"typed""#), "{answer}");
    let limited = ask(address, "sk-limited");
    assert!(limited.contains("retry-after: 7"), "{limited}");
}
