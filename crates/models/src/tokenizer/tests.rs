use super::Tokenizer;
use super::table::characters;
use crate::TextError;
use crate::weights::Metadata;
use proptest::prelude::*;

/// A byte-level vocabulary with a few merges, as the files of GPT-2 have it.
fn files() -> (Vec<u8>, Vec<u8>) {
    let mut names: Vec<char> = characters().into_keys().collect();
    names.sort_unstable();
    let merges = [("h", "e"), ("l", "l"), ("he", "ll"), ("Ġ", "w")];
    let longer = merges.iter().map(|(a, b)| format!("{a}{b}"));
    let names = names
        .iter()
        .map(ToString::to_string)
        .chain(longer)
        .chain(["<|endoftext|>".to_owned()]);
    let vocab: serde_json::Map<String, serde_json::Value> = (0..)
        .zip(names)
        .map(|(id, name)| (name, serde_json::json!(id)))
        .collect();
    let lines: Vec<String> = merges.iter().map(|(a, b)| format!("{a} {b}")).collect();
    let merges = format!("#version: 0.2\n{}\n", lines.join("\n"));
    (serde_json::to_vec(&vocab).unwrap(), merges.into_bytes())
}

fn tokenizer() -> Tokenizer {
    let (vocab, merges) = files();
    let json = super::json::of_vocab_merges(&vocab, &merges).unwrap();
    Tokenizer::from_json(&json, "").unwrap()
}

#[test]
fn merges_make_longer_tokens() {
    let tokenizer = tokenizer();
    let ids = tokenizer.encode("hello world", false).unwrap();
    let pieces: Vec<String> = ids.iter().map(|id| tokenizer.decode(&[*id])).collect();
    assert_eq!(pieces, ["hell", "o", " w", "o", "r", "l", "d"]);
}

#[test]
fn special_tokens_in_a_text_are_text_unless_they_are_asked_for() {
    for tokenizer in [tokenizer(), Tokenizer::bytes()] {
        let end = tokenizer.token_to_id("<|endoftext|>").unwrap();
        assert!(tokenizer.is_special(end));
        assert_eq!(
            tokenizer.encode("a<|endoftext|>", true).unwrap().last(),
            Some(&end)
        );
        let plain = tokenizer.encode("a<|endoftext|>", false).unwrap();
        assert!(!plain.contains(&end));
        assert_eq!(tokenizer.decode(&plain), "a<|endoftext|>");
        assert_eq!(tokenizer.token_bytes(end), b"");
    }
}

#[test]
fn a_prompt_begins_with_the_token_that_the_model_wants() {
    let end = tokenizer().token_to_id("<|endoftext|>").unwrap();
    let text = tokenizer().encode("hello", false).unwrap();
    for (bos, eos) in [(Some(end), None), (None, Some(end)), (None, None)] {
        let tokenizer = tokenizer().with_ends_of_text(bos, eos).unwrap();
        let expected: Vec<u32> = bos.into_iter().chain(text.clone()).chain(eos).collect();
        assert_eq!(tokenizer.encode_prompt("hello").unwrap(), expected);
        assert_eq!(tokenizer.encode("hello", true).unwrap(), text);
    }
}

proptest! {
    #[test]
    fn any_text_comes_back(text in any::<String>()) {
        for tokenizer in [tokenizer(), Tokenizer::bytes()] {
            let ids = tokenizer.encode(&text, false).unwrap();
            prop_assert_eq!(tokenizer.decode(&ids), text.clone());
        }
    }

    #[test]
    fn bad_input_37_bytes_that_are_no_tokenizer_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Tokenizer::from_json(&bytes, "").is_err());
    }
}

#[test]
fn bad_input_37_a_malformed_tokenizer_is_refused_with_a_sentence() {
    let (vocab, merges) = files();
    let good = super::json::of_vocab_merges(&vocab, &merges).unwrap();
    let good: serde_json::Value = serde_json::from_slice(&good).unwrap();
    let with = |pointer: &str, value: serde_json::Value| {
        let mut json = good.clone();
        *json.pointer_mut(pointer).unwrap() = value;
        json.to_string()
    };
    let cases = [
        ("{}".to_owned(), "no `model.vocab`"),
        ("{".to_owned(), "no JSON"),
        (
            with("/model/merges", serde_json::json!([["zz", "h"]])),
            "zz",
        ),
        (
            with("/model/vocab/h", serde_json::json!(1_u64 << 40)),
            "token id 1099511627776 is not between 0 and",
        ),
        (
            with("/model/vocab/h", serde_json::json!(-1)),
            "token id -1 is not",
        ),
        (
            with("/decoder", serde_json::json!(null)).replace("ByteLevel", "Whitespace"),
            "",
        ),
    ];
    for (json, words) in cases {
        let Err(TextError::Tokenizer { from, what }) =
            Tokenizer::from_json(json.as_bytes(), " of x.json")
        else {
            panic!("{words}: taken");
        };
        assert_eq!(from, " of x.json");
        assert!(what.contains(words), "{what}");
    }
}

