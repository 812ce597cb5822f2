//! Folders of encoders that somebody else made: each is loaded, or refused with a sentence that names the file. Nothing
//! panics, and nothing is believed before it is checked.

mod common;

use common::{copy, options, rename_tensors};
use engine::{Encoder, TextBatch, TextId};
use models::{DType, Loaded, ModelSpec, ModelsError, load_any};
use proptest::prelude::*;
use std::path::Path;

fn load_path(path: &Path) -> Result<Loaded, ModelsError> {
    load_any(&ModelSpec::Path(path.to_owned()), &options(DType::Auto))
}

/// The error of a copy of the tiny BERT after a change to its folder.
fn error_after(change: impl FnOnce(&Path)) -> String {
    let folder = copy("bert-tiny");
    change(folder.path());
    let error = load_path(folder.path())
        .err()
        .unwrap_or_else(|| panic!("taken: {}", folder.path().display()))
        .to_string();
    let name = folder.path().file_name().unwrap().to_string_lossy();
    assert!(
        error.contains(&*name) || error.contains("tokenizer"),
        "{error}"
    );
    error
}

fn replace(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from}");
    std::fs::write(path, text.replacen(from, to, 1)).unwrap();
}

#[test]
fn bad_input_39_a_malformed_configuration_of_an_encoder_is_refused() {
    for (from, to, words) in [
        ("{", "{{", "is no JSON"),
        (
            "\"bert\"",
            "\"roberta\"",
            "`model_type` is `roberta`; of encoders, those with `bert`",
        ),
        ("\"gelu\"", "\"relu\"", "`hidden_act` is `relu`"),
        ("\"gelu\"", "7", "`hidden_act` is `no text`"),
        (
            "\"is_decoder\": false",
            "\"position_embedding_type\": \"relative_key\"",
            "`relative_key`",
        ),
        (
            "\"is_decoder\": false",
            "\"is_decoder\": true",
            "`is_decoder` is true",
        ),
        (
            "\"num_attention_heads\": 3",
            "\"num_attention_heads\": 0",
            "between 1 and",
        ),
        (
            "\"num_attention_heads\": 3",
            "\"num_attention_heads\": 1e300",
            "whole number",
        ),
        (
            "\"num_attention_heads\": 3",
            "\"num_attention_heads\": 5",
            "24 values for 5 heads",
        ),
        (
            "\"num_attention_heads\": 3",
            "\"other\": 3",
            "has no `num_attention_heads`",
        ),
        (
            "\"hidden_size\": 24",
            "\"hidden_size\": 27",
            "follows from the configuration",
        ),
        (
            "\"hidden_size\": 24",
            "\"hidden_size\": 1048577",
            "between 1 and 1048576",
        ),
        (
            "\"intermediate_size\": 48",
            "\"intermediate_size\": 1048576",
            "follows from the configuration",
        ),
        (
            "\"max_position_embeddings\": 40",
            "\"max_position_embeddings\": 16777216",
            "follows from the configuration",
        ),
        (
            "\"num_hidden_layers\": 2",
            "\"num_hidden_layers\": 3",
            "has no tensor",
        ),
        (
            "\"num_hidden_layers\": 2",
            "\"num_hidden_layers\": 99999",
            "between 1 and 1024",
        ),
        (
            "\"type_vocab_size\": 2",
            "\"type_vocab_size\": 0",
            "between 1 and",
        ),
        ("1e-12", "-1", "`layer_norm_eps` must be a number"),
        (
            "\"vocab_size\": 68",
            "\"vocab_size\": 60",
            "do not belong together",
        ),
        (
            "\"use_cache\": true",
            "\"matryoshka_dimensions\": [25]",
            "`matryoshka_dimensions` must be whole numbers between 1 and 24",
        ),
    ] {
        let error = error_after(|folder| replace(&folder.join("config.json"), from, to));
        assert!(error.contains(words), "{words}: {error}");
    }
}

