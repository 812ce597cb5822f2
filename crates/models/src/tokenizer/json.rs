//! Every vocabulary becomes a `tokenizer.json`, so that there is one way to read them all.

use super::sentencepiece::{self, TYPE_CONTROL, TYPE_UNKNOWN};
use crate::weights::Metadata;
use serde_json::{Map, Value, json};

/// GPT-2's two files.
pub(super) fn of_vocab_merges(vocab: &[u8], merges: &[u8]) -> Result<Vec<u8>, String> {
    let vocab: Map<String, Value> = serde_json::from_slice(vocab)
        .map_err(|error| format!("vocab.json is no object of ids: {error}"))?;
    let merges = std::str::from_utf8(merges).map_err(|_| "merges.txt is not text".to_owned())?;
    let lines = merges
        .lines()
        .filter(|line| !line.starts_with("#version") && !line.is_empty());
    let merges: Vec<Value> = lines.map(pair).collect::<Result<_, _>>()?;
    let end = vocab.get("<|endoftext|>").cloned();
    let added: Vec<Value> = end
        .map(|id| added(&id, "<|endoftext|>", true))
        .into_iter()
        .collect();
    let parts = Parts {
        before: byte_level_alone(),
        ignore_merges: false,
    };
    Ok(byte_level(&vocab, &merges, &added, &parts))
}

fn pair(line: &str) -> Result<Value, String> {
    match line.split_once(' ') {
        Some((left, right)) if !left.is_empty() && !right.is_empty() => Ok(json!([left, right])),
        _ => Err(format!(
            "the merge `{line}` is not two tokens with a space between"
        )),
    }
}

/// A value of `tokenizer.ggml.token_type`.
const TYPE_USER_DEFINED: i64 = 4;

/// The vocabulary of a GGUF file.
pub(super) fn of_gguf(metadata: &Metadata) -> Result<Vec<u8>, String> {
    let text = |key: &str| metadata.text(key).unwrap_or("none");
    let names = metadata
        .texts("tokenizer.ggml.tokens")
        .ok_or("it has no `tokenizer.ggml.tokens`")?;
    let types = metadata
        .integers("tokenizer.ggml.token_type")
        .unwrap_or(&[]);
    if !types.is_empty() && types.len() != names.len() {
        return Err(format!(
            "it has {} tokens and {} types of tokens",
            names.len(),
            types.len()
        ));
    }
    let mut vocab = Map::new();
    let mut specials = Vec::new();
    for (id, name) in names.iter().enumerate() {
        if vocab.insert(name.clone(), json!(id)).is_some() {
            return Err(format!("it has the token `{name}` twice"));
        }
        match types.get(id) {
            Some(&(TYPE_CONTROL | TYPE_UNKNOWN)) => specials.push(added(&json!(id), name, true)),
            Some(&TYPE_USER_DEFINED) => specials.push(added(&json!(id), name, false)),
            _ => {}
        }
    }
    match text("tokenizer.ggml.model") {
        "gpt2" => {
            let merges = metadata
                .texts("tokenizer.ggml.merges")
                .ok_or("it has no `tokenizer.ggml.merges`")?;
            let merges: Vec<Value> = merges
                .iter()
                .map(|line| pair(line))
                .collect::<Result<_, _>>()?;
            let name = text("tokenizer.ggml.pre");
            let parts = Parts {
                before: pre_tokenizer(name)?,
                // A word that is a token is taken whole, whatever its merges are.
                ignore_merges: LLAMA_3.contains(&name),
            };
            Ok(byte_level(&vocab, &merges, &specials, &parts))
        }
        "llama" => {
            let (model, normalizer) = sentencepiece::model(metadata, names, types, vocab)?;
            let json = json!({
                "version": "1.0", "added_tokens": specials, "normalizer": normalizer,
                "decoder": {"type": "ByteFallback"}, "model": model,
            });
            Ok(json.to_string().into_bytes())
        }
        other => Err(format!(
            "`tokenizer.ggml.model` is `{other}`; gpt2 and llama can be read: give the model's tokenizer.json with \
             --tokenizer-name"
        )),
    }
}

fn added(id: &Value, name: &str, special: bool) -> Value {
    json!({
        "id": id, "content": name, "special": special,
        "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
    })
}

/// What byte-level vocabularies have otherwise than each other.
struct Parts {
    before: Value,
    ignore_merges: bool,
}

fn byte_level(
    vocab: &Map<String, Value>,
    merges: &[Value],
    added: &[Value],
    parts: &Parts,
) -> Vec<u8> {
    let json = json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added,
        "normalizer": null,
        "pre_tokenizer": parts.before,
        "post_processor": null,
        "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": parts.ignore_merges,
            "vocab": vocab, "merges": merges,
        },
    });
    json.to_string().into_bytes()
}

/// GPT-2's own splitting.
fn byte_level_alone() -> Value {
    json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true})
}

/// Names of the way that Llama 3's vocabulary cuts texts.
const LLAMA_3: [&str; 7] = [
    "llama-bpe",
    "llama3",
    "llama-v3",
    "falcon3",
    "falcon-h1",
    "pixtral",
    "lfm2",
];

/// Whether texts of such a vocabulary begin with the token for that where the file does not say: llama.cpp's defaults.
pub(super) fn begins_texts(metadata: &Metadata) -> bool {
    let before = metadata.text("tokenizer.ggml.pre").unwrap_or("none");
    match metadata.text("tokenizer.ggml.model") {
        Some("llama") => true,
        Some("gpt2") => LLAMA_3.contains(&before),
        _ => false,
    }
}

/// How a text is cut before merging, by the name that GGUF files give it.
fn pre_tokenizer(name: &str) -> Result<Value, String> {
    let split = |pattern: &str| {
        json!({"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false},
            {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false},
        ]})
    };
    Ok(match name {
        "none" | "default" | "gpt-2" => byte_level_alone(),
        "smollm" => json!({"type": "Sequence", "pretokenizers": [
            {"type": "Digits", "individual_digits": true}, byte_level_alone(),
        ]}),
        name if LLAMA_3.contains(&name) => split(
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        ),
        "qwen2" => split(
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        ),
        other => {
            return Err(format!(
                "`tokenizer.ggml.pre` is `{other}`; gpt-2, smollm, llama-bpe and qwen2 can be read: give the model's \
                 tokenizer.json with --tokenizer-name"
            ));
        }
    })
}
