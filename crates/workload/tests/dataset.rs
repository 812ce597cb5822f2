//! Data sets of every format, as people write them and as they should not be.

use proptest::prelude::*;
use workload::{Format, PROMPT_BYTES_MAX, WorkloadError, parse_rows};

const FORMATS: [Format; 4] = [Format::Text, Format::Csv, Format::Json, Format::JsonLines];

fn rows(bytes: impl AsRef<[u8]>, format: Format, column: Option<&str>) -> Vec<String> {
    let rows = parse_rows(bytes.as_ref(), format, column).unwrap();
    rows.iter().map(ToString::to_string).collect()
}

fn refusal(bytes: impl AsRef<[u8]>, format: Format, column: Option<&str>) -> String {
    parse_rows(bytes.as_ref(), format, column)
        .unwrap_err()
        .to_string()
}

#[test]
fn the_extension_names_the_format_in_any_case() {
    assert_eq!(Format::from_extension("txt"), Ok(Format::Text));
    assert_eq!(Format::from_extension(".CSV"), Ok(Format::Csv));
    assert_eq!(Format::from_extension("Json"), Ok(Format::Json));
    assert_eq!(Format::from_extension("jsonl"), Ok(Format::JsonLines));
    assert_eq!(
        Format::from_extension("par\x1bquet")
            .unwrap_err()
            .to_string(),
        "`par\u{fffd}quet` is not a data set format that is read here; convert the file to .txt, \
         .csv, .json or .jsonl."
    );
}

#[test]
fn a_text_file_has_one_prompt_per_line_that_is_not_blank() {
    let file = "\u{feff}first\r\n\r\n  \nsecond, with a comma\nthird";
    assert_eq!(
        rows(file, Format::Text, None),
        ["first", "second, with a comma", "third"]
    );
}

#[test]
fn csv_fields_may_hold_quotes_commas_and_line_breaks() {
    let file = "\u{feff}id, Question ,answer\n1,\"a, \"\"b\"\"\nc\",2\n2,d,3\n";
    assert_eq!(rows(file, Format::Csv, None), ["a, \"b\"\nc", "d"]);
    assert_eq!(rows(file, Format::Csv, Some("answer")), ["2", "3"]);
}

#[test]
fn json_rows_are_texts_or_objects_and_may_be_wrapped() {
    for file in [
        r#"["a", "b"]"#,
        r#"[{"prompt": "a"}, {"prompt": "b"}]"#,
        r#"{"rows": ["a", {"text": "b"}]}"#,
        r#"{"version": 1, "data": [{"problem": "a", "input": "x"}, {"problem": "b"}]}"#,
    ] {
        assert_eq!(rows(file, Format::Json, None), ["a", "b"]);
    }
}

#[test]
fn json_lines_are_texts_or_objects() {
    let file = "\u{feff}{\"body\": \"a\"}\r\n\n{\"body\": \"b\\n\"}\n";
    assert_eq!(rows(file, Format::JsonLines, Some("body")), ["a", "b\n"]);
    assert_eq!(rows("\"a\"\n\"b\"", Format::JsonLines, None), ["a", "b"]);
}

#[test]
fn the_usual_columns_are_looked_for_in_order() {
    let file = r#"[{"instruction": "no", "text": "no", "question": "yes"}]"#;
    assert_eq!(rows(file, Format::Json, None), ["yes"]);
}

