//! Questions over measurements: the same ones of embeddings as of chats, and of several servers at once.

use crate::shell::{Shell, provider, words};
use mock::{MockConfig, MockHandle, Timing};
use serde_json::Value;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

fn with_ttft(ms: u64) -> (MockHandle, String) {
    let config = MockConfig {
        ttft: Timing::Constant(Duration::from_millis(ms)),
        ..MockConfig::default()
    };
    let server = mock::spawn(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), config, None).unwrap();
    let url = format!("http://{}/v1", server.addr());
    (server, url)
}

#[test]
fn embeddings_are_measured_until_they_are_precise() {
    let (_server, url) = provider(MockConfig::default());
    let shell = Shell::new();
    let line = format!(
        "embedding --api-base {url} --sequence-lengths 20 --max-concurrency 4 --num-prompts 16 --until e2e.p50:90% \
         --no-plot --results-file run.json"
    );
    let (_, results) = shell.measure(&line, "run.json");
    let reached = &results["precision"][0];
    assert_eq!(reached["precise"], true, "{reached}");
    assert!(reached["runs"].as_u64().unwrap() < 100, "{reached}");
}

#[test]
fn the_slower_of_two_servers_of_embeddings_is_found_by_turns() {
    let ((_base, base), (_new, new)) = (with_ttft(20), with_ttft(40));
    let shell = Shell::new();
    let line = format!(
        "embedding --api-base {base} --versus {new} --sequence-lengths 20 --max-concurrency 2 --num-prompts 8 \
         --num-runs 6 --min-effect 20% --output-format json --results-file both.json"
    );
    let ran = shell.run_alone(&words(&line));
    // Invalid where this machine was too busy to measure.
    assert!(matches!(ran.code, Some(3 | 4)), "{}", ran.stderr);
    let comparison: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(comparison["judgement"], "worse", "{comparison}");
    assert_eq!(comparison["order"], "by_turns");
    assert_eq!(comparison["new"], new);
    assert_eq!(
        comparison["points"][0]["point"], "concurrency_2_seq_20",
        "{comparison}"
    );
}

#[test]
fn the_capacity_of_a_server_of_embeddings_is_searched() {
    let config = MockConfig {
        ttft: Timing::Constant(Duration::from_millis(10)),
        slowdown: 0.5,
        ..MockConfig::default()
    };
    let (_server, url) = provider(config);
    let shell = Shell::new();
    let line = format!(
        "embedding --api-base {url} --sequence-lengths 20 --find-capacity --goodput e2e:30 --attain 80% \
         --resolution 50% --request-rate 40 --num-prompts 60 --warmup-runs 1 --results-file capacity.json"
    );
    let ran = shell.run_alone(&words(&line));
    assert!(matches!(ran.code, Some(0 | 4)), "{}", ran.stderr);
    let file = shell.json("capacity.json");
    assert!(file["probes"].as_array().unwrap().len() >= 3, "{file}");
    assert!(shell.path("capacity.png").exists());
}

#[test]
fn batches_of_texts_are_compared_with_as_many_requests_in_flight() {
    let (_server, url) = provider(MockConfig::default());
    let shell = Shell::new();
    let line = format!(
        "embedding --api-base {url} --sequence-lengths 20 --batch-sizes 4 --num-runs 3 --fixed-vs-continuous --no-plot \
         --results-file both.json"
    );
    let ran = shell.run_alone(&words(&line));
    assert!(matches!(ran.code, Some(0 | 4)), "{}", ran.stderr);
    let key = |file: &str, key: &str| shell.json(file)["results"][key].is_object();
    assert!(key("both-fixed.json", "batch_4_seq_20"));
    let continuous = shell.json("both-continuous.json");
    let points = continuous["results"].as_object().unwrap();
    assert!(points.keys().all(|key| key.starts_with("concurrency_")));
}

#[test]
fn several_servers_are_compared_with_the_first_on_one_workload() {
    let servers = [with_ttft(20), with_ttft(20), with_ttft(40)];
    let [base, same, slower] = servers.each_ref().map(|(_, url)| url.as_str());
    let shell = Shell::new();
    let line = format!(
        "chat --api-base {base} --versus {same} --versus {slower} --max-concurrency 2 --num-prompts 8 --num-runs 5 \
         --max-tokens 3 --min-effect 20% --results-file all.json"
    );
    let ran = shell.run_alone(&words(&line));
    assert!(matches!(ran.code, Some(3 | 4)), "{}", ran.stderr);
    let comparisons = shell.json("all.json")["comparisons"].clone();
    let slow = &comparisons[1];
    assert_eq!(
        (&slow["new"], &slow["judgement"]),
        (&slower.into(), &"worse".into())
    );
    // The intervals of both comparisons hold together.
    let intervals = |number: usize| comparisons[number]["intervals"].as_u64().unwrap();
    assert!(intervals(0) >= 6 && intervals(1) >= 6, "{comparisons}");
    for file in ["all-base.json", "all-new-1.json", "all-new-2.json"] {
        assert_eq!(shell.json(file)["metadata"]["num_runs"], 5, "{file}");
    }
    assert!(
        ran.stdout.contains("2 compared with base"),
        "{}",
        ran.stdout
    );
    assert!(ran.stderr.contains("by turns"), "{}", ran.stderr);
}

#[test]
fn servers_that_are_started_for_a_comparison_get_ports_of_their_own() {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let shell = Shell::new();
    let server = format!("tokenomics --model random:tiny --port {port}");
    let other = format!("launch:{server}");
    let line = [
        "chat",
        "--launch",
        &server,
        "--versus",
        &other,
        "--max-concurrency",
        "2",
        "--num-prompts",
        "8",
        "--num-runs",
        "3",
        "--max-tokens",
        "3",
        "--results-file",
        "both.json",
    ];
    let ran = shell.run_alone(&line);
    assert!(matches!(ran.code, Some(0 | 3 | 4)), "{}", ran.stderr);
    let file = shell.json("both.json");
    let base = format!("tokenomics at http://127.0.0.1:{port}/v1");
    assert_eq!(file["base"], base);
    let new = file["new"].as_str().unwrap();
    assert!(
        new.starts_with("tokenomics at http://127.0.0.1:") && new != base,
        "{new}"
    );
    assert_eq!(file["order"], "by_turns");
}
