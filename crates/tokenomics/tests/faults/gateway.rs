//! `gateway` and its child: whoever ends, and however, nobody is left behind, and the reason is said.

use crate::process::{Process, run, tokenomics, wait_until};
use crate::{quick, read_json};
use mock::MockConfig;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::{TempDir, tempdir};
use testkit::{Relay, RelayOptions};

/// Small, and on ports that nobody else has.
const SMALL: [&str; 20] = [
    "gateway",
    "--starts",
    "2",
    "--provider-port",
    "0",
    "--requests",
    "20",
    "--concurrency",
    "4",
    "--warmup",
    "4",
    "--stream-requests",
    "4",
    "--stream-concurrency",
    "2",
    "--stream-warmup",
    "1",
    "--output-json",
    "r.json",
    "--added-seconds",
];

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// `gateway` over a child that a shell starts; `$PORT` is where it should listen, `$TOKENOMICS` this program.
fn gateway(folder: &TempDir, port: u16, script: &str, more: &[&str]) -> std::process::Command {
    let port = port.to_string();
    let mut command = tokenomics(folder.path(), &SMALL);
    command
        .args([
            "0.2",
            "--gateway",
            "custom",
            "--proxy-port",
            &port,
            "--proxy-command",
        ])
        .arg(format!("sh -c \"{script}\""))
        .args(more)
        .env(MARK, folder.path())
        .env("PORT", &port)
        .env("TOKENOMICS", env!("CARGO_BIN_EXE_tokenomics"));
    command
}

/// A child that answers, and a grandchild.
const ANSWERS: &str = "sleep 1000 & $TOKENOMICS mock --port $PORT";

/// Whoever has this in its environment comes from us: the numbers that a child knows are those of its own namespace.
const MARK: &str = "TOKENOMICS_TEST_FOLDER";

/// Processes that come from the test of that folder. One that has ended and is not waited for has no environment.
fn alive(folder: &Path) -> Vec<u32> {
    let mark = format!("{MARK}={}", folder.display());
    let is_marked = |process: &u32| {
        let environment = fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
        let mut words = environment.split(|&byte| byte == 0);
        words.any(|word| word == mark.as_bytes())
    };
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let processes = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    processes.filter(is_marked).collect()
}

