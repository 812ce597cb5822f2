//! Tokenizers that somebody made to do harm: each ends in a sentence, or is read and takes no more than its file and the
//! text justify. None ends the process: the allocator does where a case goes beyond the limit.
#![allow(
    clippy::too_many_lines,
    clippy::needless_pass_by_value,
    reason = "tables of cases, and values made on the spot"
)]

#[path = "common/watch.rs"]
mod watch;

use models::{ModelSpec, ModelText};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::path::Path;
use watch::{Limited, assert_sentence, watched};

#[global_allocator]
static ALLOCATOR: Limited = Limited::new(std::alloc::System, 1_500 << 20);

/// What becomes of a case.
enum Expected {
    /// It is not read, and the error has these words.
    Refused(&'static str),
    /// A text is not encoded, be it the one that every tokenizer is tried on, and the error has these words.
    NotEncoded(&'static str),
    /// It is read, and all texts are encoded.
    Works,
}
use Expected::{NotEncoded, Refused, Works};

fn bpe() -> Value {
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
        "post_processor": null,
        "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
            "vocab": {"a": 0, "b": 1, "Ġ": 2, "aa": 3, "ab": 4, "Ã": 5, "©": 6}, "merges": [["a", "a"], ["a", "b"]]},
    })
}

fn word_piece() -> Value {
    let mut json = bpe();
    json["pre_tokenizer"] = json!({"type": "BertPreTokenizer"});
    json["decoder"] = json!({"type": "WordPiece", "prefix": "##", "cleanup": true});
    json["model"] = json!({"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 100, "vocab": {"[UNK]": 0, "a": 1, "##a": 2, "b": 3}});
    json
}

fn unigram() -> Value {
    let mut json = bpe();
    json["pre_tokenizer"] =
        json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true});
    json["decoder"] =
        json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true});
    json["model"] = json!({"type": "Unigram", "unk_id": 0, "byte_fallback": false,
        "vocab": [["<unk>", 0.0], ["a", -1.0], ["▁", -2.0], ["aa", -1.5]]});
    json
}

/// One thing of a description in another way.
fn with(mut json: Value, pointer: &str, value: Value) -> Value {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    json.pointer_mut(parent).unwrap()[key] = value;
    json
}

fn replace(pattern: Value, content: &str) -> Value {
    json!({"type": "Replace", "pattern": pattern, "content": content})
}

fn normalizers(steps: &[Value]) -> Value {
    with(
        bpe(),
        "/normalizer",
        json!({"type": "Sequence", "normalizers": steps}),
    )
}

fn pre_tokenizers(steps: &[Value]) -> Value {
    let mut steps = steps.to_vec();
    steps.push(bpe()["pre_tokenizer"].clone());
    with(
        bpe(),
        "/pre_tokenizer",
        json!({"type": "Sequence", "pretokenizers": steps}),
    )
}

fn split(regex: &str) -> Value {
    json!({"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": false})
}

fn added(content: &str, id: u64, normalized: bool) -> Value {
    json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
        "normalized": normalized, "special": false})
}

fn template(single: Value, specials: Value) -> Value {
    let template = json!({"type": "TemplateProcessing", "single": single, "pair": single, "special_tokens": specials});
    with(bpe(), "/post_processor", template)
}

fn nested(kind: &str, list: &str, inner: Value, depth: usize) -> Value {
    (0..depth).fold(inner, |inner, _| json!({"type": kind, list: [inner]}))
}

/// Reads a file of these bytes and encodes texts with it, in the ways of clients and servers.
fn outcome(bytes: &[u8]) -> Result<Result<(), String>, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    std::fs::write(&path, bytes).unwrap();
    let spec = ModelSpec::Path(path);
    let text = ModelText::open(&spec).map_err(|error| error.to_string());
    let opened = text.and_then(|text| {
        let encoder = ModelText::open_encoder(&spec).map_err(|error| error.to_string())?;
        Ok([text, encoder])
    })?;
    let texts = [
        "",
        "a",
        " ab\u{e9} \u{fdfa}<x> ",
        &"a".repeat(40),
        &"aab ".repeat(5_000),
        &"a".repeat(30_000),
    ];
    let encoded = opened.iter().try_for_each(|text| {
        texts.iter().try_for_each(|words| {
            let tokenizer = &text.tokenizer;
            let mut ids = tokenizer.encode(words, true)?;
            ids.extend(tokenizer.encode_prompt(words)?);
            ids.extend([0, 7, 1 << 21, u32::MAX]);
            assert!(tokenizer.decode(&ids).len() < 64 << 20);
            Ok::<_, models::TextError>(())
        })
    });
    Ok(encoded.map_err(|error| error.to_string()))
}

