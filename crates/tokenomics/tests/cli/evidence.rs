//! Numbers with proof: certificates, precision, two servers by turns, and a capacity.

use crate::shell::{Shell, provider, words};
use mock::{MockConfig, MockHandle, Timing};
use serde_json::Value;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// A provider as it is asked for, and its base URL.
fn exactly(config: MockConfig) -> (MockHandle, String) {
    let server = mock::spawn(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), config, None).unwrap();
    let url = format!("http://{}/v1", server.addr());
    (server, url)
}

fn with_ttft(ms: u64) -> (MockHandle, String) {
    exactly(MockConfig {
        ttft: Timing::Constant(Duration::from_millis(ms)),
        itl: Timing::Constant(Duration::from_millis(2)),
        ..MockConfig::default()
    })
}

#[test]
fn a_certificate_compares_every_request_with_what_was_sent() {
    let shell = Shell::new();
    let ran = shell.run_alone(&words(
        "calibrate --streams 4 --ttft-ms 20 --gap-ms 5 --tokens 8 --output-format json",
    ));
    let certificate: Value = serde_json::from_str(&ran.stdout).expect(&ran.stderr);
    assert_eq!(certificate["requests"], 32);
    assert_eq!(certificate["lost"], 0);
    assert_eq!(certificate["gap"]["n"], 32 * 7);
    let truth = certificate["ttft"]["truth_p50"].as_f64().unwrap();
    assert!((19.0..40.0).contains(&truth), "{truth}");
    assert!(shell.files().is_empty(), "{:?}", shell.files());
}

#[test]
fn a_certified_run_keeps_its_certificate() {
    let (_server, url) = provider(MockConfig::default());
    let shell = Shell::new();
    let line = format!(
        "chat --api-base {url} --max-concurrency 2 --num-prompts 8 --max-tokens 5 --certify --no-plot --records none \
         --results-file run.json"
    );
    let ran = shell.run_alone(&words(&line));
    assert!(matches!(ran.code, Some(0 | 4)), "{}", ran.stderr);
    let certificate = &shell.json("run.json")["certificate"];
    assert_eq!(certificate["streams"], 2);
    assert_eq!(certificate["lost"], 0);
    assert!(
        ran.stdout.contains("compared with what was sent"),
        "{}",
        ran.stdout
    );
}

#[test]
fn a_run_goes_on_until_it_is_precise_and_says_where_it_is_not() {
    let (_server, url) = provider(MockConfig::default());
    let shell = Shell::new();
    let line = format!(
        "chat --api-base {url} --max-concurrency 4 --num-prompts 16 --max-tokens 3 --until e2e.p50:90% --no-plot \
         --results-file run.json"
    );
    let (_, results) = shell.measure(&line, "run.json");
    let reached = &results["precision"][0];
    assert_eq!(reached["precise"], true, "{reached}");
    assert!(reached["runs"].as_u64().unwrap() < 100, "{reached}");
    let never = format!("{line} --until ttft_from_due.p99:1% --duration 1");
    let (ran, results) = shell.measure(&never, "run.json");
    assert_eq!(results["precision"][1]["precise"], false);
    assert!(ran.stdout.contains("measure longer"), "{}", ran.stdout);
}

#[test]
fn the_slower_of_two_servers_is_found_by_turns() {
    let (_base, base) = with_ttft(20);
    let (_new, new) = with_ttft(40);
    let shell = Shell::new();
    let line = format!(
        "chat --api-base {base} --versus {new} --max-concurrency 2 --num-prompts 8 --num-runs 6 --max-tokens 3 \
         --min-effect 20% --output-format json --results-file both.json"
    );
    let ran = shell.run_alone(&words(&line));
    // Invalid where this machine was too busy to measure.
    assert!(
        matches!(ran.code, Some(3 | 4)),
        "{:?} {}",
        ran.code,
        ran.stderr
    );
    let comparison: Value = serde_json::from_str(&ran.stdout).unwrap();
    let ttft = &comparison["points"][0]["metrics"][0];
    assert_eq!(
        (&ttft["metric"], &ttft["judgement"]),
        (&"ttft.p50".into(), &"worse".into())
    );
    let runs = |file: &str| shell.json(file)["metadata"]["num_runs"].clone();
    assert_eq!(
        (runs("both-base.json"), runs("both-new.json")),
        (6.into(), 6.into())
    );
    // The files of the two sides are those of any measurement; few requests may not tell.
    let report = shell.run(&words(
        "compare both-base.json both-new.json --min-effect 20% --force",
    ));
    assert!(matches!(report.code, Some(0 | 3)), "{}", report.stderr);
}

