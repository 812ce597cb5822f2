//! Rows 41 to 50 of the command line's bad inputs: exit code 2, and a sentence that names the value,
//! the limit and the way out.

use crate::shell::{Shell, provider, words};
use mock::MockConfig;
use trace::{RunHeader, SCHEMA_VERSION};

#[test]
fn bad_input_41_a_rate_that_is_not_above_0() {
    insta::assert_snapshot!(Shell::new().transcript([
        &["chat", "--request-rate", "0"][..],
        &["chat", "--request-rate", "-1"],
        &["chat", "--request-rate", "nan"],
        &["chat", "--request-rate", "inf"],
        &["chat", "--request-rate", "2,fast"],
        &["chat", "--request-rate", "2", "--burstiness", "0"],
    ]));
}

#[test]
fn bad_input_42_a_concurrency_of_0() {
    insta::assert_snapshot!(Shell::new().transcript([
        &["chat", "--max-concurrency", "0"][..],
        &["chat", "--batch_sizes", "1,0"],
        &["chat", "--batch_sizes", ""],
        &["chat", "--max-concurrency", "4294967296"],
        &["chat", "--max-concurrency", "1", "--num-prompts", "0"],
        &["chat", "--num_runs", "0"],
        &["chat", "--max_tokens", "0"],
    ]));
}

#[test]
fn bad_input_43_a_duration_of_0() {
    insta::assert_snapshot!(Shell::new().transcript([
        &["chat", "--max-concurrency", "1", "--duration", "0"][..],
        &["chat", "--max-concurrency", "1", "--duration", "-3"],
        &["chat", "--max-concurrency", "1", "--duration", "nan"],
        &["chat", "--duration", "5"],
        &["chat", "--timeout", "0"],
    ]));
}

#[test]
fn bad_input_44_not_a_url_or_the_wrong_scheme() {
    insta::assert_snapshot!(Shell::new().transcript([
        &["chat", "--api_base", "api.example.com/v1"][..],
        &["chat", "--api_base", "ftp://localhost:8000/v1"],
        &["chat", "--api_base", "http://"],
        &["chat", "--api_base", "not a url"],
        &["chat", "--api_base", "http://localhost:8000/v1#x"],
    ]));
}

#[test]
fn bad_input_44_a_password_in_a_url_is_not_shown() {
    for url in [
        "http://me:hunter2@host/v1",
        "http://host/v1?api_key=hunter2",
    ] {
        let ran = Shell::new().run(&["chat", "--api_base", url]);
        assert_eq!(ran.code, Some(2));
        assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
    }
}