fn check(cases: Vec<(&'static str, Vec<u8>, Expected)>) {
    for (name, bytes, expected) in cases {
        let outcome = watched(name, move || outcome(&bytes));
        match (expected, &outcome) {
            (Works, Ok(Ok(()))) => {}
            (Refused(words), Err(error)) | (NotEncoded(words), Ok(Err(error)) | Err(error)) => {
                assert_sentence(name, error);
                assert!(error.contains(words), "{name}: {error}");
            }
            _ => panic!("{name}: {outcome:?}"),
        }
    }
}

fn check_values(cases: Vec<(&'static str, Value, Expected)>) {
    let bytes =
        |(name, json, expected): (_, Value, _)| (name, json.to_string().into_bytes(), expected);
    check(cases.into_iter().map(bytes).collect());
}

#[test]
fn bad_input_56_a_vocabulary_that_contradicts_itself_is_refused() {
    let many: serde_json::Map<String, Value> =
        (0..20).map(|id| (format!("t{id}"), json!(id))).collect();
    let deep = vec![json!(["a".repeat(400_000), -1.0])];
    check_values(vec![
        ("works", bpe(), Works),
        ("word piece works", word_piece(), Works),
        ("unigram works", unigram(), Works),
        (
            "empty",
            with(bpe(), "/model/vocab", json!({})),
            Refused("out of vocabulary"),
        ),
        (
            "no tokens",
            with(
                with(bpe(), "/model/vocab", json!({})),
                "/model/merges",
                json!([]),
            ),
            Works,
        ),
        (
            "id 2^32-1",
            with(bpe(), "/model/vocab/a", json!(u32::MAX)),
            Refused("the token id 4294967295 is not"),
        ),
        (
            "id 2^22-1",
            with(bpe(), "/model/vocab/a", json!((1 << 22) - 1)),
            Refused("is not between 0 and"),
        ),
        (
            "id 2^64",
            with(bpe(), "/model/vocab/a", json!(1e30)),
            Refused("the token id"),
        ),
        (
            "id is text",
            with(bpe(), "/model/vocab/a", json!("x".repeat(100_000))),
            Refused("the token id"),
        ),
        ("ids twice", with(bpe(), "/model/vocab/a", json!(1)), Works),
        (
            "vocab is text",
            with(bpe(), "/model/vocab", json!("a")),
            Refused("no `model.vocab`"),
        ),
        (
            "vocab is a list",
            with(bpe(), "/model/vocab", json!([1, 2])),
            Refused("is no pair"),
        ),
        (
            "merge of nothing",
            with(bpe(), "/model/merges", json!([["a", "zz"]])),
            Refused("zz"),
        ),
        (
            "merge without result",
            with(bpe(), "/model/merges", json!([["b", "b"]])),
            Refused("bb"),
        ),
        (
            "merge of a long text",
            with(bpe(), "/model/merges", json!([["a", "z".repeat(3 << 20)]])),
            Refused("zzz"),
        ),
        (
            "merges deep",
            with(
                bpe(),
                "/model/merges",
                (0..100).fold(json!([]), |a, _| json!([a])),
            ),
            Refused("tokenizer"),
        ),
        (
            "prefix longer than a merge",
            with(bpe(), "/model/continuing_subword_prefix", json!("####")),
            Refused("does not go on with `####`"),
        ),
        (
            "prefix within a character",
            with(
                with(bpe(), "/model/continuing_subword_prefix", json!("a")),
                "/model/merges",
                json!([["a", "é"]]),
            ),
            Refused("does not go on with `a`"),
        ),
        (
            "prefix of lines",
            with(
                with(bpe(), "/model/continuing_subword_prefix", json!("##")),
                "/model/merges",
                json!(["a b"]),
            ),
            Refused("does not go on with"),
        ),
        (
            "prefix of a megabyte",
            with(
                word_piece(),
                "/model/continuing_subword_prefix",
                json!("#".repeat(1 << 20)),
            ),
            Refused("`continuing_subword_prefix` has 1048576 bytes"),
        ),
        (
            "suffix of a megabyte",
            with(
                bpe(),
                "/model/end_of_word_suffix",
                json!("w".repeat(1 << 20)),
            ),
            Refused("`end_of_word_suffix` has"),
        ),
        (
            "unknown that is not there",
            with(bpe(), "/model/unk_token", json!("zz")),
            NotEncoded("zz"),
        ),
        (
            "unknown of a megabyte",
            with(bpe(), "/model/unk_token", json!("z".repeat(1 << 20))),
            Refused("`unk_token`"),
        ),
        (
            "dropout",
            with(bpe(), "/model/dropout", json!(-7)),
            Refused("ropout"),
        ),
        (
            "no unknown word",
            with(word_piece(), "/model/unk_token", json!("zz")),
            NotEncoded("UNK"),
        ),
        (
            "words of any length",
            with(
                word_piece(),
                "/model/max_input_chars_per_word",
                json!(u64::MAX),
            ),
            Refused("`max_input_chars_per_word` must be between"),
        ),
        (
            "words of no length",
            with(word_piece(), "/model/max_input_chars_per_word", json!(0)),
            Works,
        ),
        (
            "unknown piece beyond",
            with(unigram(), "/model/unk_id", json!(99)),
            Refused("`unk_id` is 99"),
        ),
        (
            "unknown piece beyond all",
            with(unigram(), "/model/unk_id", json!(u64::MAX)),
            Refused("`unk_id` is"),
        ),
        (
            "no unknown piece",
            with(unigram(), "/model/unk_id", json!(null)),
            NotEncoded("unk"),
        ),
        (
            "no pieces",
            with(unigram(), "/model/vocab", json!([])),
            Refused("has 0 pieces"),
        ),
        (
            "pieces twice",
            with(
                unigram(),
                "/model/vocab",
                json!([["<unk>", 0.0], ["a", -1.0], ["a", -2.0]]),
            ),
            Works,
        ),
        (
            "an empty piece",
            with(
                unigram(),
                "/model/vocab",
                json!([["<unk>", 0.0], ["", -1.0], ["a", -2.0]]),
            ),
            Works,
        ),
        (
            "a score without end",
            with(
                unigram(),
                "/model/vocab",
                json!([["<unk>", 0.0], ["a", 1e308]]),
            ),
            Refused("has no score between"),
        ),
        (
            "a score that is none",
            with(unigram(), "/model/vocab", json!([["<unk>", "NaN"]])),
            Refused("no score"),
        ),
        (
            "a piece as deep as a stack",
            with(unigram(), "/model/vocab", deep.into()),
            Refused("has 400000 bytes"),
        ),
        (
            "unknown model",
            with(
                with(bpe(), "/model/type", json!("Magic")),
                "/model/vocab",
                many.into(),
            ),
            Refused("tokenizer"),
        ),
        (
            "model is text",
            with(bpe(), "/model", json!("BPE")),
            Refused("no `model.vocab`"),
        ),
        (
            "no model",
            json!({"version": "1.0"}),
            Refused("no `model.vocab`"),
        ),
        (
            "version 9",
            with(bpe(), "/version", json!("9")),
            Refused("ersion"),
        ),
        (
            "truncation",
            with(
                bpe(),
                "/truncation",
                json!({"direction": "Right", "max_length": 0, "strategy": "LongestFirst",
            "stride": u64::MAX}),
            ),
            Works,
        ),
        (
            "truncation of nothing",
            with(bpe(), "/truncation", json!({"max_length": -1e300})),
            Refused("tokenizer"),
        ),
        (
            "padding",
            with(
                bpe(),
                "/padding",
                json!({"strategy": {"Fixed": u64::MAX}, "direction": "Left",
            "pad_to_multiple_of": u64::MAX, "pad_id": u32::MAX, "pad_type_id": 0, "pad_token": "x"}),
            ),
            Works,
        ),
    ]);
}

#[test]
fn bad_input_57_steps_that_make_a_text_explode_are_refused_or_counted() {
    let string = |text: &str| json!({"String": text});
    let doubling = replace(string("a"), "aa");
    let byte_level = bpe()["pre_tokenizer"].clone();
    let metaspace = unigram()["pre_tokenizer"].clone();
    let with_token = |steps: &[Value]| {
        with(
            normalizers(steps),
            "/added_tokens",
            json!([added("a", 0, true)]),
        )
    };
    let charsmap =
        |map: &str| normalizers(&[json!({"type": "Precompiled", "precompiled_charsmap": map})]);
    check_values(vec![
        (
            "a doubling",
            normalizers(std::slice::from_ref(&doubling)),
            Works,
        ),
        (
            "40 doublings",
            normalizers(&vec![doubling.clone(); 40]),
            Refused("more than 4096 bytes of each byte"),
        ),
        (
            "40 doublings at load",
            with_token(&vec![doubling.clone(); 40]),
            Refused("more than 4096 bytes"),
        ),
        (
            "12 doublings",
            normalizers(&vec![doubling.clone(); 12]),
            NotEncoded("normalizer makes more than 16777216 bytes"),
        ),
        (
            "12 doublings at load",
            with_token(&vec![doubling.clone(); 12]),
            NotEncoded("normalizer makes more than"),
        ),
        (
            "doublings without a type",
            normalizers(&vec![
                json!({"pattern": {"String": "a"}, "content": "aa"});
                40
            ]),
            Refused("more than 4096"),
        ),
        (
            "doublings of another type",
            normalizers(&vec![
                json!({"type": "Odd", "pattern": {"String": "a"},
            "content": "aa"});
                40
            ]),
            Refused("more than 4096"),
        ),
        (
            "doublings in sequences",
            normalizers(&vec![
                json!({"type": "Sequence", "normalizers":
            vec![doubling.clone(); 4]});
                10
            ]),
            Refused("more than 4096"),
        ),
        (
            "a megabyte for a letter",
            normalizers(&[replace(string("a"), &"b".repeat(1 << 20))]),
            Refused("writes 1048576 bytes at once"),
        ),
        (
            "a kilobyte for a letter, twice",
            normalizers(&vec![replace(string("a"), &"a".repeat(1_000)); 2]),
            Refused("more than 4096"),
        ),
        (
            "nothing replaced",
            normalizers(&[replace(string(""), "aa")]),
            Refused("replaces an empty text"),
        ),
        (
            "nothing matched",
            normalizers(&[replace(json!({"Regex": ""}), "aa")]),
            Refused("contradicts itself"),
        ),
        (
            "nothing matched, often",
            normalizers(&vec![replace(json!({"Regex": ""}), "aa"); 20]),
            Refused("more than 4096"),
        ),
        (
            "a pattern of two kinds",
            normalizers(&[replace(json!({"Regex": "a", "String": "a"}), "a")]),
            Refused("tokenizer"),
        ),
        (
            "a pattern that is none",
            normalizers(&[replace(json!({"Regex": "("}), "a")]),
            Refused("tokenizer"),
        ),
        (
            "a prefix of a megabyte",
            normalizers(&[json!({"type": "Prepend", "prepend": "a".repeat(1 << 20)})]),
            Refused("writes 1048576 bytes at once"),
        ),
        (
            "prefixes",
            normalizers(&vec![
                json!({"type": "Prepend", "prepend": "a".repeat(1_000)});
                100
            ]),
            Refused("more than 4096"),
        ),
        ("no map", charsmap(""), Refused("no map of characters")),
        (
            "a map that is no base64",
            charsmap("!!!!"),
            Refused("no map of characters"),
        ),
        (
            "a map of four bytes",
            charsmap("AAAAAA=="),
            Refused("no map of characters"),
        ),
        (
            "a map shorter than it says",
            charsmap("/////wAAAAA="),
            Refused("no map of characters"),
        ),
        (
            "a map that leads outside",
            charsmap("BAAAAP////8="),
            NotEncoded("contradicts itself"),
        ),
        (
            "a map that is no text",
            charsmap("BAAAAAAAAAD/"),
            Refused("no map of characters"),
        ),
        (
            "a map that is a number",
            normalizers(&[json!({"type": "Precompiled", "precompiled_charsmap": 7})]),
            Refused("no map of characters"),
        ),
        (
            "byte levels",
            pre_tokenizers(&vec![byte_level.clone(); 40]),
            Refused("steps of `ByteLevel` and `Metaspace`"),
        ),
        (
            "metaspaces",
            pre_tokenizers(&vec![metaspace; 40]),
            Refused("steps of `ByteLevel` and `Metaspace`"),
        ),
        (
            "byte levels that normalize",
            normalizers(&vec![json!({"type": "ByteLevel"}); 40]),
            Refused("more than 4096"),
        ),
        (
            "compositions",
            normalizers(&vec![json!({"type": "NFKD"}); 100]),
            Refused("more than 4096"),
        ),
        (
            "BERT's",
            normalizers(&vec![
                json!({"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
            "strip_accents": null, "lowercase": false});
                100
            ]),
            Refused("more than 4096"),
        ),
        (
            "lengths of 0",
            pre_tokenizers(&[json!({"type": "FixedLength", "length": 0})]),
            Refused("`FixedLength` of 0"),
        ),
        (
            "lengths without end",
            pre_tokenizers(&[json!({"type": "FixedLength", "length": u64::MAX})]),
            Works,
        ),
        (
            "cuts everywhere",
            pre_tokenizers(&[json!({"type": "Split", "pattern": {"String": ""},
            "behavior": "Isolated", "invert": false})]),
            Works,
        ),
        (
            "thousands of steps",
            normalizers(&vec![json!({"type": "Nmt"}); 5_000]),
            Refused("more than 128 steps"),
        ),
        (
            "steps within steps",
            with(
                bpe(),
                "/normalizer",
                nested("Sequence", "normalizers", json!({"type": "NFC"}), 40),
            ),
            Refused("more than 16 deep"),
        ),
        (
            "pre-tokenizers within",
            with(
                bpe(),
                "/pre_tokenizer",
                nested("Sequence", "pretokenizers", byte_level.clone(), 40),
            ),
            Refused("more than 16 deep"),
        ),
        (
            "decoders within",
            with(
                bpe(),
                "/decoder",
                nested("Sequence", "decoders", byte_level.clone(), 40),
            ),
            Refused("more than 16 deep"),
        ),
        (
            "processors within",
            with(
                bpe(),
                "/post_processor",
                nested("Sequence", "processors", byte_level, 40),
            ),
            Refused("more than 16 deep"),
        ),
        (
            "a step that is a number",
            normalizers(&[json!(7)]),
            Refused("tokenizer"),
        ),
        (
            "a step that is unknown",
            normalizers(&[json!({"type": "Explode"})]),
            Refused("tokenizer"),
        ),
    ]);
}

#[test]
fn bad_input_58_patterns_that_take_for_ever_are_left_behind() {
    let cases = [
        (
            "nested repeats, looked ahead",
            r"(?=(a+)+$)(a+)+b|(a+)+(?!a)c|a",
        ),
        ("every part of a text", r"(?=a*a*a*a*b)a|a"),
        ("a reference back", r"(a+)+\1+b|a"),
    ];
    for (name, pattern) in cases {
        for json in [
            pre_tokenizers(&[split(pattern)]),
            normalizers(&[replace(json!({"Regex": pattern}), "a")]),
        ] {
            let bytes = json.to_string().into_bytes();
            match watched(name, move || outcome(&bytes)) {
                Ok(Ok(())) => {}
                Ok(Err(error)) | Err(error) => {
                    assert_sentence(name, &error);
                    assert!(error.contains("not fit for such texts"), "{name}: {error}");
                }
            }
        }
    }
    check_values(vec![
        (
            "the square of a text",
            pre_tokenizers(&[split(r"a*?b|[^b]*b|(?!c)a")]),
            NotEncoded("not fit for such texts"),
        ),
        (
            "a pattern of a megabyte",
            pre_tokenizers(&[split(&"a".repeat(1 << 20))]),
            Refused("a pattern has 1048576 bytes"),
        ),
        (
            "repeats of repeats",
            pre_tokenizers(&[split(r"((\w{100}){100}){100}")]),
            Refused("tokenizer"),
        ),
        (
            "groups within groups",
            pre_tokenizers(&[split(&format!("{}a{}", "(".repeat(900), ")".repeat(900)))]),
            Refused("tokenizer"),
        ),
        (
            "no pattern",
            pre_tokenizers(&[split("(?<")]),
            Refused("tokenizer"),
        ),
        (
            "a group that is not there",
            pre_tokenizers(&[split(r"\9")]),
            Refused("tokenizer"),
        ),
        (
            "one of our own",
            pre_tokenizers(&[split(r"a(?=b)|\p{L}+")]),
            Works,
        ),
    ]);
}

/// A pattern that is not known is watched; texts that are under way at once are not taken for texts that were given up.
#[test]
fn texts_side_by_side_are_all_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    let json = pre_tokenizers(&[split(r"[^b]{1,7}?b|a{1,3}")]);
    std::fs::write(&path, json.to_string()).unwrap();
    let text = ModelText::open(&ModelSpec::Path(path)).unwrap();
    let words = "aab ab ".repeat(2_000);
    let alone = text.tokenizer.encode(&words, true).unwrap();
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..12)
            .map(|_| {
                scope.spawn(|| {
                    text.tokenizer
                        .encode(&words, true)
                        .map_err(|e| e.to_string())
                })
            })
            .collect();
        for reader in readers {
            assert_eq!(reader.join().unwrap().as_ref(), Ok(&alone));
        }
    });
}