fn assert_all_dead(folder: &Path) {
    let begun = Instant::now();
    wait_until("everybody is gone", || {
        alive(folder).is_empty().then_some(())
    });
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_gateway_is_measured_and_nobody_is_left() {
    let folder = tempdir().unwrap();
    let ended = run(gateway(&folder, free_port(), ANSWERS, &[]));
    assert!(matches!(ended.code, Some(0 | 4)), "{ended:?}");
    for line in [
        "Proxy non-stream p50: ",
        "Markdown row:\n| current |",
        "=== Latency added by custom",
    ] {
        assert!(ended.stdout.contains(line), "{line}: {}", ended.stdout);
    }
    let results = read_json(&folder.path().join("r.json"));
    assert_eq!(results["proxy_non_streaming"]["requests"], 20);
    assert_eq!(results["proxy_streaming_full"]["failures"], 0);
    assert_eq!(
        results["added_ms"]["whole"]["turns"]
            .as_u64()
            .map(|turns| turns >= 28),
        Some(true)
    );
    assert_all_dead(folder.path());
}

#[test]
fn each_start_has_a_gateway_and_connections_of_its_own_and_is_one_value() {
    let folder = tempdir().unwrap();
    let script = "echo begun; exec $TOKENOMICS mock --port $PORT";
    let ended = run(gateway(&folder, free_port(), script, &["--starts", "3"]));
    assert!(matches!(ended.code, Some(0 | 4)), "{ended:?}");
    // Their log is one.
    let log = fs::read_to_string(folder.path().join("r.proxy.log")).unwrap();
    assert_eq!(log.matches("begun").count(), 3, "{log}");
    let results = read_json(&folder.path().join("r.json"));
    let starts = &results["starts"];
    assert_eq!(starts["count"], 3);
    assert_eq!(starts["new_gateway"], true);
    let each = starts["each"].as_array().unwrap();
    let values: Vec<f64> = each
        .iter()
        .map(|start| start["added_ms"].as_f64().unwrap())
        .collect();
    let mean = values.iter().sum::<f64>() / 3.0;
    let whole = &results["added_ms"]["whole"];
    let added = &whole["paired_median"];
    assert!((added["value"].as_f64().unwrap() - mean).abs() < 1e-9);
    // Student's t with two degrees of freedom, over the three values and nothing else.
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let reach = 4.302_652_7 * (squares / 2.0 / 3.0).sqrt();
    assert!((added["high"].as_f64().unwrap() - mean - reach).abs() < 1e-6);
    // What a client sees stands beside it, for each latency.
    let client = |of: &serde_json::Value| of["client"]["paired_median"]["value"].as_f64();
    assert!(client(whole).is_some());
    for latency in ["first_token", "each_event", "stream_end"] {
        let of = &results["added_ms"]["streams"][latency];
        assert!(client(of).is_some(), "{of}");
    }
    for start in each {
        let sleeps = &start["placement"]["sleeps_per_request"];
        for who in ["client", "mock", "gateway"] {
            assert!(start["placement"]["processors"][who].is_u64(), "{start}");
            assert!(sleeps[who].is_number(), "{start}");
        }
        // A stamp of the kernel comes before the read that returns it.
        let seen = start["client_direct_p50_ms"].as_f64().unwrap();
        assert!(seen > start["direct_p50_ms"].as_f64().unwrap(), "{start}");
    }
    for line in ["mean of 3 starts", "a client sees", "Markdown table:\n| |"] {
        assert!(ended.stdout.contains(line), "{line}: {}", ended.stdout);
    }
}

#[test]
fn a_gateway_that_starts_once_only_ends_the_measurement_with_its_reason_and_keeps_what_there_was() {
    let folder = tempdir().unwrap();
    let script = "[ -e once ] && { echo not again; exit 3; }; touch once; exec $TOKENOMICS mock --port $PORT";
    let ended = run(gateway(&folder, free_port(), script, &[]));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.stderr.contains("the gateway ended with exit code 3"),
        "{ended:?}"
    );
    assert!(ended.stderr.contains("not again"), "{ended:?}");
    let results = read_json(&folder.path().join("r.json"));
    assert_eq!(results["starts"]["count"], 1);
    assert!(results["added_ms"]["whole"]["paired_median"]["value"].is_f64());
}

#[test]
fn fault_38_a_stranger_on_the_port_is_not_measured() {
    let folder = tempdir().unwrap();
    let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = stranger.local_addr().unwrap().port();
    let ended = run(gateway(&folder, port, ANSWERS, &[]));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.stderr.contains(&format!("port {port} is taken by")),
        "{ended:?}"
    );
    assert_eq!(alive(folder.path()), [0; 0]);
}

#[test]
fn fault_38_a_stranger_who_comes_meanwhile_is_not_measured() {
    let folder = tempdir().unwrap();
    let port = free_port();
    let mut measuring = Process::start(gateway(&folder, port, "sleep 1000", &[]));
    measuring.wait_for_line("Starting");
    let _stranger = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).unwrap();
    let ended = measuring.end();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.stderr.contains(&format!("port {port} is taken by")),
        "{ended:?}"
    );
}

#[test]
fn fault_39_a_child_that_dies_at_its_start_is_noticed_and_its_log_shown() {
    let folder = tempdir().unwrap();
    let begun = Instant::now();
    let ended = run(gateway(
        &folder,
        free_port(),
        "echo no such key; exit 3",
        &[],
    ));
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "the start's time-out is 90 s"
    );
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.stderr.contains("the gateway ended with exit code 3"),
        "{ended:?}"
    );
    assert!(ended.stderr.contains("no such key"), "{ended:?}");
    let log = fs::read_to_string(folder.path().join("r.proxy.log")).unwrap();
    assert_eq!(log, "no such key\n");
}

