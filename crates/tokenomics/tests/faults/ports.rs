//! A machine that runs out of local ports, in a network namespace of its own.

use crate::process::{run, tame};
use crate::{read_json, reason_codes};
use std::process::Command;
use tempfile::tempdir;
use testkit::slow_tests;

/// Sixteen local ports; ends with 77 where the system does not let it.
const FEW_PORTS: &str = "
    ip link set lo up && echo '40000 40015' > /proc/sys/net/ipv4/ip_local_port_range || exit 77
    $TOKENOMICS mock --port 8000 --ttft-ms 20 > mock.log 2>&1 &
    mock=$!
    trap 'kill $mock' EXIT
    until grep -q Mock mock.log; do sleep 0.01; done
    $TOKENOMICS chat --api-base http://127.0.0.1:8000/v1 --batch-sizes 40 --num-runs 2 --max-tokens 4 \
        --warmup-runs 0 --results-file r.json";

#[test]
fn fault_28_a_machine_without_local_ports_makes_the_run_invalid_and_is_named() {
    if !slow_tests() {
        return;
    }
    let folder = tempdir().unwrap();
    let mut command = Command::new("unshare");
    command
        .args(["--net", "--user", "--map-root-user", "sh", "-c", FEW_PORTS])
        .env("TOKENOMICS", env!("CARGO_BIN_EXE_tokenomics"));
    if Command::new("unshare").arg("--version").output().is_err() {
        eprintln!("not run: there is no unshare");
        return;
    }
    let ended = run(tame(command, folder.path()));
    if matches!(ended.code, Some(1 | 77)) && !folder.path().join("r.json").exists() {
        eprintln!(
            "not run: the system gives no network namespace: {}",
            ended.stderr
        );
        return;
    }
    assert_eq!(ended.code, Some(4), "{ended:?}");
    let results = read_json(&folder.path().join("r.json"));
    assert!(
        reason_codes(&results).contains(&"out_of_sockets"),
        "{}",
        results["verdict"]
    );
}
