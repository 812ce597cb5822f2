//! Every vocabulary becomes a `tokenizer.json`, so that there is one way to read them all.

use serde_json::{Map, Value, json};

/// GPT-2's two files.
pub(super) fn of_vocab_merges(vocab: &[u8], merges: &[u8]) -> Result<Value, String> {
    let vocab: Map<String, Value> = serde_json::from_slice(vocab)
        .map_err(|error| format!("the vocabulary is no JSON object of ids: {error}"))?;
    let merges = std::str::from_utf8(merges).map_err(|_| "the merges are not text".to_owned())?;
    let lines = merges
        .lines()
        .filter(|line| !line.starts_with("#version") && !line.is_empty());
    let merges: Vec<Value> = lines.map(pair).collect::<Result<_, _>>()?;
    let end = vocab.get("<|endoftext|>").cloned();
    let added: Vec<Value> = end
        .map(|id| added(&id, "<|endoftext|>", true))
        .into_iter()
        .collect();
    Ok(byte_level(vocab, merges, added, Cut::gpt2()))
}

/// `left right`.
pub(super) fn pair(line: &str) -> Result<Value, String> {
    match line.split_once(' ') {
        Some((left, right)) if !left.is_empty() && !right.is_empty() => Ok(json!([left, right])),
        _ => Err(format!(
            "the merge `{line}` is not two tokens with a space between"
        )),
    }
}

/// A token that is looked for before a text is cut.
pub(super) fn added(id: &Value, name: &str, special: bool) -> Value {
    json!({
        "id": id, "content": name, "special": special,
        "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
    })
}

/// How a text is cut before merging.
pub(super) struct Cut {
    pub(super) normalizer: Value,
    pub(super) pre_tokenizer: Value,
    /// Whether a whole piece that is a token stays one, whatever the merges make of it.
    pub(super) ignore_merges: bool,
}

impl Cut {
    /// GPT-2's own way.
    pub(super) fn gpt2() -> Cut {
        Cut {
            normalizer: Value::Null,
            pre_tokenizer: gpt2_pieces(),
            ignore_merges: false,
        }
    }

    /// Each digit alone, then GPT-2's way.
    pub(super) fn digits_and_gpt2() -> Cut {
        let digits = json!({"type": "Digits", "individual_digits": true});
        Cut {
            pre_tokenizer: json!({"type": "Sequence", "pretokenizers": [digits, gpt2_pieces()]}),
            ..Cut::gpt2()
        }
    }

    /// The pieces that a pattern finds.
    pub(super) fn pattern(pattern: &str) -> Cut {
        Cut {
            pre_tokenizer: json!({"type": "Sequence", "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false},
                {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false},
            ]}),
            ..Cut::gpt2()
        }
    }
}

fn gpt2_pieces() -> Value {
    json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true})
}

/// A byte-level vocabulary.
pub(super) fn byte_level(
    vocab: Map<String, Value>,
    merges: Vec<Value>,
    added: Vec<Value>,
    cut: Cut,
) -> Value {
    let mut json = json!({
        "version": "1.0",
        "normalizer": cut.normalizer,
        "pre_tokenizer": cut.pre_tokenizer,
        "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
        "model": {"type": "BPE", "ignore_merges": cut.ignore_merges},
    });
    fill(&mut json, vocab, merges, added);
    json
}

/// A vocabulary of `SentencePiece`: words begin with `▁`, and what is no token becomes bytes, `<0x0A>`.
pub(super) fn sentence_piece(
    vocab: Map<String, Value>,
    merges: Vec<Value>,
    added: Vec<Value>,
    unknown: Option<&str>,
    space_before: bool,
) -> Value {
    let mut normalizers = Vec::new();
    if space_before {
        normalizers.push(json!({"type": "Prepend", "prepend": "▁"}));
    }
    normalizers.push(json!({"type": "Replace", "pattern": {"String": " "}, "content": "▁"}));
    let mut json = json!({
        "version": "1.0",
        "normalizer": {"type": "Sequence", "normalizers": normalizers},
        "decoder": {"type": "ByteFallback"},
        "model": {"type": "BPE", "unk_token": unknown, "fuse_unk": true, "byte_fallback": true},
    });
    fill(&mut json, vocab, merges, added);
    json
}

/// Moves what is large: `json!` would copy it.
fn fill(json: &mut Value, vocab: Map<String, Value>, merges: Vec<Value>, added: Vec<Value>) {
    json["added_tokens"] = Value::Array(added);
    json["model"]["vocab"] = Value::Object(vocab);
    json["model"]["merges"] = Value::Array(merges);
}