#[test]
fn fault_39_a_child_that_dies_while_it_is_measured_ends_the_measurement() {
    let folder = tempdir().unwrap();
    let script = "$TOKENOMICS mock --port $PORT & mock=$!; \
                  while [ ! -e die ]; do sleep 0.01; done; kill -9 $mock; echo killed; exit 7";
    let mut measuring = Process::start(gateway(
        &folder,
        free_port(),
        script,
        &["--added-seconds", "1000"],
    ));
    measuring.wait_for_line("in turns");
    fs::write(folder.path().join("die"), "").unwrap();
    let ended = measuring.end();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended
            .stderr
            .contains("ended with exit code 7 while it was needed"),
        "{ended:?}"
    );
    assert!(ended.stderr.contains("killed"), "{ended:?}");
    // What was measured before is kept.
    let results = read_json(&folder.path().join("r.json"));
    assert_eq!(results["proxy_non_streaming"]["failures"], 0);
}

#[test]
fn fault_40_a_gateway_without_its_provider_fails_before_the_measurement_with_its_answer() {
    let folder = tempdir().unwrap();
    let script = "exec $TOKENOMICS mock --port $PORT --fault status:502";
    let ended = run(gateway(
        &folder,
        free_port(),
        script,
        &["--proxy-start-timeout", "1"],
    ));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("is not ready"), "{ended:?}");
    assert!(ended.stderr.contains("status 502"), "{ended:?}");
}

#[test]
fn a_program_that_is_not_there_is_named_at_once() {
    let folder = tempdir().unwrap();
    let mut command = tokenomics(
        folder.path(),
        &[
            "gateway",
            "--provider-port",
            "0",
            "--proxy-command",
            "no-such-litellm",
        ],
    );
    command.args(["--output-json", "r.json"]);
    let ended = run(command);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended
            .stderr
            .contains("there is no program `no-such-litellm`"),
        "{ended:?}"
    );
}

/// Measures for as long as it is let, until `how` ends it.
fn ended_by(how: Signal) -> (TempDir, crate::process::Ended) {
    ended_with(ANSWERS, how)
}

/// The same of another child.
fn ended_with(script: &str, how: Signal) -> (TempDir, crate::process::Ended) {
    let folder = tempdir().unwrap();
    let mut measuring = Process::start(gateway(
        &folder,
        free_port(),
        script,
        &["--added-seconds", "1000"],
    ));
    measuring.wait_for_line("in turns");
    assert_ne!(alive(folder.path()), [0; 0]);
    measuring.signal(how);
    let ended = measuring.end();
    assert_all_dead(folder.path());
    (folder, ended)
}

#[test]
fn fault_33_ctrl_c_ends_the_child_too_and_keeps_what_was_measured() {
    let (folder, ended) = ended_by(Signal::SIGINT);
    assert_eq!(ended.code, Some(130), "{ended:?}");
    let results = read_json(&folder.path().join("r.json"));
    assert_eq!(results["direct_non_streaming"]["requests"], 20);
}

#[test]
fn fault_33_ctrl_c_before_the_gateway_is_ready_leaves_nobody() {
    let folder = tempdir().unwrap();
    let script = "sleep 1000 & touch up; wait";
    let mut measuring = Process::start(gateway(&folder, free_port(), script, &[]));
    measuring.wait_for_line("Starting");
    wait_until("it is up", || {
        folder.path().join("up").exists().then_some(())
    });
    measuring.signal(Signal::SIGINT);
    assert_eq!(measuring.end().code, Some(130));
    assert_all_dead(folder.path());
}

#[test]
fn fault_34_a_child_does_not_outlive_us_though_we_are_killed() {
    let (_folder, ended) = ended_by(Signal::SIGKILL);
    assert_eq!(ended.code, None);
}

