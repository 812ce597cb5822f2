//! Data sets by name: what is read, how they are told apart, and what is refused.

use proptest::prelude::*;
use serde_json::{Value, json};
use workload::{
    Dataset, DatasetColumns, DatasetFormat, DatasetReader, DatasetRow, DatasetTurn, Format,
    WorkloadError, parse_dataset,
};

const SAMPLES: [(&str, Format, DatasetFormat); 11] = [
    (
        include_str!("data/sharegpt.json"),
        Format::Json,
        DatasetFormat::ShareGpt,
    ),
    (
        include_str!("data/alpaca.json"),
        Format::Json,
        DatasetFormat::Alpaca,
    ),
    (
        include_str!("data/gsm8k.jsonl"),
        Format::JsonLines,
        DatasetFormat::Gsm8k,
    ),
    (
        include_str!("data/math-500.jsonl"),
        Format::JsonLines,
        DatasetFormat::Math500,
    ),
    (
        include_str!("data/humaneval.jsonl"),
        Format::JsonLines,
        DatasetFormat::HumanEval,
    ),
    (
        include_str!("data/mbpp.jsonl"),
        Format::JsonLines,
        DatasetFormat::Mbpp,
    ),
    (
        include_str!("data/mt-bench.jsonl"),
        Format::JsonLines,
        DatasetFormat::MtBench,
    ),
    (
        include_str!("data/arena-hard.jsonl"),
        Format::JsonLines,
        DatasetFormat::ArenaHard,
    ),
    (
        include_str!("data/arena-hard-2.jsonl"),
        Format::JsonLines,
        DatasetFormat::ArenaHard,
    ),
    (
        include_str!("data/aime.csv"),
        Format::Csv,
        DatasetFormat::Aime,
    ),
    (
        include_str!("data/openai-batch.jsonl"),
        Format::JsonLines,
        DatasetFormat::OpenAiBatch,
    ),
];

fn sample(format: DatasetFormat) -> Dataset {
    let (text, file, _) = SAMPLES.iter().find(|(_, _, of)| *of == format).unwrap();
    parse_dataset(text.as_bytes(), *file, &DatasetReader::Named(format)).unwrap()
}

fn turn(user: &str, answer: Option<&str>) -> DatasetTurn {
    DatasetTurn {
        user: user.into(),
        answer: answer.map(Into::into),
    }
}

fn refusal(rows: &Value, format: DatasetFormat) -> String {
    let reader = DatasetReader::Named(format);
    parse_dataset(rows.to_string().as_bytes(), Format::Json, &reader)
        .unwrap_err()
        .to_string()
}

#[test]
fn every_data_set_is_known_by_its_columns() {
    for (text, file, format) in SAMPLES {
        let found = parse_dataset(text.as_bytes(), file, &DatasetReader::Detect).unwrap();
        assert_eq!(found.format, Some(format));
        let named = parse_dataset(text.as_bytes(), file, &DatasetReader::Named(format)).unwrap();
        assert_eq!(found, named);
    }
}

#[test]
fn other_copies_of_a_data_set_are_known_too() {
    for (row, format) in [
        (
            json!({"prompt": ["a", "b"], "category": "c", "prompt_id": 1}),
            DatasetFormat::MtBench,
        ),
        (
            json!({"ID": "1", "Problem": "p", "Solution": "s", "Answer": 7}),
            DatasetFormat::Aime,
        ),
        (
            json!({"id": 1, "problem": "p", "answer": "7", "year": "2024"}),
            DatasetFormat::Aime,
        ),
        (
            json!({"prompt": "p", "code": "c", "test_list": [], "task_id": 2}),
            DatasetFormat::Mbpp,
        ),
    ] {
        let file = json!([row]).to_string();
        let found = parse_dataset(file.as_bytes(), Format::Json, &DatasetReader::Detect).unwrap();
        assert_eq!(found.format, Some(format));
    }
}

