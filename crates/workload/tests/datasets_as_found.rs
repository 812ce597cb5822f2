//! Data sets as the world has them: other names for the same things, and other containers.

use proptest::prelude::*;
use serde_json::{Value, json};
use workload::{
    Dataset, DatasetColumns, DatasetFormat, DatasetReader, DatasetTurn, Format, WorkloadError,
    parse_dataset, parse_rows,
};

fn detected(file: &str, format: Format) -> Result<Dataset, WorkloadError> {
    parse_dataset(file.as_bytes(), format, &DatasetReader::Detect)
}

/// By its columns, and else by the usual one, as the program reads it.
fn rows(rows: &Value) -> Dataset {
    let file = rows.to_string();
    let usual = DatasetReader::Columns(DatasetColumns::default());
    detected(&file, Format::Json)
        .or_else(|_| parse_dataset(file.as_bytes(), Format::Json, &usual))
        .unwrap()
}

fn turn(user: &str, answer: Option<&str>) -> DatasetTurn {
    DatasetTurn {
        user: user.into(),
        answer: answer.map(Into::into),
    }
}

fn prompts(data: &Dataset) -> Vec<&str> {
    data.rows
        .iter()
        .map(|row| &**row.prompt().unwrap())
        .collect()
}

fn limits(rows_of: &Value) -> Vec<Option<u32>> {
    rows(rows_of)
        .rows
        .iter()
        .map(|row| row.max_tokens)
        .collect()
}

/// Question, answer, question, answer.
fn dialogue(role: &str, text: &str, user: &str, model: &str) -> Value {
    json!([
        {role: user, text: "Q1"}, {role: model, text: "A1"},
        {role: user, text: "Q2"}, {role: model, text: "A2"},
    ])
}

#[test]
fn every_spelling_of_a_conversation_gives_its_turns() {
    let expected = [turn("Q1", Some("A1")), turn("Q2", Some("A2"))];
    for list in [
        "conversations",
        "conversation",
        "messages",
        "items",
        "dialogue",
        "turns",
        "prompt",
    ] {
        for (role, text) in [
            ("from", "value"),
            ("role", "content"),
            ("role", "value"),
            ("from", "text"),
        ] {
            for (user, model) in [
                ("human", "gpt"),
                ("user", "assistant"),
                ("Human", "ChatGPT"),
                ("user", "bing"),
                ("user", "bard"),
            ] {
                let said = dialogue(role, text, user, model);
                for row in [
                    json!({"id": "x", list: said}),
                    json!({list: [said], "model": "m"}),
                ] {
                    let data = rows(&json!([row]));
                    assert_eq!(data.rows[0].turns, expected, "{row}");
                    assert_eq!(data.rows[0].body, None);
                }
            }
        }
    }
    let bare = json!([dialogue("role", "content", "user", "assistant")]);
    assert_eq!(rows(&bare).rows[0].turns, expected);
}

