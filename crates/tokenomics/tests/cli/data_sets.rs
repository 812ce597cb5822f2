//! Data sets by file, by a configuration and by the hub, as a server gets to see them.

use crate::hub::{COMMIT, hub};
use crate::listener::listener;
use crate::shell::{Shell, words};
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use serde_json::{Value, json};
use std::sync::Arc;

/// One text column of that name.
fn parquet_file(column: &str, texts: &[&str]) -> Vec<u8> {
    let schema = format!("message rows {{ required binary {column} (STRING); }}");
    let schema = Arc::new(parse_message_type(&schema).unwrap());
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, properties).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let texts: Vec<ByteArray> = texts.iter().map(|&text| ByteArray::from(text)).collect();
    let written = column.typed::<ByteArrayType>();
    written.write_batch(&texts, None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.into_inner().unwrap()
}

/// What the last message of each request says, of requests sent one after the other.
fn said(shell: &Shell, flags: &str) -> Vec<Value> {
    let (bodies, url) = listener();
    let line = format!(
        "chat --api-base {url} {flags} --no-stream --max-concurrency 1 --warmup-runs 0 --max-tokens 4 --no-plot \
         --records none --results-file run.json"
    );
    shell.measure(&line, "run.json");
    let bodies = bodies.all().into_iter();
    bodies
        .map(|body| body["messages"].as_array().unwrap().last().unwrap()["content"].clone())
        .collect()
}

#[test]
fn a_replayed_data_set_is_sent_row_by_row_and_from_the_first_again() {
    let shell = Shell::new();
    shell.write(
        "rows.jsonl",
        "{\"question\":\"a\",\"answer\":\"1\"}\n{\"question\":\"b\",\"answer\":\"2\"}\n",
    );
    let told = said(
        &shell,
        "--dataset-path rows.jsonl --replay-dataset --num-prompts 5",
    );
    assert_eq!(told, ["a", "b", "a", "b", "a"]);
}

#[test]
fn rows_of_parquet_files_are_prompts() {
    let shell = Shell::new();
    shell.write(
        "rows.parquet",
        parquet_file("question", &["How far?", "How old?"]),
    );
    let told = said(
        &shell,
        "--dataset-path rows.parquet --replay-dataset --num-prompts 2",
    );
    assert_eq!(told, ["How far?", "How old?"]);
    shell.write("odd.parquet", parquet_file("wording", &["How far?"]));
    let flags = "--dataset-path odd.parquet --dataset-column wording --num-prompts 1";
    assert_eq!(said(&shell, flags), ["How far?"]);
}