#[test]
fn columns_of_no_data_set_are_named() {
    let file = json!([{"title": "a", "body_text": "b"}]).to_string();
    assert_eq!(
        parse_dataset(file.as_bytes(), Format::Json, &DatasetReader::Detect)
            .unwrap_err()
            .to_string(),
        "the data set's columns are `title`, `body_text`, which is none of the formats `sharegpt`, \
         `alpaca`, `gsm8k`, `math-500`, `humaneval`, `mbpp`, `mt-bench`, `arena-hard`, `aime`, \
         `openai-batch`, `messages`; name the column of the prompts with `--dataset-column`."
    );
}

#[test]
fn formats_have_names() {
    for format in DatasetFormat::ALL {
        assert_eq!(format.name().parse(), Ok(format));
    }
    let error = "gsm9k".parse::<DatasetFormat>().unwrap_err().to_string();
    assert!(error.starts_with("`gsm9k` is not a data set format that is read here; give one of"));
}

#[test]
fn share_gpt_gives_conversations_that_begin_with_a_question_and_an_answer() {
    let data = sample(DatasetFormat::ShareGpt);
    assert_eq!(data.left_out, 3);
    assert_eq!(data.rows.len(), 2);
    let first = &data.rows[0];
    assert_eq!(
        first.turns,
        [
            turn(
                "Name a tree that keeps its leaves in winter.",
                Some("The spruce does.")
            ),
            turn("And one that does not?", Some("The larch.")),
        ]
    );
    assert_eq!(
        first.reference().map(|text| &**text),
        Some("The spruce does.")
    );
    assert_eq!(data.rows[1].system.as_deref(), Some("Be brief."));
    assert_eq!(
        data.rows[1].turns,
        [turn("Why is ice slippery?", Some("A film of water."))]
    );
}

#[test]
fn data_sets_of_one_question_give_it_with_its_reference() {
    for (format, prompt, answer) in [
        (
            DatasetFormat::Alpaca,
            "Put these words in order.\n\nplum, apple, fig",
            "apple, fig, plum",
        ),
        (
            DatasetFormat::Gsm8k,
            "A crate holds 12 jars. How many jars are in 7 crates?",
            "12 * 7 = <<12*7=84>>84\n#### 84",
        ),
        (
            DatasetFormat::Math500,
            "Compute $3^4 - 2^5$.",
            "$81 - 32 = 49$.",
        ),
        (
            DatasetFormat::HumanEval,
            "def double(x: int) -> int:\n    \"\"\"Twice x.\"\"\"\n",
            "    return 2 * x\n",
        ),
        (
            DatasetFormat::Mbpp,
            "Write a function that counts vowels.",
            "def vowels(s):\n    return sum(c in 'aeiou' for c in s)",
        ),
        (
            DatasetFormat::Aime,
            "Find the remainder when $7^3$ is divided by 1000.",
            "343",
        ),
    ] {
        assert_eq!(sample(format).rows[0].turns, [turn(prompt, Some(answer))]);
    }
    let without_input = &sample(DatasetFormat::Alpaca).rows[1];
    assert_eq!(
        without_input.prompt().map(|text| &**text),
        Some("Name three rivers.")
    );
}

#[test]
fn data_sets_of_several_turns_give_them_all() {
    let rows = sample(DatasetFormat::MtBench).rows;
    assert_eq!(
        rows[0].turns,
        [
            turn("Describe a lighthouse in two sentences.", None),
            turn("Now without the letter e.", None)
        ]
    );
    assert_eq!(
        rows[1].turns,
        [
            turn("What is 17 times 3?", Some("51")),
            turn("And half of that?", Some("25.5"))
        ]
    );
    let arena = sample(DatasetFormat::ArenaHard).rows;
    assert_eq!(
        arena[0].turns,
        [turn("Plan a timetable for two ferries.", None)]
    );
}

