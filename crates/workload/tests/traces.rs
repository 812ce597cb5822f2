//! Recorded traffic: what is read, what is refused, and the prompts that are made for it.

mod toy;

use proptest::prelude::*;
use std::sync::LazyLock;
use toy::{BytePairs, Greedy};
use trace::Nanos;
use workload::{BlockCache, HashedPrompts, Tokenizer, Trace, TraceFormat, TraceRow, parse_trace};

const MOONCAKE: &str = include_str!("data/mooncake.jsonl");
const BURST_GPT: &str = include_str!("data/burstgpt.csv");

static PAIRS: LazyLock<BytePairs> = LazyLock::new(|| BytePairs::new(0, 150, true));

fn mooncake() -> Trace {
    parse_trace(MOONCAKE.as_bytes(), TraceFormat::Mooncake).unwrap()
}

fn refusal(text: impl AsRef<[u8]>, format: TraceFormat) -> String {
    parse_trace(text.as_ref(), format).unwrap_err().to_string()
}

fn dues(trace: &Trace) -> Vec<u64> {
    trace.rows.iter().map(|row| row.due.0).collect()
}

#[test]
fn mooncake_traces_have_blocks() {
    let trace = mooncake();
    assert_eq!((trace.block_tokens, trace.left_out), (512, 1));
    assert_eq!(dues(&trace), [0, 0, 3_052_000_000, 9_000_000_000]);
    let expected = TraceRow {
        due: Nanos::ZERO,
        input_tokens: 1_025,
        output_tokens: 9,
        prefix_blocks: vec![0, 1, 3],
    };
    assert_eq!(trace.rows[1], expected);
}

#[test]
fn tables_begin_at_their_first_row() {
    let trace = parse_trace(BURST_GPT.as_bytes(), TraceFormat::BurstGpt).unwrap();
    assert_eq!(dues(&trace), [0, 40_000_000_000, 113_500_000_000]);
    assert_eq!(
        (trace.rows[1].input_tokens, trace.rows[1].output_tokens),
        (1_087, 230)
    );
    assert_eq!(trace.left_out, 1);
    let azure = |file: &str| parse_trace(file.as_bytes(), TraceFormat::Azure).unwrap();
    let trace = azure(include_str!("data/azure-2023.csv"));
    assert_eq!(dues(&trace), [0, 52_000_000, 1_020_040_000]);
    assert_eq!(
        (trace.rows[0].input_tokens, trace.rows[0].output_tokens),
        (4_808, 10)
    );
    let trace = azure(include_str!("data/azure-2024.csv"));
    assert_eq!(dues(&trace), [0, 7_405_000]);
}

#[test]
fn formats_have_names() {
    for format in TraceFormat::ALL {
        assert_eq!(format.name().parse(), Ok(format));
    }
    assert_eq!(
        "splitwise".parse::<TraceFormat>().unwrap_err().to_string(),
        "`splitwise` is not a trace format that is read here; give one of `mooncake`, `bailian`, \
         `burstgpt`, `azure`."
    );
}

#[test]
fn a_trace_without_requests_is_refused() {
    let expected = "the trace has no requests; it needs at least 1 with a prompt and an answer.";
    for (text, format) in [
        ("", TraceFormat::Mooncake),
        (" \n\n", TraceFormat::Mooncake),
        ("", TraceFormat::Azure),
        (
            "TIMESTAMP,ContextTokens,GeneratedTokens\n",
            TraceFormat::Azure,
        ),
        (
            "Timestamp,Request tokens,Response tokens\n5,10,0\n",
            TraceFormat::BurstGpt,
        ),
    ] {
        assert_eq!(refusal(text, format), expected);
    }
}