#[test]
fn bad_input_37_a_malformed_vocabulary_in_a_gguf_file_is_refused() {
    use crate::weights::Value::{Integers, Text, Texts};
    let strings = |names: &[&str]| Texts(names.iter().map(|name| (*name).to_owned()).collect());
    let with = |changes: &[(&str, Option<crate::weights::Value>)]| {
        let mut metadata = Metadata::default();
        for (key, value) in [
            ("tokenizer.ggml.model", Text("gpt2".into())),
            ("tokenizer.ggml.tokens", strings(&["a", "b", "ab"])),
            ("tokenizer.ggml.merges", strings(&["a b"])),
        ] {
            metadata.0.insert(key.to_owned(), value);
        }
        for (key, value) in changes {
            match value {
                Some(value) => metadata.0.insert((*key).to_owned(), value.clone()),
                None => metadata.0.remove(*key),
            };
        }
        Tokenizer::from_gguf(&metadata)
            .err()
            .map(|error| error.to_string())
    };
    assert_eq!(with(&[]), None);
    for (key, value, words) in [
        (
            "tokenizer.ggml.model",
            Some(Text("bert".into())),
            "is `bert`; gpt2 and llama can be read",
        ),
        ("tokenizer.ggml.pre", Some(Text("new".into())), "is `new`"),
        ("tokenizer.ggml.tokens", None, "no `tokenizer.ggml.tokens`"),
        (
            "tokenizer.ggml.tokens",
            Some(strings(&["a", "a", "b"])),
            "`a` twice",
        ),
        (
            "tokenizer.ggml.token_type",
            Some(Integers(vec![1])),
            "3 tokens and 1 types",
        ),
        (
            "tokenizer.ggml.merges",
            Some(strings(&["ab"])),
            "`ab` is not two tokens",
        ),
        ("tokenizer.ggml.merges", None, "no `tokenizer.ggml.merges`"),
    ] {
        let error = with(&[(key, value)]).unwrap();
        assert!(error.contains(words), "{error}");
    }
}

/// A `SentencePiece` vocabulary: an unknown token, bytes, and pieces whose scores say which merge comes first.
fn pieces() -> Metadata {
    use crate::weights::Value::{Floats, Integer, Integers, Text, Texts};
    let mut tokens = vec!["<unk>".to_owned(), "<s>".to_owned()];
    tokens.extend((0..256).map(|byte| format!("<0x{byte:02X}>")));
    let mut types = vec![2, 3];
    types.resize(tokens.len(), 6);
    let mut scores = vec![0.0; tokens.len()];
    for (score, piece) in [
        "el", "lo", "▁h", "▁hel", "▁hello", "▁", "h", "e", "l", "o", "w",
    ]
    .iter()
    .enumerate()
    {
        tokens.push((*piece).to_owned());
        types.push(1);
        scores.push(-(score as f32));
    }
    let mut metadata = Metadata::default();
    for (key, value) in [
        ("model", Text("llama".into())),
        ("tokens", Texts(tokens)),
        ("token_type", Integers(types)),
        ("scores", Floats(scores)),
        ("bos_token_id", Integer(1)),
    ] {
        metadata.0.insert(format!("tokenizer.ggml.{key}"), value);
    }
    metadata
}

#[test]
fn pieces_merge_by_their_scores_and_other_characters_fall_back_to_bytes() {
    let tokenizer = Tokenizer::from_gguf(&pieces()).unwrap();
    let names = |text: &str| -> Vec<String> {
        let ids = tokenizer.encode(text, false).unwrap();
        ids.iter()
            .map(|id| tokenizer.id_to_token(*id).unwrap())
            .collect()
    };
    // `el`, `lo`, `▁h`, `▁hel`, `▁hello`, in this order; and `lo` before `▁hel` could take an `l`.
    assert_eq!(names("hello"), ["▁hello"]);
    assert_eq!(names("hell"), ["▁hel", "l"]);
    assert_eq!(names("o wo"), ["▁", "o", "▁", "w", "o"]);
    assert_eq!(names("é"), ["▁", "<0xC3>", "<0xA9>"]);
    let ids = tokenizer.encode("hello é", false).unwrap();
    assert_eq!(tokenizer.decode(&ids), " hello é");
    assert_eq!(tokenizer.encode_prompt("h").unwrap()[0], 1);
    assert_eq!(
        tokenizer.encode("<s>", false).unwrap().first(),
        tokenizer.encode("<", false).unwrap().first()
    );
    assert_eq!(tokenizer.encode("<s>", true).unwrap(), [1]);
}

#[test]
fn bad_input_37_a_malformed_sentencepiece_vocabulary_is_refused() {
    use crate::weights::Value::{Floats, Texts};
    let with = |key: &str, value: Option<crate::weights::Value>| {
        let mut metadata = pieces();
        match value {
            Some(value) => metadata.0.insert(key.to_owned(), value),
            None => metadata.0.remove(key),
        };
        let error = Tokenizer::from_gguf(&metadata).err();
        error.map(|error| error.to_string()).unwrap_or_default()
    };
    let scores = "tokenizer.ggml.scores";
    assert!(with(scores, None).contains("no `tokenizer.ggml.scores`"));
    assert!(with(scores, Some(Floats(vec![1.0]))).contains("tokens and 1 scores"));
    let nan = Floats(vec![f32::NAN; 269]);
    assert_eq!(with(scores, Some(nan)), "");
    let mut long = pieces().texts("tokenizer.ggml.tokens").unwrap().to_vec();
    long[260] = "x".repeat(2000);
    let error = with("tokenizer.ggml.tokens", Some(Texts(long)));
    assert!(error.contains("the token 260 has 2000 bytes"), "{error}");
}