#[test]
fn a_batch_file_gives_messages_and_limits() {
    let rows = sample(DatasetFormat::OpenAiBatch).rows;
    let expected = DatasetRow {
        system: Some("Be kind.".into()),
        max_tokens: Some(77),
        body: rows[0].body.clone(),
        ..DatasetRow::of_turns(vec![
            turn("Hello", Some("Hi!")),
            turn("How far is\nthe moon?", None),
        ])
    };
    assert_eq!(rows[0], expected);
    assert_eq!(rows[1].max_tokens, Some(5));
}

fn columns(prompt: &str) -> DatasetReader {
    DatasetReader::Columns(DatasetColumns {
        prompt: Some(prompt.into()),
        system: Some("role".into()),
        reference: Some("gold".into()),
        max_tokens: Some("limit".into()),
        image: None,
    })
}

#[test]
fn columns_that_the_user_names_are_read() {
    let file = include_str!("data/columns.csv");
    let data = parse_dataset(file.as_bytes(), Format::Csv, &columns("ask")).unwrap();
    assert_eq!(data.format, None);
    let first = DatasetRow {
        system: Some("Be exact.".into()),
        max_tokens: Some(20),
        ..DatasetRow::question(
            "Where does the ferry go?".into(),
            Some("To the island.".into()),
        )
    };
    let second = DatasetRow::question("When?".into(), None);
    assert_eq!(data.rows, [first, second]);
    let refusal = |file: &str, prompt| {
        parse_dataset(file.as_bytes(), Format::Csv, &columns(prompt))
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        refusal(file, "question"),
        "row 1 of the data set has no column `question`; it has `ask`, `role`, \
         `gold`, `limit`. Name one of them with `--dataset-column`."
    );
    assert_eq!(
        refusal(&file.replace("gold", "silver"), "ask"),
        "row 1 of the data set has no column `gold`; it has `ask`, `role`, \
         `silver`, `limit`. Name one of them with `--dataset-column`."
    );
    assert_eq!(
        refusal(&file.replace("20", "0"), "ask"),
        "row 1 of the data set has the text `0` in column `limit`; there must be a whole number of \
         tokens, from 1 on."
    );
}

#[test]
fn a_data_set_without_rows_is_refused() {
    for reader in [
        DatasetReader::Detect,
        DatasetReader::Named(DatasetFormat::Gsm8k),
    ] {
        for (text, format) in [
            ("", Format::JsonLines),
            ("[]", Format::Json),
            ("question,answer\n", Format::Csv),
        ] {
            let error = parse_dataset(text.as_bytes(), format, &reader).unwrap_err();
            assert_eq!(error, WorkloadError::EmptyDataSet);
        }
    }
    let unanswered = json!([{"conversations": [{"from": "human", "value": "?"}]}]);
    assert_eq!(
        refusal(&unanswered, DatasetFormat::ShareGpt),
        "the data set has no prompts; it needs at least 1."
    );
    assert!(
        parse_dataset(b"a question", Format::Text, &DatasetReader::Detect)
            .unwrap_err()
            .to_string()
            .starts_with("the data set is plain text;")
    );
}

