//! `SentencePiece` vocabularies of GGUF files. They have a score for each piece and no merges; the merges follow from the
//! scores, and with them the vocabulary is one of byte-pair encoding (Kudo and Richardson, 2018).

use crate::weights::Metadata;
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// The values of `tokenizer.ggml.token_type` that matter here.
pub(super) const TYPE_UNKNOWN: i64 = 2;
pub(super) const TYPE_CONTROL: i64 = 3;
const TYPE_BYTE: i64 = 6;

/// Pieces have 16 characters at most where models are trained; each place in one is a candidate for a merge.
const PIECE_BYTES_MAX: usize = 1024;

/// The model part and the normalizer of a `tokenizer.json`.
pub(super) fn model(
    metadata: &Metadata,
    names: &[String],
    types: &[i64],
    vocab: Map<String, Value>,
) -> Result<(Value, Value), String> {
    let scores = metadata
        .floats("tokenizer.ggml.scores")
        .ok_or("it has no `tokenizer.ggml.scores`")?;
    if scores.len() != names.len() {
        return Err(format!(
            "it has {} tokens and {} scores",
            names.len(),
            scores.len()
        ));
    }
    let unknown = types.iter().position(|kind| *kind == TYPE_UNKNOWN);
    let mut model = json!({
        "type": "BPE", "unk_token": unknown.map(|id| &names[id]), "fuse_unk": true, "byte_fallback": true,
    });
    // Moved, because `json!` would copy what is large.
    model["vocab"] = Value::Object(vocab);
    model["merges"] = Value::Array(merges(names, types, scores)?);
    let mut steps = vec![json!({"type": "Replace", "pattern": {"String": " "}, "content": "▁"})];
    if metadata.bool("tokenizer.ggml.add_space_prefix") != Some(false) {
        steps.insert(0, json!({"type": "Prepend", "prepend": "▁"}));
    }
    Ok((model, json!({"type": "Sequence", "normalizers": steps})))
}

/// Two neighbours become one where that is a piece, the best score first.
fn merges(names: &[String], types: &[i64], scores: &[f32]) -> Result<Vec<Value>, String> {
    // A control token or a byte comes from no text, so nothing merges into one.
    let comes_of_text = |id: &usize| {
        !matches!(
            types.get(*id),
            Some(&(TYPE_UNKNOWN | TYPE_CONTROL | TYPE_BYTE))
        )
    };
    let ids: HashMap<&str, usize> = (0..names.len())
        .filter(comes_of_text)
        .map(|id| (names[id].as_str(), id))
        .collect();
    let mut merges = Vec::new();
    for (piece, id) in &ids {
        if piece.len() > PIECE_BYTES_MAX {
            return Err(format!(
                "the token {id} has {} bytes; a piece has at most {PIECE_BYTES_MAX}",
                piece.len()
            ));
        }
        for (at, _) in piece.char_indices().skip(1) {
            let (left, right) = piece.split_at(at);
            if ids.contains_key(left) && ids.contains_key(right) {
                merges.push((*id, left, right));
            }
        }
    }
    merges.sort_unstable_by(|(a, left_a, _), (b, left_b, _)| {
        let by_score = scores[*b].total_cmp(&scores[*a]);
        by_score
            .then(a.cmp(b))
            .then(left_a.len().cmp(&left_b.len()))
    });
    let pairs = merges.iter().map(|(_, left, right)| json!([left, right]));
    Ok(pairs.collect())
}
