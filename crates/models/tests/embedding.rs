//! Encoders against the truth: what sentence-transformers computes from the same files. `tools/golden/embedding.py` made
//! the vectors.

mod common;

use common::data;
use engine::{Encoder, TextBatch, TextId};
use models::{DType, LoadOptions, Loaded, LoadedEncoder, ModelSpec, load, load_any};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Of the cosine of the angle between a vector and the true one, from 1.
const TOLERANCE: f64 = 1e-5;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    text: String,
    ids: Vec<u32>,
    /// 32-bit numbers, little-endian, in base64.
    vector: String,
}

impl Case {
    fn vector(&self) -> Vec<f32> {
        let sextets = self.vector.bytes().filter_map(|byte| match byte {
            b'A'..=b'Z' => Some(byte - b'A'),
            b'a'..=b'z' => Some(byte - b'a' + 26),
            b'0'..=b'9' => Some(byte - b'0' + 52),
            b'+' => Some(62),
            b'/' => Some(63),
            _ => None,
        });
        let (mut bytes, mut bits, mut kept) = (Vec::new(), 0u32, 0);
        for sextet in sextets {
            (bits, kept) = (bits << 6 | u32::from(sextet), kept + 6);
            if kept >= 8 {
                kept -= 8;
                bytes.push(u8::try_from(bits >> kept & 255).unwrap());
            }
        }
        let numbers = bytes.as_chunks::<4>().0.iter();
        numbers.map(|bytes| f32::from_le_bytes(*bytes)).collect()
    }
}

fn golden(name: &str) -> Vec<Case> {
    let json = std::fs::read(data(name)).unwrap();
    serde_json::from_slice::<Golden>(&json).unwrap().cases
}

fn encoder(spec: &ModelSpec, dtype: DType) -> LoadedEncoder {
    let options = LoadOptions {
        threads: 2,
        ..common::options(dtype)
    };
    match load_any(spec, &options) {
        Ok(Loaded::Encoder(encoder)) => *encoder,
        Ok(Loaded::Generator(_)) => panic!("{spec:?} is no encoder"),
        Err(error) => panic!("{error}"),
    }
}

/// The vectors of texts, computed together.
fn vectors(loaded: &mut LoadedEncoder, texts: &[&[u32]]) -> Vec<Vec<f32>> {
    let mut batch = TextBatch::default();
    for (text, ids) in (0..).zip(texts) {
        batch.push(TextId(text), ids);
    }
    let mut all = Vec::new();
    loaded.encoder.encode(&batch, &mut all).unwrap();
    let width = loaded.encoder.dimensions();
    all.chunks(width).map(<[f32]>::to_vec).collect()
}

/// 1 − cosine.
fn distance(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter()
            .zip(b)
            .map(|(a, b)| f64::from(*a) * f64::from(*b))
            .sum()
    };
    1.0 - dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// Token ids, and vectors alone and in one batch of all; returns the largest distance.
fn check(path: &Path, cases: &[Case], dtype: DType) -> f64 {
    let mut loaded = encoder(&ModelSpec::Path(path.to_owned()), dtype);
    let mut worst = 0.0f64;
    for case in cases {
        assert_eq!(
            loaded.tokenizer.encode_prompt(&case.text).unwrap(),
            case.ids
        );
        let alone = &vectors(&mut loaded, &[&case.ids])[0];
        let length: f32 = alone.iter().map(|x| x * x).sum();
        assert!((length - 1.0).abs() < 1e-5, "{length}");
        worst = worst.max(distance(alone, &case.vector()));
    }
    let texts: Vec<&[u32]> = cases.iter().map(|case| case.ids.as_slice()).collect();
    let together = vectors(&mut loaded, &texts);
    for ((case, vector), ids) in cases.iter().zip(&together).zip(&texts) {
        worst = worst.max(distance(vector, &case.vector()));
        let alone = &vectors(&mut loaded, &[ids])[0];
        assert_eq!(alone, vector, "a text is the same in any company");
    }
    println!(
        "{} in {dtype:?}: the largest cosine distance is {worst:.1e}",
        path.display()
    );
    worst
}

#[test]
fn a_small_encoder_computes_what_sentence_transformers_computes() {
    let cases = golden("bert-tiny/golden.json");
    assert!(cases.len() >= 8);
    assert!(check(&data("bert-tiny"), &cases, DType::F32) < TOLERANCE);
}