#[test]
fn input_45_dataset_empty() {
    for format in FORMATS {
        for file in ["", "\u{feff}", "\n \n"] {
            let error = parse_rows(file.as_bytes(), format, None).unwrap_err();
            assert!(
                matches!(
                    error,
                    WorkloadError::EmptyDataSet | WorkloadError::NoUsualColumn { .. }
                ),
                "{format:?} {file:?}: {error}"
            );
        }
    }
    for (file, format) in [
        ("prompt\n", Format::Csv),
        ("[]", Format::Json),
        (r#"{"data": []}"#, Format::Json),
    ] {
        assert_eq!(
            refusal(file, format, None),
            "the data set has no prompts; it needs at least 1."
        );
    }
}

#[test]
fn input_45_dataset_wrong_column() {
    let expected = "row 1 of the data set has no column `body`; it has `id`, `prompt`. Name one of \
                    them with `--dataset-column`.";
    let csv = "id,prompt\n1,a\n";
    assert_eq!(refusal(csv, Format::Csv, Some("body")), expected);
    let object = r#"{"id": 1, "prompt": "a"}"#;
    assert_eq!(refusal(object, Format::JsonLines, Some("body")), expected);
    assert_eq!(
        refusal(
            r#"[{"text": "a"}, {"id": 1, "\u001b[2J": 2}]"#,
            Format::Json,
            None
        ),
        "row 2 of the data set has no column `text`; it has `id`, `\u{fffd}[2J`. Name one of them \
         with `--dataset-column`."
    );
    assert_eq!(
        refusal("id,body\n1,a\n", Format::Csv, None),
        "the data set has none of the columns `prompt`, `question`, `Question`, `problem`, `text`, \
         `input`, `instruction`; it has `id`, `body`. Name one of them with `--dataset-column`."
    );
}

#[test]
fn a_list_of_columns_stays_readable() {
    let header: Vec<String> = (0..500).map(|n| format!("{n}").repeat(100)).collect();
    let message = refusal(header.join(","), Format::Csv, None);
    assert!(message.contains("…` and 480 more"));
    assert!(message.len() < 2_000);
}

#[test]
fn a_column_of_plain_texts_is_refused() {
    let expected = "`--dataset-column` asks for column `body`, but row 1 of the data set is plain \
                    text without columns; leave the flag out.";
    assert_eq!(refusal("a\n", Format::Text, Some("body")), expected);
    assert_eq!(refusal(r#"["a"]"#, Format::Json, Some("body")), expected);
}

#[test]
fn a_prompt_that_is_not_text_is_refused() {
    assert_eq!(
        refusal(r#"[{"prompt": "a"}, {"prompt": [1]}]"#, Format::Json, None),
        "row 2 of the data set holds an array in column `prompt`; a prompt must be text."
    );
    assert_eq!(
        refusal("\"a\"\n\n3", Format::JsonLines, None),
        "row 3 of the data set holds a number; a prompt must be text."
    );
    assert_eq!(
        refusal(r#"{"train": []}"#, Format::Json, None),
        "the data set is an object with `train`; it must be an array of rows, or an object with \
         such an array under `data` or `rows`."
    );
}

#[test]
fn a_row_without_a_prompt_is_refused() {
    let expected = "row 2 of the data set has an empty prompt; fill it, delete the row, or name \
                    another column with `--dataset-column`.";
    let csv = "input,instruction\na,b\n ,c\n";
    assert_eq!(refusal(csv, Format::Csv, None), expected);
    assert_eq!(refusal(r#"["a", ""]"#, Format::Json, None), expected);
}

#[test]
fn what_does_not_parse_is_refused_with_its_place() {
    assert_eq!(
        refusal("prompt,answer\na,1\nb, c,2\n", Format::Csv, None),
        "the file is not valid CSV: row 2: it has 3 fields where the header has 2; put fields \
         that hold commas or line breaks in double quotes."
    );
    assert_eq!(
        refusal("[\"a\",\n\"b", Format::Json, None),
        "the file is not valid JSON: EOF while parsing a string at line 2 column 2."
    );
    assert_eq!(
        refusal("\"a\"\n{\"prompt\": b}", Format::JsonLines, None),
        "the file is not valid JSON lines: row 2: expected value at column 12."
    );
    let nested = "[".repeat(10_000);
    assert!(refusal(nested, Format::Json, None).contains("recursion limit"));
}

#[test]
fn bytes_that_are_not_utf8_are_refused_with_their_line() {
    for format in FORMATS {
        assert_eq!(
            refusal(b"prompt\nfine\nna\xefve\n", format, None),
            "line 3 of the file is not valid UTF-8; convert the file to UTF-8."
        );
    }
}

#[test]
fn a_prompt_above_8_mib_is_refused() {
    let longest = "x".repeat(PROMPT_BYTES_MAX);
    assert_eq!(rows(&longest, Format::Text, None), [longest.as_str()]);
    assert_eq!(
        refusal(format!("a\n{longest}x"), Format::Text, None),
        "the prompt in row 2 of the data set is 8388609 bytes long, above the limit of 8388608; \
         shorten it or delete the row."
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_bytes_make_a_parser_panic(bytes: Vec<u8>, text in "[\\[\\]{}\",:a\n\r ]*") {
        for format in FORMATS {
            for column in [None, Some("a")] {
                let _ = parse_rows(&bytes, format, column);
                let _ = parse_rows(text.as_bytes(), format, column);
            }
        }
    }

    #[test]
    fn rows_come_back_as_they_were_written(
        texts in prop::collection::vec("[^\\s].{0,20}", 1..10),
    ) {
        let json = serde_json::to_string(&texts).unwrap();
        prop_assert_eq!(&rows(json, Format::Json, None), &texts);

        let mut table = csv::Writer::from_writer(Vec::new());
        table.write_record(["id", "prompt"]).unwrap();
        for text in &texts {
            table.write_record(["1", text]).unwrap();
        }
        prop_assert_eq!(&rows(table.into_inner().unwrap(), Format::Csv, None), &texts);

        let lines: Vec<String> = texts
            .iter()
            .map(|text| serde_json::json!({ "prompt": text }).to_string())
            .collect();
        prop_assert_eq!(&rows(lines.join("\n"), Format::JsonLines, None), &texts);
    }
}
