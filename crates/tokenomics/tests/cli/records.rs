//! `report`: the numbers of a saved run are the numbers of the run.

use crate::shell::{Shell, provider, words};
use mock::{Fault, MockConfig};
use std::str::FromStr;
use trace::{Nanos, Outcome, Record, RunId};

/// One answered request without events.
pub(crate) fn record() -> Record {
    Record {
        connected: Some(Nanos(1)),
        sent: Some(Nanos(2)),
        first_byte: Some(Nanos(3)),
        done: Nanos(4),
        done_read: Nanos(4),
        outcome: Outcome::Complete,
        status: Some(200),
        body_bytes: 1,
        ..Record::begun(RunId::default(), 0, Nanos(1))
    }
}

#[test]
fn report_recomputes_the_result_file_to_the_last_digit() {
    // Whole streams, several tokens to an event, and failures.
    for (fault, format) in [
        (None, "parquet"),
        (None, "jsonl"),
        (Some("ragged:4"), "parquet"),
        (Some("truncate:3"), "jsonl"),
    ] {
        let (_server, url) = provider(MockConfig {
            fault: fault.map(|fault| Fault::from_str(fault).unwrap()),
            ..MockConfig::default()
        });
        let shell = Shell::new();
        let command = format!(
            "chat --api_base {url} --batch_sizes 1,5 --num_runs 3 --max-tokens 8 \
             --goodput ttft:200 --records {format} --results_file run.json"
        );
        let ran = shell.run(&words(&command));
        let records = format!("run.records.{format}");
        let again = shell.run(&["report", &records, "--output-format", "json"]);
        assert_eq!(again.code, ran.code, "{}", again.stderr);
        assert_eq!(again.stdout, shell.read("run.json"), "{fault:?} {format}");
    }
}

#[test]
fn report_prints_what_the_run_printed_in_every_format() {
    let shell = Shell::new();
    let (_server, url) = provider(MockConfig::default());
    for format in ["text", "json", "csv", "markdown", "quiet"] {
        let command = format!(
            "chat --api-base {url} --max-concurrency 2 --num-prompts 6 --warmup-runs 0 \
             --max-tokens 3 --no-plot --results-file run.json --output-format {format}"
        );
        let (ran, _) = shell.measure(&command, "run.json");
        let again = shell.run(&["report", "run.records.parquet", "--output-format", format]);
        assert_eq!(again.stdout, ran.stdout, "{format}");
        assert_eq!(ran.stdout.is_empty(), format == "quiet");

        shell.run(&words(&format!(
            "report run.records.parquet --output-format {format} -o out"
        )));
        if format != "quiet" {
            assert_eq!(shell.read("out"), ran.stdout, "{format}");
        }
    }
    assert!(!shell.files().contains(&"run.png".to_owned()));
}

#[test]
fn a_cut_records_file_gives_what_it_has_and_says_so() {
    let shell = Shell::new();
    let (_server, url) = provider(MockConfig::default());
    let command = format!(
        "chat --api-base {url} --max-concurrency 1 --num-prompts 8 \
         --max-tokens 2 --records jsonl --results-file run.json"
    );
    shell.measure(&command, "run.json");
    let whole = shell.read("run.records.jsonl");
    let lines: Vec<&str> = whole.lines().collect();
    let kept = lines
        .iter()
        .position(|line| line.contains("\"warmup\":false"))
        .unwrap()
        + 3;
    let cut = lines[..kept].join("\n") + "\n" + &lines[kept][..lines[kept].len() / 2];
    shell.write("cut.jsonl", cut);
    let ran = shell.run(&["report", "cut.jsonl"]);
    // On a busy machine what was measured may be invalid, and the exit code says so.
    let invalid = ran.stdout.contains("✗ invalid");
    assert_eq!(
        ran.code,
        Some(if invalid { 4 } else { 0 }),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("cut off"), "{}", ran.stderr);
    assert!(ran.stdout.contains("left no account"), "{}", ran.stdout);
}