#[test]
fn fault_35_a_child_does_not_outlive_an_abort_of_ours() {
    let (_folder, ended) = ended_by(Signal::SIGABRT);
    assert_eq!(ended.code, None);
}

#[test]
fn fault_51_the_signals_of_supervisors_and_terminals_are_ctrl_c() {
    for how in [Signal::SIGTERM, Signal::SIGHUP] {
        let (folder, ended) = ended_by(how);
        assert_eq!(ended.code, Some(130), "{ended:?}");
        let results = read_json(&folder.path().join("r.json"));
        assert_eq!(results["direct_non_streaming"]["requests"], 20);
    }
}

/// They ignore `SIGTERM`, are stopped, have left the group, or are none for longer than a millisecond.
const STUBBORN: [&str; 4] = [
    "trap '' TERM HUP INT; while :; do sleep 1000; done & $TOKENOMICS mock --port $PORT",
    "sleep 1000 & kill -STOP $!; $TOKENOMICS mock --port $PORT",
    "setsid sleep 1000 & setsid sh -c 'sleep 1000 & sleep 1000' & $TOKENOMICS mock --port $PORT",
    "echo 'setsid sh ./anew & exit' > anew; setsid sh ./anew & $TOKENOMICS mock --port $PORT",
];

#[test]
fn fault_52_no_child_outlives_us_whatever_it_ignores_or_becomes() {
    for script in STUBBORN {
        for how in [Signal::SIGKILL, Signal::SIGINT] {
            ended_with(script, how);
        }
    }
}

/// Its child is one of ours, and so is what that started.
#[test]
fn fault_53_no_child_outlives_its_guard() {
    let folder = tempdir().unwrap();
    let mut measuring = Process::start(gateway(
        &folder,
        free_port(),
        ANSWERS,
        &["--added-seconds", "1000"],
    ));
    measuring.wait_for_line("in turns");
    let is_guard = |process: &u32| {
        let line = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
        line.split(|&byte| byte == 0).nth(1) == Some(b"guard")
    };
    let guards: Vec<u32> = alive(folder.path()).into_iter().filter(is_guard).collect();
    let outer = Pid::from_raw(i32::try_from(*guards.iter().min().unwrap()).unwrap());
    kill(outer, Signal::SIGKILL).unwrap();
    let ended = measuring.end();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_all_dead(folder.path());
}

#[test]
fn failures_through_the_gateway_make_it_invalid() {
    let folder = tempdir().unwrap();
    // Whole answers are right, streams are not.
    let script = "exec $TOKENOMICS mock --port $PORT --fault malformed:2";
    let ended = run(gateway(&folder, free_port(), script, &[]));
    assert_eq!(ended.code, Some(4), "{ended:?}");
    assert!(ended.stdout.contains("requests failed"), "{}", ended.stdout);
    let results = read_json(&folder.path().join("r.json"));
    assert_eq!(results["verdict"]["grade"], "invalid");
}

/// `gateway` on a relay that runs in this process.
fn through(options: RelayOptions, more: &[&str]) -> serde_json::Value {
    let provider = mock::spawn(
        "127.0.0.1:0".parse().unwrap(),
        MockConfig {
            tokens: 20,
            ..quick()
        },
        None,
    )
    .unwrap();
    let relay = Relay::bind("127.0.0.1:0".parse().unwrap(), provider.addr(), options).unwrap();
    let port = relay.addr().unwrap().port().to_string();
    std::thread::spawn(move || relay.serve());
    let folder = tempdir().unwrap();
    let mut command = tokenomics(folder.path(), &SMALL);
    command
        .args(["0.2", "--no-start-proxy", "--proxy-port", &port])
        .args(["--provider-url", &format!("http://{}", provider.addr())])
        .args(more);
    let ended = run(command);
    assert!(matches!(ended.code, Some(0 | 4)), "{ended:?}");
    read_json(&folder.path().join("r.json"))
}

