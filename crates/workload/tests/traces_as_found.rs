//! Traces as the world has them: other containers, other spellings, and times of which the unit is not
//! what it seems.

use proptest::prelude::*;
use serde_json::{Value, json};
use trace::Nanos;
use workload::{TimeUnit, Trace, TraceFormat, TraceReader, WorkloadError, detect_trace};

fn lines(rows: &[Value]) -> String {
    let rows: Vec<String> = rows.iter().map(ToString::to_string).collect();
    rows.join("\n")
}

fn read(file: &str) -> Result<(Trace, TraceFormat, Option<TimeUnit>), WorkloadError> {
    TraceReader::default().read(file.as_bytes())
}

/// When the requests of a file are due, in milliseconds.
fn dues(file: &str) -> Vec<f64> {
    let (trace, _, _) = read(file).unwrap();
    trace.rows.iter().map(|row| row.due.millis()).collect()
}

fn refusal(file: &str) -> String {
    read(file).unwrap_err().to_string()
}

/// A row of Mooncake's.
fn at(timestamp: impl Into<Value>) -> Value {
    json!({"timestamp": timestamp.into(), "input_length": 40, "output_length": 5})
}

/// A row of Qwen-Bailian's.
fn chat(chat: u32, timestamp: f64, input_length: u32, ids: u32) -> Value {
    json!({
        "chat_id": chat, "parent_chat_id": -1, "timestamp": timestamp, "input_length": input_length,
        "output_length": 5, "type": "text", "turn": 1, "hash_ids": (0..ids).collect::<Vec<_>>(),
    })
}

#[test]
fn bailians_traces_count_seconds_and_blocks_of_16_tokens() {
    let file = lines(&[chat(159, 61.25, 40, 3), chat(160, 62.75, 12, 1)]);
    let (trace, format, unit) = read(&file).unwrap();
    assert_eq!(
        (format, unit),
        (TraceFormat::Bailian, Some(TimeUnit::Seconds))
    );
    assert_eq!((trace.block_tokens, dues(&file)), (16, vec![0.0, 1_500.0]));
    assert_eq!(trace.rows[0].prefix_blocks, [0, 1, 2]);
}

#[test]
fn ids_of_an_answer_are_no_blocks_of_its_prompt() {
    let (trace, _, _) = read(&lines(&[chat(1, 0.0, 30, 3)])).unwrap();
    assert_eq!(trace.rows[0].prefix_blocks, [0, 1]);
    assert!(refusal(&lines(&[chat(1, 0.0, 30, 4)])).contains("`--trace-block-tokens`"));
}

#[test]
fn a_trace_of_bailians_that_is_called_mooncakes_is_refused() {
    let file = lines(&[chat(159, 61.25, 12, 1), chat(160, 62.75, 12, 1)]);
    let mut reader = TraceReader {
        format: Some(TraceFormat::Mooncake),
        ..TraceReader::default()
    };
    let refused = reader.read(file.as_bytes()).unwrap_err().to_string();
    assert_eq!(
        refused,
        "the trace has the column `chat_id`, as Qwen-Bailian's traces have, whose times are seconds and \
         whose blocks are 16 tokens. Give `--trace-format bailian`, or `--trace-time-unit` where its times \
         are others."
    );
    reader.unit = Some(TimeUnit::Seconds);
    let (trace, _, _) = reader.read(file.as_bytes()).unwrap();
    assert_eq!(trace.rows[1].due, Nanos::from_millis(1_500));
}

#[test]
fn times_that_may_be_seconds_are_not_taken_for_milliseconds() {
    for times in [
        vec![json!(61.1), json!(62.1)],
        vec![json!(0), json!(1), json!(2), json!(3)],
        vec![json!(0), json!(0), json!(4), json!(4), json!(8)],
        vec![json!(0.0), json!(20.5), json!(47.25)],
    ] {
        let file = lines(&times.into_iter().map(at).collect::<Vec<_>>());
        let refused = refusal(&file);
        assert!(
            refused.contains("do not say their unit"),
            "{file}: {refused}"
        );
        assert!(refused.contains("`--trace-time-unit s`"), "{refused}");
        let reader = TraceReader {
            unit: Some(TimeUnit::Seconds),
            ..TraceReader::default()
        };
        assert!(reader.read(file.as_bytes()).is_ok());
    }
}

#[test]
fn milliseconds_are_read_as_they_were() {
    assert_eq!(
        dues(&lines(&[at(0), at(27_482), at(10_535_000)])),
        [0.0, 27_482.0, 10_535_000.0]
    );
    assert_eq!(
        dues(&lines(&[at(0.5), at(833.25), at(1_521.5)])),
        [0.0, 832.75, 1_521.0]
    );
    // Many at once, and then many more.
    assert_eq!(
        dues(&lines(&[at(0), at(0), at(0), at(3_000)])).last(),
        Some(&3_000.0)
    );
    assert_eq!(dues(&lines(&[at(7), at(7)])), [0.0, 0.0]);
}

