//! Thresholds and comparisons: what stops a pull request.

use crate::shell::{Shell, words};
use mock::{MockConfig, MockHandle};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// A provider of that time to the first token, and a tenth of it between tokens.
fn provider(ttft: Duration) -> (MockHandle, String) {
    let config = MockConfig {
        ttft: ttft.into(),
        itl: (ttft / 10).into(),
        ..MockConfig::default()
    };
    let server = mock::spawn(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), config, None).unwrap();
    let url = format!("http://{}/v1", server.addr());
    (server, url)
}

/// Measures a provider of that time to the first token.
fn measure(shell: &Shell, ttft: Duration, requests: u64, name: &str, further: &str) -> i32 {
    let (_server, url) = provider(ttft);
    let line = format!(
        "chat --api-base {url} --max-concurrency 4 --num-prompts {requests} --max-tokens 8 --no-plot \
         --output-format quiet --results-file {name} {further}"
    );
    shell.run(&words(&line)).code.expect("it ends by itself")
}

const FAST: Duration = Duration::from_millis(10);

#[test]
fn a_threshold_that_is_not_kept_is_exit_code_3() {
    let shell = Shell::new();
    let kept = "--assert ttft.p50<5s --assert 4:success>99%";
    let code = measure(&shell, FAST, 60, "kept.json", kept);
    assert!(matches!(code, 0 | 4), "{code}");
    let assertions = &shell.json("kept.json")["assertions"];
    assert_eq!(assertions[0]["passed"], true);
    assert_eq!(assertions[1]["passed"], true);
    let code = measure(&shell, FAST, 60, "missed.json", "--assert ttft.p50<1ms");
    assert!(matches!(code, 3 | 4), "{code}");
    assert_eq!(shell.json("missed.json")["assertions"][0]["passed"], false);
}

#[test]
fn records_are_held_against_thresholds_again() {
    let shell = Shell::new();
    measure(&shell, FAST, 60, "run.json", "");
    let ran = shell.run(&words("report run.json --assert ttft.p50<1ms"));
    assert!(
        matches!(ran.code, Some(3 | 4)),
        "{:?} {}",
        ran.code,
        ran.stderr
    );
    let first = ran
        .stdout
        .lines()
        .find(|line| line.contains("ttft.p50<1ms"));
    assert!(
        first.expect("a line of its own").contains('✗'),
        "{}",
        ran.stdout
    );
}

#[test]
fn a_threshold_that_is_none_is_refused_with_the_way_out() {
    let shell = Shell::new();
    let refused = |typed: &str| {
        let ran = shell.run(&[
            "chat",
            "--dry-run",
            "--max-concurrency",
            "4",
            "--assert",
            typed,
        ]);
        assert_eq!(ran.code, Some(2), "{typed}");
        ran.stderr
    };
    assert!(refused("ttft<3ms").contains("such as ttft.p99"));
    assert!(refused("ttft.p99").contains("write it like"));
    assert!(refused("8:ttft.p99<3ms").contains("there are 4"));
}

#[test]
fn a_slower_server_is_worse_and_a_measurement_is_no_worse_than_itself() {
    let shell = Shell::new();
    // A rate over runs has an interval on the busiest machine.
    measure(&shell, FAST, 60, "base.json", "--num-runs 4");
    measure(&shell, FAST * 4, 60, "new.json", "--num-runs 4");
    // A busy machine's measurement may be invalid, which is not what this is about.
    let compare = |line: &str| {
        let metrics = "--force --metrics requests_per_second --min-effect 10%";
        shell.run(&words(&format!("compare {line} {metrics}")))
    };
    let worse = compare("base.json new.records.parquet");
    assert_eq!(worse.code, Some(3), "{}{}", worse.stdout, worse.stderr);
    assert!(worse.stdout.contains("✗ worse"), "{}", worse.stdout);
    let itself = compare("base.json base.json --output-format json");
    assert_eq!(itself.code, Some(0), "{}", itself.stderr);
    let itself: serde_json::Value = serde_json::from_str(&itself.stdout).unwrap();
    assert_eq!(itself["points"][0]["metrics"][0]["ratio"], 1.0);
}

#[test]
fn what_cannot_be_compared_is_refused_with_why() {
    let shell = Shell::new();
    measure(&shell, FAST, 40, "base.json", "");
    measure(&shell, FAST, 40, "seeded.json", "--seed 7");
    measure(&shell, FAST, 41, "other.json", "");
    measure(&shell, FAST, 40, "bare.json", "--records none");
    let refused = |line: &str| {
        let ran = shell.run(&words(line));
        assert_eq!(ran.code, Some(2), "{line}: {}", ran.stderr);
        ran.stderr
    };
    let why = refused("compare base.json other.json");
    assert!(
        why.contains("the workloads differ: num_prompts is 40 and 41"),
        "{why}"
    );
    assert!(why.contains("--force"), "{why}");
    // Another seed draws requests of the same kind.
    let seeded = shell.run(&words("compare base.json seeded.json"));
    assert!(
        !seeded.stderr.contains("the workloads differ"),
        "{}",
        seeded.stderr
    );
    assert!(refused("compare base.json bare.json").contains("bare.records.parquet is not there"));
    assert!(refused("compare base.json nowhere.json").contains("nowhere.json"));
    assert!(refused("compare base.json base.json --min-effect 3").contains("write it like 3%"));
    assert!(refused("compare base.json base.json --metrics speed").contains("is not a metric"));
}

#[test]
fn a_server_slower_by_a_twentieth_is_found_with_as_many_requests_as_are_asked_for() {
    if std::env::var_os("RUN_SLOW_TESTS").is_none() {
        return;
    }
    let shell = Shell::new();
    let compare = |requests: u64| {
        measure(&shell, 4 * FAST, requests, "base.json", "");
        measure(&shell, 4 * FAST + FAST / 5, requests, "new.json", "");
        let line = "compare base.json new.json --force --metrics ttft.p50,tpot.p50,e2e.p50 \
                    --output-format json";
        let ran = shell.run(&words(line));
        serde_json::from_str::<serde_json::Value>(&ran.stdout).unwrap()
    };
    let first = compare(100);
    let found = match first["requests_needed"].as_u64() {
        Some(needed) => compare(needed.min(2_000)),
        None => first,
    };
    assert_eq!(found["judgement"], "worse", "{found}");
}
