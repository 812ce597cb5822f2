//! Data sets and traces that somebody made to do harm: each is refused with a short sentence, or read.
#![allow(
    clippy::too_many_lines,
    clippy::needless_pass_by_value,
    reason = "tables of cases, and values made on the spot"
)]

use workload::{DatasetReader, Format, TraceReader, parse_dataset, parse_rows};

/// What every way of reading says; the longest of its words.
fn read_in_every_way(bytes: &[u8]) -> (bool, usize) {
    let mut errors = Vec::new();
    let mut taken = false;
    for format in [Format::Text, Format::Csv, Format::Json, Format::JsonLines] {
        let rows = parse_rows(bytes, format, None).map(drop);
        let set = parse_dataset(bytes, format, &DatasetReader::Detect).map(drop);
        taken |= format != Format::Text && (rows.is_ok() || set.is_ok());
        errors.extend(
            [rows.err(), set.err()]
                .into_iter()
                .flatten()
                .map(|error| error.to_string()),
        );
    }
    let trace = TraceReader::default().read(bytes).map(drop);
    taken |= trace.is_ok();
    errors.extend(trace.err().map(|error| error.to_string()));
    for error in &errors {
        assert!(
            error.contains(' ') && !error.contains("panicked"),
            "{error}"
        );
    }
    (taken, errors.iter().map(String::len).max().unwrap_or(0))
}

#[test]
fn bad_input_64_data_sets_and_traces_that_are_made_to_do_harm_are_refused_in_a_short_sentence() {
    let many = |text: &str, times: usize| text.repeat(times);
    let megabyte = 1 << 20;
    let keys: Vec<String> = (0..50_000).map(|id| format!("\"k{id}\":0")).collect();
    let cases = [
        ("deep lists", many("[", megabyte)),
        ("deep objects", many("{\"a\":", megabyte)),
        (
            "deep in a prompt",
            format!("[{{\"prompt\":{}", many("[", megabyte)),
        ),
        (
            "deep on a line",
            format!("{{\"prompt\":{}\n{{}}\n", many("{\"a\":", megabyte)),
        ),
        (
            "a number without end",
            format!("[{{\"prompt\":{}}}]", many("9", megabyte)),
        ),
        (
            "an exponent without end",
            "[{\"prompt\":1e999999999}]".to_owned(),
        ),
        (
            "fifty thousand columns of JSON",
            format!("[{{{}}}]", keys.join(",")),
        ),
        (
            "a million columns of a table",
            format!("{}\n{}\n", many("a,", megabyte), many("1,", megabyte)),
        ),
        (
            "a name of ten megabytes",
            format!("[{{\"{}\":0}}]", many("x", 10 * megabyte)),
        ),
        (
            "a prompt of ten megabytes",
            format!("[{{\"prompt\":\"{}\"}}]", many("x", 10 * megabyte)),
        ),
        ("a line of ten megabytes", many("{", 10 * megabyte)),
        (
            "a quote that never ends",
            format!("prompt\n\"{}", many("x,", 10 * megabyte)),
        ),
        ("half a surrogate", "[{\"prompt\":\"\\ud800\"}]".to_owned()),
        (
            "turns that say nothing",
            format!("[{{\"conversations\":[{}0]}}]", many("0,", megabyte)),
        ),
        (
            "nothing in many lists",
            format!("[{}[]]", many("[],", megabyte)),
        ),
    ];
    for (name, text) in cases {
        let (taken, longest) = read_in_every_way(text.as_bytes());
        assert!(!taken, "{name}");
        assert!(longest < 3_000, "{name}: an error of {longest} bytes");
    }
}

#[test]
fn bad_input_64_a_trace_asks_for_no_more_tokens_than_a_flag_may() {
    let row = |input: &str, output: &str| {
        format!(
            "{{\"timestamp\":0,\"input_length\":{input},\"output_length\":{output},\"hash_ids\":[0]}}\n"
        )
    };
    let read = |rows: &str| {
        TraceReader::default()
            .read(rows.as_bytes())
            .map_err(|error| error.to_string())
    };
    let good = row("10", "10");
    for (input, output) in [
        ("4294967295", "1"),
        ("10000001", "1"),
        ("1", "1e18"),
        ("1e300", "1"),
        ("-1", "1"),
        ("1", "0.5"),
    ] {
        let error = read(&format!("{good}{}", row(input, output))).unwrap_err();
        assert!(
            error.contains("from 0 to 10000000"),
            "{input} and {output}: {error}"
        );
    }
    let (trace, ..) = read(&format!("{good}{}", row("10000000", "10000000"))).unwrap();
    assert_eq!(trace.rows.len(), 2);
    let blocks = format!(
        "{{\"timestamp\":0,\"input_length\":512,\"output_length\":1,\"hash_ids\":[{}0]}}\n",
        "0,".repeat(1 << 20)
    );
    let error = read(&format!("{good}{blocks}")).unwrap_err();
    assert!(error.contains("1048577"), "{error}");
}