#[test]
fn bad_input_39_what_sentence_transformers_says_is_checked() {
    for (file, from, to, words) in [
        ("modules.json", "[", "{", "is no JSON"),
        (
            "modules.json",
            "models.Pooling",
            "models.Dense",
            "`sentence_transformers.models.Dense`",
        ),
        (
            "modules.json",
            "1_Pooling",
            "../1_Pooling",
            "nothing outside the model's is opened",
        ),
        (
            "modules.json",
            "1_Pooling",
            "/etc",
            "nothing outside the model's is opened",
        ),
        (
            "1_Pooling/config.json",
            "mean_tokens",
            "max_tokens",
            "pools by [\"max_tokens\"]",
        ),
        (
            "1_Pooling/config.json",
            "cls_token\": false",
            "cls_token\": true",
            "pools by",
        ),
        (
            "1_Pooling/config.json",
            "mean_tokens\": true",
            "mean_tokens\": 1",
            "pools by []",
        ),
        (
            "sentence_bert_config.json",
            "32",
            "0",
            "`max_seq_length` must be between 1 and",
        ),
        (
            "sentence_bert_config.json",
            "32",
            "\"long\"",
            "whole number",
        ),
        (
            "sentence_bert_config.json",
            "false",
            "true",
            "`do_lower_case` is true",
        ),
        (
            "tokenizer.json",
            "BertPreTokenizer",
            "Other",
            "cannot be used",
        ),
    ] {
        let error = error_after(|folder| replace(&folder.join(file), from, to));
        assert!(error.contains(words), "{words}: {error}");
    }
    let error = error_after(|folder| {
        std::fs::remove_file(folder.join("tokenizer.json")).unwrap();
    });
    assert!(error.contains("has neither a tokenizer.json"), "{error}");
}

#[test]
fn bad_input_36_tensors_of_an_encoder_that_are_missing_or_of_another_shape_are_refused() {
    for (from, to, words) in [
        (
            "embeddings.word_embeddings",
            "embeddings.words",
            "has no tensor `embeddings.word_embeddings.weight`",
        ),
        (
            "layer.1.output.dense.bias",
            "layer.1.output.bias",
            "has no tensor",
        ),
        ("[24,24]", "[576]", "follows from the configuration"),
        ("\"F32\"", "\"F64\"", "F32, F16 and BF16"),
        // Whole numbers are no weights.
        ("\"F32\"", "\"I64\"", "has no tensor"),
    ] {
        let error = error_after(|folder| {
            rename_tensors(folder, |header| {
                assert!(header.contains(from), "{from}: {header}");
                header.replacen(from, to, 1)
            });
        });
        assert!(error.contains(words), "{words}: {error}");
    }
}

#[test]
fn a_length_beyond_the_models_is_refused() {
    for context in [0, 2, 33] {
        let mut options = options(DType::Auto);
        options.context_tokens = Some(context);
        let spec = ModelSpec::Path(common::data("bert-tiny"));
        let error = load_any(&spec, &options).err().expect("taken").to_string();
        assert!(error.contains("between 3 and 32 tokens"), "{error}");
    }
}

/// Loads it; whatever loads must also compute, whatever its numbers are.
fn survives(path: &Path) {
    let Ok(Loaded::Encoder(mut loaded)) = load_path(path) else {
        return;
    };
    let last = u32::try_from(loaded.encoder.vocab_size() - 1).unwrap();
    let mut batch = TextBatch::default();
    batch.push(TextId(0), &[0, last]);
    batch.push(TextId(1), &vec![last / 2; loaded.encoder.text_tokens_max()]);
    loaded.encoder.encode(&batch, &mut Vec::new()).unwrap();
    let _any = loaded.tokenizer.encode_prompt("naïve [SEP] text");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn bad_input_36_a_damaged_folder_of_an_encoder_is_refused_or_computes(
        damages in prop::collection::vec((0..1_000_000u64, any::<u8>()), 1..6),
        which in prop::sample::select(vec![
            "model.safetensors", "config.json", "tokenizer.json", "modules.json", "1_Pooling/config.json",
            "sentence_bert_config.json",
        ]),
    ) {
        let folder = copy("bert-tiny");
        let path = folder.path().join(which);
        let mut bytes = std::fs::read(&path).unwrap();
        for (place, byte) in damages {
            let at = bytes.len() as u64 * place / 1_000_000;
            bytes[usize::try_from(at).unwrap()] = byte;
        }
        std::fs::write(&path, bytes).unwrap();
        survives(folder.path());
    }
}