#[test]
fn a_capacity_is_searched_and_told_with_its_interval() {
    // Each request beside makes gaps longer, so that answers miss their time from some rate on.
    let config = MockConfig {
        ttft: Timing::Constant(Duration::from_millis(10)),
        itl: Timing::Constant(Duration::from_millis(2)),
        tokens: 8,
        slowdown: 0.5,
        ..MockConfig::default()
    };
    let (_server, url) = exactly(config);
    let shell = Shell::new();
    let line = format!(
        "chat --api-base {url} --find-capacity --goodput e2e:60 --attain 80% --resolution 50% --request-rate 40 \
         --num-prompts 60 --max-tokens 8 --results-file capacity.json"
    );
    let ran = shell.run_alone(&words(&line));
    assert!(matches!(ran.code, Some(0 | 4)), "{}", ran.stderr);
    let file = shell.json("capacity.json");
    assert!(file["probes"].as_array().unwrap().len() >= 3, "{file}");
    assert!(ran.stdout.contains("apacity"), "{}", ran.stdout);
}

#[test]
fn a_measurement_is_exported_for_others_and_shown_on_the_page_of_a_job() {
    let (_server, url) = provider(MockConfig::default());
    let shell = Shell::new();
    let page = shell.path("page.md").display().to_string();
    let shell = shell.set("GITHUB_STEP_SUMMARY", page);
    let line = format!(
        "chat --api-base {url} --max-concurrency 1,2 --num-prompts 8 --max-tokens 5 --assert success>99% --no-plot \
         --export vllm,aiperf,github-benchmark,openmetrics,junit --results-file run.json"
    );
    shell.measure(&line, "run.json");
    let vllm = shell.json("run.2.vllm.json");
    assert_eq!(
        (&vllm["completed"], &vllm["total_output_tokens"]),
        (&8.into(), &40.into())
    );
    assert_eq!(vllm["ttfts"].as_array().unwrap().len(), 8);
    assert_eq!(vllm["itls"][0].as_array().unwrap().len(), 4);
    assert_eq!(shell.json("run.1.aiperf.json")["request_count"]["avg"], 8.0);
    assert!(shell.read("run.prom").ends_with("# EOF\n"));
    assert!(shell.read("run.junit.xml").contains("success&gt;99% at 2"));
    assert!(shell.read("page.md").starts_with("## "));
    let ran = shell.run(&words("report run.2.vllm.json"));
    assert!(ran.stdout.contains("vllm bench serve") && ran.stdout.contains("no records"));
    // The same from the records alone.
    let before = shell.read("run.2.vllm.json");
    std::fs::remove_file(shell.path("run.2.vllm.json")).unwrap();
    let ran = shell.run(&words("report run.records.parquet --export vllm"));
    assert!(matches!(ran.code, Some(0 | 4)), "{}", ran.stderr);
    assert_eq!(shell.read("run.2.vllm.json"), before);
}

#[test]
fn what_the_server_says_of_itself_stands_beside_the_numbers_and_in_the_records() {
    let (_server, url) = provider(MockConfig::default());
    let shell = Shell::new();
    let line = format!(
        "chat --api-base {url} --max-concurrency 2 --num-prompts 60 --max-tokens 5 --no-plot --results-file run.json"
    );
    let (ran, results) = shell.measure(&line, "run.json");
    let server = &results["results"]["2"]["server"];
    assert_eq!(server["generation_tokens"], 300.0, "{server}");
    assert!(server["samples"].as_u64().unwrap() >= 2, "{server}");
    assert!(ran.stdout.contains("waiting at most"), "{}", ran.stdout);
    let again = shell.run(&words("report run.records.parquet --output-format json"));
    let again: Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!(again["results"]["2"]["server"], *server);
    let unasked = format!("{line} --no-server-metrics");
    let (_, results) = shell.measure(&unasked, "run.json");
    assert!(results["results"]["2"]["server"].is_null());
}

#[test]
fn a_server_that_somebody_else_uses_is_named_in_the_verdict() {
    let (_server, url) = provider(MockConfig::default());
    let shell = Shell::new();
    let other = Shell::new();
    let asks = |rest: &str| {
        format!(
            "chat --api-base {url} --max-tokens 30 --no-plot --records none {rest} --results-file run.json"
        )
    };
    let (ours, theirs) = (
        asks("--max-concurrency 2 --num-prompts 40"),
        asks("--max-concurrency 8 --num-prompts 400 --warmup-runs 0"),
    );
    std::thread::scope(|scope| {
        let beside = scope.spawn(|| other.run(&words(&theirs)));
        std::thread::sleep(Duration::from_millis(300));
        let ran = shell.run_alone(&words(&ours));
        assert!(matches!(ran.code, Some(0 | 4)), "{}", ran.stderr);
        beside.join().unwrap();
    });
    let reasons = shell.json("run.json")["verdict"]["reasons"].clone();
    let codes: Vec<&str> = reasons
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|reason| reason["code"].as_str())
        .collect();
    assert!(codes.contains(&"server_shared"), "{reasons}");
}