#[test]
fn dates_since_1970_say_their_unit_by_their_size() {
    for (unit, first, second) in [
        (
            TimeUnit::Seconds,
            json!(1_700_158_623.25),
            json!(1_700_158_624.5),
        ),
        (
            TimeUnit::Millis,
            json!(1_700_158_623_250_u64),
            json!(1_700_158_624_500_u64),
        ),
        (
            TimeUnit::Micros,
            json!(1_700_158_623_250_000_u64),
            json!(1_700_158_624_500_000_u64),
        ),
        (
            TimeUnit::Nanos,
            json!(1_700_158_623_250_000_000_u64),
            json!(1_700_158_624_500_000_000_u64),
        ),
    ] {
        let file = lines(&[at(first), at(second)]);
        let (trace, _, found) = read(&file).unwrap();
        assert_eq!(found, Some(unit));
        let due = trace.rows[1].due.millis();
        assert!((due - 1_250.0).abs() < 0.01, "{unit:?}: {due}");
    }
}

#[test]
fn dates_in_words_need_no_unit() {
    let file = lines(&[at("2023-11-16T18:17:03.5Z"), at("2023-11-16 18:17:05")]);
    assert_eq!(dues(&file), [0.0, 1_500.0]);
    assert_eq!(read(&file).unwrap().2, None);
    let table = "Timestamp,Request tokens,Response tokens\n2023-11-16 18:17:03,9,9\n2023-11-16 18:17:04,9,9\n";
    assert_eq!(dues(table), [0.0, 1_000.0]);
    let mixed = lines(&[at("2023-11-16T18:17:03Z"), at(5)]);
    assert_eq!(
        refusal(&mixed),
        "row 2 of the trace has a number in column `timestamp`; there must be a date and time, as in row 1."
    );
    let numbers = "TIMESTAMP,ContextTokens,GeneratedTokens\n0.5,9,9\n2.5,9,9\n";
    assert!(refusal(numbers).contains("do not say their unit"));
}

#[test]
fn times_that_no_trace_has_are_refused_by_row() {
    assert!(refusal(&lines(&[at(-5), at(1_000)])).contains("row 1 of the trace has `-5`"));
    let file = lines(&[at(0), at(1e300)]);
    assert!(
        refusal(&file).contains("row 2 of the trace has a time that is not before the year 2286")
    );
    assert!(refusal(&lines(&[at(900), at(100)])).contains("goes back in time, by 0.8 s"));
}

#[test]
fn burst_gpt_is_read_as_pandas_writes_it() {
    let (trace, format, _) = read(
        "\u{feff},Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type\r\n\
         0,5.0,,,ChatGPT,472.0,18.0,490.0,Conversation log\r\n\
         1,45.5,,,ChatGPT,1087.0,,1087.0,Conversation log\r\n\
         2,46.5,a,3.5,GPT-4,417.0,0.0,417.0,API log\r\n\r\n\
         3,47.5,a,3.5,GPT-4,417.0,276.0,693.0,API log\r\n",
    )
    .unwrap();
    assert_eq!(format, TraceFormat::BurstGpt);
    assert_eq!(trace.left_out, 2);
    let rows: Vec<_> = trace
        .rows
        .iter()
        .map(|row| (row.due.millis(), row.input_tokens, row.output_tokens))
        .collect();
    assert_eq!(rows, [(0.0, 472, 18), (42_500.0, 417, 276)]);
    let of_json = lines(&[
        json!({"Timestamp": 5, "Model": "ChatGPT", "Request tokens": 472, "Response tokens": 18}),
        json!({"Timestamp": 6, "Model": "ChatGPT", "Request tokens": 472, "Response tokens": null}),
        json!({"Timestamp": 7, "Model": "ChatGPT", "Request tokens": 472, "Response tokens": 18}),
    ]);
    assert_eq!(dues(&of_json), [0.0, 2_000.0]);
    assert!(
        refusal("Timestamp,Request tokens,Response tokens\n5,12.5,9\n")
            .contains("`12.5` in column `Request tokens`")
    );
}

#[test]
fn a_comma_too_many_at_the_end_of_a_row_is_forgiven() {
    let due = [0.0, 1_000.0];
    let head = "Timestamp,Request tokens,Response tokens";
    assert_eq!(dues(&format!("{head}\n5,9,9,\n6,9,9,\n")), due);
    assert_eq!(dues(&format!("{head},\n5,9,9\n6,9,9,\n")), due);
    assert!(refusal(&format!("{head}\n5,9,9,7\n")).contains("it has 4 fields"));
    assert!(refusal(&format!("{head}\n5,9\n")).contains("it has 2 fields"));
}