#[test]
fn bad_input_58_added_tokens_and_templates_without_measure_are_refused() {
    let token =
        |content: &str, id: u64| with(bpe(), "/added_tokens", json!([added(content, id, false)]));
    let spaces: Vec<Value> = [" ", "a ", " a", "  "]
        .iter()
        .map(|text| {
            json!({"id": 9, "content": text,
        "single_word": true, "lstrip": true, "rstrip": true, "normalized": true, "special": true})
        })
        .collect();
    let piece = |id: &str| json!({"SpecialToken": {"id": id, "type_id": 0}});
    let text = |id: &str| json!({"Sequence": {"id": id, "type_id": 0}});
    let ids =
        |count: usize| json!({"x": {"id": "x", "ids": vec![1; count], "tokens": vec!["x"; count]}});
    let many: Vec<Value> = (0..2_000)
        .map(|id| added(&format!("{id:4000}"), id, false))
        .collect();
    check_values(vec![
        (
            "3 megabytes",
            token(&"x".repeat(3 << 20), 9),
            Refused("an added token has 3145728 bytes"),
        ),
        (
            "8 megabytes together",
            with(bpe(), "/added_tokens", many.into()),
            Refused("bytes together"),
        ),
        ("an empty one", token("", 9), Works),
        (
            "id 2^32-1",
            token("<x>", u64::from(u32::MAX)),
            Refused("the token id 4294967295"),
        ),
        (
            "one without an id",
            with(bpe(), "/added_tokens", json!([{"content": "x"}])),
            Refused("id"),
        ),
        (
            "the same twice",
            with(
                bpe(),
                "/added_tokens",
                json!([added("<x>", 9, true), added("<x>", 10, false)]),
            ),
            Works,
        ),
        (
            "one that is normalized to nothing",
            with(
                with(bpe(), "/added_tokens", json!([added(" ", 9, true)])),
                "/normalizer",
                json!({"type": "Strip", "strip_left": true, "strip_right": true}),
            ),
            NotEncoded("contradicts itself"),
        ),
        (
            "spaces of each other",
            with(bpe(), "/added_tokens", spaces.into()),
            Works,
        ),
        (
            "a list of numbers",
            with(bpe(), "/added_tokens", json!([1, 2])),
            Refused("tokenizer"),
        ),
        (
            "a piece that is not there",
            template(json!([text("A"), piece("zz")]), json!({})),
            Refused("does not say which token that is"),
        ),
        (
            "a second text",
            template(json!([text("A"), text("B")]), json!({})),
            Refused("wants a second text"),
        ),
        (
            "the text twice",
            template(json!([text("A"), text("A")]), json!({})),
            Refused("has the text 2 times"),
        ),
        (
            "no text",
            template(json!([piece("x")]), ids(1)),
            Refused("has the text 0 times"),
        ),
        (
            "a million tokens",
            template(json!([text("A"), piece("x")]), ids(1 << 20)),
            Refused("tokens around a text"),
        ),
        (
            "pieces without end",
            template(vec![piece("x"); 1 << 16].into(), ids(1)),
            Refused("tokens around a text"),
        ),
        (
            "tokens squared",
            template(
                [vec![text("A")], vec![piece("x"); 200]].concat().into(),
                ids(200),
            ),
            Refused("tokens around a text"),
        ),
        (
            "more ids than tokens",
            template(
                json!([text("A"), piece("x")]),
                json!({"x": {"id": "x", "ids": [1, 2, 3], "tokens": []}}),
            ),
            Works,
        ),
        (
            "templates in a row",
            with(
                bpe(),
                "/post_processor",
                json!({"type": "Sequence", "processors":
            vec![template(json!([text("A"), piece("x")]), ids(200))["post_processor"].clone(); 100]}),
            ),
            Refused("tokens around a text"),
        ),
    ]);
}