#[test]
fn lines_that_are_no_requests_are_refused_by_row_and_column() {
    let good = r#"{"timestamp": 5, "input_length": 9, "output_length": 1, "hash_ids": [1]}"#;
    for (changed, to, expected) in [
        (
            "\"output_length\": 1, ",
            "",
            "row 2 of the trace has no column `output_length`, which its format needs; it has \
             `timestamp`, `input_length`, `hash_ids`.",
        ),
        (
            "\"timestamp\": 5",
            "\"timestamp\": \"soon\"",
            "row 2 of the trace has the text `soon` in column `timestamp`; there must be a time in \
             milliseconds, from 0 on.",
        ),
        (
            ": 9",
            ": -9",
            "row 2 of the trace has `-9` in column `input_length`; there must be a whole number of \
             tokens, from 0 to 10000000.",
        ),
        (
            "[1]",
            "[1, \"a\"]",
            "row 2 of the trace has an array in column `hash_ids`; there must be a list of whole numbers.",
        ),
        (
            "[1]",
            "[1, 2]",
            "row 2 of the trace has 2 ids in column `hash_ids`, more than one for every 512 tokens of its \
             9. Give the size of its blocks with `--trace-block-tokens`; Mooncake's have 512, \
             Qwen-Bailian's 16.",
        ),
        (
            "\"timestamp\": 5",
            "\"timestamp\": 4",
            "row 2 of the trace goes back in time, by 0.001 s in column `timestamp`; sort the rows by \
             that column.",
        ),
    ] {
        let file = format!("{good}\n{}\n", good.replace(changed, to));
        assert_eq!(refusal(file, TraceFormat::Mooncake), expected);
    }
    assert_eq!(
        refusal("[1]\n", TraceFormat::Mooncake),
        "row 1 of the trace has a number; there must be an object with a field for every column."
    );
    assert!(refusal("{\n", TraceFormat::Mooncake).contains("row 1: EOF"));
    assert!(refusal(b"\n\xff", TraceFormat::Mooncake).contains("line 2"));
}

#[test]
fn fields_that_are_no_numbers_are_refused_by_row_and_column() {
    assert_eq!(
        refusal(
            BURST_GPT.replace("Response tokens", "Answer"),
            TraceFormat::BurstGpt
        ),
        "row 1 of the trace has no column `Response tokens`, which its format needs; it has \
         `Timestamp`, `Model`, `Request tokens`, `Answer`, `Total tokens`, `Log Type`."
    );
    assert_eq!(
        refusal(BURST_GPT.replace("1087", "many"), TraceFormat::BurstGpt),
        "row 2 of the trace has `many` in column `Request tokens`; there must be a whole number of \
         tokens, from 0 to 10000000."
    );
    assert_eq!(
        refusal(BURST_GPT.replace("118.5", "inf"), TraceFormat::BurstGpt),
        "row 3 of the trace has `inf` in column `Timestamp`; there must be a time in seconds, from 0 \
         on."
    );
    assert_eq!(
        refusal(BURST_GPT.replace("45,", "4,"), TraceFormat::BurstGpt),
        "row 2 of the trace goes back in time, by 1 s in column `Timestamp`; sort the rows by that \
         column."
    );
    let azure = include_str!("data/azure-2023.csv");
    assert_eq!(
        refusal(azure.replace("16 18:17:05", "31"), TraceFormat::Azure),
        "row 3 of the trace has `2023-11-31` in column `TIMESTAMP`; there must be a date and time such \
         as 2023-11-16 18:17:03.9799600."
    );
    assert!(
        refusal(azure.replace(",110,27", ",110"), TraceFormat::Azure)
            .contains("row 3: it has 2 fields")
    );
}

#[test]
fn a_trace_is_made_faster_and_shorter() {
    let fast = mooncake().speed(2.0).unwrap();
    assert_eq!(dues(&fast), [0, 0, 1_526_000_000, 4_500_000_000]);
    let window = mooncake()
        .window(Nanos(1), Nanos::from_millis(9_000))
        .unwrap();
    assert_eq!(dues(&window), [3_051_999_999]);
    assert_eq!(
        mooncake()
            .window(Nanos(1), Nanos(2))
            .unwrap_err()
            .to_string(),
        "no request of the trace is due from 0.000000001 s on and before 0.000000002 s; the last is \
         due at 9 s."
    );
    for factor in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(mooncake().speed(factor).is_err());
        assert!(mooncake().scale(factor).is_err());
        assert!(mooncake().thin(factor, 0).is_err());
    }
    assert_eq!(
        mooncake().speed(-2.0).unwrap_err().to_string(),
        "the speed of a trace must be above 0 and finite, got `-2`; leave it out for 1."
    );
}