#[test]
fn a_tensor_behind_the_prefix_of_a_trained_head_is_found() {
    let folder = common::copy("bert-tiny");
    common::rename_tensors(folder.path(), |header| {
        header
            .replace("\"embeddings.", "\"bert.embeddings.")
            .replace("\"encoder.", "\"bert.encoder.")
    });
    assert!(check(folder.path(), &golden("bert-tiny/golden.json"), DType::F32) < TOLERANCE);
}

#[test]
fn the_first_token_is_the_vector_where_the_model_says_so() {
    let folder = common::copy("bert-tiny");
    let pooling = r#"{"embedding_dimension": 24, "pooling_mode": "cls"}"#;
    std::fs::write(folder.path().join("1_Pooling/config.json"), pooling).unwrap();
    let mut first = encoder(&ModelSpec::Path(folder.path().to_owned()), DType::F32);
    let mut mean = encoder(&ModelSpec::Path(data("bert-tiny")), DType::F32);
    let one = [2];
    assert_eq!(vectors(&mut first, &[&one]), vectors(&mut mean, &[&one]));
    let three = [2, 5, 3];
    assert_ne!(
        vectors(&mut first, &[&three]),
        vectors(&mut mean, &[&three])
    );
}

#[test]
fn words_come_back_from_their_pieces() {
    let loaded = encoder(&ModelSpec::Path(data("bert-tiny")), DType::F32);
    let tokenizer = &loaded.tokenizer;
    let ids = tokenizer.encode_prompt("The tokenizer measures").unwrap();
    assert_eq!((ids[0], ids[ids.len() - 1]), (2, 3));
    assert_eq!(tokenizer.decode(&ids), "the tokenizer measures");
    let short = tokenizer
        .encode_prompt_within("The tokenizer measures", 4)
        .unwrap();
    assert_eq!((short.len(), &short[..3], short[3]), (4, &ids[..3], 3));
    assert_eq!(loaded.encoder.text_tokens_max(), 32);
}

#[test]
fn the_built_in_encoder_needs_no_file_and_tells_texts_apart() {
    let mut loaded = encoder(&ModelSpec::RandomTinyBert, DType::Auto);
    assert_eq!(loaded.facts.dtype, "int8");
    let text = |text: &str| loaded.tokenizer.encode_prompt(text).unwrap();
    let texts = [text("one"), text("two"), text("one")];
    let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
    let vectors = vectors(&mut loaded, &texts);
    assert_eq!(vectors[0], vectors[2]);
    assert!(distance(&vectors[0], &vectors[1]) > 0.01);
}

#[test]
fn a_batch_that_does_not_fit_the_model_is_refused() {
    let mut loaded = encoder(&ModelSpec::RandomTinyBert, DType::Auto);
    for (tokens, lengths, words) in [
        (
            vec![260],
            vec![1],
            "token 260 is beyond the vocabulary of 260",
        ),
        (
            vec![1; 2_049],
            vec![2_049],
            "a text of 2049 tokens is not between 1 and 2048",
        ),
        (vec![], vec![0], "a text of 0 tokens"),
        (
            vec![1; 3],
            vec![2],
            "the texts have 2 tokens together, and there are 3",
        ),
    ] {
        let batch = TextBatch {
            texts: vec![TextId(0)],
            lengths,
            tokens,
        };
        let error = loaded.encoder.encode(&batch, &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn what_asks_for_a_text_of_an_encoder_is_told_what_it_is() {
    for spec in [
        ModelSpec::RandomTinyBert,
        ModelSpec::Path(data("bert-tiny")),
    ] {
        let error = load(&spec, &common::options(DType::F32)).err().unwrap();
        assert!(error.to_string().contains("tokenomics serve"), "{error}");
    }
}

/// The folder of all-MiniLM-L6-v2, where it is there and slow tests are asked for.
fn minilm() -> Option<PathBuf> {
    let asked = std::env::var_os("RUN_SLOW_TESTS").is_some();
    std::env::var_os("TOKENOMICS_MINILM")
        .filter(|_| asked)
        .map(PathBuf::from)
}

#[test]
fn a_real_encoder_computes_what_sentence_transformers_computes() {
    if let Some(path) = minilm() {
        let cases = golden("minilm.json");
        assert_eq!(cases.len(), 20);
        assert!(check(&path, &cases, DType::F32) < TOLERANCE);
        // Eight bits are near.
        assert!(check(&path, &cases, DType::Int8) < 2e-3);
    }
}