#[test]
fn a_server_that_counts_words_as_tokens_is_named_by_the_tokenizer() {
    let (_server, url) = provider(MockConfig::default());
    let shell = Shell::new();
    let line = format!(
        "chat --api-base {url} --tokenizer random:tiny --max-concurrency 2 --num-prompts 16 --max-tokens 40 --no-plot \
         --results-file run.json"
    );
    let (_, results) = shell.measure(&line, "run.json");
    let counted = &results["results"]["2"]["tokens"]["recounted"];
    assert_eq!(counted["answers"], 16, "{counted}");
    assert_eq!(counted["by_server"], 16 * 40, "{counted}");
    assert!(
        counted["by_tokenizer"].as_u64().unwrap() > 16 * 50,
        "{counted}"
    );
    let reasons = results["verdict"]["reasons"].to_string();
    assert!(reasons.contains("output_counts_differ"), "{reasons}");
    // The records alone say it too.
    let again = shell.run(&words("report run.records.parquet --output-format json"));
    assert!(again.stdout.contains("output_counts_differ"));
}

#[test]
fn files_of_searches_and_comparisons_are_named_where_they_are_given_in_the_wrong_place() {
    let shell = Shell::new();
    shell.write(
        "search.json",
        r#"{"capacity": {}, "probes": [], "search": {}, "measured": []}"#,
    );
    shell.write("both.json", r#"{"judgement": "same", "points": []}"#);
    for (file, sentence) in [
        ("search.json", "only `tokenomics plot` reads"),
        ("both.json", "the file of a comparison"),
    ] {
        for line in [format!("report {file}"), format!("compare {file} {file}")] {
            let ran = shell.run(&words(&line));
            assert_eq!(ran.code, Some(2), "{line}: {}", ran.stderr);
            assert!(ran.stderr.contains(sentence), "{line}: {}", ran.stderr);
        }
    }
}

#[test]
fn records_become_a_figure_over_time_and_a_page_of_their_own() {
    let (_server, url) = provider(MockConfig::default());
    let shell = Shell::new();
    let line = format!(
        "chat --api-base {url} --max-concurrency 1,2 --num-prompts 8 --max-tokens 5 --records jsonl --results-file run.json"
    );
    shell.measure(&line, "run.json");
    let ran = shell.run(&words("plot run.records.jsonl over.svg"));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let figure = shell.read("over.svg");
    for text in ["Output tokens per second", "concurrency 2", "warm-up"] {
        assert!(figure.contains(text), "{text}");
    }
    let ran = shell.run(&words(
        "report run.records.jsonl --output-format html -o run.html",
    ));
    assert!(matches!(ran.code, Some(0 | 4)), "{}", ran.stderr);
    let page = shell.read("run.html");
    assert!(page.contains("Over time") && page.contains("Total throughput"));
    let ran = shell.run(&words("plot run.records.jsonl run.json both.svg"));
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("drawn alone"), "{}", ran.stderr);
}

#[test]
fn what_makes_no_sense_of_evidence_is_refused_with_the_way_out() {
    let shell = Shell::new();
    for (line, sentence) in [
        ("chat --until ttft.p99", "like ttft.p99:5%"),
        ("chat --until ttfx.p99:5%", "is not a metric"),
        ("chat --until ttft.p99:5% --num-runs 3", "--num-runs"),
        ("chat --find-capacity", "--goodput"),
        (
            "chat --find-capacity --goodput e2e:60 --request-rate 1,2",
            "begins at one rate",
        ),
        (
            "chat --find-capacity --goodput e2e:60 --request-rate 20 --rate-max 10",
            "--rate-max (10)",
        ),
        (
            "embedding --find-capacity --goodput e2e:60",
            "--sequence-lengths",
        ),
        (
            "embedding --goodput ttft:60",
            "vectors come whole; give e2e:MS",
        ),
        (
            "chat --api-base http://localhost:1/v1 --versus http://localhost:2/v1 --num-runs 2",
            "at least 3 blocks",
        ),
        ("calibrate --streams 0", "--streams"),
    ] {
        let ran = shell.run(&words(line));
        assert_eq!(ran.code, Some(2), "{line}: {}", ran.stderr);
        assert!(ran.stderr.contains(sentence), "{line}: {}", ran.stderr);
    }
}