#[test]
fn mooncakes_rows_need_no_ids() {
    let mut rows = [at(0), at(500), at(1_000)];
    rows[1]["hash_ids"] = json!([]);
    rows[2]["hash_ids"] = json!(null);
    let (trace, format, unit) = read(&lines(&rows)).unwrap();
    assert_eq!(
        (format, unit),
        (TraceFormat::Mooncake, Some(TimeUnit::Millis))
    );
    assert!(trace.rows.iter().all(|row| row.prefix_blocks.is_empty()));
    rows[2]["hash_ids"] = json!([7, -3]);
    let reader = TraceReader {
        block_tokens: Some(32),
        ..TraceReader::default()
    };
    let (trace, _, _) = reader.read(lines(&rows).as_bytes()).unwrap();
    assert_eq!(trace.block_tokens, 32);
    assert_eq!(trace.rows[2].prefix_blocks.len(), 2);
}

#[test]
fn a_trace_may_lie_in_any_container() {
    let due = [0.0, 500.0];
    let rows = json!([at(0), at(500)]);
    let pretty = serde_json::to_string_pretty(&rows).unwrap();
    for file in [
        rows.to_string(),
        pretty,
        json!({ "data": rows }).to_string(),
        json!({ "requests": rows, "version": 2 }).to_string(),
        "timestamp,input_length,output_length,hash_ids\n0,40,5,\"[1]\"\n500,40,5,[]\n".to_owned(),
        "Timestamp,Input Length,Output-Length\n0,40,5\n500,40,5\n".to_owned(),
    ] {
        assert_eq!(dues(&file), due, "{file}");
    }
}

#[test]
fn what_a_replay_cannot_do_of_aiperfs_rows_is_said() {
    let mut turns = [at(0), at(500)];
    for turn in &mut turns {
        turn["session_id"] = json!("a");
    }
    assert_eq!(dues(&lines(&turns)), [0.0, 500.0]);
    turns[1] = json!({"session_id": "a", "delay": 500, "input_length": 9, "output_length": 9});
    assert!(
        refusal(&lines(&turns)).contains("row 2 of the trace has a `delay` and no `timestamp`")
    );
    let text = json!({"timestamp": 0, "text_input": "Hello", "output_length": 9});
    let refused = refusal(&lines(&[text]));
    assert!(
        refused.contains("`text_input` and no `input_length`"),
        "{refused}"
    );
    assert!(refused.contains("`--dataset-path`"), "{refused}");
}

#[test]
fn what_is_no_trace_is_refused_by_its_columns() {
    let chats = json!([{"id": "x", "conversations": [{"from": "human", "value": "Hello"}]}]);
    assert!(
        refusal(&chats.to_string()).contains("columns `id`, `conversations`, which is none of")
    );
    assert!(refusal("\u{1f}\u{8b}").contains("columns"));
    let packed = TraceReader::default()
        .read(&[0x1f, 0x8b, 8, 0])
        .unwrap_err();
    assert_eq!(
        packed.to_string(),
        "the file is packed; unpack it with `gunzip` first."
    );
}

fn any_row() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (0_u32..2_000).prop_map(Value::from),
        "[a-z0-9:. -]{0,8}|nan|2023-11-16 18:17:03|\\[1,2\\]".prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(2, 8, 3, |inner| {
        prop::collection::vec(inner, 0..3).prop_map(Value::from)
    });
    let name = "timestamp|input_length|output_length|hash_ids|chat_id|turn|type|delay|messages|data\
                |Timestamp|Request tokens|Response tokens|TIMESTAMP|ContextTokens|GeneratedTokens";
    let object = prop::collection::hash_map(name, value.clone(), 0..7)
        .prop_map(|fields| Value::Object(fields.into_iter().collect()));
    prop_oneof![4 => object, 1 => value]
}

proptest! {
    #[test]
    fn any_rows_are_a_trace_or_refused(
        rows in prop::collection::vec(any_row(), 0..4),
        unit in prop::option::of(prop::sample::select(&TimeUnit::ALL[..])),
        block_tokens in prop::option::of(0_u32..600),
    ) {
        for file in [lines(&rows), Value::from(rows.clone()).to_string(), json!({ "data": rows }).to_string()] {
            let found = detect_trace(file.as_bytes());
            for format in TraceFormat::ALL.map(Some).into_iter().chain([None, found.ok()]) {
                let reader = TraceReader { format, unit, block_tokens };
                if let Ok((trace, _, _)) = reader.read(file.as_bytes()) {
                    prop_assert!(!trace.rows.is_empty());
                    prop_assert!(trace.rows.is_sorted_by_key(|row| row.due));
                    for row in &trace.rows {
                        let blocks = row.input_tokens.div_ceil(trace.block_tokens) as usize;
                        prop_assert!(row.input_tokens > 0 && row.output_tokens > 0);
                        prop_assert!(row.prefix_blocks.len() <= blocks);
                    }
                }
            }
        }
    }
}