#[test]
fn bad_input_56_files_that_are_no_descriptions_are_refused() {
    let of = |text: String| text.into_bytes();
    let twice = bpe()
        .to_string()
        .replace("\"a\":0", "\"a\":4294967295,\"a\":0");
    check(vec![
        ("nothing", Vec::new(), Refused("no JSON")),
        ("deep lists", of("[".repeat(1 << 20)), Refused("no JSON")),
        (
            "deep objects",
            of("{\"a\":".repeat(1 << 20)),
            Refused("no JSON"),
        ),
        (
            "many values",
            of(format!("[{}1]", "1,".repeat(9 << 20))),
            Refused("values; at most"),
        ),
        (
            "a number without end",
            of(format!("{{\"model\":{}}}", "9".repeat(1 << 20))),
            Refused(""),
        ),
        (
            "an exponent",
            of("{\"model\":1e999999}".to_owned()),
            Refused("no JSON"),
        ),
        (
            "no UTF-8",
            b"{\"model\":\"\xff\"}".to_vec(),
            Refused("no JSON"),
        ),
        (
            "half a surrogate",
            of("{\"model\":\"\\ud800\"}".to_owned()),
            Refused("no JSON"),
        ),
        (
            "a text",
            of("\"tokenizer\"".to_owned()),
            Refused("no `model.vocab`"),
        ),
        ("a key twice", of(twice), Works),
    ]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    // It has no bytes on the disk.
    std::fs::File::create(&path)
        .unwrap()
        .set_len(1 << 40)
        .unwrap();
    let spec = ModelSpec::Path(path);
    let error = watched("sparse", move || {
        ModelText::open(&spec).err().unwrap().to_string()
    });
    assert!(
        error.contains("has 1099511627776 bytes; at most"),
        "{error}"
    );
}

/// A real file with some bytes in another way.
fn damaged(path: &Path, damages: &[(u32, u8)], cut: Option<u32>) -> Vec<u8> {
    let mut bytes = std::fs::read(path).unwrap();
    let place = |at: u32, bytes: &[u8]| {
        usize::try_from(bytes.len() as u64 * u64::from(at) / 1_000_000).unwrap()
    };
    for (at, byte) in damages {
        let at = place(*at, &bytes);
        bytes[at] = *byte;
    }
    bytes.truncate(cut.map_or(bytes.len(), |at| place(at, &bytes)));
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn bad_input_58_a_damaged_tokenizer_is_refused_or_works(
        damages in prop::collection::vec((0..1_000_000_u32, prop::sample::select(b"09{}[],:\"ae\\-".to_vec())), 1..4),
        cut in prop::option::weighted(0.1, 0..1_000_000_u32),
        which in 0..4_usize,
    ) {
        let bytes = match which {
            0 => damaged(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/bert-tiny/tokenizer.json"), &damages, cut),
            which => {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("tokenizer.json");
                std::fs::write(&path, [bpe(), word_piece(), unigram()][which - 1].to_string()).unwrap();
                damaged(&path, &damages, cut)
            }
        };
        if let Ok(Err(error)) | Err(error) = watched("damaged", move || outcome(&bytes)) {
            assert_sentence("damaged", &error);
        }
    }
}