#[test]
fn a_scaled_trace_shares_what_it_shared() {
    let small = mooncake().scale(0.1).unwrap();
    assert_eq!(small.block_tokens, 51);
    let lengths: Vec<u32> = small.rows.iter().map(|row| row.input_tokens).collect();
    // 1400 = 2 × 512 + 376, 1025 = 2 × 512 + 1.
    assert_eq!(lengths, [102 + 38, 102 + 1, 51, 4]);
    assert_eq!(small.rows[2].output_tokens, 70);
}

#[test]
fn small_blocks_are_put_together_before_they_shrink() {
    let row = |input_tokens, ids: std::ops::Range<u64>| TraceRow {
        due: Nanos::ZERO,
        input_tokens,
        output_tokens: 10,
        prefix_blocks: ids.collect(),
    };
    let trace = Trace {
        rows: vec![
            row(640, 0..40),
            row(656, 0..41),
            row(320, 0..20),
            row(320, 1..21),
        ],
        block_tokens: 16,
        left_out: 0,
    };
    let small = trace.clone().scale(0.1).unwrap();
    assert_eq!(small.block_tokens, 16);
    let lengths: Vec<u32> = small.rows.iter().map(|row| row.input_tokens).collect();
    // A tenth, where 16 tokens alone would have become 2.
    assert_eq!(lengths, [64, 66, 32, 32]);
    let [first, longer, shorter, other] = [0, 1, 2, 3].map(|row| &small.rows[row].prefix_blocks);
    assert_eq!(first.len(), 4);
    assert_eq!(longer[..4], first[..]);
    assert_eq!(shorter[..], first[..2]);
    assert!(other.iter().all(|id| !first.contains(id)));
    assert_eq!(trace.clone().scale(1.0), Ok(trace));
}

#[test]
fn a_thinner_trace_is_a_part_of_a_thicker_one() {
    let row = |second: u64| TraceRow {
        due: Nanos(second),
        input_tokens: 1,
        output_tokens: 1,
        prefix_blocks: Vec::new(),
    };
    let full = Trace {
        rows: (0..10_000).map(row).collect(),
        block_tokens: 512,
        left_out: 0,
    };
    let [third, half] = [0.3, 0.5].map(|share| full.clone().thin(share, 7).unwrap());
    assert!(
        third.rows.len().abs_diff(3_000) < 300,
        "{}",
        third.rows.len()
    );
    assert!(third.rows.iter().all(|row| half.rows.contains(row)));
    assert_eq!(full.clone().thin(1.0, 7), Ok(full));
}

fn total(tokenizer: &dyn Tokenizer) -> impl Fn(&str) -> Result<usize, String> {
    |text| Ok(tokenizer.encode(&format!("<user>\n{text}<end>"))?.len())
}

/// Prompts of exactly their tokens, which share what their blocks say.
fn check(
    tokenizer: &dyn Tokenizer,
    seed: u64,
    block_tokens: u32,
    rows: &[TraceRow],
) -> Result<(), TestCaseError> {
    let total = total(tokenizer);
    let prompts = HashedPrompts {
        tokenizer,
        total: &total,
        block_tokens,
        seed,
        known: &BlockCache::default(),
    };
    let made: Result<Vec<String>, _> = (0..)
        .zip(rows)
        .map(|(number, row)| prompts.prompt(number, row))
        .collect();
    let made = made.map_err(|error| TestCaseError::fail(error.to_string()))?;
    for (text, row) in made.iter().zip(rows) {
        prop_assert_eq!(total(text), Ok(row.input_tokens as usize));
    }
    for (text, row) in made.iter().zip(rows) {
        for (other_text, other) in made.iter().zip(rows) {
            let ids = row.prefix_blocks.iter().zip(&other.prefix_blocks);
            let shared = ids.take_while(|(one, other)| one == other).count();
            // The template and the end of each prompt take from the last block, or the last two.
            let of_both = shared
                .min(row.prefix_blocks.len() - 1)
                .min(other.prefix_blocks.len() - 1);
            let of_both = of_both.saturating_sub(1);
            let blocks: String = row.prefix_blocks[..of_both]
                .iter()
                .map(|&id| prompts.block(id).unwrap().to_string())
                .collect();
            prop_assert!(text.starts_with(&blocks) && other_text.starts_with(&blocks));
            // And the server sees the same tokens.
            let head = |text: &str| tokenizer.encode(&format!("<user>\n{text}")).unwrap();
            let tokens = head(&blocks);
            prop_assert!(head(text).starts_with(&tokens) && head(other_text).starts_with(&tokens));
        }
    }
    Ok(())
}