#[test]
fn bad_input_45_a_data_set_that_is_missing_empty_or_without_the_column() {
    let shell = Shell::new();
    shell.write("empty.txt", "\n \n");
    shell.write("other.csv", "id,ask,answer\n1,What is 1 + 1?,2\n");
    shell.write("rows.json", r#"[{"prompt": "a"}, {"prompt": 7}]"#);
    shell.write("table.xlsx", "");
    insta::assert_snapshot!(shell.transcript([
        &["chat", "--dataset-path", "nowhere.csv"][..],
        &["chat", "--dataset-path", "empty.txt"],
        &["chat", "--dataset-path", "other.csv"],
        &[
            "chat",
            "--dataset-path",
            "other.csv",
            "--dataset-column",
            "Question"
        ],
        &["chat", "--dataset-path", "rows.json"],
        &["chat", "--dataset-path", "table.xlsx"],
    ]));
}

#[test]
fn bad_input_46_a_parquet_bomb() {
    let shell = Shell::new();
    shell.write("bomb.parquet", parquet_bomb());
    let ran = shell.run(&["report", "bomb.parquet"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
    // The memory that is left is the machine's.
    assert!(
        ran.stderr
            .starts_with("error: bomb.parquet: the file holds 1099511627776 "),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr
            .ends_with(" MiB are left for it; read it where there is more\n"),
        "{}",
        ran.stderr
    );
}

#[test]
fn bad_input_47_names_with_control_characters() {
    let shell = Shell::new();
    shell.write("nul.toml", "model = \"a\\u0000b\"");
    insta::assert_snapshot!(shell.transcript([
        &["chat", "--model", "a\x1b[2Jb"][..],
        &["chat", "--description", "two\nlines"],
        &["chat", "--config", "nul.toml"],
    ]));
}

#[test]
fn bad_input_48_a_key_with_a_newline_is_refused_and_never_shown() {
    let shell = Shell::new().set("OPENAI_API_KEY", "sk-hunter2\nx: y");
    shell.write("key", "sk-hunter2\nx: y\n");
    let (_server, url) = provider(MockConfig::default());
    for arguments in [
        &["chat", "--api-key", "sk-hunter2\nx: y"][..],
        &["chat", "--api-key-file", "key"],
        &["chat", "--api_base", &url],
    ] {
        let ran = shell.run(arguments);
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        assert_eq!(
            ran.stderr,
            "error: cannot send the header `authorization`: its value holds a line break or another \
             character that HTTP cannot carry\n"
        );
    }
}

#[test]
fn bad_input_49_a_header_with_a_line_break() {
    insta::assert_snapshot!(Shell::new().transcript([
        &["chat", "--header", "X-Team: a\r\nX-Evil: b"][..],
        &["chat", "--header", "X-Team\r\nX-Evil: b"],
        &["chat", "--header", "no colon"],
        &["chat", "--header", "Content-Length: 5"],
    ]));
}

#[test]
fn bad_input_52_what_http_cannot_carry_is_refused_before_it_is_only_shown() {
    let shell = Shell::new().set("OPENAI_API_KEY", "sk-hunter2\nx: y");
    let to = ["--api-base", "http://h:1/v1", "--model", "m", "--dry-run"];
    for verb in ["chat", "embedding"] {
        for flags in [&["--header", "X-Team: a\r\nX-Evil: b"][..], &[]] {
            let ran = shell.run(&[&[verb][..], &to, flags].concat());
            assert_eq!(ran.code, Some(2), "{verb} {flags:?}: {}", ran.stderr);
            assert!(
                ran.stderr.contains("cannot send the header"),
                "{}",
                ran.stderr
            );
            assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
        }
    }
}

#[test]
fn bad_input_53_numbers_that_no_machine_has_room_for_are_refused_with_their_limit() {
    let shell = Shell::new();
    let chat = "chat --api-base http://h:1/v1 --model m --dry-run";
    for (line, limit) in [
        (format!("{chat} --num-runs 4294967295"), "at most 10000"),
        (format!("{chat} --warmup-runs 4294967295"), "at most 10000"),
        (format!("{chat} -n 200"), "--num-prompts"),
        (
            "scheduler --num-requests 4294967295".to_owned(),
            "at most 10000000",
        ),
        (
            "serve --kv-cache-mib 1000000000".to_owned(),
            "at most 16777216",
        ),
        ("serve --kv-cache-mib 16000000".to_owned(), "of memory"),
        (
            "serve --max-num-batched-tokens 18446744073709551615".to_owned(),
            "at most 16777216",
        ),
        (
            "serve --max-queue 18446744073709551615 --max-num-seqs 1".to_owned(),
            "at most 1048576",
        ),
    ] {
        let ran = shell.run(&words(&line));
        assert_eq!(ran.code, Some(2), "{line}: {}", ran.stderr);
        assert!(ran.stderr.contains(limit), "{line}: {}", ran.stderr);
    }
}

#[test]
fn bad_input_50_a_corrupt_results_file() {
    let shell = Shell::new();
    shell.write("empty.json", "");
    shell.write(
        "cut.json",
        r#"{"metadata": {"model": "m"}, "results": {"1": {"#,
    );
    shell.write("other.json", r#"{"name": "package", "version": "1.0.0"}"#);
    shell.write(
        "later.json",
        r#"{"schema_version": 99, "metadata": {}, "results": {}}"#,
    );
    shell.write(
        "key.json",
        "{\"metadata\": {}, \"results\": {\"a\\u001bb\": {}}}",
    );
    shell.write("image.json", b"\x89PNG\r\n\x1a\n");
    insta::assert_snapshot!(shell.transcript([
        &["plot", "nowhere.json", "out.png"][..],
        &["plot", "empty.json", "out.png"],
        &["plot", "cut.json", "out.png"],
        &["plot", "other.json", "out.png"],
        &["plot", "later.json", "out.png"],
        &["plot", "key.json", "out.png"],
        &["plot", "image.json", "out.png"],
        &["report", "cut.json"],
        &["report", "image.json"],
        &["report", "."],
    ]));
    assert!(!shell.files().contains(&"out.png".to_owned()));
}

/// The records of one request, in a file whose footer claims that it holds a trillion.
fn parquet_bomb() -> Vec<u8> {
    let header = RunHeader {
        schema_version: SCHEMA_VERSION,
        invocation: 7,
        metadata: serde_json::Map::new(),
        points: Vec::new(),
        slo: None,
        classes: Vec::new(),
        asked: None,
        subject: None,
    };
    let file = store::encode_part(&header, &[], &[crate::records::record()]).unwrap();
    // At the end: the footer, its length in four bytes, and `PAR1`.
    let (rest, _) = file.split_last_chunk::<4>().unwrap();
    let (rest, length) = rest.split_last_chunk::<4>().unwrap();
    let length = usize::try_from(u32::from_le_bytes(*length)).unwrap();
    let (rows, footer) = rest.split_at(rest.len() - length);
    // In Thrift's compact protocol: a number, 1; then a list of one structure, the row groups.
    let claim = [0x16, 2, 0x19, 0x1c];
    let at = footer.windows(4).position(|bytes| bytes == claim).unwrap();
    // 2^40 as a zigzag varint: 41 zero bits, seven to a byte, and a one.
    let trillion = [0x16, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40, 0x19, 0x1c];
    let footer = [&footer[..at], &trillion, &footer[at + claim.len()..]].concat();
    let length = u32::try_from(footer.len()).unwrap().to_le_bytes();
    [rows, &footer, &length, b"PAR1"].concat()
}