#[test]
fn wrong_rows_are_refused_by_row_and_column() {
    for (format, rows, expected) in [
        (
            DatasetFormat::Gsm8k,
            json!([{"question": "a", "answer": "b"}, {"answer": "b"}]),
            "row 2 of the gsm8k data set has no column `question`, which its format needs; it has \
             `answer`.",
        ),
        (
            DatasetFormat::Gsm8k,
            json!([{"question": 5, "answer": "b"}]),
            "row 1 of the gsm8k data set has a number in column `question`; there must be a text.",
        ),
        (
            DatasetFormat::Gsm8k,
            json!([{"question": " ", "answer": "b"}]),
            "row 1 of the gsm8k data set has an empty text in column `question`; there must be a text.",
        ),
        (
            DatasetFormat::Gsm8k,
            json!(["question"]),
            "row 1 of the data set has a text; there must be an object with a field for every column.",
        ),
        (
            DatasetFormat::Alpaca,
            json!([{"instruction": "a", "input": [], "output": ""}]),
            "row 1 of the alpaca data set has an array in column `input`; there must be a text.",
        ),
        (
            DatasetFormat::ShareGpt,
            json!([{"conversations": "hello"}]),
            "row 1 of the sharegpt data set has a text in column `conversations`; there must be a list of \
             objects with `from` and `value`.",
        ),
        (
            DatasetFormat::ShareGpt,
            json!([{"conversations": [{"from": "human", "value": "a"}, {"from": "gpt"}]}]),
            "row 1 of the sharegpt data set has no column `conversations[1].value`, which its format \
             needs; it has `from`.",
        ),
        (
            DatasetFormat::ShareGpt,
            json!([{"conversations": [{"from": "parrot", "value": "a"}]}]),
            "row 1 of the sharegpt data set has the text `parrot` in column `conversations[0].from`; \
             there must be `human`, `gpt` or `system`.",
        ),
        (
            DatasetFormat::MtBench,
            json!([{"turns": ["a", 5]}]),
            "row 1 of the mt-bench data set has a number in column `turns[1]`; there must be a text.",
        ),
        (
            DatasetFormat::MtBench,
            json!([{"turns": []}]),
            "row 1 of the mt-bench data set has an empty array in column `turns`; there must be a list \
             of texts, one per turn.",
        ),
        (
            DatasetFormat::ArenaHard,
            json!([{"turns": [{"words": "a"}]}]),
            "row 1 of the arena-hard data set has no column `turns[0].content`, which its format needs; \
             it has `words`.",
        ),
        (
            DatasetFormat::OpenAiBatch,
            json!([{"body": {"input": "a"}}]),
            "row 1 of the openai-batch data set has no column `body.messages`, which its format needs; \
             it has `input`.",
        ),
        (
            DatasetFormat::OpenAiBatch,
            json!([{"body": {"messages": [{"role": "system", "content": "a"}]}}]),
            "row 1 of the openai-batch data set has no message of a user in column `body.messages`; \
             there must be at least one.",
        ),
        (
            DatasetFormat::OpenAiBatch,
            json!([{"body": {"messages": [{"role": "tool", "content": "a"}]}}]),
            "row 1 of the openai-batch data set has the text `tool` in column `body.messages[0].role`; \
             there must be `system`, `developer`, `user` or `assistant`.",
        ),
        (
            DatasetFormat::OpenAiBatch,
            json!([{"body": {"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}}]),
            "row 1 of the openai-batch data set has the text `input_audio` in column \
             `body.messages[0].content[0].type`; there must be `text` or `image_url`.",
        ),
        (
            DatasetFormat::OpenAiBatch,
            json!([{"body": {"messages": [{"role": "user", "content": "a"}], "max_tokens": 0}}]),
            "row 1 of the openai-batch data set has `0` in column `body.max_tokens`; there must be a \
             whole number of tokens, from 1 on.",
        ),
    ] {
        assert_eq!(refusal(&rows, format), expected);
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z ]{0,6}|human|gpt|user|text".prop_map(Value::from),
    ];
    let key = "conversations|from|value|turns|content|prompt|body|messages|role|max_tokens|question\
               |answer|instruction|output|problem|type|text|reference|test_list";
    leaf.prop_recursive(4, 40, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(key, inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_rows_are_read_or_refused(rows in prop::collection::vec(any_json(), 0..3)) {
        let file = Value::from(rows).to_string();
        let named = DatasetFormat::ALL.map(DatasetReader::Named);
        for reader in named.iter().chain([&DatasetReader::Detect, &columns("text")]) {
            if let Ok(data) = parse_dataset(file.as_bytes(), Format::Json, reader) {
                prop_assert!(!data.rows.is_empty());
                for row in data.rows {
                    prop_assert!(row.prompt().is_some_and(|prompt| !prompt.trim().is_empty()));
                    prop_assert_ne!(row.max_tokens, Some(0));
                }
            }
        }
    }
}