#[test]
fn conversations_of_share_gpt_give_their_first_question_and_those_without_an_answer_are_told() {
    let shell = Shell::new();
    let rows = json!([
        {"conversations": [{"from": "human", "value": "Hello?"}, {"from": "gpt", "value": "Yes."}]},
        {"conversations": [{"from": "gpt", "value": "Alone."}]},
    ]);
    shell.write("chats.json", rows.to_string());
    let told = said(&shell, "--dataset-path chats.json --num-prompts 2");
    assert_eq!(told, ["Hello?", "Hello?"]);
    let ran = shell.run(&words("chat --dataset-path chats.json --dry-run"));
    assert!(
        ran.stderr.contains("Left out of chats.json: 1 of 2 rows"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_rows_own_output_tokens_limit_its_answer_and_this_is_told() {
    let shell = Shell::new();
    shell.write(
        "custom.jsonl",
        "{\"prompt\": \"a\", \"output_tokens\": 17}\n{\"prompt\": \"b\", \"output_tokens\": -1}\n",
    );
    for column in ["", "--dataset-column prompt"] {
        let (bodies, url) = listener();
        let line = format!(
            "chat --api-base {url} --dataset-path custom.jsonl {column} --replay-dataset --no-stream --num-prompts 2 \
             --max-concurrency 1 --warmup-runs 0 --max-tokens 4 --no-plot --records none --results-file run.json"
        );
        let (ran, _) = shell.measure(&line, "run.json");
        let bodies = bodies.all().into_iter();
        let limits: Vec<Value> = bodies.map(|body| body["max_tokens"].clone()).collect();
        assert_eq!(limits, [17, 4]);
        let told = "Limits of custom.jsonl: 1 of 2 rows";
        assert!(ran.stderr.contains(told), "{}", ran.stderr);
    }
}

#[test]
fn messages_that_wait_for_an_answer_are_sent_with_what_was_said_before() {
    let shell = Shell::new();
    let messages = json!([
        {"role": "user", "content": "Q1"}, {"role": "assistant", "content": "A1"},
        {"role": "user", "content": "Q2"},
    ]);
    shell.write("chats.jsonl", json!({ "messages": messages }).to_string());
    let (bodies, url) = listener();
    let line = format!(
        "chat --api-base {url} --dataset-path chats.jsonl --no-stream --num-prompts 1 --max-concurrency 1 \
         --warmup-runs 0 --no-plot --records none --results-file run.json"
    );
    shell.measure(&line, "run.json");
    assert_eq!(bodies.all()[0]["messages"], messages);

    let flags =
        "chat --dataset-path chats.jsonl --dry-run --endpoint /completions --max-concurrency 1";
    let refused = shell.run(&words(flags));
    assert_eq!(refused.code, Some(2));
    assert!(
        refused.stderr.contains("takes no messages"),
        "{}",
        refused.stderr
    );
    let read = shell.run(&words(&format!("{flags} --turns dataset")));
    assert_eq!(read.code, Some(0), "{}", read.stderr);
}

#[test]
fn a_configuration_names_the_file_its_columns_and_its_images() {
    let shell = Shell::new();
    std::fs::create_dir(shell.path("data")).unwrap();
    let png = [0x89, b'P', b'N', b'G', 1, 2, 3];
    shell.write("data/cat.png", png);
    shell.write("data/rows.csv", "words,picture\nWhat is this?,cat.png\n");
    let config = json!({
        "source": {"type": "file", "path": "rows.csv", "file_format": "csv"},
        "prompt_column": "words", "image_column": "picture",
    });
    shell.write("data/config.json", config.to_string());
    let told = said(&shell, "--dataset-config data/config.json --num-prompts 1");
    let expected = json!([[
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORwECAw=="}},
        {"type": "text", "text": "What is this?"},
    ]]);
    assert_eq!(Value::from(told), expected);
}

/// A hub with one data set: a split for training, and one for testing, of which only the second is good.
fn with_gsm8k() -> (Shell, std::thread::JoinHandle<()>) {
    let (hub, endpoint) = hub(|path| {
        let data_set = "openai/gsm8k";
        if path == format!("/api/datasets/{data_set}/revision/v1") {
            let files = r#"[{"rfilename": "README.md"}, {"rfilename": "main/train.jsonl"}, {"rfilename": "main/test-0.parquet"}]"#;
            return Some(format!(r#"{{"sha": "{COMMIT}", "siblings": {files}}}"#).into_bytes());
        }
        let file = format!("/datasets/{data_set}/resolve/{COMMIT}/main/test-0.parquet");
        (path == file).then(|| parquet_file("question", &["How many?"]))
    });
    let shell = Shell::new()
        .set("HF_ENDPOINT", endpoint)
        .set("HF_HOME", "hf");
    (shell, hub)
}

#[test]
fn a_split_of_a_data_set_of_the_hub_is_fetched_once() {
    let (shell, _hub) = with_gsm8k();
    let config = |split: &str| {
        json!({
            "source": {
                "type": "huggingface", "path": "openai/gsm8k",
                "huggingface_kwargs": {"split": split, "name": "main", "revision": "v1"},
            },
            "prompt_column": "question",
        })
        .to_string()
    };
    shell.write("test.json", config("test"));
    shell.write("other.json", config("validation"));
    let told = said(&shell, "--dataset-config test.json --num-prompts 1");
    assert_eq!(told, ["How many?"]);
    assert_eq!(
        shell.json("run.json")["metadata"]["dataset_key"],
        "hub:openai/gsm8k main test"
    );
    let ran = shell.run(&words("chat --dataset-config other.json --dry-run"));
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("main/train.jsonl"), "{}", ran.stderr);
}

#[test]
fn input_45_data_sets_that_cannot_be_used_are_refused_with_file_row_and_column() {
    let shell = Shell::new();
    shell.write("empty.jsonl", "");
    shell.write("columns.jsonl", "{\"a\":\"x\"}\n");
    shell.write(
        "typed.jsonl",
        "{\"question\":\"x\",\"answer\":\"y\"}\n{\"question\":3,\"answer\":\"y\"}\n",
    );
    shell.write("broken.parquet", "PAR1 and nothing else");
    shell.write("ids.jsonl", "{\"prompt\": [1, 2, 3]}\n");
    shell.write("packed.jsonl", [0x1f, 0x8b, 8, 0]);
    shell.write("prompts.xls", "a");
    shell.write("config.json", "{\"source\": {\"type\": \"ftp\"}}");
    shell.write(
        "lambda.json",
        "{\"source\": {\"type\": \"aime\"}, \"prompt_lambda\": \"x\"}",
    );
    shell.write("pictures.csv", "prompt,image\nWhat?,missing.png\n");
    shell.write("pictures.json", "{\"source\": {\"type\": \"file\", \"path\": \"pictures.csv\"}, \"image_column\": \"image\"}");
    for (flags, sentences) in [
        ("--dataset-path none.csv", ["none.csv", "check the path"]),
        ("--dataset-path empty.jsonl", ["empty.jsonl", "no prompts"]),
        ("--dataset-path columns.jsonl", ["columns.jsonl", "`a`"]),
        (
            "--dataset-path columns.jsonl --dataset-column b",
            ["`b`", "`a`"],
        ),
        ("--dataset-path typed.jsonl", ["row 2", "`question`"]),
        (
            "--dataset-path typed.jsonl --dataset-format alpaca",
            ["row 1", "`instruction`"],
        ),
        (
            "--dataset-path typed.jsonl --dataset-format none",
            ["`none`", "sharegpt"],
        ),
        (
            "--dataset-path broken.parquet",
            ["broken.parquet", "damaged"],
        ),
        ("--dataset-path ids.jsonl", ["row 1", "token ids"]),
        ("--dataset-path packed.jsonl", ["packed.jsonl", "gunzip"]),
        ("--dataset-path prompts.xls", ["xls", ".csv"]),
        ("--dataset-config config.json", ["config.json", "ftp"]),
        (
            "--dataset-config lambda.json",
            ["lambda.json", "prompt_lambda"],
        ),
        ("--dataset-config pictures.json", ["row 1", "missing.png"]),
        ("--dataset-path hub:a/b/c", ["a/b/c", "owner/name"]),
        ("--replay-dataset", ["--replay-dataset", "--dataset-path"]),
    ] {
        let ran = shell.run(&words(&format!("chat {flags} --dry-run")));
        assert_eq!(ran.code, Some(2), "{flags}: {}", ran.stderr);
        for sentence in sentences {
            assert!(ran.stderr.contains(sentence), "{flags}: {}", ran.stderr);
        }
    }
}

#[test]
fn flags_that_messages_of_rows_would_override_are_refused_with_a_way_out() {
    let shell = Shell::new();
    let messages = r#"[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}]"#;
    shell.write("rows.jsonl", format!("{{\"messages\":{messages}}}\n"));
    let chat = "chat --dataset-path rows.jsonl --dry-run --api-base http://h:1/v1 --model m";
    for flags in [
        "--prefix-groups 2x8",
        "--tool-loop 2",
        "--endpoint /completions",
    ] {
        let ran = shell.run(&words(&format!("{chat} {flags} --max-concurrency 1")));
        assert_eq!(ran.code, Some(2), "{flags}: {}", ran.stderr);
        let flag = flags.split(' ').next().unwrap();
        for word in [flag, "messages of their own", "--turns dataset"] {
            assert!(ran.stderr.contains(word), "{flags}: {}", ran.stderr);
        }
    }
    assert_eq!(shell.run(&words(chat)).code, Some(0));
}