fn rows() -> impl Strategy<Value = Vec<TraceRow>> {
    let row = (1_u32..64, 0_usize..5, 0_u64..3, 0_u64..3).prop_map(|(rest, full, branch, last)| {
        let mut prefix_blocks: Vec<u64> =
            (0..full as u64).map(|level| 10 * level + branch).collect();
        prefix_blocks.push(100 + last);
        let full = u32::try_from(full).unwrap() * 64;
        TraceRow {
            due: Nanos::ZERO,
            input_tokens: (full + rest).max(28),
            output_tokens: 1,
            prefix_blocks,
        }
    });
    prop::collection::vec(row, 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn prompts_share_the_text_and_the_tokens_of_their_blocks(seed: u64, rows in rows()) {
        check(&*PAIRS, seed, 64, &rows)?;
    }

    #[test]
    fn prompts_share_blocks_of_16_tokens_too(seed: u64, rows in rows()) {
        let small = rows.into_iter().map(|row| TraceRow {
            // The same blocks, of a quarter of the tokens.
            input_tokens: (row.input_tokens / 64 * 16 + (row.input_tokens % 64).min(16)).max(28),
            ..row
        });
        check(&*PAIRS, seed, 16, &small.collect::<Vec<_>>())?;
    }
}

#[test]
fn equal_requests_are_equal_prompts_and_others_are_not() {
    let tokenizer = Greedy::new(1, 1_000, true, false);
    let total = total(&tokenizer);
    let prompts = HashedPrompts {
        tokenizer: &tokenizer,
        total: &total,
        block_tokens: 64,
        seed: 1,
        known: &BlockCache::default(),
    };
    let row = |input_tokens, prefix_blocks: &[u64]| TraceRow {
        due: Nanos::ZERO,
        input_tokens,
        output_tokens: 1,
        prefix_blocks: prefix_blocks.to_vec(),
    };
    let text = |number, row: &TraceRow| prompts.prompt(number, row).unwrap();
    let same = row(150, &[1, 2, 3]);
    assert_eq!(text(0, &same), text(1, &same));
    assert_ne!(text(0, &same), text(0, &row(150, &[1, 2, 4])));
    let unknown = row(150, &[]);
    assert_ne!(text(0, &unknown), text(1, &unknown));
    assert_eq!(text(1, &unknown), text(1, &unknown));
    // Only the first block of two is known.
    let begun = row(150, &[1]);
    let (one, other) = (text(0, &begun), text(1, &begun));
    let block = prompts.block(1).unwrap();
    assert!(one.starts_with(&*block) && other.starts_with(&*block) && one != other);
}

proptest! {
    #[test]
    fn any_bytes_are_a_trace_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for format in TraceFormat::ALL {
            let _ = parse_trace(&bytes, format);
        }
    }

    #[test]
    fn any_times_are_a_trace_or_refused(times in prop::collection::vec("[0-9:.TZ +-]{0,30}", 1..4)) {
        let rows = times.join(",1,1\n");
        let file = format!("TIMESTAMP,ContextTokens,GeneratedTokens\n{rows},1,1\n");
        let _ = parse_trace(file.as_bytes(), TraceFormat::Azure);
    }
}