#[test]
fn what_the_system_says_is_no_question() {
    let said = json!([{"from": "system", "value": "Be brief."}, {"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]);
    let row = &rows(&json!([{ "conversations": said }])).rows[0];
    assert_eq!(row.system.as_deref(), Some("Be brief."));
    assert_eq!(row.turns, [turn("Q", Some("A"))]);
    let rest: Vec<Value> = said.as_array().unwrap()[1..].to_vec();
    let beside = json!([{"system": "Be kind.", "tools": "[]", "conversations": rest}]);
    assert_eq!(rows(&beside).rows[0].system.as_deref(), Some("Be kind."));
}

#[test]
fn what_nobody_asked_is_not_sent() {
    let data = rows(&json!([
        {"conversations": []},
        {"conversations": null},
        {"conversations": [{"from": "gpt", "value": "Hello!"}, {"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]},
        {"conversations": [{"from": "human", "value": null, "text": "Q"}, {"from": "gpt", "value": "A", "weight": 1}]},
    ]));
    assert_eq!(data.left_out, 2);
    assert_eq!(prompts(&data), ["Q", "Q"]);
}

#[test]
fn what_tools_say_is_no_turn() {
    let data = rows(&json!([{"conversations": [
        {"from": "human", "value": "Q"}, {"from": "function_call", "value": "{}"},
        {"from": "observation", "value": "4"}, {"from": "gpt", "value": "A"},
    ]}]));
    assert_eq!(data.rows[0].turns, [turn("Q", Some("A"))]);
    let data = rows(&json!([{"messages": [
        {"role": "user", "content": "Q"}, {"role": "assistant", "content": null, "tool_calls": []},
        {"role": "assistant", "tool_calls": []}, {"role": "tool", "content": "4"},
        {"role": "assistant", "content": "A"},
    ]}]));
    assert_eq!(data.rows[0].turns, [turn("Q", Some("A"))]);
}

#[test]
fn contents_may_be_parts() {
    let data = rows(&json!([{"messages": [
        {"role": "user", "content": [
            {"type": "text", "text": "What"}, {"type": "image_url", "image_url": {"url": "http://a/b.png"}},
            {"type": "text", "text": "is this?"},
        ]},
        {"role": "assistant", "content": [{"type": "text", "text": "A cat."}]},
    ]}]));
    assert_eq!(data.rows[0].turns, [turn("What\nis this?", Some("A cat."))]);
    assert_eq!(&*data.rows[0].images, ["http://a/b.png".into()]);
}

#[test]
fn messages_that_wait_for_an_answer_are_one_request() {
    let messages = json!([
        {"role": "system", "content": "S"}, {"role": "user", "content": "Q1"},
        {"role": "assistant", "content": "A1"}, {"role": "user", "content": "Q2"},
    ]);
    let data = rows(&json!([
        {"messages": messages, "max_tokens": 9, "tools": [{"type": "function"}]},
        {"messages": [{"role": "user", "content": "Q"}]},
        {"messages": [{"role": "system", "content": "S"}]},
    ]));
    assert_eq!(data.format, Some(DatasetFormat::Messages));
    assert_eq!(data.left_out, 1);
    let body = data.rows[0].body.as_ref().unwrap();
    assert_eq!(
        json!(**body),
        json!({"messages": messages, "tools": [{"type": "function"}]})
    );
    assert_eq!(data.rows[0].max_tokens, Some(9));
    assert_eq!(data.rows[1].turns, [turn("Q", None)]);
    assert_eq!(data.rows[1].body, None);
}

#[test]
fn a_history_of_tools_alone_is_sent_whole_too() {
    let call = json!([{"id": "c", "type": "function", "function": {"name": "weather", "arguments": "{}"}}]);
    let asked = json!([
        {"role": "user", "content": "weather?"},
        {"role": "assistant", "content": null, "tool_calls": call},
        {"role": "tool", "tool_call_id": "c", "content": "20 °C"},
        {"role": "user", "content": "and tomorrow?"},
    ]);
    let ends_with_a_result = Value::from(asked.as_array().unwrap()[..3].to_vec());
    // `content` may be absent beside a call.
    let mut without = asked.clone();
    without[1].as_object_mut().unwrap().remove("content");
    for messages in [asked, ends_with_a_result, without] {
        let data = rows(&json!([{"messages": messages}]));
        let body = data.rows[0].body.as_ref().expect("a request");
        assert_eq!(body["messages"], messages);
    }
}

#[test]
fn a_prompt_beside_messages_stays_the_prompt() {
    let said = dialogue("role", "content", "user", "assistant");
    let data = rows(&json!([{"prompt": "Own", "prompt_id": "1", "messages": said}]));
    assert_eq!(data.rows[0].turns, [turn("Own", None)]);
}

#[test]
fn an_instruction_has_its_input() {
    for row in [
        json!({"instruction": "Find it.", "input": "Apple", "output": "x"}),
        json!({"instruction": "Find it.", "input": "Apple"}),
        json!({"input": "Apple", "instruction": "Find it.", "response": "x"}),
        json!({"instruction": "Find it.", "context": "Apple", "response": "x", "category": "qa"}),
    ] {
        assert_eq!(
            prompts(&rows(&json!([row]))),
            ["Find it.\n\nApple"],
            "{row}"
        );
    }
    for input in [json!(""), json!(null), json!("  "), json!("<noinput>")] {
        let row = json!({"instruction": "Name it.", "input": input, "output": "x"});
        assert_eq!(prompts(&rows(&json!([row]))), ["Name it."]);
    }
    let table = "instruction,input,output\nFind it.,Apple,x\nName it.,,y\n";
    let data = detected(table, Format::Csv).unwrap();
    assert_eq!(prompts(&data), ["Find it.\n\nApple", "Name it."]);
}

#[test]
fn a_rows_own_output_tokens_are_its_limit() {
    for column in [
        "output_tokens",
        "output_tokens_count",
        "output_length",
        "output_len",
        "max_tokens",
    ] {
        let found = limits(&json!([
            {"prompt": "a", column: 17}, {"prompt": "b", column: 33.0}, {"prompt": "c", column: "4"},
            {"prompt": "d", column: -1}, {"prompt": "e", column: null}, {"prompt": "f"},
            {"prompt": "g", column: 0}, {"prompt": "h", column: "many"}, {"prompt": "i", column: 2.5},
        ]));
        let none = [None; 6];
        assert_eq!(found[..3], [Some(17), Some(33), Some(4)]);
        assert_eq!(found[3..], none);
    }
    let named = DatasetReader::Columns(DatasetColumns {
        prompt: Some("ask".into()),
        ..DatasetColumns::default()
    });
    let table = "ask,output_tokens\na,17\nb,\n";
    let data = parse_dataset(table.as_bytes(), Format::Csv, &named).unwrap();
    assert_eq!(data.rows[0].max_tokens, Some(17));
    assert_eq!(data.rows[1].max_tokens, None);
}

#[test]
fn token_ids_are_refused_by_name() {
    let expected = |column| {
        format!(
            "row 1 of the data set has token ids in column `{column}`, and prompts are sent as texts. Decode \
             them with the model's tokenizer, or name a column of texts with `--dataset-column`."
        )
    };
    for column in ["prompt", "input_ids", "prompt_token_ids"] {
        for ids in [json!([1, 2, 3]), json!([[1, 2], [3]])] {
            let file = json!([{column: ids}]).to_string();
            // Then the program looks for the usual column.
            let unknown = detected(&file, Format::Json).unwrap_err();
            assert!(
                matches!(unknown, WorkloadError::UnknownDataset { .. }),
                "{unknown}"
            );
            let usual = DatasetReader::Columns(DatasetColumns::default());
            let refused = parse_dataset(file.as_bytes(), Format::Json, &usual).unwrap_err();
            assert_eq!(refused.to_string(), expected(column));
        }
    }
}

#[test]
fn a_files_name_need_not_say_whether_it_has_lines() {
    let rows = [json!({"prompt": "a"}), json!({"prompt": "b"})];
    let as_lines = rows.clone().map(|row| row.to_string()).join("\r\n\r\n");
    let as_array = serde_json::to_string_pretty(&rows).unwrap();
    let on_a_line = json!(rows).to_string();
    let wrapped = json!({"name": "x", "examples": rows}).to_string();
    for (file, format) in [
        (format!("\u{feff}{as_lines}"), Format::JsonLines),
        (as_lines, Format::Json),
        (as_array.clone(), Format::Json),
        (as_array, Format::JsonLines),
        (on_a_line, Format::JsonLines),
        (wrapped, Format::Json),
    ] {
        let found = parse_rows(file.as_bytes(), format, None).unwrap();
        assert_eq!(found, ["a".into(), "b".into()], "{file}");
    }
    let alone = json!({"id": "x", "conversations": dialogue("from", "value", "human", "gpt")});
    for format in [Format::Json, Format::JsonLines] {
        let data = detected(&alone.to_string(), format).unwrap();
        assert_eq!(prompts(&data), ["Q1"]);
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z ]{0,6}|human|gpt|user|system|tool|text|image_url|-1|17".prop_map(Value::from),
    ];
    let key = "conversations|conversation|messages|items|from|role|value|content|text|type|image_url|url\
               |prompt|instruction|input|context|output_tokens|max_tokens|tools|tool_calls|input_ids\
               |data|rows|turns|body|system";
    leaf.prop_recursive(5, 48, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(key, inner, 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_file_of_rows_is_read_or_refused(value in any_json(), more in any_json()) {
        let files = [value.to_string(), json!([value, more]).to_string(), format!("{value}\n{more}\n")];
        let named = DatasetFormat::ALL.map(DatasetReader::Named);
        let usual = DatasetReader::Columns(DatasetColumns::default());
        for file in &files {
            for format in [Format::Json, Format::JsonLines] {
                let _ = parse_rows(file.as_bytes(), format, None);
                for reader in named.iter().chain([&DatasetReader::Detect, &usual]) {
                    if let Ok(data) = parse_dataset(file.as_bytes(), format, reader) {
                        prop_assert!(!data.rows.is_empty());
                        for row in data.rows {
                            prop_assert!(row.prompt().is_some());
                            prop_assert_ne!(row.max_tokens, Some(0));
                        }
                    }
                }
            }
        }
    }
}