#[test]
fn of_a_gateway_that_ran_already_only_the_client_is_new_in_each_start() {
    let results = through(RelayOptions::default(), &["--starts", "3"]);
    let starts = &results["starts"];
    assert_eq!(starts["count"], 3);
    assert_eq!(
        (&starts["new_gateway"], &starts["new_mock"]),
        (&false.into(), &false.into())
    );
    let placement = &starts["each"][0]["placement"];
    assert!(placement["processors"]["client"].is_u64(), "{placement}");
    assert!(placement["processors"]["gateway"].is_null(), "{placement}");
}

#[test]
fn a_gateway_that_buffers_streams_is_named() {
    let passes = through(RelayOptions::default(), &[]);
    assert_eq!(
        passes["streams"]["harm"],
        serde_json::json!([]),
        "{}",
        passes["streams"]
    );
    let buffers = through(
        RelayOptions {
            buffers: true,
            ..RelayOptions::default()
        },
        &[],
    );
    assert_eq!(
        buffers["streams"]["harm"],
        serde_json::json!(["buffered"]),
        "{}",
        buffers["streams"]
    );
}

#[test]
fn a_stall_shows_from_the_schedule_as_its_closed_form_says() {
    if !testkit::slow_tests() {
        return;
    }
    let stalls = RelayOptions {
        stall: Some((Duration::from_secs(1), Duration::from_millis(200))),
        ..RelayOptions::default()
    };
    let results = through(stalls, &["--rate", "200", "--rate-seconds", "16"]);
    // Who comes within 190 ms of a stall's end waits less than that: 1 % of all wait longer.
    let p99 = results["added_ms"]["at_rate"]["p99"]["value"]
        .as_f64()
        .unwrap();
    // A machine that is busy beside it blurs a tenth; from the issue instead of the schedule it would be near nothing.
    assert!((p99 - 190.0).abs() < 0.1 * 190.0, "{p99} ms");
}

/// Runs a preset on a gateway that is installed here.
fn real(name: &str, more: &[&str]) -> serde_json::Value {
    let folder = tempdir().unwrap();
    let mut command = tokenomics(folder.path(), &SMALL);
    let port = free_port().to_string();
    command
        .args(["1", "--gateway", name, "--proxy-port", &port])
        .args(more);
    let ended = run(command);
    assert!(matches!(ended.code, Some(0 | 4)), "{ended:?}");
    let log = fs::read_to_string(folder.path().join("r.proxy.log")).unwrap();
    assert!(!log.contains("Traceback"), "{log}");
    read_json(&folder.path().join("r.json"))
}

fn assert_adds(results: &serde_json::Value) {
    for side in ["proxy_non_streaming", "proxy_streaming_full"] {
        assert_eq!(results[side]["failures"], 0, "{results}");
    }
    assert_eq!(results["streams"]["harm"], serde_json::json!([]));
    let added = &results["added_ms"]["whole"];
    assert!(
        added["paired_median"]["value"].as_f64().unwrap() > 0.0,
        "{added}"
    );
}

#[test]
fn real_proxies_pass_everything_and_add_something() {
    if !testkit::slow_tests() {
        return;
    }
    for name in ["nginx", "haproxy"] {
        let there = std::process::Command::new(name).arg("-v").output();
        if there.is_err() {
            eprintln!("not run: {name} is not installed");
            continue;
        }
        assert_adds(&real(name, &[]));
    }
}

#[test]
fn a_real_litellm_is_measured_with_the_key_that_was_made_for_it() {
    let Some(program) = std::env::var("TOKENOMICS_LITELLM")
        .ok()
        .filter(|_| testkit::slow_tests())
    else {
        return;
    };
    let results = real("litellm", &["--proxy-command", &program]);
    assert_adds(&results);
    assert_eq!(results["added_ms"]["whole"]["told"], "adds");
    let overhead = &results["proxy_non_streaming"]["overhead_header_p50_ms"];
    assert!(overhead.as_f64().unwrap() > 0.0, "{overhead}");
}
